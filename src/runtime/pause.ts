// Waiting that can be cut short. Signals live as long as their actor and waits are many, so a wait that is over leaves
// nothing behind on its signal.

import type { Clock } from "./clock.ts"

/** Resolves after `ms`, or as soon as `signal` is aborted. */
export function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  const { promise, resolve } = Promise.withResolvers<void>()
  const done = (): void => {
    timer.cancel()
    signal.removeEventListener("abort", done)
    resolve()
  }
  const timer = clock.after(ms, done)
  signal.addEventListener("abort", done)
  return promise
}
