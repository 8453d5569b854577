import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { HubEvent } from "../../domain/event.ts"
import { asEventId, type EventId, type RuleName } from "../../domain/ids.ts"
import type { Json } from "../../domain/json.ts"
import type { Recorded, RecordedReaction } from "../../store/replay.ts"
import { recipientId } from "../../testing/builders.ts"
import { hubEvent, oneRule, PLAIN_TEMPLATE, ruleSetOf } from "../../testing/rule-fixtures.ts"
import { atMinute, somebody } from "../../testing/rule-world.ts"
import type { RuleSet } from "../rule-set.ts"
import { backtest } from "./backtest.ts"
import type { Report, RuleChange } from "./backtest-report.ts"

const idOf = (n: number): EventId => {
  const id = asEventId(`evt_${String(n).padStart(26, "0")}`)
  if (id === null) throw new Error("an id")
  return id
}

const eventAt = (minute: number, payload: Readonly<Record<string, Json>> = {}, changes: Partial<HubEvent> = {}) => ({
  event: hubEvent({ id: idOf(minute), acceptedAt: atMinute(minute), payload, ...changes }),
})

const ruleOf = (conditions: string | null, action = ""): Promise<RuleSet> =>
  ruleSetOf({
    ...PLAIN_TEMPLATE,
    "rules/a.yaml": oneRule({
      ...(conditions === null ? {} : { conditions }),
      action: `to: { roles: [r] }\ntemplate: plain\n${action || "channels: [inapp, sms]"}`,
    }),
  })

const atLeast = (days: number): string => `">=": [{ var: payload.days }, ${days}]`

async function* onePage(events: readonly Recorded[], reactions: readonly RecordedReaction[] = []) {
  yield { events, reactions }
}

interface Replayed {
  readonly people?: Parameters<typeof backtest>[0]["people"]
  readonly reactions?: readonly RecordedReaction[]
  readonly limit?: number
  readonly examples?: number
}

const replay = (base: RuleSet, head: RuleSet, events: readonly Recorded[], more: Replayed = {}): Promise<Report> =>
  backtest({
    base,
    head,
    people: more.people ?? [somebody("u1"), somebody("u2")],
    pages: onePage(events, more.reactions),
    examples: more.examples ?? 3,
    limit: more.limit ?? null,
  })

const only = ({ rules }: Report): RuleChange => {
  const [rule] = rules
  if (rule === undefined || rules.length > 1) throw new Error("one rule")
  return rule
}

