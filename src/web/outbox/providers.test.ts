import { expect, test } from "bun:test"
import { readProviders, stateOf } from "./providers.ts"

test("a provider is well, fails so often, or has paused its channel", () => {
  const providers = readProviders({
    channels: [
      { channel: "sms", failing: null, paused: null },
      { channel: "email", failing: { failure: "rate_limited", left: 3, retry_after: 5 }, paused: null },
      { channel: "telegram", failing: null, paused: "bad_credential" },
      { channel: "slack", failing: { failure: "hang", left: 1 }, paused: "timeout" },
      { nothing: true },
    ],
  })
  expect(providers.map((one) => stateOf(one).words)).toEqual([
    "well",
    "429 × 3",
    "paused: bad credential",
    "paused: timeout; hangs × 1",
  ])
  expect(readProviders(null)).toEqual([])
})
