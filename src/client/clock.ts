/** Time as an argument, so that tests decide what time it is. */

/** What the library asks of time. */
export interface HubClock {
  /** Monotonic milliseconds; only differences mean something. */
  now(): number
  /** The date, for a `Retry-After` that is one. */
  wall(): Date
  /** Runs `run` once, `ms` milliseconds from now. */
  after(ms: number, run: () => void): { cancel(): void }
}

/** A longer timer would fire at once. */
const LONGEST_MS = 2 ** 31 - 1

/** The time of this machine. */
export const systemClock: HubClock = {
  now: () => performance.now(),
  wall: () => new Date(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(ms, LONGEST_MS))
    return { cancel: () => clearTimeout(timer) }
  },
}
