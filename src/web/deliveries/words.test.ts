import { expect, test } from "bun:test"
import { DELIVERY_STATUSES } from "../../domain/delivery.ts"
import { countdown, headline, outcomeSaid, receiptSaid, span, statusSaid } from "./words.ts"

test("each status, outcome and receipt of the hub has words of its own", () => {
  const titles = DELIVERY_STATUSES.map((status) => statusSaid(status).title)
  expect(new Set(titles).size).toBe(DELIVERY_STATUSES.length)
  const outcomes = ["delivered", "captured", "retry", "rejected", "unusable", "unknown", "lost"]
  expect(new Set(outcomes.map((outcome) => outcomeSaid({ outcome, reason: null }).title)).size).toBe(outcomes.length)
  expect(outcomeSaid({ outcome: "retry", reason: "rate_limited" }).title).toContain("patience")
  for (const receipt of ["delivered", "undelivered", "bounced", "complained", "opened", "clicked"])
    expect(receiptSaid(receipt).mood).not.toBe("off")
  expect(statusSaid("of_a_newer_hub")).toEqual({ mood: "off", title: "of a newer hub" })
})

test("what its reader did says more than that it was sent", () => {
  expect(headline({ status: "delivered", receipt: "bounced", next: null })).toMatchObject({ mood: "bad" })
  expect(headline({ status: "delivered", receipt: null, next: null })).toMatchObject({ mood: "good" })
  expect(headline({ status: "dead", receipt: "opened", next: null })).toMatchObject({ title: "Given up" })
  const account = { again: true, code: "account", sentence: "", at: null }
  expect(headline({ status: "queued", receipt: null, next: account }).title).toContain("account")
})

test("a span is said in the two units that matter", () => {
  const said = [0, 340, 4_240, 12_400, 200_000, 7_500_000, 97_200_000, Number.NaN].map(span)
  expect(said).toEqual(["0 ms", "340 ms", "4.2 s", "12 s", "3 min 20 s", "2 h 5 min", "1 d 3 h", ""])
})

test("a countdown goes by whole seconds to now", () => {
  const at = new Date(100_000).toISOString()
  const said = [0, 91_500, 95_900, 98_900, 99_500, 200_000].map((now) => countdown(at, now))
  expect(said).toEqual(["in 1 min 40 s", "in 8 s", "in 4 s", "in 1 s", "now", "now"])
  expect(countdown("never", 0)).toBe("")
})
