// Why a child ended. Supervisors decide by these words alone; nothing thrown ever travels further than the process it
// was thrown in: it becomes an ExitReason there.

export type ExitReason =
  /** It had nothing left to do. */
  | { readonly kind: "normal" }
  /** It was asked to stop, or (a supervisor) stopped itself after too many restarts: `detail` says which. */
  | { readonly kind: "shutdown"; readonly detail?: string }
  /** It did not stop in time and was abandoned and fenced. */
  | { readonly kind: "killed" }
  /** Its start or its handler took longer than allowed. */
  | { readonly kind: "timeout"; readonly what: "start" | "handler"; readonly afterMs: number }
  /** It threw. Whatever was thrown, `error` is an Error. */
  | { readonly kind: "error"; readonly error: Error }
  /** A supervisor whose child could not be started for the first time. */
  | { readonly kind: "failed_to_start"; readonly child: string; readonly cause: ExitReason }
  /** Whom it linked itself to, or monitors, is not there. */
  | { readonly kind: "noproc"; readonly id: string }

export const NORMAL: ExitReason = { kind: "normal" }
export const SHUTDOWN: ExitReason = { kind: "shutdown" }
export const KILLED: ExitReason = { kind: "killed" }

/** Was this an end nobody has to worry about? Transient children are restarted exactly when it was not. */
export function isCalm(reason: ExitReason): boolean {
  return reason.kind === "normal" || reason.kind === "shutdown"
}

/** The exit reason for anything that can be thrown, including `undefined`, strings and objects with a throwing getter. */
export function exitFromThrown(thrown: unknown): ExitReason {
  return { kind: "error", error: asError(thrown) }
}

/** Any thrown value as an Error; the original is its `cause`. Never throws. */
export function asError(thrown: unknown): Error {
  try {
    if (thrown instanceof Error) return thrown
  } catch {
    // A proxy that will not say what it is.
  }
  const hasToString = typeof thrown === "function" || (typeof thrown === "object" && thrown !== null)
  const shown = hasToString ? "not an Error" : String(thrown).slice(0, 200)
  const error = new Error(`a ${typeof thrown} was thrown: ${shown}`, { cause: thrown })
  error.name = "NonErrorThrown"
  return error
}

/** One line for logs and screens. */
export function describeExit(reason: ExitReason): string {
  switch (reason.kind) {
    case "normal":
      return "normal"
    case "shutdown":
      return reason.detail === undefined ? "shutdown" : `shutdown: ${reason.detail}`
    case "killed":
      return "killed"
    case "timeout":
      return `${reason.what} took longer than ${reason.afterMs} ms`
    case "error":
      return describeError(reason.error)
    case "failed_to_start":
      return `${reason.child} failed to start: ${describeExit(reason.cause)}`
    case "noproc":
      return `${reason.id} is not running`
  }
}

/** An author's error may have getters that throw. */
function describeError(error: Error): string {
  try {
    return `${error.name}: ${error.message}`
  } catch {
    return "an error that cannot be shown"
  }
}
