import { describe, expect, test } from "bun:test"
import type { HubEvent } from "../domain/event.ts"
import type { DueTimer, EarlierDelivery } from "../domain/firing.ts"
import { countingIds, newIdsAt } from "../domain/ids.ts"
import type { NewTimer } from "../domain/timer.ts"
import type { DecisionPorts, FiringPorts } from "../store/decision-ports.ts"
import { hubEvent, oneRule, PLAIN_TEMPLATE, ruleSetOf } from "../testing/rule-fixtures.ts"
import { atMinute, somebody } from "../testing/rule-world.ts"
import { type BatchOptions, decideBatch } from "./decide-batch.ts"
import { fireBatch } from "./fire-batch.ts"
import type { RuleSet } from "./rule-set.ts"
import { MemoryAudience, type MemoryPerson } from "./world/memory-audience.ts"
import { MemoryGates } from "./world/memory-gates.ts"

const events = countingIds()
const eventAt = (minute: number): HubEvent => hubEvent({ id: events.event(), acceptedAt: atMinute(minute) })

const setOf = (action: string, more = ""): Promise<RuleSet> =>
  ruleSetOf({
    ...PLAIN_TEMPLATE,
    "rules/a.yaml": oneRule({ action: `to: { roles: [r] }\ntemplate: plain\n${action}` }) + more,
  })

/** What a batch is decided with, what was asked of it in its order, and the events of each digest. */
function room(people: readonly MemoryPerson[] = [somebody("u1")]) {
  const audience = new MemoryAudience(people)
  const gates = new MemoryGates()
  const asked: string[] = []
  const gathered = new Map<string, HubEvent[]>()
  const ports: DecisionPorts & FiringPorts = {
    audience: (queries) => {
      asked.push(`audience ${queries.length}`)
      return audience.find(queries)
    },
    inhibitors: async (queries) => queries.map(() => null),
    gates: async (keys) => {
      asked.push(`gates ${keys.map((key) => key.split(":")[0]).join()}`)
      return gates
    },
    gathered: async (timers) => {
      asked.push(`gathered ${timers.length}`)
      return timers.map((id) => gathered.get(id) ?? [])
    },
  }
  const bugs: unknown[] = []
  const options: BatchOptions = {
    settings: { publicUrl: "https://hub.example", defaultSlack: false },
    ids: newIdsAt(atMinute(0)),
    onBug: (error) => bugs.push(error),
    breathe: async () => {},
  }
  const decide = async (ruleSet: RuleSet, batch: readonly HubEvent[]) => {
    const plans = await decideBatch(ruleSet, batch, ports, options)
    for (const { event, gathered: into } of plans) {
      for (const { timer } of into) gathered.set(timer, [...(gathered.get(timer) ?? []), event])
    }
    return plans
  }
  const fire = (ruleSet: RuleSet | null, due: readonly DueTimer[]) => fireBatch(due, () => ruleSet, ports, options)
  return { asked, bugs, decide, fire }
}

const due = (timer: NewTimer, event: HubEvent, more: Partial<DueTimer> = {}): DueTimer => ({
  timer,
  events: timer.kind === "digest" ? [] : [event],
  told: [],
  deliveries: [],
  ...more,
})

const only = <T>(items: readonly T[]): T => {
  const [item] = items
  if (item === undefined || items.length !== 1) throw new Error(`one was expected, not ${items.length}`)
  return item
}

describe("a batch of events", () => {
  test("is decided as if they came one by one, with one question to each port", async () => {
    const ruleSet = await setOf("channels: [inapp]\nthrottle: { limit: 2, window: 1h }")
    const { asked, decide } = room()
    const plans = await decide(ruleSet, [eventAt(0), eventAt(1), eventAt(2)])
    expect(plans.map(({ notifications }) => notifications.map(({ reason }) => reason))).toEqual([
      [null],
      [null],
      ["throttled"],
    ])
    expect(asked).toEqual(["audience 1", "gates limit"])
  })

  test("asks nothing that no rule needs", async () => {
    const { asked, decide } = room()
    await decide(await setOf("channels: [inapp]\ndelay: 5m"), [eventAt(0)])
    expect(asked).toEqual([])
  })
})

