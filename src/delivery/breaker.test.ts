import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { Outcome } from "../domain/delivery.ts"
import {
  type Breaker,
  CAREFUL,
  CLOSED,
  learn,
  limitOf,
  look,
  MINIMUM,
  THROTTLED_IN_A_ROW,
  type Verdict,
  verdictOf,
  WINDOW_MS,
} from "./breaker.ts"

const BOUND = 32
const NO_JITTER = () => 0
const after = (breaker: Breaker, verdict: Verdict, now: number, random = NO_JITTER): Breaker =>
  learn(breaker, { era: breaker.era, verdict, now, random, bound: BOUND })
const times = (breaker: Breaker, count: number, verdict: Verdict, now: number): Breaker =>
  Array.from({ length: count }).reduce<Breaker>((one) => after(one, verdict, now), breaker)
/** From any open one to the moment of its probe. */
const probing = (breaker: Breaker): Breaker => look(breaker, Number.MAX_SAFE_INTEGER)
const pauseOf = (breaker: Breaker, now: number): number => (breaker.state === "open" ? breaker.until - now : Number.NaN)

describe("a breaker", () => {
  test("opens when half of at least so many tries failed, and not on fewer", () => {
    const nearly = times(times(CLOSED, MINIMUM / 2, "well", 0), MINIMUM / 2 - 1, "failing", 0)
    expect(nearly.state).toBe("closed")
    expect(after(nearly, "failing", 0)).toMatchObject({ state: "open", cause: "outage", until: 1_000 })
    expect(times(CLOSED, MINIMUM - 1, "failing", 0).state).toBe("closed")
  })

  test("stays closed while more than half works", () => {
    const mixed = times(times(CLOSED, 60, "well", 0), 59, "failing", 0)
    expect(mixed.state).toBe("closed")
  })

  test("forgets failures that are older than its window", () => {
    const old = times(CLOSED, MINIMUM - 1, "failing", 0)
    expect(after(old, "failing", WINDOW_MS - 1).state).toBe("open")
    expect(after(old, "failing", WINDOW_MS + 1).state).toBe("closed")
  })

  test("counts nothing that we ended ourselves", () => {
    expect(times(CLOSED, 1_000, "nothing", 0)).toEqual(CLOSED)
  })

  test("stays closed while of those that are throttled every tenth works", () => {
    let breaker: Breaker = CLOSED
    for (let n = 0; n < 1_000; n++) breaker = after(breaker, n % THROTTLED_IN_A_ROW === 0 ? "well" : "throttled", 0)
    expect(breaker).toMatchObject({ state: "closed", limit: Number.POSITIVE_INFINITY })
  })

  test("opens when as many in a row are throttled, for as long as the provider wishes, within 1 to 5 s", () => {
    const nearly = times(CLOSED, THROTTLED_IN_A_ROW - 1, "throttled", 0)
    const wishing = (wishMs: number | null): number =>
      pauseOf(learn(nearly, { era: 0, verdict: "throttled", now: 0, random: NO_JITTER, bound: BOUND, wishMs }), 0)
    expect([null, 200, 3_000, 3_600_000].map(wishing)).toEqual([1_000, 1_000, 3_000, 5_000])
    expect(after(nearly, "throttled", 0)).toMatchObject({ cause: "throttled", openings: 0 })
  })

  test("goes on slowly after it was throttled", () => {
    const open = times(CLOSED, THROTTLED_IN_A_ROW, "throttled", 0)
    expect(limitOf(after(probing(open), "well", 1_000))).toBe(2)
    expect(pauseOf(after(probing(open), "throttled", 0), 0)).toBe(1_000)
  })

  test("opens on the first bad credential, for half a minute", () => {
    const open = after(CLOSED, "unusable", 1_000)
    expect(open).toMatchObject({ state: "open", cause: "credential", until: 31_000 })
    expect(look(open, 30_999)).toBe(open)
    expect(limitOf(open)).toBe(0)
  })

  test("learns nothing from tries that were begun before it opened", () => {
    const open = after(CLOSED, "unusable", 0)
    const probe = probing(open)
    for (const verdict of ["well", "failing", "unusable"] as const)
      for (const now of [open, probe])
        expect(learn(now, { era: CLOSED.era, verdict, now: 0, random: NO_JITTER, bound: BOUND })).toBe(now)
  })

  test("doubles its pause with every failed probe, up to a minute, or five for a credential", () => {
    const pauses = (verdict: Verdict, first: Breaker): readonly number[] => {
      let breaker = first
      return Array.from({ length: 9 }, () => {
        const pause = pauseOf(breaker, 0) / 1_000
        breaker = after(probing(breaker), verdict, 0)
        return pause
      })
    }
    expect(pauses("failing", times(CLOSED, MINIMUM, "failing", 0))).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60])
    expect(pauses("unusable", after(CLOSED, "unusable", 0))).toEqual([30, 60, 120, 240, 300, 300, 300, 300, 300])
  })

  test("spreads its pauses, so that many nodes do not probe as one", () => {
    const spread = [0, 0.5, 0.999].map((random) =>
      pauseOf(
        after(times(CLOSED, MINIMUM - 1, "failing", 0), "failing", 0, () => random),
        0,
      ),
    )
    expect(spread).toEqual([1_000, 1_250, 1_499.5])
  })

  test("waits as long again, and not longer, when its probe is throttled", () => {
    const second = after(probing(times(CLOSED, MINIMUM, "failing", 0)), "failing", 0)
    expect(pauseOf(second, 0)).toBe(2_000)
    expect(pauseOf(after(probing(second), "throttled", 0), 0)).toBe(2_000)
  })

  test("lets more through with each success after it closed, until there is no limit", () => {
    let breaker = after(probing(after(CLOSED, "unusable", 0)), "well", 0)
    const limits: number[] = []
    // A round trip: everything that may be sending works.
    while (Number.isFinite(limitOf(breaker))) {
      limits.push(limitOf(breaker))
      breaker = times(breaker, limitOf(breaker), "well", 0)
    }
    expect(limits).toEqual([2, 4, 8, 16])
    expect(breaker.openings).toBe(0)
  })

  test("narrows again while it recovers, and pauses longer if it has to open once more", () => {
    const ramp = times(probing(times(CLOSED, MINIMUM, "failing", 0)), 10, "well", 0)
    const recovering = times(after(probing(times(CLOSED, MINIMUM, "failing", 0)), "well", 0), 10, "well", 0)
    expect(ramp.state).toBe("closed")
    expect(limitOf(recovering)).toBe(12)
    expect(limitOf(after(recovering, "failing", 0))).toBe(6)
    expect(pauseOf(times(recovering, 12, "failing", 0), 0)).toBe(2_000)
  })

  test("of a dispatcher that has just crashed begins with one", () => {
    expect(limitOf(CAREFUL)).toBe(1)
    expect(limitOf(after(CAREFUL, "well", 0))).toBe(2)
    // Of webhooks nothing is ever said of an account.
    expect(limitOf(times(CAREFUL, 3, "nothing", 0))).toBe(4)
    expect(times(CAREFUL, BOUND, "nothing", 0)).toEqual(CLOSED)
  })
})

