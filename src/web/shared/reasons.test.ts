import { expect, test } from "bun:test"
import { reasonSaid } from "./reasons.ts"

test.each([
  ["preference_category", "they turned this category off"],
  ["no_address", "no address is known"],
  ["quiet_hours", "quiet hours"],
  ["constructor", "constructor"],
])("%s is said as: %s", (code, said) => {
  expect(reasonSaid(code)).toBe(said)
})
