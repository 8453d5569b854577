/**
 * The watchdog's thread: sleeps, looks, and ends the process. It runs no event loop while it watches, so nothing can
 * block it but the machine.
 *
 * How to end a process from a thread of it, tried on Bun 1.4.5: `process.exit`, `process.reallyExit` and
 * `process.abort` end the thread alone; libc's `_exit` by `bun:ffi` ends everything at once with our code, whatever the
 * main thread does. Where there is no such libc it is SIGALRM, which nobody else sends, so that whoever waits for us can
 * tell it from a kill; then SIGKILL.
 */
import { dlopen, type FFIFunction, type Pointer, ptr } from "bun:ffi"
import { writeSync } from "node:fs"
import { BEATS, STOPPED, type ThreadOrders } from "./watchdog.ts"
import { isBlocked, look, periodOf, type Sight } from "./watchdog-sight.ts"

const STDERR = 2
const POLLOUT = 4
/** What a signal gets to end us before the next one is tried. */
const SIGNAL_MS = 100

declare const self: { onmessage: ((event: { readonly data: ThreadOrders }) => void) | null }

self.onmessage = ({ data }) => {
  // Looked up beforehand: when it is needed, the machine may be in no state to load anything.
  const libc = lookUp(data.libraries, { _exit: { args: ["i32"], returns: "void" } })
  const poll = lookUp(data.libraries, { poll: { args: ["ptr", "u64", "i32"], returns: "i32" } })
  const blockedMs = watch(data)
  if (blockedMs === null) process.exit() // of this thread
  if (poll === null || writable(poll.poll)) tell(data, blockedMs)
  libc?._exit(data.exitCode)
  endBySignal()
}

/** How long the loop has been blocked when it is enough; null when told to stop. */
function watch({ shared, limitMs }: ThreadOrders): number | null {
  const begun = performance.now()
  let sight: Sight = { atMs: begun, beats: Atomics.load(shared, BEATS), silentMs: 0 }
  while (Atomics.wait(shared, STOPPED, 0, periodOf(limitMs)) === "timed-out") {
    sight = look(sight, performance.now(), Atomics.load(shared, BEATS), limitMs)
    if (isBlocked(sight, limitMs)) return sight.silentMs
  }
  return null
}

/** One line in the log's form. Written past the main thread, which would have to be awake for `process.stderr`. */
function tell({ format, exitCode }: ThreadOrders, blockedMs: number): void {
  const time = new Date().toISOString()
  const ms = Math.round(blockedMs)
  const line =
    format === "json"
      ? JSON.stringify({ time, level: "error", event: "event_loop_blocked", blocked_ms: ms, exit_code: exitCode })
      : `${time.slice(11, 23)} \u001b[31merror\u001b[0m event_loop_blocked  blocked_ms=${ms} exit_code=${exitCode}`
  try {
    writeSync(STDERR, `${line}\n`)
  } catch {
    // Nobody listens: the exit code says it.
  }
}

/** False when a write would wait for somebody who does not read, which may be why the loop is blocked. */
function writable(poll: (fds: Pointer, count: bigint, timeoutMs: number) => number): boolean {
  const asked = new DataView(new ArrayBuffer(8)) // struct pollfd { int fd; short events; short revents; }
  asked.setInt32(0, STDERR, true)
  asked.setInt16(4, POLLOUT, true)
  return poll(ptr(asked), 1n, 0) > 0
}

/** The functions from the first library that has them all; null where none has. */
function lookUp<const Wanted extends Record<string, FFIFunction>>(libraries: readonly string[], wanted: Wanted) {
  for (const library of libraries) {
    try {
      return dlopen(library, wanted).symbols
    } catch {
      // Not on this system.
    }
  }
  return null
}

function endBySignal(): void {
  const signals = process.platform === "win32" ? (["SIGKILL"] as const) : (["SIGALRM", "SIGKILL"] as const)
  for (const signal of signals) {
    process.kill(process.pid, signal)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, SIGNAL_MS)
  }
}
