/** How often a person is told: an exact sliding window over the moments of telling. Pure. */
import type { GateState, LimitState } from "../domain/gates.ts"
import type { Limit } from "../domain/rule.ts"

export type Admission =
  | { readonly admitted: true; readonly state: LimitState; readonly staleAt: number }
  | { readonly admitted: false }

/**
 * One more at a moment (milliseconds since the Unix epoch)? No `windowMs` long span, its beginning left out and its end
 * included, ever holds more than `limit`. Routing may fall behind its events' times, but what was counted stays counted: a
 * moment before the last is taken for the last.
 */
export function admit(state: GateState | null, at: number, { limit, windowMs }: Limit): Admission {
  const times = state?.kind === "limit" ? state.times : []
  const moment = Math.max(at, times.at(-1) ?? at)
  const within = times.filter((time) => time > moment - windowMs)
  if (within.length >= limit) return { admitted: false }
  return { admitted: true, state: { kind: "limit", times: [...within, moment] }, staleAt: moment + windowMs }
}
