// The database of a hub without DATABASE_URL: a real PostgreSQL under the data directory, with fsync on. It comes with
// the dependencies, needs no account and no settings, keeps its data, and survives kill -9 of the hub (it is adopted by
// the next start) and of itself (it recovers). Tests use the same launcher for a server that is thrown away.
import { execFile } from "node:child_process"
import { accessSync, chownSync, constants, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs"
import { createServer } from "node:net"
import { dirname, join, resolve } from "node:path"
import { setTimeout as pause } from "node:timers/promises"
import { promisify } from "node:util"
import { type DataLock, takeDataLock } from "./data-lock.ts"
import { EmbeddedPostgresError, errorCode, notWritable } from "./embedded-error.ts"
import { choosePlace, findPlace, type Place } from "./embedded-place.ts"
import { findBinaries, type PostgresBinaries } from "./postgres-binaries.ts"
import { adopt, childOptions, end, launch, type Postmaster } from "./postmaster.ts"

export { EmbeddedPostgresError } from "./embedded-error.ts"

export interface EmbeddedOptions {
  /** The hub's data directory; made when absent. The database is its folder `postgres`. */
  readonly dataDir: string
  /** false: for tests; fsync is off and `stop` does not wait for a checkpoint. */
  readonly durable: boolean
  /** The port to listen on at 127.0.0.1; a free one by default. An adopted server keeps its own. */
  readonly port?: number
  readonly maxConnections?: number
  /** How long to wait for a hub on the same directory that is on its way out, in milliseconds; 5 s by default. */
  readonly patienceMs?: number
  /** Finds the programs to run; for tests of a machine that has none. */
  readonly find?: typeof findBinaries
  /** Told what the operator should know, in one line; standard error by default. */
  readonly notice?: (line: string) => void
}

export interface EmbeddedPostgres {
  /** For a superuser of this server: `postgres://hub@127.0.0.1:<port>/postgres`. */
  readonly url: string
  readonly port: number
  /** The server was found running: the hub before us did not stop it. */
  readonly adopted: boolean
  readonly pid: number
  /** Settles when the server is gone, asked for or not; `startEmbedded` may then be called again. */
  readonly exited: Promise<void>
  /** Ends the server (fast shutdown, at most 15 s) and gives the data directory back. */
  stop(): Promise<void>
}

const USER = "hub"
const INITDB_DEADLINE_MS = 60_000
// After kill -9 of the postmaster its last children hold the shared memory for up to 1.8 s (measured).
const BUSY_TRIES = 30
const BUSY_PAUSE_MS = 100
const PORT_TRIES = 5
const NAMELESS = /could not look up effective user ID/
const NOBODY_UID = 65534
const LOCK_POLL_MS = 100
const run = promisify(execFile)

/**
 * Starts the embedded PostgreSQL, or adopts the one that a killed hub left running.
 * @throws EmbeddedPostgresError whose message is one line for the operator
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<EmbeddedPostgres> {
  const dataDir = resolve(options.dataDir)
  openFolder(dataDir)
  const notice = options.notice ?? console.error
  const lock = await takeLock(join(dataDir, "hub.lock"), options.patienceMs ?? 5_000, notice)
  try {
    const place = choosePlace(dataDir)
    if (place.notice !== undefined) notice(place.notice)
    const running = await adopt(place.pgdata, USER)
    if (running !== undefined) return handle(running, true, options.durable, lock)
    const binaries = await chooseBinaries(place, options.find ?? findBinaries)
    if (dataVersion(place.pgdata) === undefined) await createCluster(binaries, place, options.durable)
    return handle(await startServer(binaries, place, options), false, options.durable, lock)
  } catch (error) {
    lock.release()
    throw error
  }
}

/** The URL of the embedded server that runs under `dataDir` now, for a command beside a running hub; null when none does. */
export async function findRunning(dataDir: string): Promise<string | null> {
  try {
    const pgdata = findPlace(resolve(dataDir))
    const running = pgdata === undefined ? undefined : await adopt(pgdata, USER)
    return running === undefined ? null : urlOf(running)
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) return null // out of this account's reach: starting one will say why
    throw error
  }
}

function openFolder(dataDir: string): void {
  try {
    mkdirSync(dirname(dataDir), { recursive: true })
    makeFolder(dataDir)
    accessSync(dataDir, constants.W_OK | constants.X_OK)
    if (!statSync(dataDir).isDirectory()) throw new EmbeddedPostgresError("not_writable", `${dataDir} is not a folder`)
  } catch (error) {
    throw notWritable(dataDir, error)
  }
}

/** Others may pass through (the server's uid), not look around. A hub that starts beside this one may have made it just now. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o711 })
  } catch (error) {
    if (errorCode(error) !== "EEXIST") throw error
  }
}

/** A restart may be faster than the drain of the hub before it: being told "in use" then would help nobody. */
async function takeLock(path: string, patienceMs: number, notice: (line: string) => void): Promise<DataLock> {
  const deadline = performance.now() + patienceMs
  for (let told = false; ; told = true) {
    try {
      return takeDataLock(path)
    } catch (error) {
      if (!(error instanceof EmbeddedPostgresError) || performance.now() >= deadline) throw error
      if (!told) notice(`${error.message}: waiting ${Math.ceil(patienceMs / 1000)} s for it to end`)
      await pause(LOCK_POLL_MS)
    }
  }
}

