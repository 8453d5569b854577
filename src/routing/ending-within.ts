/**
 * Code of a template that has no end would block the event loop until the watchdog ends the process. The engine's own
 * watchdog, which `node:vm` asks for, ends that code alone. It reads a clock, and a process that was stopped, or a machine that
 * is busy, is no loop: so what did not end gets a second chance, and more time.
 */
import { Script } from "node:vm"

/** It did not end, and was ended. */
export class NoEnd extends Error {
  override readonly name = "NoEnd"
}

/** What the script runs. A property of the global object is slow to make and to delete, so it is made once. */
let job: () => void = () => undefined
Reflect.set(globalThis, Symbol.for("hubbub.ending-within"), () => job())
const script = new Script('globalThis[Symbol.for("hubbub.ending-within")]()')
const code = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : null)

/**
 * What `work` returns or throws, which is synchronous and may be done twice; throws NoEnd where it takes longer than `ms`, and
 * again longer than four times that. Costs 2 µs.
 */
export function endingWithin<T>(ms: number, work: () => T): T {
  try {
    return once(ms, work)
  } catch (error) {
    if (!(error instanceof NoEnd)) throw error
    return once(4 * ms, work)
  }
}

function once<T>(ms: number, work: () => T): T {
  let made: { readonly value: T } | undefined
  job = () => {
    made = { value: work() }
  }
  try {
    script.runInThisContext({ timeout: ms })
  } catch (error) {
    if (code(error) === "ERR_SCRIPT_EXECUTION_TIMEOUT") throw new NoEnd(`does not end: stopped after ${ms} ms`)
    throw error
  }
  if (made === undefined) throw new Error("a script that ended has made nothing")
  return made.value
}
