/**
 * Which PostgreSQL driver survives? `pg` (as the hub uses it, and bare with a query timeout) and `postgres` (postgres.js)
 * each work in a process of their own, eight workers in small transactions, while (a) the server is ended hard and
 * started again ten times, every backend terminated before each, and (b) all connections fall silent without closing.
 * Always on a server of its own, since it is killed. Takes about two minutes.
 */
import { rmSync } from "node:fs"
import { createServer, connect as openSocket, type Socket } from "node:net"
import pg from "pg"
import postgres from "postgres"
import { openDatabase } from "../src/store/database.ts"
import { startEmbedded } from "../src/store/embedded.ts"
import { machineLine, num, percentile, printRows, printTable, type Row, sql, temporaryFolder } from "./harness.ts"

const DRIVERS = ["hub", "pg", "postgres"] as const
type Driver = (typeof DRIVERS)[number]
const LABEL: Record<Driver, string> = {
  hub: "pg 8.23.1, store/database.ts",
  pg: "pg 8.23.1, query_timeout 3 s",
  postgres: "postgres 3.4.9",
}
const WORKERS = 8
const RESTARTS = 10
const FREEZES = 2
const HUNG_AFTER_MS = 10_000
/** How long a restart waits for the slowest worker before the next one. */
const CYCLE_MS = 2_000
const INSERT = "insert into halves (tx, half) values ($1, $2)"

/** Told to the worker process. */
type Order =
  | { readonly kind: "down" }
  | { readonly kind: "back" }
  | { readonly kind: "state" }
  | { readonly kind: "end" }

/** Told by it: for each worker the milliseconds from "back" to its first success since, null for none. */
interface State {
  readonly firstSuccess: readonly (number | null)[]
  readonly uncaught: readonly string[]
  /** Transactions whose commit was confirmed; only in the answer to "end". */
  readonly confirmed: readonly number[]
}

