/**
 * The one home of the SQL driver. Every query has a deadline, and a pool whose connections have gone silent is
 * replaced whole: a half-open connection never answers, and waiting for it would hang every caller behind it.
 */
import pg from "pg"
import { readInTurns } from "./large-answers.ts"

/** What a query may be given. `bytea` travels as Buffer; JSON never goes in as a value (columns are opaque). */
export type SqlValue =
  | string
  | number
  | boolean
  | null
  | Date
  | Buffer
  | readonly (string | number | boolean | null | Buffer)[]

/** Runs statements one after another on one connection. */
export interface Queryable {
  /** Rows as the driver gives them; int8 arrives as a string, so ask for `::int` or `::text`. */
  query<Row>(text: string, values?: readonly SqlValue[]): Promise<readonly Row[]>
  /** Number of rows that the statement touched. */
  execute(text: string, values?: readonly SqlValue[]): Promise<number>
}

export interface Database extends Queryable {
  /**
   * One transaction: committed when `run` returns, rolled back when it throws. Do nothing slow inside. With
   * `reads_first` the first statement goes out right behind "begin", which saves a turn: it may only read or lock.
   */
  transaction<T>(run: (tx: Queryable) => Promise<T>, first?: "reads_first"): Promise<T>
  /** Throws away every connection and begins anew; running queries fail. */
  replacePool(): Promise<void>
  close(): Promise<void>
  /** After `close`, opens it again; otherwise does nothing. */
  reopen(): void
}

/** Whose problem an error of the database is. `away`: try again later. `refused`: this statement is wrong or unlucky. */
export type DatabaseProblem = "away" | "refused"

/** SQLSTATE classes that say "not now": connection, operator intervention, resources, serialization and lock trouble. */
const AWAY = /^(08|53|57|40|55P03|25006)/
/** Of these, what a healthy server says of one statement: cancelled or too slow, a lock that was not had, a deadlock. */
const UNLUCKY = /^(57014|55P03|40)/
/** SQLSTATE of a statement in a transaction in which another one has failed. */
const REFUSED_FOR_ANOTHER = "25P02"
/** The driver's words when all connections stayed busy: they may be slow, but nothing says that they are silent. */
const ALL_BUSY = "timeout exceeded when trying to connect"

/** Sorts an error from a query; null where it does not come from the database. */
export function databaseProblem(error: unknown): DatabaseProblem | null {
  if (!(error instanceof Error)) return null
  const code = "code" in error && typeof error.code === "string" ? error.code : null
  if (error instanceof pg.DatabaseError) return code !== null && AWAY.test(code) ? "away" : "refused"
  if (code !== null && /^E[A-Z]+$/.test(code)) return "away"
  return /timeout|terminated|not queryable|Connection|closed/.test(error.message) ? "away" : null
}

/** True where a server that is well gave up one statement because it took too long. */
export const tookTooLong = (error: unknown): boolean => error instanceof pg.DatabaseError && error.code === "57014"

export interface DatabaseOptions {
  readonly url: string
  /** Connections at most. */
  readonly max?: number
  readonly applicationName?: string
  /** After so long a transaction begins no more statements, and fails as one does that took too long. Default 40,000. */
  readonly transactionMs?: number
  /** A connection on which a transaction says nothing for so long is given up by the server. Default 10,000. */
  readonly silentMs?: number
  /** How long a connection that nobody uses is kept, in milliseconds. Default 10,000. */
  readonly idleMs?: number
  /** Called on each change between answering (null) and not answering (why). */
  readonly onHealth?: (error: unknown) => void
}

/** Of a transaction no statement begins later: whoever works in it has a minute, and a lock is not held for longer. */
const TRANSACTION_MS = 40_000
/** Ours may have died without a word: then its locks are let go. */
const SILENT_MS = 10_000
const CONNECT_TIMEOUT_MS = 3_000
const STATEMENT_TIMEOUT_MS = 5_000
/** Longer than the server's own limit, so that a living server answers first. */
const QUERY_DEADLINE_MS = 6_000
/** Deadline misses in a row after which the pool is replaced. */
const MISSES_BEFORE_REPLACEMENT = 3

