import { describe, expect, test } from "bun:test"
import { DELIVERY_STATUSES } from "./delivery.ts"
import { BECAUSE, nextAfterTry, nextOf } from "./retry-words.ts"

const WAITING = ["scheduled", "queued", "sending", "retrying"]

describe("what is to come of a delivery", () => {
  test.each(DELIVERY_STATUSES.map((status) => [status]))("that is %s agrees with whether it is over", (status) => {
    for (const last of [null, ...BECAUSE]) {
      for (const reason of [null, "replayed", "quiet_hours", "no_address", "odd"]) {
        const next = nextOf({ status, reason }, last)
        expect([next.again, status]).toEqual([WAITING.includes(status), status])
        expect(next.sentence).toMatch(/^[A-Z].*\.$/)
      }
    }
  })

  test("is a sentence of its own for each code", () => {
    const sentences = BECAUSE.map((because) => nextAfterTry(because).sentence)
    expect(new Set(sentences).size).toBe(BECAUSE.length)
  })

  test("says where a person sends it again, and for whom it is held back", () => {
    expect(nextOf({ status: "unknown", reason: "timeout" }, "held").sentence).toContain("dead letters")
    expect(nextOf({ status: "queued", reason: "replayed" }, "permanent")).toMatchObject({ code: "replayed" })
    expect(nextOf({ status: "scheduled", reason: "quiet_hours" }, null).sentence).toContain("quiet hours")
    expect(nextOf({ status: "dead", reason: "too_old" }, null).code).toBe("too_old")
  })
})
