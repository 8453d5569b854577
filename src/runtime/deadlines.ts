// One timer for many waits of one length. Where thousands of waits a second begin and nearly all end in time, a timer for
// each of them costs more than what it guards.

import type { Clock, Timer } from "./clock.ts"

interface Wait {
  readonly at: number
  readonly expire: () => void
}

/** Waits for a piece of work, but no longer than the deadline; then "late", whatever becomes of the work. Rejects as the work does. */
export type InTime = <T>(work: Promise<T>) => Promise<T | "late">

/** `ms`: what each wait may take from its own beginning. No timer is left where nothing waits. */
export function createDeadlines(clock: Clock, ms: number): InTime {
  // All are of one length, so they end in the order in which they began, which is the order of a set.
  const waits = new Set<Wait>()
  let timer: Timer | null = null

  const arm = (): void => {
    const [first] = waits
    timer = first === undefined ? null : clock.after(first.at - clock.now(), ring)
  }
  const ring = (): void => {
    const now = clock.now()
    for (const wait of waits) {
      // A timer may come a moment early: it is set again for what is left.
      if (wait.at > now) break
      waits.delete(wait)
      wait.expire()
    }
    arm()
  }
  const over = (wait: Wait): void => {
    if (!waits.delete(wait) || waits.size > 0) return
    timer?.cancel()
    timer = null
  }

  return <T>(work: Promise<T>) =>
    new Promise<T | "late">((resolve, reject) => {
      const wait: Wait = { at: clock.now() + ms, expire: () => resolve("late") }
      waits.add(wait)
      if (timer === null) arm()
      work.then(
        (result) => {
          over(wait)
          resolve(result)
        },
        (error: unknown) => {
          over(wait)
          reject(error)
        },
      )
    })
}
