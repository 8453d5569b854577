// Time as an argument: everything in the hub that waits or measures takes a Clock, so that tests decide what time it is.
// `now` never jumps (deadlines, windows); `wall` does (what people read).

/** A pending `Clock.after`. Cancelling one that has fired or was cancelled does nothing. */
export interface Timer {
  cancel(): void
  /** It no longer keeps the process from ending; for timers that may be left when nobody waits for them. */
  unref?(): void
}

export interface Clock {
  /** Monotonic milliseconds since an arbitrary start; only differences mean something. */
  now(): number
  /** The date and time a person would read off the wall; may jump. */
  wall(): Date
  /** Runs `run` once, `ms` milliseconds from now (at once for 0 or less, but never before this call returns). */
  after(ms: number, run: () => void): Timer
}

/** setTimeout fires at once for anything longer, so longer waits are taken in steps of this many ms (24.8 days). */
const LONGEST_STEP = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => new Date(),
  after(ms, run) {
    let handle: ReturnType<typeof setTimeout>
    let held = true
    const wait = (left: number): void => {
      const step = Math.min(left, LONGEST_STEP)
      handle = setTimeout(() => (left > step ? wait(left - step) : run()), step)
      if (!held) handle.unref()
    }
    wait(Math.max(0, ms))
    return {
      cancel: () => clearTimeout(handle),
      unref() {
        held = false
        handle.unref()
      },
    }
  },
}
