import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { isOpen } from "./daily-window.ts"
import { NO_PREFERENCES, type Occasion, type Preferences, wishOf } from "./preferences.ts"

const noon = Date.UTC(2026, 0, 5, 12)
const occasion = (changes: Partial<Occasion> = {}): Occasion => ({
  channel: "email",
  severity: "info",
  category: null,
  commercial: false,
  bypassQuietHours: false,
  ...changes,
})
const wishes = (changes: Partial<Preferences>): Preferences => ({ ...NO_PREFERENCES, ...changes })
const at = (text: string): number => Date.parse(text)
const night = (timezone: string) => wishes({ quietHours: { from: 22 * 60, to: 7 * 60, timezone } })

describe("what a person wishes", () => {
  test("nothing said is everything allowed", () => {
    expect(wishOf(NO_PREFERENCES, occasion(), noon, null)).toEqual({ kind: "send" })
  })

  test("a channel, a category's channel and a least severity can be said no to; a no wins over a yes", () => {
    const billing = { billing: { email: false } }
    const table: readonly (readonly [Partial<Preferences>, Partial<Occasion>, string | null])[] = [
      [{ channels: { email: false } }, {}, "preference_channel"],
      [{ channels: { sms: false } }, {}, null],
      [{ channels: { email: true }, categories: billing }, { category: "billing" }, "preference_category"],
      [
        { channels: { email: false }, categories: { billing: { email: true } } },
        { category: "billing" },
        "preference_channel",
      ],
      [{ categories: billing }, { category: "shipping" }, null],
      [{ categories: billing }, { category: null }, null],
      [{ categories: {} }, { category: "__proto__" }, null],
      [{ severityMin: { email: "high" } }, { severity: "warning" }, "preference_severity"],
      [{ severityMin: { email: "high" } }, { severity: "error" }, null],
      [{ severityMin: { sms: "critical" } }, { severity: "info" }, null],
    ]
    for (const [said, of, reason] of table) {
      const expected = reason === null ? { kind: "send" } : { kind: "never", reason }
      expect([said, of, wishOf(wishes(said), occasion(of), noon, null)]).toEqual([said, of, expected as never])
    }
  })

  test("the inbox always stays", () => {
    const all = { ...night("UTC"), channels: { inapp: false }, severityMin: { inapp: "critical" } } as const
    expect(wishOf(all, occasion({ channel: "inapp" }), at("2026-01-05T23:00:00Z"), null)).toEqual({ kind: "send" })
  })

  test("whoever is told never is not held back first", () => {
    const both = { ...night("UTC"), channels: { email: false } }
    expect(wishOf(both, occasion(), at("2026-01-05T23:00:00Z"), null).kind).toBe("never")
  })
})

describe("quiet hours", () => {
  const held = (said: Preferences, moment: string, of: Partial<Occasion> = {}, zone: string | null = null): string => {
    const wish = wishOf(said, occasion(of), at(moment), zone)
    return wish.kind === "hold" ? `${new Date(wish.until).toISOString()} ${wish.reason}` : wish.kind
  }

  test("hold a message back until their end, on the person's clock, over midnight", () => {
    expect(held(night("UTC"), "2026-01-05T21:59:59.999Z")).toBe("send")
    expect(held(night("UTC"), "2026-01-05T22:00:00Z")).toBe("2026-01-06T07:00:00.000Z quiet_hours")
    expect(held(night("UTC"), "2026-01-06T06:59:59.999Z")).toBe("2026-01-06T07:00:00.000Z quiet_hours")
    expect(held(night("UTC"), "2026-01-06T07:00:00Z")).toBe("send")
    expect(held(night("Asia/Baghdad"), "2026-01-05T20:00:00Z")).toBe("2026-01-06T04:00:00.000Z quiet_hours")
  })

  test("end when the clock on the wall says so on the nights on which it is set forward or back", () => {
    // Berlin: 29 March 2026 02:00 → 03:00, 25 October 2026 03:00 → 02:00.
    expect(held(night("Europe/Berlin"), "2026-03-28T22:30:00Z")).toBe("2026-03-29T05:00:00.000Z quiet_hours")
    expect(held(night("Europe/Berlin"), "2026-10-24T21:30:00Z")).toBe("2026-10-25T06:00:00.000Z quiet_hours")
    // They end at 02:30, which the clock of that night never shows: at the first moment after it.
    const gap = wishes({ quietHours: { from: 60, to: 150, timezone: "Europe/Berlin" } })
    expect(held(gap, "2026-03-29T00:30:00Z")).toBe("2026-03-29T01:00:00.000Z quiet_hours")
  })

  test("are passed over where the rule says so, and never by a solicitation", () => {
    expect(held(night("UTC"), "2026-01-05T23:00:00Z", { bypassQuietHours: true })).toBe("send")
    const both = { bypassQuietHours: true, commercial: true }
    expect(held(night("UTC"), "2026-01-05T23:00:00Z", both)).toBe("2026-01-06T07:00:00.000Z quiet_hours")
  })

  test("that begin where they end are none", () => {
    const none = wishes({ quietHours: { from: 600, to: 600, timezone: "UTC" } })
    expect(held(none, "2026-01-05T10:00:00Z")).toBe("send")
  })

  test("a solicitation by SMS or voice keeps 08:00 to 21:00 of whom it reaches, beside their quiet hours", () => {
    const sms = { channel: "sms", commercial: true } as const
    expect(held(NO_PREFERENCES, "2026-01-05T20:59:59Z", sms)).toBe("send")
    expect(held(NO_PREFERENCES, "2026-01-05T21:00:00Z", sms)).toBe("2026-01-06T08:00:00.000Z solicitation_hours")
    expect(held(NO_PREFERENCES, "2026-01-05T04:59:59Z", sms, "Asia/Baghdad")).toBe(
      "2026-01-05T05:00:00.000Z solicitation_hours",
    )
    expect(held(NO_PREFERENCES, "2026-01-05T23:00:00Z", { ...sms, channel: "email" })).toBe("send")
    expect(held(night("UTC"), "2026-01-05T23:00:00Z", sms)).toBe("2026-01-06T08:00:00.000Z quiet_hours")
    const days = wishes({ quietHours: { from: 7 * 60, to: 22 * 60, timezone: "UTC" } })
    expect(held(days, "2026-01-05T12:00:00Z", sms)).toBe("never")
  })

  test("whatever the hours, the zone and the moment: what is held goes at the first minute that is open", () => {
    const zones = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
    const minutes = fc.integer({ min: 0, max: 1439 })
    fc.assert(
      fc.property(
        minutes,
        minutes,
        zones,
        fc.integer({ min: at("2026-01-01"), max: at("2027-01-01") }),
        (from, to, timezone, t) => {
          const quietHours = { from, to, timezone }
          const wish = wishOf(wishes({ quietHours }), occasion(), t, null)
          const quiet = (moment: number): boolean => from !== to && isOpen(quietHours, moment)
          if (wish.kind !== "hold") return wish.kind === "send" && !quiet(t)
          // Nothing between was open: looked at each minute, a day and an hour at most.
          for (let moment = t; moment < wish.until; moment += 60_000) if (!quiet(moment)) return false
          return quiet(wish.until - 1) && !quiet(wish.until) && wish.until - t <= 25 * 3_600_000
        },
      ),
      { numRuns: 300 },
    )
  })
})
