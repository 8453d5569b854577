// Runs Bun as a child until it ends: passes on terminal, signals and exit code, and starts a hub again that ended itself
// because its event loop hung (the watchdog's exit code). Signals reach the child once: a terminal's Ctrl-C goes to the
// whole process group, so there it has arrived already.
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"
import { constants } from "node:os"

const WATCHDOG_EXIT = 75
const RESTART_PAUSE_MS = 1_000
const RESTARTS = { most: 5, withinMs: 60_000 }
// A hub drains for at most 10 s; a Ctrl-C that somehow did not reach it is made good after that.
const OVERDUE_MS = 15_000
const NPM_WATCH_MS = 250

/** Resolves to the exit code for this process. */
export async function runToEnd(command, args, { cwd, keep, pauseMs = RESTART_PAUSE_MS }) {
  const restarts = []
  const signals = watchSignals()
  for (;;) {
    const code = await runOnce(command, args, cwd, signals)
    if (!keep || code !== WATCHDOG_EXIT || signals.stopping()) return code
    const now = Date.now()
    while (restarts[0] !== undefined && restarts[0] < now - RESTARTS.withinMs) restarts.shift()
    if (restarts.length >= RESTARTS.most) {
      console.error(`hub: hung ${restarts.length + 1} times within ${RESTARTS.withinMs / 1000} s: giving up`)
      return code
    }
    restarts.push(now)
    console.error("hub: it hung and ended itself: starting it again")
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
  let asked = false
  let wake = () => {}
  const forward = (signal) => {
    const repeated = asked
    asked = true
    wake()
    if (repeated) return // npm and process managers send the same request more than once
    if (signal === "SIGINT" && inForeground()) {
      setTimeout(() => child?.kill("SIGTERM"), OVERDUE_MS).unref()
    } else {
      child?.kill(signal === "SIGHUP" ? "SIGTERM" : signal)
    }
  }
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => forward(signal))
  whenNpmEnds(() => forward("SIGTERM"))
  return {
    to: (next) => {
      child = next
    },
    stopping: () => asked,
    /** Waits, and says whether a signal came meanwhile. */
    during: (ms) =>
      new Promise((resolve) => {
        wake = () => resolve(true)
        setTimeout(() => resolve(asked), ms)
      }),
  }
}

/** npm passes a signal only to the shell it started us with, and kill -9 to nobody: its end is ours then. */
function whenNpmEnds(ended) {
  if (process.platform === "win32" || !process.env.npm_lifecycle_script?.includes("scripts/run.mjs")) return
  const ancestors = () => `${process.ppid} ${statOf(process.ppid)?.[1]}`
  const first = ancestors()
  const watch = setInterval(() => {
    if (ancestors() === first) return
    clearInterval(watch)
    ended()
  }, NPM_WATCH_MS)
  watch.unref()
}

/** The fields of /proc/<pid>/stat after the command's name: state, parent, group, …; undefined where there is none. */
function statOf(pid) {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8")
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")
  } catch {
    return undefined
  }
}

/** Whether a terminal sends its signals to this process's group. */
function inForeground() {
  const fields = statOf("self")
  return fields === undefined ? process.stdin.isTTY === true : fields[2] === fields[5]
}
