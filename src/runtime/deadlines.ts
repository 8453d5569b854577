// One timer for many waits of one length. Where thousands of waits a second begin and nearly all end in time, a timer for
// each of them costs more than what it guards.

import type { Clock } from "./clock.ts"

/** A wait; over when nobody is to be told any more. */
interface Wait {
  readonly at: number
  expire: (() => void) | null
}

/** Waits for a piece of work, but no longer than the deadline; then "late", whatever becomes of the work. Rejects as the work does. */
export type InTime = <T>(work: Promise<T>) => Promise<T | "late">

/** Below so many, waits that are over are left in line until the timer rings. */
const TIDY_AT = 1_024

/** `ms`: what each wait may take from its own beginning. A timer that nobody waits for any more rings once, and no other follows. */
export function createDeadlines(clock: Clock, ms: number): InTime {
  // All are of one length, so they end in the order in which they began.
  let waits: Wait[] = []
  let open = 0
  let isArmed = false

  const arm = (inMs: number): void => {
    isArmed = true
    // It may be left when all waits are over, and a process that has stopped would stay for it.
    clock.after(inMs, ring).unref?.()
  }
  const ring = (): void => {
    isArmed = false
    const now = clock.now()
    for (const wait of waits) {
      // A timer may come a moment early: it is set again for what is left.
      if (wait.at > now) break
      wait.expire?.()
    }
    tidy()
    const [first] = waits
    if (first !== undefined) arm(first.at - clock.now())
  }
  const tidy = (): void => {
    waits = waits.filter((wait) => wait.expire !== null)
  }
  const over = (wait: Wait): void => {
    if (wait.expire === null) return
    wait.expire = null
    open -= 1
    // What is over is at most as much again as what is open, so a wait is looked at twice in its life.
    if (waits.length > TIDY_AT && waits.length > 2 * open) tidy()
  }

  return <T>(work: Promise<T>) =>
    new Promise<T | "late">((resolve, reject) => {
      const wait: Wait = {
        at: clock.now() + ms,
        expire() {
          over(wait)
          resolve("late")
        },
      }
      waits.push(wait)
      open += 1
      if (!isArmed) arm(ms)
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
