import { expect, test } from "bun:test"
import fc from "fast-check"
import { untilQuiet } from "./quiet-hours.ts"

test("a quiet moment is an hour away at least and a day and a bit at most, and lies between one and four at night", () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date("2020-01-01"), max: new Date("2040-01-01"), noInvalidDate: true }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (wall, random) => {
        const wait = untilQuiet(wall, random)
        expect(wait).toBeGreaterThanOrEqual(3_600_000)
        expect(wait).toBeLessThanOrEqual(29 * 3_600_000)
        const at = new Date(wall.getTime() + wait)
        expect(at.getHours()).toBeGreaterThanOrEqual(1)
        // A night on which the clocks go forward has an hour less.
        expect(at.getHours()).toBeLessThan(5)
      },
    ),
    { numRuns: 500 },
  )
})

test("two nodes that ask at the same moment do not wake together", () => {
  const wall = new Date("2026-01-05T12:00:00Z")
  expect(untilQuiet(wall, 0.9) - untilQuiet(wall, 0.1)).toBeCloseTo(0.8 * 3 * 3_600_000, 0)
})