/** Runs the bench; prints its own table and returns the rows for the common one. */
export async function drivers(): Promise<readonly Row[]> {
  const dataDir = temporaryFolder()
  let server = await startEmbedded({ dataDir, durable: true })
  const { url, port } = server
  const restart = async () => {
    process.kill(server.pid, "SIGQUIT")
    await server.exited
    server = await startEmbedded({ dataDir, durable: true, port })
  }
  try {
    console.log(await machineLine({ url, origin: "embedded", stop: async () => undefined }))
    await sql(url, "create table halves (tx int not null, half int not null)")
    const results: Result[] = []
    for (const driver of DRIVERS) {
      results.push(await restarts(driver, url, restart))
      results.push(await silence(driver, url, port))
    }
    return report(results)
  } finally {
    await server.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

interface Result {
  readonly fault: "restarts" | "silence"
  readonly driver: Driver
  /** One for each worker and fault that it overcame. */
  readonly healedMs: readonly number[]
  readonly hung: number
  readonly uncaught: readonly string[]
  readonly confirmed: number
  readonly torn: number
  readonly lost: number
}

async function restarts(driver: Driver, url: string, restart: () => Promise<void>): Promise<Result> {
  const run = await startWorker(driver, url)
  const healedMs: number[] = []
  for (let n = 1; n <= RESTARTS; n++) {
    await sql(
      url,
      "select pg_terminate_backend(pid) from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
    )
    await Bun.sleep(100)
    run.tell({ kind: "down" })
    await restart()
    run.tell({ kind: "back" })
    const state = await run.healed(n === RESTARTS ? HUNG_AFTER_MS : CYCLE_MS)
    healedMs.push(...state.firstSuccess.filter((ms) => ms !== null))
  }
  return finish("restarts", driver, url, run, healedMs)
}

async function silence(driver: Driver, url: string, port: number): Promise<Result> {
  const proxy = await freezingProxy(port)
  const through = new URL(url)
  through.port = String(proxy.port)
  const run = await startWorker(driver, through.href)
  const healedMs: number[] = []
  for (let n = 1; n <= FREEZES; n++) {
    run.tell({ kind: "down" })
    proxy.freeze()
    run.tell({ kind: "back" })
    const state = await run.healed(HUNG_AFTER_MS)
    healedMs.push(...state.firstSuccess.filter((ms) => ms !== null))
  }
  return finish("silence", driver, url, run, healedMs, proxy.close)
}

async function finish(
  fault: Result["fault"],
  driver: Driver,
  url: string,
  run: Run,
  healedMs: readonly number[],
  cleanUp: () => void = () => undefined,
): Promise<Result> {
  const hung = (await run.state()).firstSuccess.filter((ms) => ms === null).length
  const { uncaught, confirmed } = await run.end()
  cleanUp() // what silent connections have left open would lock the table
  const rows = await sql<{ tx: number; halves: number }>(
    url,
    "select tx, count(*)::int as halves from halves group by tx",
  )
  await sql(url, "truncate halves")
  const stored = new Set(rows.map((row) => row.tx))
  const torn = rows.filter((row) => row.halves !== 2).length
  const lost = confirmed.filter((tx) => !stored.has(tx)).length
  return { fault, driver, healedMs, hung, uncaught, confirmed: confirmed.length, torn, lost }
}

function report(results: readonly Result[]): readonly Row[] {
  const seconds = (ms: number) => (ms / 1000).toFixed(2)
  for (const fault of ["restarts", "silence"] as const) {
    const title = fault === "restarts" ? `${RESTARTS} hard restarts` : `${FREEZES} times all connections silent`
    console.log(`\n${title}, ${WORKERS} workers; healed: seconds to a worker's first success after return`)
    printTable(
      ["driver", "uncaught", "hung > 10 s", "healed p50", "healed max", "torn", "lost", "transactions"],
      results
        .filter((result) => result.fault === fault)
        .map((r) => [
          LABEL[r.driver],
          String(r.uncaught.length),
          `${r.hung} of ${WORKERS}`,
          r.healedMs.length === 0 ? "never" : seconds(percentile(r.healedMs, 0.5)),
          r.healedMs.length === 0 ? "never" : seconds(Math.max(...r.healedMs)),
          String(r.torn),
          String(r.lost),
          num(r.confirmed),
        ]),
    )
  }
  for (const result of results) {
    for (const words of new Set(result.uncaught))
      console.log(`uncaught, ${LABEL[result.driver]}, ${result.fault}: ${words}`)
  }
  console.log()
  return results.map((r) => {
    const sound = r.uncaught.length === 0 && r.hung === 0 && r.torn === 0 && r.lost === 0
    return {
      bench: "drivers",
      what: `${LABEL[r.driver]}: ${r.fault}`,
      figure: `${r.uncaught.length} uncaught, ${r.hung} hung, ${r.torn} torn, ${r.lost} lost`,
      aim: r.driver === "hub" ? "none" : null,
      met: r.driver === "hub" ? sound : null,
    }
  })
}

// ── the parent's end of a worker process ────────────────────────────────────────────────────────────────────────────

interface Run {
  tell(order: Order): void
  state(): Promise<State>
  /** The state when every worker had a success since "back", or when this long has passed. */
  healed(patienceMs: number): Promise<State>
  end(): Promise<State>
}

async function startWorker(driver: Driver, url: string): Promise<Run> {
  let answer: (state: State) => void = () => undefined
  const child = Bun.spawn([process.execPath, import.meta.path, "--worker", driver, url], {
    stdout: "inherit",
    stderr: "inherit",
    ipc: (message: State) => answer(message),
  })
  const ask = (order: Order): Promise<State> => {
    const { promise, resolve, reject } = Promise.withResolvers<State>()
    answer = resolve
    const deadline = setTimeout(() => reject(new Error(`${LABEL[driver]} does not answer`)), 20_000)
    child.send(order)
    return promise.finally(() => clearTimeout(deadline))
  }
  const healed = async (patienceMs: number): Promise<State> => {
    const end = performance.now() + patienceMs
    for (;;) {
      const state = await ask({ kind: "state" })
      if (state.firstSuccess.every((ms) => ms !== null) || performance.now() > end) return state
      await Bun.sleep(50)
    }
  }
  const run: Run = {
    tell: (order) => child.send(order),
    state: () => ask({ kind: "state" }),
    healed,
    end: async () => {
      const state = await ask({ kind: "end" })
      child.kill("SIGKILL")
      await child.exited
      return state
    },
  }
  await Bun.sleep(500) // start of the process
  run.tell({ kind: "back" })
  const state = await healed(HUNG_AFTER_MS)
  if (state.firstSuccess.includes(null)) throw new Error(`${LABEL[driver]} does not work at all: ${state.uncaught}`)
  return run
}

/** Lets bytes through until `freeze`; then every connection so far stays open and silent, and new ones work. */
async function freezingProxy(port: number): Promise<{ port: number; freeze(): void; close(): void }> {
  const sockets: Socket[] = []
  const proxy = createServer((client) => {
    const upstream = openSocket(port, "127.0.0.1")
    for (const socket of [client, upstream]) socket.on("error", () => socket.destroy())
    client.pipe(upstream)
    upstream.pipe(client)
    sockets.push(client, upstream)
  })
  const { promise, resolve } = Promise.withResolvers<void>()
  proxy.listen(0, "127.0.0.1", resolve)
  await promise
  const address = proxy.address()
  if (address === null || typeof address === "string") throw new Error("the proxy has no port")
  return {
    port: address.port,
    freeze: () => {
      for (const socket of sockets) socket.unpipe().pause()
    },
    close: () => {
      proxy.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

// ── the worker process ──────────────────────────────────────────────────────────────────────────────────────────────

/** Writes both halves of a transaction and commits. */
type Transact = (tx: number) => Promise<void>

async function worker(driver: Driver, url: string): Promise<void> {
  const uncaught: string[] = []
  process.on("uncaughtException", (error) => uncaught.push(String(error)))
  process.on("unhandledRejection", (reason) => uncaught.push(`rejection: ${String(reason)}`))
  const confirmed: number[] = []
  const firstSuccess: (number | null)[] = Array.from({ length: WORKERS }, () => null)
  let back: number | null = null

  process.on("message", (order: Order) => {
    switch (order.kind) {
      case "down":
        back = null
        break
      case "back":
        back = performance.now()
        firstSuccess.fill(null)
        break
      case "state":
        process.send?.({ firstSuccess, uncaught, confirmed: [] } satisfies State)
        break
      case "end":
        process.send?.({ firstSuccess, uncaught, confirmed } satisfies State)
        break
    }
  })

  const transact = OPEN[driver](url)
  let next = 0
  const work = async (index: number): Promise<never> => {
    for (;;) {
      const tx = next++
      const started = performance.now()
      try {
        await transact(tx)
        confirmed.push(tx)
        // What began before the return may have been confirmed on its way: only a later start proves a live connection.
        if (back !== null && started >= back) firstSuccess[index] ??= performance.now() - back
      } catch {
        await Bun.sleep(20) // the database is away: that is what this bench is for
      }
    }
  }
  await Promise.all(firstSuccess.map((_, index) => work(index)))
}

const OPEN: Record<Driver, (url: string) => Transact> = {
  hub: (url) => {
    const db = openDatabase({ url, max: WORKERS })
    return (tx) =>
      db.transaction(async (client) => {
        await client.execute(INSERT, [tx, 1])
        await client.execute(INSERT, [tx, 2])
      })
  },
  pg: (url) => {
    const pool = new pg.Pool({
      connectionString: url,
      max: WORKERS,
      connectionTimeoutMillis: 3_000,
      query_timeout: 3_000,
    })
    pool.on("error", () => undefined) // an idle connection died; the pool makes another
    // Without it every connection that dies inside a transaction is an uncaught error (123 in one run of this bench).
    pool.on("connect", (client) => client.on("error", () => undefined))
    return async (tx) => {
      const client = await pool.connect()
      let broken = true
      try {
        await client.query("begin")
        await client.query(INSERT, [tx, 1])
        await client.query(INSERT, [tx, 2])
        await client.query("commit")
        broken = false
      } finally {
        client.release(broken)
      }
    }
  },
  postgres: (url) => {
    const pool = postgres(url, { max: WORKERS, connect_timeout: 3, onnotice: () => undefined })
    return (tx) =>
      pool.begin(async (client) => {
        await client`insert into halves (tx, half) values (${tx}, 1)`
        await client`insert into halves (tx, half) values (${tx}, 2)`
      }) as Promise<unknown> as Promise<void> // its type carries the callback's result, which is nothing
  },
}

if (process.argv[2] === "--worker") await worker(process.argv[3] as Driver, process.argv[4] ?? "")
else if (import.meta.main) printRows(await drivers())
