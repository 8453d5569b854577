/** When a day's housekeeping is done: at night by the process's own time zone, somewhere in three hours of it. */

/** 01:00 to 04:00. */
const BEGINS_HOUR = 1
const LASTS_MS = 3 * 3_600_000
/** A moment that is nearly there belongs to the night that is ending. */
const LEAST_MS = 3_600_000

/** Milliseconds from `wall` to a quiet moment, at least an hour and at most some 28. `random` in [0, 1). */
export function untilQuiet(wall: Date, random: number): number {
  const at = new Date(wall)
  at.setHours(BEGINS_HOUR, 0, 0, 0)
  for (;;) {
    const wait = at.getTime() + random * LASTS_MS - wall.getTime()
    if (wait >= LEAST_MS) return wait
    at.setDate(at.getDate() + 1)
  }
}