describe("a digest that is due", () => {
  test("is closed before its events are read, and limits are held after it", async () => {
    const ruleSet = await setOf("channels: [inapp]\ndigest: { window: 10m }\ncooldown: 1h")
    const { asked, decide, fire } = room()
    const event = eventAt(0)
    const plan = only(await decide(ruleSet, [event]))
    asked.length = 0
    await fire(ruleSet, [due(only(plan.timers), event)])
    expect(asked).toEqual(["gates digest", "gathered 1", "audience 1", "gates limit"])
  })

  test("takes no event that was accepted before its end and is routed only now: it opens another", async () => {
    const ruleSet = await setOf("channels: [inapp]\ndigest: { window: 10m }")
    const { decide, fire } = room()
    const event = eventAt(0)
    const first = only(only(await decide(ruleSet, [event])).timers)
    const fired = only(await fire(ruleSet, [due(first, event)]))
    expect(fired.notifications.length).toBe(1)
    const late = only(await decide(ruleSet, [eventAt(9)]))
    expect(only(late.gathered).timer).not.toBe(first.id)
    expect(only(late.timers).dueAt).toBe(atMinute(19))
  })

  test("of which another has taken the place leaves that one open", async () => {
    const ruleSet = await setOf("channels: [inapp]\ndigest: { window: 10m }")
    const { decide, fire } = room()
    const event = eventAt(0)
    const first = only(only(await decide(ruleSet, [event])).timers)
    const second = only(only(await decide(ruleSet, [eventAt(10)])).timers)
    await fire(ruleSet, [due(first, event)])
    expect(only(only(await decide(ruleSet, [eventAt(11)])).gathered).timer).toBe(second.id)
  })
})

describe("a batch of timers", () => {
  test("tells a person of one event and rule under one notification", async () => {
    const second = "      - { type: notify, to: { roles: [r] }, channels: [sms], template: plain, delay: 5m }\n"
    const ruleSet = await setOf("channels: [inapp, email]\ndelay: 5m", second)
    const { decide, fire } = room()
    const event = eventAt(0)
    const plan = only(await decide(ruleSet, [event]))
    const fired = await fire(
      ruleSet,
      plan.timers.map((timer) => due(timer, event)),
    )
    const { id } = only(fired.flatMap(({ notifications }) => notifications))
    expect(fired.flatMap(({ deliveries }) => deliveries.map(({ notifications }) => notifications))).toEqual([
      [id],
      [id],
    ])
  })

  test("spoils only the timer that cannot be decided, and says what has become of the others", async () => {
    const ruleSet = await setOf("channels: [inapp]\ndelay: 5m\ncooldown: 1h")
    const { bugs, decide, fire } = room()
    const [poison, good, gone] = [eventAt(0), eventAt(1), eventAt(2)]
    const timers = (await decide(ruleSet, [poison, good, gone])).map(({ timers: own }) => only(own))
    const batch = [poison, good, gone].flatMap((event, i) => {
      const timer = timers[i]
      return timer === undefined ? [] : [due(timer, event)]
    })
    const [first, second, third] = batch
    if (first === undefined || second === undefined || third === undefined) throw new Error("three timers")
    const broken = { ...first, events: [{ ...poison, acceptedAt: Number.NaN }] }
    const fired = await fire(ruleSet, [broken, second, { ...third, events: [] }])
    expect(fired.map(({ outcome }) => outcome)).toEqual(["failed", "fired", "events_gone"])
    expect(bugs.length).toBe(1)
    expect((await fire(null, [second])).map(({ outcome }) => outcome)).toEqual(["rule_gone"])
  })
})

describe("a failover that is due", () => {
  const dead = { status: "dead", reason: "rejected", maybeDuplicate: false } as const
  test.each([
    ["a dead message", dead, "sms"],
    ["one that may have been sent before it died", { ...dead, maybeDuplicate: true }, null],
    ["one that expired", { ...dead, status: "expired" }, "sms"],
    ["one to nobody's address", { ...dead, status: "suppressed", reason: "no_address" }, "sms"],
    ["one that was refused", { ...dead, status: "suppressed", reason: "throttled" }, null],
    ["one of which nothing is known", { ...dead, status: "unknown" }, null],
    ["one that is tried again", { ...dead, status: "retrying" }, null],
    ["one that was called back", { ...dead, status: "cancelled" }, null],
  ] as const)("after %s", async (_, became, channel) => {
    const ruleSet = await setOf("channels: [email]\nfailover: [sms]")
    const { decide, fire } = room()
    const event = eventAt(0)
    const plan = only(await decide(ruleSet, [event]))
    const { id, recipient } = only(plan.notifications)
    const earlier: EarlierDelivery = { channel: "email", notifications: [id], round: null, failover: true, ...became }
    const timer: NewTimer = {
      id: countingIds().timer(),
      kind: "failover",
      event: event.id,
      business: event.business,
      rule: only(plan.deliveries).rule,
      action: 0,
      step: 0,
      beganAt: atMinute(1),
      dueAt: atMinute(1),
      until: null,
      gate: null,
      rulesHash: ruleSet.hash,
      rulesRevision: ruleSet.revision,
    }
    const told = [{ id, recipient, inbox: true, readAt: null, acknowledgedAt: null }]
    const fired = only(await fire(ruleSet, [due(timer, event, { told, deliveries: [earlier] })]))
    expect(fired.deliveries.map((delivery) => String(delivery.channel))).toEqual(channel === null ? [] : [channel])
    expect(fired.outcome).toBe(channel === null ? "sent" : "fired")
    expect(fired.notifications).toEqual([])
  })
})
