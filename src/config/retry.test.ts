import { describe, expect, test } from "bun:test"
import { DEFAULT_RETRY } from "../domain/delivery.ts"
import { retryPolicies, retrySetting } from "./retry.ts"

const policies = (text: string) => {
  const read = retrySetting(text)
  return "expected" in read ? read : retryPolicies(read.value)
}

describe("HUB_RETRY", () => {
  test("that is not set is the contract's: first within 5 s, doubling to 1 h, 12 tries, 24 h", () => {
    expect(retryPolicies(null).sms).toEqual(DEFAULT_RETRY)
    expect(DEFAULT_RETRY).toMatchObject({
      firstDelayMs: 5_000,
      maxDelayMs: 3_600_000,
      maxAttempts: 12,
      maxAgeMs: 86_400_000,
    })
  })

  test("holds for all channels, and for one of them where it is named", () => {
    const all = policies("tries=5, max=10m,sms.tries=3,sms.first=2s,voice.age=1h")
    expect(all).toMatchObject({
      telegram: { maxAttempts: 5, maxDelayMs: 600_000, firstDelayMs: 5_000 },
      sms: { maxAttempts: 3, maxDelayMs: 600_000, firstDelayMs: 2_000 },
      voice: { maxAttempts: 5, maxAgeMs: 3_600_000 },
    })
  })

  test("lets no mail be tried beyond the day for which Resend remembers its key", () => {
    expect(policies("age=3d,email.age=2d")).toMatchObject({
      email: { maxAgeMs: 86_400_000 },
      webhook: { maxAgeMs: 259_200_000 },
    })
  })

  test.each([["tries"], ["tries=0"], ["tries=1.5"], ["age=long"], ["pigeon.tries=3"], ["sms.often=3"], ["sms=3"]])(
    "%s is refused with what was expected",
    (text) => expect(policies(text)).toEqual({ expected: expect.stringMatching(/tries|duration/) }),
  )
})