describe("a backtest", () => {
  test("counts what matches now and what matched before, and shows the clause that decided under each revision", async () => {
    const events = [eventAt(1, { days: 5 }), eventAt(2, { days: 9 }), eventAt(3, { days: 4 })]
    const report = await replay(await ruleOf(atLeast(7)), await ruleOf(atLeast(5)), events)
    const rule = only(report)
    expect(rule).toMatchObject({ in: "both", different: true, matched: { before: 1, after: 2 }, added: 1, removed: 0 })
    expect(rule.messages).toEqual({ inapp: { before: 2, after: 4 }, sms: { before: 2, after: 4 } })
    expect(rule.recipients).toEqual({ before: 2, after: 2, gained: 0, lost: 0 })
    expect(rule.examples.added).toEqual([
      {
        event: idOf(1),
        type: "test.happened",
        before: "payload.days (5) >= 7 is false",
        after: "payload.days (5) >= 5 is true",
      },
    ])
    const back = only(await replay(await ruleOf(atLeast(5)), await ruleOf(atLeast(7)), events))
    expect([back.added, back.removed, back.examples.removed[0]?.after]).toEqual([
      0,
      1,
      "payload.days (5) >= 7 is false",
    ])
  })

  test("finds no difference between a set and itself", async () => {
    const set = await ruleOf(atLeast(5), "channels: [inapp, sms]\ncooldown: 10m")
    const report = await replay(set, set, [eventAt(1, { days: 5 }), eventAt(2, { days: 9 })])
    expect([report.different, only(report).matched]).toEqual([false, { before: 2, after: 2 }])
  })

  test("says who is told now and who no longer, with the event", async () => {
    const people = [somebody("u1"), somebody("u2"), somebody("u3", { memberships: [] })]
    const base = await ruleOf(null)
    const head = await ruleSetOf({
      ...PLAIN_TEMPLATE,
      "rules/a.yaml": oneRule({
        action: "to: { users: [{ var: payload.owner }] }\ntemplate: plain\nchannels: [inapp]",
      }),
    })
    const rule = only(await replay(base, head, [eventAt(1, { owner: "u9" }), eventAt(2, { owner: "u1" })], { people }))
    expect(rule.recipients).toEqual({ before: 2, after: 2, gained: 1, lost: 1 })
    expect(rule.examples.gained).toEqual([{ recipient: recipientId("u9"), event: idOf(1) }])
    expect(rule.examples.lost).toEqual([{ recipient: recipientId("u2"), event: idOf(1) }])
  })

  test("replays a cooldown on the times of acceptance, and counts what it holds back by its reason", async () => {
    const events = [0, 5, 12].map((minute) => eventAt(minute))
    const head = await ruleOf(null, "channels: [inapp, sms]\ncooldown: 10m")
    const rule = only(await replay(await ruleOf(null), head, events, { people: [somebody("u1")] }))
    expect(rule.messages).toEqual({ inapp: { before: 3, after: 2 }, sms: { before: 3, after: 2 } })
    expect(rule.withheld).toEqual({ cooldown: { before: 0, after: 2 } })
    expect([rule.added, rule.removed]).toEqual([0, 0])
  })

  test("replays digests, delays and escalations to their end, however long after the last event", async () => {
    const events = [0, 1, 2].map((minute) => eventAt(minute))
    const people = [somebody("u1")]
    const gathering = await ruleOf(null, "channels: [sms]\ndigest: { window: 1d }")
    expect(only(await replay(await ruleOf(null, "channels: [sms]"), gathering, events, { people })).messages).toEqual({
      sms: { before: 3, after: 1 },
    })
    const escalating = await ruleOf(null, "channels: [inapp]\nescalate: [{ after: 2d, channels: [sms] }]")
    expect(
      only(await replay(await ruleOf(null, "channels: [inapp]"), escalating, events, { people })).messages,
    ).toEqual({
      inapp: { before: 3, after: 3 },
      sms: { before: 0, after: 3 },
    })
  })

  test("lets whoever acknowledged do so again, at the same moment: an escalation ends there", async () => {
    const rule = "the-rule" as RuleName // as the fixture names it
    const reactions = [
      { event: idOf(0), rule, recipient: recipientId("u1"), reaction: "acknowledged", at: atMinute(7) } as const,
    ]
    const base = await ruleOf(null, "channels: [inapp]\nescalate: [{ after: 10m, channels: [sms] }]")
    const head = await ruleOf(null, "channels: [inapp]\nescalate: [{ after: 5m, channels: [sms] }]")
    const options = { people: [somebody("u1")], reactions }
    expect(only(await replay(base, head, [eventAt(0)], options)).messages["sms"]).toEqual({ before: 0, after: 1 })
  })

  test("counts what is inhibited, also where an event holds such words", async () => {
    const head = await ruleOf(
      '"!=": [{ var: payload.word }, x]',
      "channels: [inapp]\ndelay: 1m\ninhibited_by: { event_type: big.trouble, equal: [payload.shop], within: 1h }",
    )
    const events = [
      eventAt(0, { shop: 1 }, { type: "big.trouble" }),
      eventAt(1, { shop: 1, word: "; inhibited by evt_1 (x)" }),
      eventAt(2, { shop: 2, word: "; inhibited by evt_1 (x)" }),
    ]
    const rule = only(await replay(await ruleOf(null, "channels: [inapp]"), head, events, { people: [somebody("u1")] }))
    expect([rule.withheld, rule.messages]).toEqual([
      { inhibited: { before: 0, after: 1 } },
      { inapp: { before: 2, after: 1 } },
    ])
  })

  test("shows rules that one of the sets does not have, and what decided there", async () => {
    const head = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule().replace("the-rule", "renamed") })
    const report = await replay(await ruleOf(null), head, [eventAt(1)])
    expect(report.rules.map((rule) => [String(rule.rule), rule.in, rule.added, rule.removed])).toEqual([
      ["renamed", "head", 1, 0],
      ["the-rule", "base", 0, 1],
    ])
    expect(report.rules[0]?.examples.added[0]?.before).toBe("there is no such rule")
  })

  test("shows that the event type does not fit any more", async () => {
    const head = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule({ type: "other.*" }) })
    const rule = only(await replay(await ruleOf(null), head, [eventAt(1)]))
    expect(rule.examples.removed[0]?.after).toBe("the event type does not fit other.*")
  })

  test("counts events that cannot be read or come too late as not replayable, and invents nothing of them", async () => {
    const gone: Recorded = { id: idOf(2), acceptedAt: atMinute(2), problem: "unreadable" }
    const events = [eventAt(1), gone, eventAt(5), eventAt(3)]
    const report = await replay(await ruleOf(null), await ruleOf(null), events)
    expect(report.events).toMatchObject({ replayed: 2, unreadable: 1, out_of_order: 1, limited: false })
    expect(only(report).matched).toEqual({ before: 2, after: 2 })
  })

  test("ends at its limit and says so; examples are no more than asked for", async () => {
    const events = [1, 2, 3, 4].map((minute) => eventAt(minute, { days: 5 }))
    const report = await replay(await ruleOf(atLeast(7)), await ruleOf(atLeast(5)), events, { limit: 3, examples: 1 })
    expect([report.events.replayed, report.events.limited]).toEqual([3, true])
    expect([only(report).added, only(report).examples.added.length]).toEqual([3, 1])
  })

  test("counts by the same numbers whichever set is called the base", async () => {
    const [one, other] = [
      await ruleOf(atLeast(3)),
      await ruleOf(atLeast(6), "channels: [inapp, sms]\nthrottle: { limit: 2, window: 10m }"),
    ]
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(9), { maxLength: 12 }), async (days) => {
        const events = days.map((day, i) => eventAt(i, { days: day }))
        const [there, back] = [only(await replay(one, other, events)), only(await replay(other, one, events))]
        expect([there.added, there.removed]).toEqual([back.removed, back.added])
        expect(there.matched.after - there.matched.before).toBe(there.added - there.removed)
        expect(Object.values(there.messages)).toEqual(
          Object.values(back.messages).map(({ before, after }) => ({ before: after, after: before })),
        )
      }),
      { numRuns: 30 },
    )
  })
})
