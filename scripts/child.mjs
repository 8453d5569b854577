// Runs Bun as a child until it ends: passes on terminal, signals and exit code, and starts a hub again that ended itself:
// its event loop hung, or something was thrown that nothing caught. One wish to stop arrives from the terminal, from npm
// and from here: the hub takes what comes within two seconds for one, and so does this.
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { constants } from "node:os"

/** The exit code, and the watchdog's signal where it has no code to give (`src/runtime/watchdog-thread.ts`). */
const ENDED_ITSELF = [75, 128 + (constants.signals.SIGALRM ?? NaN)]
/** Short: a hub that hung has already kept everybody waiting for as long as the watchdog took to be sure. */
const RESTART_PAUSE_MS = 250
const RESTARTS = { most: 5, withinMs: 60_000 }
const SAME_WISH_MS = 2_000
const NPM_WATCH_MS = 250

/** Resolves to the exit code for this process. */
export async function runToEnd(command, args, { cwd, keep, pauseMs = RESTART_PAUSE_MS }) {
  const restarts = []
  const signals = watchSignals()
  for (;;) {
    const code = await runOnce(command, args, cwd, signals)
    if (!keep || !ENDED_ITSELF.includes(code) || signals.stopping()) return code
    const now = Date.now()
    while (restarts[0] !== undefined && restarts[0] < now - RESTARTS.withinMs) restarts.shift()
    if (restarts.length >= RESTARTS.most) {
      console.error(`hub: ended itself ${restarts.length + 1} times within ${RESTARTS.withinMs / 1000} s: giving up`)
      return code
    }
    restarts.push(now)
    console.error("hub: it ended itself: starting it again")
    if (await signals.during(pauseMs)) return code
  }
}

async function runOnce(command, args, cwd, signals) {
  const child = spawn(command, args, { cwd, stdio: "inherit", windowsHide: true })
  signals.to(child)
  return new Promise((resolve) => {
    child.once("error", (error) => {
      console.error(`hub: cannot run ${command}: ${error.message}`)
      resolve(1)
    })
    child.once("exit", (code, signal) => resolve(code ?? 128 + (constants.signals[signal] ?? 0)))
  })
}

function watchSignals() {
  let child
  let asked
  let wake = () => {}
  const forward = (signal) => {
    const now = performance.now()
    if (asked !== undefined && now - asked < SAME_WISH_MS) return
    asked ??= now
    wake()
    child?.kill(signal === "SIGHUP" ? "SIGTERM" : signal)
  }
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => forward(signal))
  whenNpmEnds(() => forward("SIGTERM"))
  return {
    to: (next) => {
      child = next
    },
    stopping: () => asked !== undefined,
    /** Waits, and says whether a signal came meanwhile. */
    during: (ms) =>
      new Promise((resolve) => {
        wake = () => resolve(true)
        setTimeout(() => resolve(asked !== undefined), ms)
      }),
  }
}

/** kill -9 of npm tells nobody: its end is ours then, whether npm is our parent or a shell stands in between. */
function whenNpmEnds(ended) {
  if (process.platform === "win32" || !process.env.npm_lifecycle_script?.includes("scripts/run.mjs")) return
  const shell = readOr(`/proc/${process.ppid}/cmdline`).includes("scripts/run.mjs")
  const ancestors = () => `${process.ppid} ${shell ? parentOf(process.ppid) : ""}`
  const first = ancestors()
  const watch = setInterval(() => {
    if (ancestors() === first) return
    clearInterval(watch)
    ended()
  }, NPM_WATCH_MS)
  watch.unref()
}

/** The second field of /proc/<pid>/stat after the command's name, which may hold spaces; undefined where there is none. */
function parentOf(pid) {
  const stat = readOr(`/proc/${pid}/stat`)
  return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]
}

function readOr(path) {
  try {
    return readFileSync(path, "utf8")
  } catch {
    return "" // not Linux, or gone
  }
}