test("only the provider's faults are held against it", () => {
  const retry = (reason: string): Outcome => ({ kind: "retry", reason, detail: "", retryAfterMs: null })
  const rejected = (reason: string): Outcome => ({ kind: "rejected", reason, detail: "" })
  const unknown: Outcome = { kind: "unknown", reason: "timeout", detail: "" }
  const table: readonly (readonly [Outcome, boolean, Verdict])[] = [
    [{ kind: "delivered", providerMessageId: null }, false, "well"],
    [{ kind: "captured" }, false, "well"],
    [rejected("bad_request"), false, "well"],
    [rejected("url_refused"), false, "nothing"],
    [retry("provider_error"), false, "failing"],
    [retry("unreachable"), false, "failing"],
    [retry("timeout"), false, "failing"],
    [retry("rate_limited"), false, "throttled"],
    [retry("chat_migrated"), false, "nothing"],
    [retry("not_tried"), false, "nothing"],
    [retry("unreachable"), true, "nothing"],
    [unknown, false, "failing"],
    [unknown, true, "nothing"],
    [{ kind: "unusable", reason: "bad_credential", detail: "" }, false, "unusable"],
  ]
  for (const [outcome, cut, verdict] of table) expect([outcome, verdictOf(outcome, cut)]).toEqual([outcome, verdict])
})

