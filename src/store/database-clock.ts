/**
 * What time it is says the database, to every node the same: a machine's own wall clock may be hours off, or jump, and
 * would then end tokens early, or believe those that have ended. Asked once, and then counted on by the monotonic clock.
 */
import type { Clock } from "../runtime/clock.ts"
import { databaseProblem, type Queryable } from "./database.ts"

export interface DatabaseClock extends Clock {
  /** Asks the database. Keeps what is known where it is away, and never rejects for that. */
  set(): Promise<void>
}

/** Quartz drifts by some seconds a day. */
const SET_AGAIN_MS = 600_000
/** The machine's two clocks have come apart by so much: it slept, or somebody set the one. Which, says the database. */
const APART_MS = 2_000

/** `clock`, but for its wall time, which is the machine's until it is first set. */
export function databaseClock(clock: Clock, db: Queryable, onBug: (error: unknown) => void): DatabaseClock {
  const ownOffset = (): number => clock.wall().getTime() - clock.now()
  /** Wall time less monotonic time, in milliseconds. Null: not known yet. */
  let offset: number | null = null
  let setAt = 0
  let ownWhenSet = 0
  let asking: Promise<void> | null = null

  const ask = async (): Promise<void> => {
    const sent = clock.now()
    const own = ownOffset()
    try {
      const [row] = await db.query<{ ms: number }>(
        "select (extract(epoch from clock_timestamp()) * 1000)::float8 as ms",
      )
      if (row === undefined) throw new Error("a database without a time")
      const came = clock.now()
      offset = row.ms - (sent + came) / 2
      setAt = came
      ownWhenSet = own
    } catch (error) {
      if (databaseProblem(error) !== "away") throw error
      // Not with each look while it is away.
      setAt = clock.now() - SET_AGAIN_MS + APART_MS
      ownWhenSet = own
    }
  }
  const set = (): Promise<void> => {
    asking ??= ask().finally(() => {
      asking = null
    })
    return asking
  }

  return {
    ...clock,
    set,
    wall() {
      if (offset === null) return clock.wall()
      const apart = Math.abs(ownOffset() - ownWhenSet) > APART_MS
      if ((apart || clock.now() - setAt > SET_AGAIN_MS) && asking === null) set().catch(onBug)
      return new Date(clock.now() + offset)
    },
  }
}
