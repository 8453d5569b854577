import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { heldAgain, judge, type SourcePromise } from "./source-promise.ts"

const HOUR = 3_600_000
const at = (text: string): number => Date.parse(text)
const baghdad = { from: 480, to: 1200, timezone: "Asia/Baghdad" } // 05:00Z to 17:00Z
const promise = (more: Partial<SourcePromise> = {}): SourcePromise => ({
  source: "zoho",
  business: null,
  atLeast: 1,
  perMs: 6 * HOUR,
  window: baghdad,
  expected: "",
  at: "",
  ...more,
})
const LONG_AGO = at("2025-01-01T00:00:00Z")
/** The verdict with its moments as text. */
const judged = (of: SourcePromise, heard: readonly string[], now: string, firstSeen = LONG_AGO) => {
  const verdict = judge(of, heard.map(at), firstSeen, at(now))
  const text = (moment: number): string => new Date(moment).toISOString().replace(":00.000Z", "Z")
  return verdict.kind === "broken" ? ["broken", text(verdict.since), verdict.seen] : [verdict.kind, text(verdict.until)]
}

describe("a promise to speak", () => {
  test.each([
    [
      "is held while the time has not passed",
      ["2026-01-05T06:00Z"],
      "2026-01-05T11:59Z",
      ["held", "2026-01-05T12:00Z"],
    ],
    ["is broken when it has", ["2026-01-05T06:00Z"], "2026-01-05T12:00Z", ["broken", "2026-01-05T06:00Z", 0]],
    ["is not broken by the night", ["2026-01-05T16:00Z"], "2026-01-06T09:59Z", ["held", "2026-01-06T10:00Z"]],
    ["is broken the next day", ["2026-01-05T16:00Z"], "2026-01-06T10:00Z", ["broken", "2026-01-05T16:00Z", 0]],
    [
      "is broken at the closing, to the minute",
      ["2026-01-05T11:00Z"],
      "2026-01-05T17:00:59Z",
      ["broken", "2026-01-05T11:00Z", 0],
    ],
    [
      "is not told of when the hours are over",
      ["2026-01-05T11:00Z"],
      "2026-01-05T17:01Z",
      ["later", "2026-01-06T05:00Z"],
    ],
    ["is told of at the next opening", ["2026-01-05T11:00Z"], "2026-01-06T05:00Z", ["broken", "2026-01-05T11:00Z", 0]],
    ["is held by a word in the night too", ["2026-01-05T23:00Z"], "2026-01-06T10:59Z", ["held", "2026-01-06T11:00Z"]],
  ] as const)("%s", (_, heard, now, expected) => {
    expect(judged(promise(), heard, now)).toEqual([...expected])
  })

  test("owes nothing before it was known, and then its whole time", () => {
    const known = at("2026-01-05T10:00:00Z")
    expect(judged(promise(), [], "2026-01-05T15:59Z", known)).toEqual(["held", "2026-01-05T16:00Z"])
    expect(judged(promise(), ["2026-01-01T08:00Z"], "2026-01-05T15:59Z", known)).toEqual(["held", "2026-01-05T16:00Z"])
    expect(judged(promise(), [], "2026-01-05T16:00Z", known)).toEqual(["broken", "2026-01-05T10:00Z", 0])
  })

  test("of several is broken when too few are left, and says how many", () => {
    const three = promise({ atLeast: 3, window: null })
    const heard = ["2026-01-05T09:00Z", "2026-01-05T07:00Z", "2026-01-05T06:00Z"]
    expect(judged(three, heard, "2026-01-05T11:59Z")).toEqual(["held", "2026-01-05T12:00Z"])
    expect(judged(three, heard, "2026-01-05T12:00Z")).toEqual(["broken", "2026-01-05T09:00Z", 2])
    expect(judged(three, heard.slice(0, 2), "2026-01-05T12:59Z")).toEqual(["held", "2026-01-05T13:00Z"])
    expect(judged(three, heard.slice(0, 2), "2026-01-05T13:00Z")).toEqual(["broken", "2026-01-05T09:00Z", 1])
  })

  test("is held again when there are enough of them, not at the first", () => {
    const two = promise({ atLeast: 2, window: null })
    const again = (...heard: string[]): boolean => heldAgain(two, heard.map(at), at("2026-01-05T12:00:00Z"))
    expect(again()).toBe(false)
    expect(again("2026-01-05T11:00Z")).toBe(false)
    expect(again("2026-01-05T11:00Z", "2026-01-05T05:00Z")).toBe(false)
    expect(again("2026-01-05T11:00Z", "2026-01-05T07:00Z")).toBe(true)
  })

  test("has one moment from which it is broken, and sleeping until then misses nothing", () => {
    const day = at("2026-03-28T00:00:00Z")
    const window = fc.constantFrom(null, baghdad, { from: 1320, to: 360, timezone: "Europe/Berlin" })
    fc.assert(
      fc.property(
        window,
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 30 }),
        fc.array(fc.integer({ min: 0, max: 72 * 60 }), { maxLength: 3 }),
        fc.integer({ min: 0, max: 72 * 60 }),
        (hours, atLeast, per, minutes, first) => {
          const of = promise({ window: hours, atLeast, perMs: per * HOUR })
          const heard = minutes
            .slice(0, atLeast)
            .sort((a, b) => b - a)
            .map((minute) => day + minute * 60_000)
          const firstSeen = day + first * 60_000
          const known = Math.max(firstSeen, ...heard)
          const begun = judge(of, heard, firstSeen, known)
          if (begun.kind !== "held") return
          expect(judge(of, heard, firstSeen, begun.until - 1).kind).toBe("held")
          const then = judge(of, heard, firstSeen, begun.until)
          expect(then.kind).toBe("broken")
          if (then.kind === "broken") expect(then.seen).toBeLessThan(atLeast)
          // Whatever it is later, it is not held again by itself.
          for (const hour of [1, 5, 12, 20, 30]) {
            expect(judge(of, heard, firstSeen, begun.until + hour * HOUR).kind).not.toBe("held")
            expect(heldAgain(of, heard, begun.until + hour * HOUR)).toBe(false)
          }
        },
      ),
    )
  })
})
