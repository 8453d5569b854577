/**
 * Limits for a way in whose messages can wait where they are: instead of refusing, it takes what fits and waits with the
 * rest in hand. Nothing is handed back meanwhile, so a flood goes around in no circle; what stands behind it waits too.
 */
import type { Clock } from "../runtime/clock.ts"
import type { Accept, Accepted } from "./accept.ts"
import type { RateLimits } from "./rate-limit.ts"

export interface PatienceOptions {
  readonly accept: Accept
  /** Null: nothing is limited, and `accept` is given back as it is. */
  readonly limits: RateLimits | null
  readonly clock: Clock
  /** True: the hub is stopping, and whoever waits is told that it is late. */
  readonly stopping: () => boolean
}

/** Looks again at least so often, for tokens that others gave up and for the hub's stop. */
const LONGEST_WAIT_MS = 250
const SHORTEST_WAIT_MS = 10

/** An `accept` that waits for the limits of business and type, item by item. Results stand in the order of the items. */
export function patient({ accept, limits, clock, stopping }: PatienceOptions): Accept {
  if (limits === null) return accept
  return async (items, via) => {
    const results: (Accepted | null)[] = items.map(() => null)
    let open = items.map((incoming, index) => ({ incoming, index }))
    while (open.length > 0) {
      const admissions = await Promise.all(
        open.map(({ incoming }) => limits.admit({ caller: null, events: [incoming.event] })),
      )
      const fits = open.filter((_, i) => admissions[i]?.kind === "admitted")
      if (fits.length > 0) {
        const stored = await accept(
          fits.map(({ incoming }) => incoming),
          via,
        )
        if (typeof stored === "string") return stored
        fits.forEach(({ index }, i) => {
          results[index] = stored[i] ?? null
        })
      }
      const waits = admissions.flatMap((one) => (one.kind === "limited" ? [one.retryMs] : []))
      open = open.filter((_, i) => admissions[i]?.kind !== "admitted")
      if (open.length === 0) break
      if (stopping()) return "late"
      await sleep(clock, Math.max(SHORTEST_WAIT_MS, Math.min(LONGEST_WAIT_MS, ...waits)))
    }
    return results.map((result) => {
      if (result === null) throw new Error("accept gave fewer results than items")
      return result
    })
  }
}

const sleep = (clock: Clock, ms: number): Promise<void> =>
  new Promise((done) => {
    clock.after(ms, done)
  })
