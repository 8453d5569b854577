// One hub for each data directory. PostgreSQL protects its own files, but not the secrets and the captured state beside
// them, and a second hub would stop the server under the first. The lock is a file that names its holder; a holder that
// is no longer alive (kill -9, power loss, another boot) holds nothing.
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { EmbeddedPostgresError, errorCode } from "./embedded-error.ts"

export interface DataLock {
  /** Gives the directory back. Safe to call twice. */
  release(): void
}

const heldHere = new Set<string>()

/**
 * Takes the lock file at `path` for this process.
 * @throws EmbeddedPostgresError `in_use` when a living process holds it.
 */
export function takeDataLock(path: string): DataLock {
  const mine = `${process.pid} ${startOf(process.pid)}\n`
  const draft = `${path}.${process.pid}`
  for (;;) {
    writeFileSync(draft, mine)
    try {
      linkSync(draft, path) // the only step that takes the lock: it fails when the file exists
      heldHere.add(path)
      return { release: () => release(path) }
    } catch (error) {
      if (errorCode(error) !== "EEXIST") throw error
    } finally {
      rmSync(draft, { force: true })
    }
    const holder = readHolder(path)
    if (holder === undefined) continue
    if (isAlive(holder, path)) throw inUse(path, holder.pid)
    setAside(path, holder)
  }
}

interface Holder {
  readonly pid: number
  readonly started: string
}

function release(path: string): void {
  if (!heldHere.delete(path)) return
  rmSync(path, { force: true })
}

/** Two starters may find the same dead holder: who moved a living one away puts it back. */
function setAside(path: string, dead: Holder): void {
  const aside = `${path}.${process.pid}.stale`
  try {
    renameSync(path, aside)
    const moved = readHolder(aside)
    if (moved !== undefined && (moved.pid !== dead.pid || moved.started !== dead.started)) linkSync(aside, path)
  } catch (error) {
    if (!["ENOENT", "EEXIST"].includes(errorCode(error))) throw error
  } finally {
    rmSync(aside, { force: true })
  }
}

function readHolder(path: string): Holder | undefined {
  try {
    const [pid = "", started = ""] = readFileSync(path, "utf8").trim().split(" ")
    return { pid: Number.parseInt(pid, 10), started }
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined
    throw error
  }
}

function isAlive(holder: Holder, path: string): boolean {
  if (!Number.isSafeInteger(holder.pid) || holder.pid <= 0) return false
  if (holder.pid === process.pid) return heldHere.has(path) // a container restarts with the same pid
  if (!processExists(holder.pid)) return false
  const started = startOf(holder.pid)
  return started === "-" || holder.started === "-" || started === holder.started
}

function inUse(path: string, pid: number): EmbeddedPostgresError {
  const folder = path.replace(/[/\\][^/\\]*$/, "")
  return new EmbeddedPostgresError("in_use", `another hub (pid ${pid}) uses the data directory ${folder}`)
}

/** Whether a process with this id lives, ours or another user's. A zombie does not: containers may never reap it. */
export function processExists(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if (errorCode(error) !== "EPERM") return false
  }
  const state = statFields(pid)?.[0]
  return state !== "Z" && state !== "X"
}

/** Boot and start tick of a process, so that a reused pid is not mistaken for its predecessor; `-` where unknown. */
function startOf(pid: number): string {
  const fields = statFields(pid)
  if (fields === undefined) return "-"
  return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}:${fields[19] ?? ""}`
}

/** The fields of /proc/<pid>/stat after the command's name: state, parent, … and the start tick at 19. Linux only. */
function statFields(pid: number): readonly string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  } catch {
    return undefined
  }
}
