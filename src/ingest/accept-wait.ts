/**
 * How long an event that came now would wait for its commit, told from the queue and the last commits. Whoever knows that
 * before reading a body can say "not now" while it is cheap: a queue that only grows makes every answer late.
 */
import type { Clock } from "../runtime/clock.ts"

export interface AcceptWait {
  /** Runs one commit and remembers how long it took. */
  timed<T>(commit: () => Promise<T>): Promise<T>
  /** Milliseconds, where so many are waiting. 0 while less than a whole batch waits. */
  expectedMs(waiting: number): number
}

/** A disk may pause for so long and go on as before; whoever waits through it has lost less than by coming again. */
const PAUSE_MS = 2_000

/** The weight of the last commit beside all before it. */
const NEWEST = 0.2

export function acceptWait(clock: Clock, batch: { readonly items: number; readonly inFlight: number }): AcceptWait {
  const began = new Set<{ readonly at: number }>()
  let usualMs = 0
  return {
    async timed(commit) {
      const mine = { at: clock.now() }
      began.add(mine)
      try {
        return await commit()
      } finally {
        began.delete(mine)
        usualMs += NEWEST * (clock.now() - mine.at - usualMs)
      }
    },
    expectedMs(waiting) {
      const batches = Math.floor(waiting / batch.items)
      if (batches === 0) return 0
      // A commit that hangs says more than those that came back.
      const [oldest] = began
      const underWayMs = oldest === undefined ? 0 : clock.now() - oldest.at
      return (batches * (underWayMs > PAUSE_MS ? Math.max(usualMs, underWayMs) : usualMs)) / batch.inFlight
    },
  }
}