async function chooseBinaries(place: Place, find: typeof findBinaries): Promise<PostgresBinaries> {
  const version = dataVersion(place.pgdata)
  const { found, seen } = await find(place.account, version)
  if (found !== undefined) return found
  if (seen.length === 0) {
    const machine = `${process.platform}-${process.arch}`
    const advice = "install PostgreSQL 15 or newer, or set DATABASE_URL"
    throw new EmbeddedPostgresError("unavailable", `no PostgreSQL that runs on this machine (${machine}): ${advice}`)
  }
  const line = `${place.pgdata} holds data of PostgreSQL ${version}, but this machine has version ${seen.join(", ")}`
  throw new EmbeddedPostgresError(
    "other_version",
    `${line}: dump and restore it, or set HUB_DATA_DIR to another folder`,
  )
}

/** The major version of the data in `pgdata`; undefined when there is none yet. */
function dataVersion(pgdata: string): number | undefined {
  try {
    return Number.parseInt(readFileSync(join(pgdata, "PG_VERSION"), "utf8"), 10)
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined
    throw notWritable(pgdata, error)
  }
}

/** A half-made cluster must never be mistaken for data: it is made beside its place and moved there when complete. */
async function createCluster(binaries: PostgresBinaries, place: Place, durable: boolean): Promise<void> {
  const draft = `${place.pgdata}.new`
  const flags = ["-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", ...(durable ? [] : ["--no-sync"])]
  try {
    rmSync(draft, { recursive: true, force: true })
    mkdirSync(draft, { mode: 0o700 })
    if (place.account !== undefined) chownSync(draft, place.account.uid, place.account.gid)
    const spawning = { ...childOptions(binaries.bin, place.account), timeout: INITDB_DEADLINE_MS }
    const initdb = [join(binaries.bin, "initdb"), "-D", draft, ...flags] as const
    await run(initdb[0], initdb.slice(1), spawning).catch((error: unknown) => {
      if (!NAMELESS.test(wordsOf(error))) throw error
      // A container's bare uid: initdb wants an account with a name, which a user namespace of its own can show it.
      return run("unshare", ["--user", `--map-user=${NOBODY_UID}`, ...initdb], spawning).catch(() => {
        throw error
      })
    })
    renameSync(draft, place.pgdata)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    const stderr = wordsOf(error)
    if (NAMELESS.test(stderr)) {
      const line = `PostgreSQL does not run as user ${process.getuid?.()}, who has no name on this machine`
      throw new EmbeddedPostgresError("failed", `${line}: run as an account of this machine, or set DATABASE_URL`)
    }
    const said = /error: .*/.exec(stderr)?.[0] ?? stderr.trim().split("\n").at(-1)
    if (said) throw new EmbeddedPostgresError("failed", `initdb could not make ${place.pgdata}: ${said}`)
    throw notWritable(dirname(place.pgdata), error)
  }
}

const wordsOf = (error: unknown): string => (error instanceof Error && "stderr" in error ? String(error.stderr) : "")

async function startServer(binaries: PostgresBinaries, place: Place, options: EmbeddedOptions): Promise<Postmaster> {
  const throwAway = { fsync: "off", synchronous_commit: "off", full_page_writes: "off" }
  const settings = {
    shared_buffers: "32MB",
    timezone: "UTC",
    max_connections: options.maxConnections ?? 100,
    ...(options.durable ? {} : throwAway),
  }
  let busy = 0
  let taken = 0
  for (;;) {
    const port = options.port ?? (await freePort())
    const answer = await launch({ bin: binaries.bin, pgdata: place.pgdata, port, account: place.account, settings })
    if (!("refused" in answer)) return answer
    switch (answer.refused) {
      case "busy":
        if (++busy >= BUSY_TRIES)
          throw new EmbeddedPostgresError("failed", `PostgreSQL does not start: ${answer.words}`)
        await pause(BUSY_PAUSE_MS)
        break
      case "port":
        if (options.port !== undefined || ++taken >= PORT_TRIES)
          throw new EmbeddedPostgresError(
            "port_taken",
            `port ${port} on 127.0.0.1 is taken: PostgreSQL cannot listen there`,
          )
        break
      case "other":
        throw new EmbeddedPostgresError("failed", `PostgreSQL does not start in ${place.pgdata}: ${answer.words}`)
    }
  }
}

/** A port nobody listens on right now; the caller retries if somebody takes it in between. */
async function freePort(): Promise<number> {
  const { promise, resolve: done, reject } = Promise.withResolvers<number>()
  const server = createServer()
  server.once("error", reject)
  server.listen(0, "127.0.0.1", () => {
    const address = server.address()
    server.close(() => done(typeof address === "object" && address !== null ? address.port : 0))
  })
  return promise
}

function urlOf(server: Postmaster): string {
  return `postgres://${USER}@127.0.0.1:${server.port}/postgres`
}

function handle(server: Postmaster, adopted: boolean, durable: boolean, lock: DataLock): EmbeddedPostgres {
  const exited = server.exited.then(() => lock.release())
  return {
    url: urlOf(server),
    port: server.port,
    adopted,
    pid: server.pid,
    exited,
    stop: async () => {
      await end(server, durable ? "fast" : "immediate")
      lock.release()
    },
  }
}
