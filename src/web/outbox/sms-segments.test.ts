import { expect, test } from "bun:test"
import { segmentsOf } from "./sms-segments.ts"

test("plain letters are seven bits: 160 in one message, 153 in each of several", () => {
  expect(segmentsOf("a".repeat(160))).toEqual({ encoding: "GSM-7", length: 160, count: 1 })
  expect(segmentsOf("a".repeat(161))).toEqual({ encoding: "GSM-7", length: 161, count: 2 })
  expect(segmentsOf("€".repeat(80))).toEqual({ encoding: "GSM-7", length: 160, count: 1 })
})

test("one letter of another script makes every part shorter", () => {
  expect(segmentsOf(`${"a".repeat(69)}ع`)).toEqual({ encoding: "UCS-2", length: 70, count: 1 })
  expect(segmentsOf("ع".repeat(71))).toEqual({ encoding: "UCS-2", length: 71, count: 2 })
  expect(segmentsOf("🚨").length).toBe(2)
})
