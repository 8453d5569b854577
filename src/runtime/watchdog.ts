/**
 * The one supervisor that a blocked event loop cannot take with it: a thread that ends the whole process when the loop
 * has not turned for 5 s. Who started the process (systemd, compose, `npm start`) starts it again, and what it had in
 * hand comes back as after a kill -9.
 *
 * The loop counts its beats in shared memory, 20 for each limit, by an unref'd interval; the thread looks at the same
 * pace. A look that comes much too late means that nobody ran, as after SIGSTOP or in a suspended laptop, and begins the
 * count anew (`watchdog-sight.ts`). What is written and how the process ends: `watchdog-thread.ts`.
 */
import { periodOf } from "./watchdog-sight.ts"

export interface WatchdogOptions {
  /** How long the loop may stand still, in milliseconds; 5,000 unless said otherwise. */
  readonly limitMs?: number
  /** What the process ends with: 75 unless said otherwise, "temporary failure, try again" of sysexits.h. */
  readonly exitCode?: number
  /** How the last line on stderr is written. */
  readonly format: "json" | "pretty"
  /** The thread could not start or has died: nobody watches from here on. */
  readonly onFailure: (error: string) => void
  /** A debugger is attached, or will be: nobody watches. `--inspect` among the process's flags is seen without it. */
  readonly debugged?: boolean
  /** Where libc is looked for; without it the process ends by SIGALRM. */
  readonly libraries?: readonly string[]
}

/** glibc, musl on either processor, macOS, Windows. */
const LIBRARIES = ["libc.so.6", "libc.musl-x86_64.so.1", "libc.musl-aarch64.so.1", "libSystem.B.dylib", "msvcrt.dll"]

/** What the thread is told once, at its start. */
export interface ThreadOrders {
  /** Two counters: see BEATS and STOPPED. */
  readonly shared: Int32Array
  readonly limitMs: number
  readonly exitCode: number
  readonly format: "json" | "pretty"
  readonly libraries: readonly string[]
}

/** Beats of the loop; wraps around after 17 years. */
export const BEATS = 0
/** Not 0: the thread is to end. */
export const STOPPED = 1

export interface Watchdog {
  /** Ends the thread, a moment later. May be called again. */
  stop(): void
}

/**
 * Watches this process's event loop until it is told to stop. Neither the thread nor the interval keeps the process
 * alive. Under `--inspect` nobody watches: a breakpoint is a blocked loop.
 * @throws RangeError for a limit that is not above 0 or an exit code that is none.
 */
export function startWatchdog(options: WatchdogOptions): Watchdog {
  const { limitMs = 5_000, exitCode = 75, format, onFailure, debugged = false, libraries = LIBRARIES } = options
  if (!(limitMs > 0 && Number.isFinite(limitMs))) throw new RangeError(`limitMs: expected above 0, got ${limitMs}`)
  if (!(Number.isInteger(exitCode) && exitCode > 0 && exitCode < 256))
    throw new RangeError(`exitCode: expected 1 to 255, got ${exitCode}`)
  if (debugged || process.execArgv.some((argument) => argument.startsWith("--inspect"))) return { stop() {} }

  const shared = new Int32Array(new SharedArrayBuffer(2 * Int32Array.BYTES_PER_ELEMENT))
  // `smol` and `ref` are Bun's. A path of our own beside this file also exists in the single executable.
  const thread = new Worker(new URL("./watchdog-thread.ts", import.meta.url), { ref: false, smol: true })
  thread.addEventListener("error", (event) => {
    event.preventDefault()
    stop()
    onFailure(event.message)
  })
  thread.postMessage({ shared, limitMs, exitCode, format, libraries } satisfies ThreadOrders)
  const beat = setInterval(() => Atomics.add(shared, BEATS, 1), periodOf(limitMs))
  beat.unref()

  function stop(): void {
    clearInterval(beat)
    Atomics.store(shared, STOPPED, 1)
    Atomics.notify(shared, STOPPED)
  }
  return { stop }
}
