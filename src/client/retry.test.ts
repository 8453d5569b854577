import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { DEFAULT_RETRY, isPassing, pauseMs, readRetryAfter } from "./retry.ts"

const NOW = new Date("2026-01-05T09:00:00Z")

describe("a Retry-After", () => {
  test.each([
    ["2", 2_000],
    [" 0 ", 0],
    ["1.5", 1_500],
    ["Mon, 05 Jan 2026 09:00:07 GMT", 7_000],
    ["Mon, 05 Jan 2026 08:00:00 GMT", 0],
    ["-5", undefined],
    ["soon", undefined],
    ["", undefined],
    [null, undefined],
  ])("of %p means %p ms", (header, ms) => {
    expect(readRetryAfter(header, NOW)).toBe(ms)
  })
})

describe("a pause", () => {
  test("doubles its bound up to the cap, and is anything below it", () => {
    const most = [1, 2, 3, 4, 5, 6, 60].map((tries) => pauseMs(DEFAULT_RETRY, tries, undefined, () => 1))
    expect(most).toEqual([250, 500, 1_000, 2_000, 4_000, 5_000, 5_000])
    expect(pauseMs(DEFAULT_RETRY, 5, undefined, () => 0)).toBe(0)
  })

  test("is never shorter than what the hub asked for, and never much longer than the longest that it may ask", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 1_000 }),
        fc.double({ min: 0, max: 1e12, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (tries, asked, chance) => {
          const pause = pauseMs(DEFAULT_RETRY, tries, asked, () => chance)
          expect(pause).toBeGreaterThanOrEqual(Math.min(asked, DEFAULT_RETRY.retryAfterCapMs))
          expect(pause).toBeLessThanOrEqual(DEFAULT_RETRY.retryAfterCapMs + DEFAULT_RETRY.capMs)
        },
      ),
    )
  })
})

test("only what may pass by itself is repeated", () => {
  const statuses = Array.from({ length: 200 }, (_, index) => 400 + index)
  expect(statuses.filter(isPassing)).toEqual([408, 429, 502, 503, 504])
})
