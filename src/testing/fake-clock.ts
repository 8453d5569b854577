// The hub's time in a test's hands. Nothing waits for real: `advance` runs what is due, in order, and lets every promise
// and turn of the event loop that follows from it happen before it goes on.

import type { Clock, Timer } from "../runtime/clock.ts"

export interface FakeClock extends Clock {
  /** Moves time on; runs timers due meanwhile at their own time, in order of due time, then of their creation. */
  advance(ms: number): Promise<void>
  /** Lets everything that needs no time happen. */
  flush(): Promise<void>
  /** Moves the wall clock only, as an operator or NTP would. */
  shiftWall(ms: number): void
  /** Timers waiting: 0 at the end proves that nothing was left behind. */
  readonly pending: number
}

interface Waiting {
  readonly at: number
  readonly run: () => void
}

/** Event-loop turns given after each timer: enough for chains of promises that hop over setImmediate a few times. */
const TURNS = 8

const eightTurns = async (): Promise<void> => {
  for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve))
}

/**
 * Starts at 0 ms on the monotonic clock and at `wall` on the wall. `flush` is for tests that know better, or cheaper, when
 * everything has happened.
 */
export function fakeClock(
  wall: Date = new Date("2026-01-01T00:00:00Z"),
  flush: () => Promise<void> = eightTurns,
): FakeClock {
  let now = 0
  let shift = wall.getTime()
  const waiting = new Set<Waiting>()

  const nextDue = (until: number): Waiting | undefined => {
    let first: Waiting | undefined
    for (const each of waiting) if (each.at <= until && (first === undefined || each.at < first.at)) first = each
    return first
  }
  return {
    now: () => now,
    wall: () => new Date(shift + now),
    after(ms, run): Timer {
      const entry = { at: now + Math.max(0, ms), run }
      waiting.add(entry)
      return { cancel: () => void waiting.delete(entry) }
    },
    async advance(ms) {
      const until = now + ms
      await flush()
      for (let due = nextDue(until); due !== undefined; due = nextDue(until)) {
        waiting.delete(due)
        now = Math.max(now, due.at)
        due.run()
        await flush()
      }
      now = until
    },
    flush,
    shiftWall(ms) {
      shift += ms
    },
    get pending() {
      return waiting.size
    },
  }
}
