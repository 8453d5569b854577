/** The watchdog's judgement over any course of looks: when a loop counts as blocked, and when never. */
import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { isBlocked, look, periodOf, type Sight } from "./watchdog-sight.ts"

const LIMIT = 5_000
const PERIOD = periodOf(LIMIT)
const RUNS = { numRuns: 5_000 }

/** A look that came in time, or late as on a busy machine. */
const onTime = fc.integer({ min: PERIOD, max: 4 * PERIOD })
/** A look before which nobody ran. */
const afterGap = fc.integer({ min: 4 * PERIOD + 1, max: 86_400_000 })
const anyTime = fc.oneof(onTime, afterGap)

interface Step {
  readonly passed: number
  /** Beats since the look before. */
  readonly beats: number
}

/** Looks until the loop counts as blocked; null when it never does. */
function blockedAt(steps: readonly Step[]): { readonly afterMs: number; readonly silentMs: number } | null {
  let sight: Sight = { atMs: 0, beats: 0, silentMs: 0 }
  for (const { passed, beats } of steps) {
    sight = look(sight, sight.atMs + passed, sight.beats + beats, LIMIT)
    if (isBlocked(sight, LIMIT)) return { afterMs: sight.atMs, silentMs: sight.silentMs }
  }
  return null
}

const step = (passed: fc.Arbitrary<number>, beats: fc.Arbitrary<number>) => fc.record({ passed, beats })
const none = fc.constant(0)
const some = fc.integer({ min: 1, max: 20 })

describe("a watched loop", () => {
  test("that beats within the limit never counts as blocked, whatever the clock does", () => {
    // Silences of less than the limit, each ended by a beat.
    const silence = fc.array(step(anyTime, none), { maxLength: 15 }).map((steps) => {
      let left = LIMIT - 4 * PERIOD
      return steps.filter(({ passed }) => {
        if (passed > 4 * PERIOD) return true
        left -= passed
        return left > 0
      })
    })
    const course = fc
      .array(fc.tuple(silence, step(anyTime, some)), { maxLength: 30 })
      .map((parts) => parts.flatMap(([quiet, beat]) => [...quiet, beat]))
    fc.assert(
      fc.property(course, (steps) => expect(blockedAt(steps)).toBeNull()),
      RUNS,
    )
  })

  test("never counts as blocked because of gaps alone", () => {
    const course = fc.array(step(afterGap, none), { maxLength: 200 })
    fc.assert(
      fc.property(course, (steps) => expect(blockedAt(steps)).toBeNull()),
      RUNS,
    )
  })

  test("counts as blocked only for silence that was watched from its beginning or from the last gap on", () => {
    const course = fc.array(step(anyTime, fc.oneof(none, none, none, none, some)), { maxLength: 200 })
    fc.assert(
      fc.property(course, (steps) => {
        const blocked = blockedAt(steps)
        if (blocked === null) return
        let at = 0
        let since = 0
        for (const { passed, beats } of steps) {
          at += passed
          if (beats > 0 || passed > 4 * PERIOD) since = at
          if (at === blocked.afterMs) break
        }
        expect(blocked.afterMs - since).toBeGreaterThanOrEqual(LIMIT)
        expect(blocked.silentMs).toBe(blocked.afterMs - since)
      }),
      RUNS,
    )
  })

  test("counts as blocked within the limit and two periods of its last beat, or of the last gap", () => {
    const punctual = fc.integer({ min: 1, max: PERIOD })
    const before = fc.array(step(anyTime, some), { maxLength: 20 })
    const gap = fc.oneof(fc.constant<readonly Step[]>([]), fc.tuple(step(afterGap, none)))
    const blocked = fc.array(step(punctual, none), { minLength: 5_100, maxLength: 5_100, size: "max" })
    fc.assert(
      fc.property(before, gap, blocked, (beating, stopped, silent) => {
        const begun = [...beating, ...stopped].reduce((sum, { passed }) => sum + passed, 0)
        const found = blockedAt([...beating, ...stopped, ...silent])
        // The last beat came at the earliest just after the look before the one that saw it.
        expect((found?.afterMs ?? Infinity) - begun + PERIOD).toBeLessThanOrEqual(LIMIT + 2 * PERIOD)
      }),
      { numRuns: 200 },
    )
  }, 30_000)

  test("counts on although the watchdog's own looks come late, as under load", () => {
    const late = fc.array(step(onTime, none), { minLength: 21, maxLength: 21 })
    fc.assert(
      fc.property(late, (steps) => expect(blockedAt(steps)).not.toBeNull()),
      RUNS,
    )
  })
})
