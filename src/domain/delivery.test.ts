import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { backoffMs, DEFAULT_RETRY, type Outcome, type RetryPolicy, settle } from "./delivery.ts"

const HOLD: RetryPolicy = { ...DEFAULT_RETRY, onUnknown: "hold" }
const why = { reason: "because", detail: "of this" }
const DAY = 86_400_000
const HALF = 0.5

describe("what an outcome makes of a delivery", () => {
  const young = { attempt: 1, ageMs: 0 }
  const table: readonly [string, typeof young, Outcome, RetryPolicy, object][] = [
    [
      "delivered stays delivered",
      young,
      { kind: "delivered", providerMessageId: "42" },
      DEFAULT_RETRY,
      { status: "delivered", providerMessageId: "42" },
    ],
    ["captured stays captured", young, { kind: "captured" }, DEFAULT_RETRY, { status: "captured" }],
    ["rejected is dead after this try", young, { kind: "rejected", ...why }, DEFAULT_RETRY, { status: "dead", ...why }],
    [
      "the account's fault is queued again later",
      { attempt: 12, ageMs: 0 },
      { kind: "unusable", ...why },
      DEFAULT_RETRY,
      { status: "queued", ...why, delayMs: 30_000 },
    ],
    [
      "the account's fault for a whole day is dead",
      { attempt: 1, ageMs: DAY },
      { kind: "unusable", ...why },
      DEFAULT_RETRY,
      { status: "dead", reason: "too_old", detail: "of this" },
    ],
    [
      "the first retry comes within 5 s",
      young,
      { kind: "retry", ...why, retryAfterMs: null },
      DEFAULT_RETRY,
      { status: "retrying", ...why, delayMs: 2_500, maybeDuplicate: false },
    ],
    [
      "the fourth retry comes within 40 s",
      { attempt: 4, ageMs: 0 },
      { kind: "retry", ...why, retryAfterMs: null },
      DEFAULT_RETRY,
      { status: "retrying", ...why, delayMs: 20_000, maybeDuplicate: false },
    ],
    [
      "the provider's wish to wait wins",
      young,
      { kind: "retry", ...why, retryAfterMs: 90_000 },
      DEFAULT_RETRY,
      { status: "retrying", ...why, delayMs: 90_000, maybeDuplicate: false },
    ],
    [
      "a wish beyond an hour is an hour",
      young,
      { kind: "retry", ...why, retryAfterMs: 7 * DAY },
      DEFAULT_RETRY,
      { status: "retrying", ...why, delayMs: 3_600_000, maybeDuplicate: false },
    ],
    [
      "a wish for at once is a second",
      young,
      { kind: "retry", ...why, retryAfterMs: 0 },
      DEFAULT_RETRY,
      { status: "retrying", ...why, delayMs: 1_000, maybeDuplicate: false },
    ],
    [
      "the twelfth try is the last",
      { attempt: 12, ageMs: 0 },
      { kind: "retry", ...why, retryAfterMs: null },
      DEFAULT_RETRY,
      { status: "dead", reason: "attempts_exhausted", detail: "of this" },
    ],
    [
      "nothing is tried after a day",
      { attempt: 2, ageMs: DAY - 1_000 },
      { kind: "retry", ...why, retryAfterMs: 60_000 },
      DEFAULT_RETRY,
      { status: "dead", reason: "too_old", detail: "of this" },
    ],
    [
      "an unknown end is tried again as a possible duplicate",
      young,
      { kind: "unknown", ...why },
      DEFAULT_RETRY,
      { status: "retrying", ...why, delayMs: 2_500, maybeDuplicate: true },
    ],
    [
      "an unknown end is held where that is the policy",
      young,
      { kind: "unknown", ...why },
      HOLD,
      { status: "unknown", ...why },
    ],
  ]
  for (const [title, held, outcome, policy, expected] of table)
    test(title, () => expect(settle(held, outcome, policy, HALF)).toEqual(expected as ReturnType<typeof settle>)) // the table's own words
})

const reason = fc.record({ reason: fc.string(), detail: fc.string() })
const outcome: fc.Arbitrary<Outcome> = fc.oneof(
  fc.record({ kind: fc.constant("delivered" as const), providerMessageId: fc.option(fc.string()) }),
  fc.record({ kind: fc.constant("captured" as const) }),
  reason.chain((why) =>
    fc.oneof(
      fc.record({
        kind: fc.constant("retry" as const),
        reason: fc.constant(why.reason),
        detail: fc.constant(why.detail),
        retryAfterMs: fc.option(fc.oneof(fc.integer(), fc.double({ noNaN: true }))),
      }),
      fc.constantFrom("rejected" as const, "unusable" as const, "unknown" as const).map((kind) => ({ kind, ...why })),
    ),
  ),
)
const held = fc.record({
  attempt: fc.integer({ min: 1, max: 40 }),
  ageMs: fc.double({ min: 0, max: 3 * DAY, noNaN: true }),
})
const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const policy = fc.constantFrom(DEFAULT_RETRY, HOLD)

describe("whatever a channel says", () => {
  test("a delay is finite, never negative and at most an hour", () => {
    fc.assert(
      fc.property(held, outcome, policy, random, (h, o, p, r) => {
        const settlement = settle(h, o, p, r)
        return !("delayMs" in settlement) || (settlement.delayMs >= 0 && settlement.delayMs <= 3_600_000)
      }),
    )
  })

  test("a delivery is never tried more than twelve times, nor planned beyond its day", () => {
    fc.assert(
      fc.property(held, outcome, policy, random, (h, o, p, r) => {
        const settlement = settle(h, o, p, r)
        return settlement.status !== "retrying" || (h.attempt < 12 && h.ageMs + settlement.delayMs < DAY)
      }),
    )
  })

  test("only an unknown end makes a possible duplicate, and only the account's fault costs no try", () => {
    fc.assert(
      fc.property(held, outcome, policy, random, (h, o, p, r) => {
        const settlement = settle(h, o, p, r)
        if (settlement.status === "retrying") return settlement.maybeDuplicate === (o.kind === "unknown")
        return settlement.status !== "queued" || o.kind === "unusable"
      }),
    )
  })

  test("the same is decided for the same", () => {
    fc.assert(
      fc.property(held, outcome, policy, random, (h, o, p, r) => {
        expect(settle(h, o, p, r)).toEqual(settle(h, o, p, r))
      }),
    )
  })

  test("the ceiling of the delay doubles up to an hour", () => {
    const ceilings = [1, 2, 3, 10, 11, 12].map((attempt) =>
      Math.round(backoffMs(attempt, DEFAULT_RETRY, 0.999_999_99) / 1_000),
    )
    expect(ceilings).toEqual([5, 10, 20, 2_560, 3_600, 3_600])
  })
})
