import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { type DailyWindow, isOpen, isTimeZone, minutesOpen, opensAt, openTimeAfter } from "./daily-window.ts"

const HOUR = 3_600_000
const MINUTE = 60_000
const at = (text: string): number => Date.parse(text)
const iso = (moment: number): string => new Date(moment).toISOString()
const window = (from: number, to: number, timezone = "UTC"): DailyWindow => ({ from: from * 60, to: to * 60, timezone })

const baghdad = window(8, 20, "Asia/Baghdad") // always UTC+3
const berlin = window(8, 20, "Europe/Berlin") // 2026: +1, from 29 March 01:00Z +2, from 25 October 01:00Z +1
const night = window(22, 6, "Europe/Berlin")

describe("hours of the day", () => {
  test.each([
    ["opens at the first minute", baghdad, "2026-01-05T05:00:00Z", true],
    ["is closed before it", baghdad, "2026-01-05T04:59:59.999Z", false],
    ["is open to the last moment", baghdad, "2026-01-05T16:59:59.999Z", true],
    ["is closed at its end", baghdad, "2026-01-05T17:00:00Z", false],
    ["over midnight, is open before it", night, "2026-01-05T22:30:00Z", true],
    ["over midnight, is open after it", night, "2026-01-06T04:30:00Z", true],
    ["over midnight, is closed at noon", night, "2026-01-06T11:00:00Z", false],
    ["of a whole day is always open", window(0, 24), "2026-01-05T23:59:59.999Z", true],
    ["follows the clock into summer time", berlin, "2026-03-29T06:00:00Z", true],
    ["follows the clock out of summer time", berlin, "2026-10-25T06:00:00Z", false],
  ] as const)("%s", (_, hours, moment, open) => {
    expect(isOpen(hours, at(moment))).toBe(open)
  })

  test.each([
    ["goes on within a day", baghdad, "2026-01-05T06:00:00Z", 6, "2026-01-05T12:00:00Z"],
    ["ends with the hours where it ends with them", baghdad, "2026-01-05T11:00:00Z", 6, "2026-01-05T17:00:00Z"],
    ["stands still while they are closed", baghdad, "2026-01-05T15:00:00Z", 6, "2026-01-06T09:00:00Z"],
    ["begins at the opening for what came before", baghdad, "2026-01-05T01:00:00Z", 6, "2026-01-05T11:00:00Z"],
    ["takes several days where it must", baghdad, "2026-01-05T05:00:00Z", 30, "2026-01-07T11:00:00Z"],
    ["goes over midnight", night, "2026-01-05T23:00:00Z", 6, "2026-01-06T05:00:00Z"],
    ["skips the hour that is left out in spring", night, "2026-03-28T21:00:00Z", 7, "2026-03-29T04:00:00Z"],
    ["has a shorter night in spring", night, "2026-03-28T21:00:00Z", 8, "2026-03-29T21:00:00Z"],
    ["has a longer night in autumn", night, "2026-10-24T20:00:00Z", 9, "2026-10-25T05:00:00Z"],
    ["opens earlier in UTC from the day of the change", berlin, "2026-03-28T18:00:00Z", 1, "2026-03-28T19:00:00Z"],
    ["counts the next day by its own clock", berlin, "2026-03-28T18:30:00Z", 1, "2026-03-29T06:30:00Z"],
  ] as const)("time within them %s", (_, hours, start, after, expected) => {
    expect(iso(openTimeAfter(hours, at(start), after * HOUR))).toBe(iso(at(expected)))
  })

  test("an hour that a day does not have is opened at on the next day", () => {
    const skipped: DailyWindow = { from: 120, to: 180, timezone: "Europe/Berlin" }
    expect(iso(opensAt(skipped, at("2026-03-28T12:00:00Z")))).toBe("2026-03-30T00:00:00.000Z")
    expect(iso(opensAt(baghdad, at("2026-01-05T17:00:00Z")))).toBe("2026-01-06T05:00:00.000Z")
    expect(iso(opensAt(baghdad, at("2026-01-05T06:00:00Z")))).toBe("2026-01-05T06:00:00.000Z")
  })

  test("a day's hours are counted over midnight too", () => {
    expect([minutesOpen(baghdad), minutesOpen(night), minutesOpen(window(0, 24))]).toEqual([720, 480, 1440])
  })

  test("zones are those that the platform knows", () => {
    expect([isTimeZone("Asia/Baghdad"), isTimeZone("UTC"), isTimeZone("Baghdad")]).toEqual([true, true, false])
  })

  /** What a person with a watch would count: minute by minute. */
  function countedByHand(hours: DailyWindow, start: number, minutes: number): number {
    let left = minutes
    for (let moment = start; ; moment += MINUTE) {
      if (isOpen(hours, moment)) left -= 1
      if (left === 0) return moment + MINUTE
    }
  }

  test("time within them is what a minute hand counts, in every zone, over every change of the clock", () => {
    const zones = ["Asia/Baghdad", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]
    // Around the changes of 2026 in those zones, and a day like any other.
    const days = ["2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-10-31", "2026-06-10"]
    const minute = fc.integer({ min: 0, max: 1439 })
    fc.assert(
      fc.property(
        fc.constantFrom(...zones),
        minute,
        minute,
        fc.constantFrom(...days),
        fc.integer({ min: 0, max: 2 * 1440 }),
        fc.integer({ min: 1, max: 600 }),
        (timezone, from, to, day, later, minutes) => {
          fc.pre(from !== to && minutesOpen({ from, to, timezone }) >= 120)
          const hours = { from, to, timezone }
          const start = at(`${day}T00:00:00Z`) + later * MINUTE
          const end = openTimeAfter(hours, start, minutes * MINUTE)
          expect(iso(end)).toBe(iso(countedByHand(hours, start, minutes)))
          expect(isOpen(hours, end - 1)).toBe(true)
          expect(isOpen(hours, opensAt(hours, start))).toBe(true)
        },
      ),
      { numRuns: 150 },
    )
  })
})