describe("whatever happens in whatever order", () => {
  type Step =
    | { readonly do: "claim"; readonly many: number }
    | { readonly do: "end"; readonly which: number; readonly verdict: Verdict }
    | { readonly do: "wait"; readonly ms: number }
  const step: fc.Arbitrary<Step> = fc.oneof(
    { weight: 3, arbitrary: fc.record({ do: fc.constant("claim" as const), many: fc.integer({ min: 1, max: 40 }) }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant("end" as const),
        which: fc.nat(),
        verdict: fc.oneof(
          { weight: 30, arbitrary: fc.constantFrom<Verdict[]>("well", "failing", "failing") },
          { weight: 1, arbitrary: fc.constantFrom<Verdict[]>("unusable", "throttled", "nothing") },
        ),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        do: fc.constant("wait" as const),
        ms: fc.oneof(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 1, max: 40_000 })),
      }),
    },
  )

  /** Plays a dispatcher: claims what it may, ends in any order; `check` sees each change with what is under way. */
  const play = (
    steps: readonly Step[],
    check: (
      was: Breaker,
      is: Breaker,
      seen: {
        readonly now: number
        readonly ours: number
        readonly step: Step
        readonly telling: readonly { readonly at: number; readonly failing: boolean }[]
      },
    ) => void,
  ): Breaker => {
    let breaker: Breaker = CLOSED
    let now = 0
    let sending: readonly { readonly era: number }[] = []
    let telling: { at: number; failing: boolean }[] = []
    for (const step of steps) {
      const was = look(breaker, now)
      breaker = was
      if (step.do === "wait") now += step.ms
      if (step.do === "claim") {
        const ours = sending.filter(({ era }) => era === breaker.era).length
        const room = Math.max(0, Math.min(limitOf(breaker) - ours, BOUND - sending.length))
        sending = [...sending, ...Array.from({ length: Math.min(step.many, room) }, () => ({ era: breaker.era }))]
      }
      const ended = step.do === "end" ? sending[step.which % Math.max(1, sending.length)] : undefined
      if (step.do === "end" && ended !== undefined) {
        sending = sending.filter((one) => one !== ended)
        if (ended.era === breaker.era && (step.verdict === "well" || step.verdict === "failing"))
          telling.push({ at: now, failing: step.verdict === "failing" })
        breaker = learn(breaker, { era: ended.era, verdict: step.verdict, now, random: () => 0.5, bound: BOUND })
      }
      const ours = sending.filter(({ era }) => era === breaker.era).length
      check(was, breaker, { now, ours, step, telling })
      if (was.era !== breaker.era) telling = []
    }
    return breaker
  }
  const forAll = (check: (steps: readonly Step[]) => void): void =>
    fc.assert(fc.property(fc.array(step, { minLength: 100, maxLength: 400 }), check), { numRuns: 500 })

  test("there is never more than one probe, and nothing is claimed while it is open", () => {
    forAll((steps) => {
      play(steps, (_, is, { ours }) => {
        if (is.state === "probing") expect(ours).toBeLessThanOrEqual(1)
        if (is.state === "open") expect(ours).toBe(0)
      })
    })
  })

  test("it never opens on an outage below its minimum", () => {
    let opened = 0
    forAll((steps) => {
      play(steps, (was, is, { now, step, telling }) => {
        if (was.state !== "closed" || is.state !== "open" || is.cause !== "outage") return
        opened += 1
        const window = telling.filter(({ at }) => now - at < WINDOW_MS)
        expect(step).toMatchObject({ do: "end", verdict: "failing" })
        expect(window.length).toBeGreaterThanOrEqual(MINIMUM)
      })
    })
    expect(opened).toBeGreaterThan(100)
  })

  test("it is never open for ever: its pause has an end, after which one that works closes it", () => {
    forAll((steps) => {
      const left = play(steps, (_, is, { now }) => {
        if (is.state === "open") expect(is.until - now).toBeLessThanOrEqual(is.cause === "outage" ? 60_000 : 300_000)
      })
      const healed = after(probing(left), "well", Number.MAX_SAFE_INTEGER)
      expect(healed.state).toBe("closed")
      expect(limitOf(times(healed, BOUND, "well", 0))).toBe(Number.POSITIVE_INFINITY)
    })
  })

  test("a limit is at least one, so that a closed one always moves", () => {
    forAll((steps) => {
      play(steps, (_, is) => {
        if (is.state === "closed") expect(limitOf(is)).toBeGreaterThanOrEqual(1)
      })
    })
  })
})
