import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { parseTime } from "./rfc3339.ts"

describe("a time", () => {
  const good: readonly [string, string][] = [
    ["2025-01-08T10:00:00Z", "2025-01-08T10:00:00.000Z"],
    ["2025-01-08T10:00:00", "2025-01-08T10:00:00.000Z"],
    ["2025-01-08 10:00:00", "2025-01-08T10:00:00.000Z"],
    ["2025-01-08t10:00z", "2025-01-08T10:00:00.000Z"],
    ["2025-01-08T10:00:00.123456", "2025-01-08T10:00:00.123Z"],
    ["2025-01-08T13:00:00+03:00", "2025-01-08T10:00:00.000Z"],
    ["2025-01-08T07:30:00-0230", "2025-01-08T10:00:00.000Z"],
    ["2025-01-08T13:00:00+03", "2025-01-08T10:00:00.000Z"],
    ["2024-02-29T00:00:00Z", "2024-02-29T00:00:00.000Z"],
    ["2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999Z"],
    ["0099-01-01T00:00:00Z", "0099-01-01T00:00:00.000Z"],
  ]
  for (const [text, expected] of good)
    test(`${text} is ${expected}`, () => expect(new Date(parseTime(text) ?? Number.NaN).toISOString()).toBe(expected))

  const bad = [
    "",
    "now",
    "2025-01-08",
    "10:00:00Z",
    "2025-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2025-04-31T00:00:00Z",
    "2025-13-01T00:00:00Z",
    "2025-00-01T00:00:00Z",
    "2025-01-00T00:00:00Z",
    "2025-01-01T24:00:00Z",
    "2025-01-01T00:60:00Z",
    "2025-01-01T00:00:61Z",
    "2025-01-01T00:00:00+24:00",
    "2025-01-01T00:00:00+00:60",
    "25-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+01:00",
    "2025-01-01T00:00:00Z ",
    "1736330400",
  ]
  for (const text of bad) test(`${JSON.stringify(text)} is none`, () => expect(parseTime(text)).toBeNull())

  test("that a Date wrote is read back", () => {
    const dates = fc.date({
      min: new Date("0001-01-01T00:00:00Z"),
      max: new Date("9999-12-31T23:59:59.999Z"),
      noInvalidDate: true,
    })
    fc.assert(fc.property(dates, (date) => parseTime(date.toISOString()) === date.getTime()))
  })
})