/** Opens a pool; connects on first use. */
export function openDatabase(options: DatabaseOptions): Database {
  let pool = newPool(options)
  let misses = 0
  let up = true

  const report = (error: unknown): void => {
    if ((error === null) === up) return
    up = error === null
    options.onHealth?.(error)
  }

  const replacePool = async (): Promise<void> => {
    const old = pool
    pool = newPool(options)
    misses = 0
    // Silent connections never end politely: what remains after the deadline is dropped with its sockets.
    await Promise.race([old.end(), new Promise<void>((done) => setTimeout(done, 1_000).unref())])
  }

  /** Keeps count of what a failure says about the pool that it happened in. */
  const failed = (error: unknown, of: pg.Pool): void => {
    if (databaseProblem(error) !== "away") return
    if (error instanceof pg.DatabaseError && UNLUCKY.test(error.code ?? "")) return
    report(error)
    // What still waits in a pool that was replaced says nothing of its successor: counting it would replace that one
    // too, and the next, each with all its connections.
    if (of !== pool || !(error instanceof Error) || error.message === ALL_BUSY || !/timeout/i.test(error.message))
      return
    misses += 1
    if (misses < MISSES_BEFORE_REPLACEMENT) return
    replacePool().catch(() => {
      // The old pool is out of reach already; the new one is in place.
    })
  }

  const answered = (): void => {
    misses = 0
    report(null)
  }

  const run = async (text: string, values: readonly SqlValue[] = []): Promise<pg.QueryResult> => {
    const used = pool
    try {
      const result = await used.query(statement(text, values))
      answered()
      return result
    } catch (error) {
      failed(error, used)
      throw error
    }
  }

  return {
    async query<Row>(text: string, values?: readonly SqlValue[]) {
      return (await run(text, values)).rows as Row[] // the caller names the columns it selected
    },
    async execute(text, values) {
      return (await run(text, values)).rowCount ?? 0
    },
    async transaction(work, first) {
      const used = pool
      let client: pg.PoolClient
      try {
        client = await used.connect()
      } catch (error) {
        failed(error, used)
        throw error
      }
      let broken: unknown = null
      const line: Line = { client, open: 0 }
      const stillHere = sayStillHere(line, options)
      try {
        // A "begin" can be cancelled, and what was sent behind it then commits statement by statement: so nothing is,
        // but one statement that changes nothing, whose answer counts only if the transaction has begun.
        const begun = client.query("begin")
        if (first === undefined) await begun
        else
          begun.catch(() => {
            // The first statement says so.
          })
        const result = await work(onClient(line, begun, options.transactionMs ?? TRANSACTION_MS))
        clearInterval(stillHere)
        const { command } = await client.query("commit")
        // That is how PostgreSQL answers the commit of a transaction in which something failed.
        if (command !== "COMMIT") throw new Error("a transaction's work hid that one of its statements failed")
        answered()
        return result
      } catch (error) {
        failed(error, used)
        broken = error
        if (error instanceof pg.DatabaseError || databaseProblem(error) === null) {
          // The session is sound, only the transaction is not, and its locks are let go before anybody hears of it.
          broken = await client.query("rollback").then(
            () => null,
            (rollbackError: unknown) => rollbackError,
          )
        }
        throw error
      } finally {
        clearInterval(stillHere)
        client.release(broken instanceof Error ? broken : broken !== null)
      }
    },
    replacePool,
    close: () => pool.end(),
    reopen() {
      if (pool.ending) pool = newPool(options)
    },
  }
}

/** A transaction's connection, and how many of its statements are not answered yet. */
interface Line {
  readonly client: pg.PoolClient
  open: number
}

/**
 * Whoever works out what follows for very many people says nothing to the server meanwhile, on a busy machine for longer
 * than it waits. A process that hangs does not say this either; work without an end says it for as long as it may take.
 */
function sayStillHere(line: Line, { silentMs = SILENT_MS, transactionMs = TRANSACTION_MS }: DatabaseOptions) {
  const began = performance.now()
  return setInterval(() => {
    if (line.open > 0 || performance.now() - began > transactionMs) return
    line.client.query("select").catch(() => {
      // Whatever is the matter, the transaction's own statements say so.
    })
  }, silentMs / 3)
}

