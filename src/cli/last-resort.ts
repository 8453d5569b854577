/**
 * What nothing caught: a promise that nobody waited for, a throw in a callback that is no actor's. Nobody knows what it
 * left half done, so the process ends at once, as after a kill -9, and whoever started it starts it again. Left to
 * itself Bun prints it and goes on while the main module still waits.
 */
import { writeSync } from "node:fs"
import { describeError, scrub } from "../telemetry/scrub.ts"

const STDERR = 2
/** "Temporary failure, try again" of sysexits.h: the watchdog ends with it too. */
const TRY_AGAIN = 75
const HOOKS = ["unhandledRejection", "uncaughtException"] as const

/** Gives the way to take it back. */
export function endOnWhatNobodyCaught(format: "json" | "pretty"): () => void {
  const end = (thrown: unknown): void => {
    const time = new Date().toISOString()
    const error = describeError(thrown)
    const at = thrown instanceof Error ? scrub(thrown.stack?.split("\n")[1]?.trim() ?? "") : ""
    const line =
      format === "json"
        ? JSON.stringify({ time, level: "error", event: "uncaught", error, at, exit_code: TRY_AGAIN })
        : `${time.slice(11, 23)} error uncaught  error=${JSON.stringify(error)} at=${JSON.stringify(at)}`
    try {
      writeSync(STDERR, `${line}\n`)
    } catch {
      // Nobody reads it; the exit code says enough.
    }
    process.exit(TRY_AGAIN)
  }
  for (const hook of HOOKS) process.on(hook, end)
  return () => {
    for (const hook of HOOKS) process.off(hook, end)
  }
}
