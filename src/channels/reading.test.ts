import { expect, test } from "bun:test"
import fc from "fast-check"
import { detailOf, retryAfterMs } from "./reading.ts"

const NOW = Date.parse("2026-11-20T10:00:00Z")
const wish = (text: string, date?: string) =>
  retryAfterMs(new Headers({ "retry-after": text, ...(date === undefined ? {} : { date }) }), NOW)

test("a wish to wait is read from seconds and from dates", () => {
  expect(wish("30")).toBe(30_000)
  expect(wish("0.5")).toBe(500)
  expect(wish("Fri, 20 Nov 2026 10:01:00 GMT")).toBe(60_000)
  expect(retryAfterMs(new Headers(), NOW)).toBeNull()
})

test("a date is read against the answer's own clock, which may be wrong in the same way", () => {
  expect(wish("Fri, 20 Nov 2026 09:00:30 GMT", "Fri, 20 Nov 2026 09:00:00 GMT")).toBe(30_000)
})

test("a moment that has passed is no wait", () => {
  expect(wish("Fri, 20 Nov 2020 10:00:00 GMT")).toBe(0)
})

test("whatever a provider writes, the wish is null or a finite wait within a week", () => {
  const header = fc.oneof(fc.string(), fc.double().map(String), fc.integer().map(String), fc.date().map(String))
  fc.assert(
    fc.property(header, (text) => {
      const clean = text.replace(/[^\x20-\x7e]/g, "")
      const ms = wish(clean)
      return ms === null || (ms >= 0 && ms <= 7 * 86_400_000)
    }),
  )
})

test("a detail is one short line without the parts that are private", () => {
  const detail = detailOf(`no\u0000\nsuch ${"x ".repeat(1_000)} chat 4711-secret`, ["4711-secret"])
  expect(detail.length).toBeLessThanOrEqual(300)
  expect(detail).toStartWith("no such x x")
  expect(detailOf("chat 4711-secret is gone", ["4711-secret", null, ""])).toBe("chat … is gone")
})