function onClient(line: Line, begun: Promise<unknown>, transactionMs: number): Queryable {
  const began = performance.now()
  let first: unknown = null
  const run = async (text: string, values: readonly SqlValue[]): Promise<pg.QueryResult> => {
    try {
      if (performance.now() - began > transactionMs) throw tooLong()
      line.open += 1
      const result = await line.client.query(statement(text, values)).finally(() => {
        line.open -= 1
      })
      await begun
      return result
    } catch (error) {
      // What is sent behind a statement that fails is refused for its sake, and may be heard of before it.
      if (first !== null && error instanceof pg.DatabaseError && error.code === REFUSED_FOR_ANOTHER) throw first
      first ??= error
      throw error
    }
  }
  return {
    async query<Row>(text: string, values: readonly SqlValue[] = []) {
      return (await run(text, values)).rows as Row[] // the caller names the columns it selected
    },
    async execute(text, values = []) {
      return (await run(text, values)).rowCount ?? 0
    },
  }
}

/** Whatever is asked within is as it stood at one moment; nothing can be changed. */
export const atOneMoment = <T>(db: Database, run: (tx: Queryable) => Promise<T>): Promise<T> =>
  db.transaction(async (tx) => {
    await tx.execute("set transaction isolation level repeatable read, read only")
    return run(tx)
  })

/** In the server's own words, because it means the same: this is too much, and nobody is away. */
function tooLong(): Error {
  const error = new pg.DatabaseError("canceling statement because its transaction took too long", 0, "error")
  error.code = "57014"
  return error
}

/** As the server says it of a transaction that others came in the way of: it is worth another try, later. */
export function interfered(what: string): Error {
  const error = new pg.DatabaseError(what, 0, "error")
  error.code = "40001"
  return error
}

/** A pool's clients are the driver's own, whose types leave out that they have a connection. */
const hasStream = (client: object): client is { readonly connection: pg.Connection } =>
  "connection" in client && client.connection instanceof pg.Connection

const names = new Map<string, string>()

/** Statements are few and fixed, so each is prepared once per connection under a short name. */
function statement(text: string, values: readonly SqlValue[]): pg.QueryConfig {
  let name = names.get(text)
  if (name === undefined) {
    name = `s${names.size}`
    names.set(text, name)
  }
  return { name, text, values: values.map((value) => (Array.isArray(value) ? arrayLiteral(value) : value)) }
}

/**
 * A PostgreSQL array literal. The driver makes one too, by two regular expressions for each element; batches here hold
 * thousands of ids and sealed columns, nearly none of which need any escape.
 */
function arrayLiteral(items: readonly (string | number | boolean | null | Buffer)[]): string {
  let text = ""
  for (const item of items) {
    if (text !== "") text += ","
    if (item === null) text += "NULL"
    else if (typeof item === "string") text += `"${NEEDS_ESCAPE.test(item) ? item.replaceAll(/["\\]/g, "\\$&") : item}"`
    else if (typeof item === "number" || typeof item === "boolean") text += String(item)
    else text += `"\\\\x${item.toString("hex")}"`
  }
  return `{${text}}`
}

const NEEDS_ESCAPE = /["\\]/

function newPool(options: DatabaseOptions): pg.Pool {
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.max ?? 16,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: QUERY_DEADLINE_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    lock_timeout: 2_000,
    idle_in_transaction_session_timeout: options.silentMs ?? SILENT_MS,
    // A burst's connections go soon after it: on a small server another node may be waiting for one.
    idleTimeoutMillis: options.idleMs ?? 10_000,
    keepAlive: true,
    // Statements of one connection that do not wait for each other share the way there.
    pipeline: true,
    application_name: options.applicationName ?? "hubbub",
    // Every statement of the path has its index. A plan that is made while a table is nearly empty, and kept, would
    // read the whole table until its first analyze: 8,000 rows to settle three, a minute after the first start.
    // Before version 18 that costs a plan which cannot do without 10^10, and its seven rows are compiled for 70 ms.
    options: "-c enable_seqscan=off -c jit=off",
  })
  pool.on("error", () => {
    // An idle connection died: the pool drops it, and the next query makes another.
  })
  // A connection that dies while a transaction holds it tells its own listeners too, and with none the process ends.
  pool.on("connect", (client) => {
    if (hasStream(client)) readInTurns(client.connection.stream)
    client.on("error", () => {
      // The transaction's next statement fails, and its end drops the connection.
    })
  })
  return pool
}
