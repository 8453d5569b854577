// One PostgreSQL server process: started and watched as our child, or found running after the hub that started it was
// killed. The server outlives a kill -9 of the hub on purpose: its own crash recovery is then never needed.
import { type ChildProcess, spawn } from "node:child_process"
import { existsSync, readFileSync, rmSync } from "node:fs"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { setTimeout as pause } from "node:timers/promises"
import { Client } from "pg"
import { processExists } from "./data-lock.ts"
import { errorCode, notWritable } from "./embedded-error.ts"
import type { Account } from "./postgres-binaries.ts"

/** A server that accepts connections on 127.0.0.1:`port`. */
export interface Postmaster {
  readonly pid: number
  readonly port: number
  /** Settles when the process is gone, for whatever reason. */
  readonly exited: Promise<void>
}

export interface Launch {
  readonly bin: string
  readonly pgdata: string
  readonly port: number
  readonly account: Account | undefined
  readonly settings: Readonly<Record<string, string | number>>
}

/** The server did not come up; `words` are its own. */
export interface Refused {
  readonly refused: "port" | "busy" | "other"
  readonly words: string
}

// Replaying the WAL after a power loss is bounded by max_wal_size (1 GB): minutes on a slow disk, never hours.
const READY_DEADLINE_MS = 120_000
const ADOPT_DEADLINE_MS = 30_000
const CONNECT_DEADLINE_MS = 5_000
const POLL_MS = 20
const WORDS_KEPT = 20
const exe = process.platform === "win32" ? ".exe" : ""

/** Starts the server and waits until it accepts connections. */
export async function launch(how: Launch): Promise<Postmaster | Refused> {
  const settings = Object.entries(how.settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])
  const args = ["-D", how.pgdata, "-h", "127.0.0.1", "-k", "", "-p", String(how.port), ...settings]
  const child = spawn(join(how.bin, `postgres${exe}`), args, {
    ...childOptions(how.bin, how.account),
    stdio: ["ignore", "ignore", "pipe"],
    detached: true, // its own session: a Ctrl-C at the hub's terminal must not stop the database before the hub
    windowsHide: true,
  })
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve())
    child.once("error", () => resolve())
  })
  const answer = await ready(child)
  if (answer !== "ready") return answer
  child.unref()
  return { pid: child.pid ?? 0, port: how.port, exited }
}

/** The environment of a server or initdb: nothing of the hub's, which holds secrets and PG* variables. */
export function childOptions(bin: string, account: Account | undefined) {
  if (process.platform === "win32") return { cwd: bin }
  return { cwd: "/", env: { PATH: "/usr/bin:/bin", LC_ALL: "C" }, ...account }
}

function ready(child: ChildProcess): Promise<"ready" | Refused> {
  const words: string[] = []
  const { promise, resolve } = Promise.withResolvers<"ready" | Refused>()
  const deadline = setTimeout(() => {
    child.kill("SIGKILL")
    resolve({ refused: "other", words: `not ready after ${READY_DEADLINE_MS / 1000} s: ${words.at(-1) ?? "no words"}` })
  }, READY_DEADLINE_MS)
  // Read to the end of the server's life: a full pipe would block it.
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on("line", (line) => {
      words.push(line)
      if (words.length > WORDS_KEPT) words.shift()
      if (line.includes("ready to accept connections")) resolve("ready")
    })
  }
  child.once("error", (error) => resolve({ refused: "other", words: error.message }))
  child.once("close", () => resolve(refusal(words)))
  return promise.finally(() => clearTimeout(deadline))
}

function refusal(words: readonly string[]): Refused {
  const all = words.join("\n")
  const fatal =
    words.find((line) => /(FATAL|PANIC|HINT|error):/i.test(line)) ?? words.at(-1) ?? "it ended without a word"
  const said = fatal.replace(/^.*?(FATAL|PANIC):\s*/, "")
  if (/could not bind|Address already in use/i.test(all)) return { refused: "port", words: said }
  if (/shared memory block|postmaster\.pid|being starting up/i.test(all)) return { refused: "busy", words: said }
  return { refused: "other", words: said }
}

/** The server that already runs on `pgdata`, if one does. Waits for one that is starting up or shutting down. */
export async function adopt(pgdata: string, user: string): Promise<Postmaster | undefined> {
  const deadline = performance.now() + ADOPT_DEADLINE_MS
  for (;;) {
    const file = readPostmasterFile(pgdata)
    if (file === undefined || !processExists(file.pid)) return undefined
    if (!looksLikePostgres(file.pid)) {
      rmSync(join(pgdata, "postmaster.pid"), { force: true }) // another program got the pid after a reboot
      return undefined
    }
    if (file.status === "ready" && (await serves(file.port, pgdata, user))) {
      return { pid: file.pid, port: file.port, exited: gone(file.pid) }
    }
    if (performance.now() > deadline) return undefined
    await pause(POLL_MS)
  }
}

interface PostmasterFile {
  readonly pid: number
  readonly port: number
  readonly status: string
}

/** postmaster.pid: pid, data directory, start time, port, socket folder, address, shared memory, status. */
function readPostmasterFile(pgdata: string): PostmasterFile | undefined {
  try {
    const lines = readFileSync(join(pgdata, "postmaster.pid"), "utf8").split("\n")
    const pid = Number.parseInt(lines[0] ?? "", 10)
    const port = Number.parseInt(lines[3] ?? "0", 10)
    return pid > 0 ? { pid, port, status: (lines[7] ?? "").trim() } : undefined
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined
    throw notWritable(pgdata, error)
  }
}

function looksLikePostgres(pid: number): boolean {
  const comm = `/proc/${pid}/comm`
  return !existsSync(comm) || readFileSync(comm, "utf8").trim() === "postgres"
}

async function serves(port: number, pgdata: string, user: string): Promise<boolean> {
  const timeouts = { connectionTimeoutMillis: CONNECT_DEADLINE_MS, query_timeout: CONNECT_DEADLINE_MS }
  const client = new Client({ host: "127.0.0.1", port, user, database: "postgres", ssl: false, ...timeouts })
  client.on("error", () => undefined) // a server that stops in between is seen by the next look
  try {
    await client.connect()
    const { rows } = await client.query("show data_directory")
    return rows[0]?.data_directory === pgdata
  } catch {
    return false
  } finally {
    await client.end().catch(() => undefined)
  }
}

/** Settles when a process that is not our child is gone: nothing announces that, so it is looked for. */
async function gone(pid: number): Promise<void> {
  while (processExists(pid)) await pause(10 * POLL_MS, undefined, { ref: false })
}

/** Ends the server: `fast` rolls back and checkpoints, `immediate` is for data that is thrown away. */
export async function end(server: Postmaster, how: "fast" | "immediate"): Promise<void> {
  const steps = how === "fast" ? (["SIGINT", "SIGQUIT", "SIGKILL"] as const) : (["SIGQUIT", "SIGKILL"] as const)
  for (const signal of steps) {
    try {
      process.kill(server.pid, signal)
    } catch (error) {
      if (errorCode(error) === "ESRCH") return
      throw error
    }
    // 5 s for each step: the hub as a whole has 10 s, and crash recovery makes a hard end safe.
    const deadline = performance.now() + 5_000
    while (performance.now() < deadline) {
      if (!processExists(server.pid) || (await Promise.race([server.exited.then(() => true), pause(POLL_MS, false)])))
        return
    }
  }
}
