import { describe, expect, test } from "bun:test"
import { smsSegments } from "./sms-segments.ts"

describe("the segments of a text message", () => {
  test.each<[string, string, number, string]>([
    ["160 letters of the alphabet are one", "a".repeat(160), 1, "GSM-7"],
    ["161 are two, because each of several has a header", "a".repeat(161), 2, "GSM-7"],
    ["306 are two", "a".repeat(306), 2, "GSM-7"],
    ["307 are three", "a".repeat(307), 3, "GSM-7"],
    ["an euro sign counts twice", "€".repeat(80), 1, "GSM-7"],
    ["81 of them are two", "€".repeat(81), 2, "GSM-7"],
    ["70 Arabic letters are one", "ب".repeat(70), 1, "UCS-2"],
    ["71 are two", "ب".repeat(71), 2, "UCS-2"],
    ["134 are two", "ب".repeat(134), 2, "UCS-2"],
    ["135 are three", "ب".repeat(135), 3, "UCS-2"],
    ["one letter outside of the alphabet makes all of it UCS-2", `${"a".repeat(70)}ł`, 2, "UCS-2"],
    ["the Greek capitals and a line break are of the alphabet", "ΔΩ\n@", 1, "GSM-7"],
    ["nothing is one", "", 1, "GSM-7"],
  ])("%s", (_, text, segments, alphabet) => {
    expect(smsSegments(text)).toMatchObject({ segments, alphabet })
  })

  test("no character is split: a pair that does not fit begins the next one", () => {
    expect(smsSegments("😀".repeat(35))).toMatchObject({ segments: 1, units: 70 })
    expect(smsSegments("😀".repeat(66))).toMatchObject({ segments: 2, units: 132 })
    expect(smsSegments("😀".repeat(67))).toMatchObject({ segments: 3, units: 134 })
    expect(smsSegments(`${"a".repeat(152)}${"^".repeat(77)}`)).toMatchObject({ segments: 3, units: 306 })
  })
})
