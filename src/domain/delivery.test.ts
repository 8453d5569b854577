import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { backoffMs, DEFAULT_RETRY, type Outcome, type RetryPolicy, type Settlement, settle } from "./delivery.ts"

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
    [
      "rejected is dead after this try",
      young,
      { kind: "rejected", ...why },
      DEFAULT_RETRY,
      { status: "dead", ...why, because: "permanent" },
    ],
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
      { status: "dead", reason: "too_old", detail: "of this", because: "too_old" },
    ],
    [
      "the first retry comes within 5 s",
      young,
      { kind: "retry", ...why, retryAfterMs: null },
      DEFAULT_RETRY,
      { status: "retrying", ...why, delayMs: 2_500, because: "backoff" },
    ],
    [
      "the fourth retry comes within 40 s",
      { attempt: 4, ageMs: 0 },
      { kind: "retry", ...why, retryAfterMs: null },
      DEFAULT_RETRY,
      { status: "retrying", ...why, delayMs: 20_000, because: "backoff" },
    ],
    [
      "the provider's wish to wait wins, and is exceeded by a tenth at most",
      young,
      { kind: "retry", ...why, retryAfterMs: 90_000 },
      DEFAULT_RETRY,
      { status: "retrying", ...why, delayMs: 94_500, because: "throttled" },
    ],
    [
      "a wish beyond an hour is an hour",
      young,
      { kind: "retry", ...why, retryAfterMs: 7 * DAY },
      DEFAULT_RETRY,
      { status: "retrying", ...why, delayMs: 3_780_000, because: "throttled" },
    ],
    [
      "a wish for at once is a second",
      young,
      { kind: "retry", ...why, retryAfterMs: 0 },
      DEFAULT_RETRY,
      { status: "retrying", ...why, delayMs: 1_000, because: "backoff" },
    ],
    [
      "a provider that throttles without a wish is left alone for as long as one that fails",
      young,
      { kind: "retry", reason: "rate_limited", detail: "429", retryAfterMs: null },
      DEFAULT_RETRY,
      {
        status: "retrying",
        reason: "rate_limited",
        detail: "429",
        delayMs: 2_500,

        because: "throttled",
      },
    ],
    [
      "who is throttled is tried beyond the twelfth time",
      { attempt: 12, ageMs: 0 },
      { kind: "retry", ...why, retryAfterMs: 2_000 },
      DEFAULT_RETRY,
      { status: "retrying", ...why, delayMs: 2_100, because: "throttled" },
    ],
    [
      "whose wishes have been too short for an hour is asked less often",
      { attempt: 1, ageMs: 3_600_000 },
      { kind: "retry", ...why, retryAfterMs: 1_000 },
      DEFAULT_RETRY,
      { status: "retrying", ...why, delayMs: 225_000, because: "throttled" },
    ],
    [
      "what finds its place taken for a moment comes back after it, however old it is",
      { attempt: 3, ageMs: 3_600_000 },
      { kind: "retry", reason: "place_taken", detail: "", retryAfterMs: 1_000 },
      DEFAULT_RETRY,
      { status: "retrying", reason: "place_taken", detail: "", delayMs: 1_050, because: "throttled" },
    ],
    [
      "the twelfth try is the last",
      { attempt: 12, ageMs: 0 },
      { kind: "retry", ...why, retryAfterMs: null },
      DEFAULT_RETRY,
      { status: "dead", reason: "attempts_exhausted", detail: "of this", because: "attempts_exhausted" },
    ],
    [
      "nothing is tried after a day",
      { attempt: 2, ageMs: DAY - 1_000 },
      { kind: "retry", ...why, retryAfterMs: 60_000 },
      DEFAULT_RETRY,
      { status: "dead", reason: "too_old", detail: "of this", because: "too_old" },
    ],
    [
      "an unknown end is tried again as a possible duplicate",
      young,
      { kind: "unknown", ...why },
      DEFAULT_RETRY,
      { status: "retrying", ...why, delayMs: 2_500, because: "may_repeat" },
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

/** A message's life under a provider: each try with its moment, until it ends. `jitter` and `outcome` are asked anew for each. */
function life(policy: RetryPolicy, outcomes: readonly Outcome[], randoms: readonly number[]) {
  const tries: { readonly at: number; readonly settlement: Settlement }[] = []
  let at = 0
  let forgiven = 0
  for (let n = 0; n < 2_000; n++) {
    const outcome = outcomes[n % outcomes.length]
    if (outcome === undefined) break
    const settlement = settle(
      { attempt: n + 1 - forgiven, ageMs: at },
      outcome,
      policy,
      randoms[n % randoms.length] ?? 0,
    )
    tries.push({ at, settlement })
    if (!("delayMs" in settlement)) return { tries, ended: true }
    if (settlement.status === "queued" || settlement.because === "throttled") forgiven += 1
    at += settlement.delayMs
  }
  return { tries, ended: false }
}

describe("whatever a channel says", () => {
  const outcomes = fc.array(outcome, { minLength: 1, maxLength: 6 })
  const randoms = fc.array(random, { minLength: 1, maxLength: 20 })

  test("a delay is finite, never negative and at most an hour and a tenth", () => {
    fc.assert(
      fc.property(held, outcome, policy, random, (h, o, p, r) => {
        const settlement = settle(h, o, p, r)
        return !("delayMs" in settlement) || (settlement.delayMs >= 0 && settlement.delayMs <= 3_960_000)
      }),
    )
  })

  test("a wish that can be believed is never undercut", () => {
    fc.assert(
      fc.property(held, policy, random, fc.integer({ min: 1_000, max: 3_600_000 }), (h, p, r, wish) => {
        const settlement = settle(h, { kind: "retry", ...why, retryAfterMs: wish }, p, r)
        return !("delayMs" in settlement) || settlement.delayMs >= wish
      }),
    )
  })

  test("a delivery is never planned beyond its day, nor beyond twelve tries that count", () => {
    fc.assert(
      fc.property(held, outcome, policy, random, (h, o, p, r) => {
        const settlement = settle(h, o, p, r)
        if (settlement.status !== "retrying") return true
        return h.ageMs + settlement.delayMs < DAY && (h.attempt < 12 || settlement.because === "throttled")
      }),
    )
  })

  test("every life ends, and all of its tries lie within a day, as long as Resend remembers a key", () => {
    fc.assert(
      fc.property(outcomes, randoms, policy, (all, rs, p) => {
        const withoutAccount = all.filter(({ kind }) => kind !== "unusable")
        fc.pre(withoutAccount.length > 0)
        const { tries, ended } = life(p, withoutAccount, rs)
        return ended && tries.every(({ at }) => at < DAY)
      }),
    )
  })

  test("a provider that throttles for ever is asked some hundred times a day, whatever it wishes", () => {
    fc.assert(
      fc.property(fc.option(fc.integer()), randoms, (retryAfterMs, rs) => {
        const { tries, ended } = life(
          DEFAULT_RETRY,
          [{ kind: "retry", reason: "rate_limited", detail: "", retryAfterMs }],
          rs,
        )
        return ended && tries.length <= 300 && tries.at(-1)?.settlement.status === "dead"
      }),
    )
  })

  test.each([0, -5_000])(
    "a wish of %p ms, said each time, does not use up twelve tries sooner than silence would",
    (wish) => {
      const lasts = (retryAfterMs: number | null): number =>
        life(DEFAULT_RETRY, [{ kind: "retry", ...why, retryAfterMs }], [HALF]).tries.at(-1)?.at ?? 0
      expect(lasts(wish)).toBeGreaterThan(0.99 * lasts(null))
    },
  )

  test("what is refused for good is tried once", () => {
    fc.assert(
      fc.property(held, policy, random, (h, p, r) => {
        return settle(h, { kind: "rejected", ...why }, p, r).status === "dead"
      }),
    )
  })

  test("of a thousand that fail at once no twentieth of the pause has more than a tenth: full jitter", () => {
    for (const attempt of [1, 4, 8]) {
      const ceiling = DEFAULT_RETRY.firstDelayMs * 2 ** (attempt - 1)
      const slots = new Map<number, number>()
      for (let n = 0; n < 1_000; n++) {
        // Evenly over [0, 1), as many draws of a fair coin are.
        const delay = backoffMs(attempt, DEFAULT_RETRY, n / 1_000)
        const slot = Math.floor((delay / ceiling) * 20)
        slots.set(slot, (slots.get(slot) ?? 0) + 1)
      }
      expect(Math.max(...slots.values())).toBeLessThanOrEqual(100)
    }
  })

  test("only an unknown end makes a possible duplicate, and only the account's fault costs no try", () => {
    fc.assert(
      fc.property(held, outcome, policy, random, (h, o, p, r) => {
        const settlement = settle(h, o, p, r)
        if (settlement.status === "retrying") return (settlement.because === "may_repeat") === (o.kind === "unknown")
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
