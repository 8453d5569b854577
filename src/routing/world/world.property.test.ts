/**
 * What must hold whatever comes: streams of events at random moments, people with random wishes, acknowledgements at
 * random moments, channels that fail. The rules are loaded once; the fold that judges knows nothing of how they are kept.
 */
import { beforeAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import { type DailyWindow, isOpen } from "../../domain/daily-window.ts"
import type { HubEvent } from "../../domain/event.ts"
import { countingIds } from "../../domain/ids.ts"
import type { Limit } from "../../domain/rule.ts"
import { hubEvent, PLAIN_TEMPLATE, ruleSetOf } from "../../testing/rule-fixtures.ts"
import { atMinute, RuleWorld, somebody } from "../../testing/rule-world.ts"
import type { LoadedNotify, RuleSet } from "../rule-set.ts"
import type { MemoryPerson } from "./memory-audience.ts"

const RULES = `
rules:
  - name: limited
    event_type: "**"
    actions:
      - { type: notify, to: { roles: [r] }, channels: [inapp, sms], template: plain, throttle: { key: k, limit: 2, window: 20m } }
      - { type: notify, to: { users: [{ var: payload.who }] }, channels: [email], template: plain, cooldown: 7m }
  - name: gathering
    event_type: a
    actions:
      - { type: notify, to: { roles: [r] }, channels: [inapp, email], template: plain, digest: { key: k, window: 11m, max: 3 }, cooldown: 5m }
      - { type: notify, to: { users: [{ var: payload.who }] }, channels: [sms], template: plain, digest: { window: 4m } }
  - name: going-on
    event_type: b
    actions:
      - type: notify
        to: { roles: [r] }
        channels: [inapp, email]
        failover: [sms]
        template: plain
        delay: 3m
        expires_in: 61m
        escalate: [{ after: 5m, channels: [sms] }, { after: 9m, channels: [email, sms], to: { users: [boss] } }, { after: 60m, channels: [sms] }]
  - name: urgent
    event_type: c
    actions:
      - { type: notify, to: { roles: [r] }, channels: [sms], template: plain, bypass_quiet_hours: true, inhibited_by: { event_type: a, equal: [k], within: 6m } }
`

interface Run {
  readonly world: RuleWorld
  readonly events: readonly HubEvent[]
  readonly people: readonly MemoryPerson[]
  /** By delivery id: when it was sent. */
  readonly gathered: readonly {
    readonly event: string
    readonly rule: string
    readonly action: number
    readonly timer: string
  }[]
}

const windows = fc.option(
  fc
    .record({ from: fc.integer({ min: 0, max: 1439 }), length: fc.integer({ min: 1, max: 900 }) })
    .map(({ from, length }): DailyWindow => ({ from, to: (from + length) % 1440, timezone: "UTC" })),
  { nil: null },
)

const histories = fc.record({
  quiet: fc.array(windows, { minLength: 1, maxLength: 3 }),
  dead: fc.subarray(["email", "sms"]),
  acts: fc.array(
    fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          kind: fc.constant("event" as const),
          gap: fc.integer({ min: 0, max: 6 }),
          type: fc.constantFrom("a", "b", "c"),
          k: fc.constantFrom("x", "y"),
          who: fc.constantFrom("u0", "u1", "new", null),
        }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          kind: fc.constant("acknowledge" as const),
          gap: fc.integer({ min: 0, max: 6 }),
          nth: fc.nat(40),
        }),
      },
    ),
    { maxLength: 40 },
  ),
})
type History = typeof histories extends fc.Arbitrary<infer H> ? H : never

let ruleSet: RuleSet
beforeAll(async () => {
  ruleSet = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": RULES })
})

async function run({ quiet, dead, acts }: History): Promise<Run> {
  const people = quiet.map((quietHours, i) => somebody(`u${i}`, {}, quietHours === null ? null : { quietHours }))
  const boss = somebody("boss")
  const unlisted = {
    ...boss,
    recipient: { ...boss.recipient, memberships: boss.recipient.memberships.map((each) => ({ ...each, roles: [] })) },
  }
  const all = [...people, unlisted]
  const gathered: Run["gathered"][number][] = []
  const world = new RuleWorld({
    ruleSet,
    people: all,
    settings: { publicUrl: "https://hub.example", defaultSlack: false, render: false },
    send: ({ channel }) => (dead.includes(channel) ? "dead" : "delivered"),
    watch: {
      planned: (plan) =>
        gathered.push(
          ...plan.gathered.map(({ rule, action, timer }) => ({ event: plan.event.id, rule, action, timer })),
        ),
    },
  })
  const ids = countingIds()
  const events: HubEvent[] = []
  let minute = 0
  for (const act of acts) {
    minute += act.gap
    if (act.kind === "acknowledge") {
      await world.until(minute)
      const told = world.notifications
      const one = told[act.nth % Math.max(1, told.length)]
      if (one !== undefined) world.acknowledge(one.notification.id)
      continue
    }
    const { type, k, who } = act
    const event = hubEvent({ id: ids.event(), type, acceptedAt: atMinute(minute), payload: { k, who } })
    events.push(event)
    await world.accept(event)
  }
  await world.until(minute + 3 * 1440)
  return { world, events, people: all, gathered }
}

const holds = (judge: (outcome: Run) => void): Promise<void> =>
  fc.assert(
    fc.asyncProperty(histories, async (history) => judge(await run(history))),
    { numRuns: 150 },
  )

const actionsOf = (
  kind: "digest",
): readonly { readonly rule: string; readonly place: number; readonly action: LoadedNotify }[] =>
  ruleSet.rules.flatMap(({ name, actions }) =>
    actions.flatMap((action, place) =>
      action.type === "notify" && action[kind] !== null ? [{ rule: name, place, action }] : [],
    ),
  )

describe("whatever comes", () => {
  test("every event is in exactly one digest of each action that gathers it, and each digest is told once", () =>
    holds(({ world, events, gathered }) => {
      for (const { rule, place } of actionsOf("digest")) {
        const own = gathered.filter((one) => one.rule === rule && one.action === place)
        const fitting = events.filter(({ type }) => type === "a")
        expect(own.map(({ event }) => event).sort()).toEqual(fitting.map(({ id }) => String(id)).sort())
        const timers = world.timers.filter(
          ({ timer }) => timer.kind === "digest" && timer.rule === rule && timer.action === place,
        )
        expect(timers.map(({ timer }) => String(timer.id)).sort()).toEqual(
          [...new Set(own.map(({ timer }) => timer))].sort(),
        )
        expect(timers.every(({ outcome }) => outcome === "fired")).toBe(true)
        for (const members of Map.groupBy(own, ({ timer }) => timer).values()) {
          const digest = actionsOf("digest").find((one) => one.rule === rule && one.place === place)?.action.digest
          expect(members.length).toBeLessThanOrEqual(digest?.max ?? 0)
        }
      }
    }))

  test("no limit lets one too many through, for any person and key, in any window", () =>
    holds(({ world, events }) => {
      const byId = new Map(events.map((event) => [event.id, event]))
      const judge = (rule: string, action: number, { limit, windowMs }: Limit, keyOf: (event: HubEvent) => unknown) => {
        const people = new Map(world.notifications.map(({ notification: { id, recipient } }) => [id, recipient]))
        const told = world.deliveries
          .filter(({ delivery }) => delivery.rule === rule && delivery.action === action && delivery.round === null)
          .filter(({ reason }) => reason !== "cooldown" && reason !== "throttled")
          .flatMap(({ delivery, at }) =>
            delivery.notifications.map((id) => {
              const event = byId.get(delivery.event)
              return { who: `${people.get(id)} ${String(event === undefined ? "" : keyOf(event))}`, at }
            }),
          )
        for (const moments of Map.groupBy(told, ({ who }) => who).values()) {
          for (const { at: end } of moments)
            expect(moments.filter(({ at }) => at > end - windowMs && at <= end).length).toBeLessThanOrEqual(limit)
        }
      }
      judge(
        "limited",
        0,
        { word: "throttle", key: null, limit: 2, windowMs: 20 * 60_000 },
        ({ payload }) => payload["k"],
      )
      judge("limited", 1, { word: "cooldown", key: null, limit: 1, windowMs: 7 * 60_000 }, () => "")
    }))

  test("no step of an escalation runs twice, out of its order, or after an acknowledgement", () =>
    holds(({ world }) => {
      const steps = world.timers.filter(({ timer }) => timer.kind === "escalate")
      for (const timers of Map.groupBy(steps, ({ timer }) => `${timer.event} ${timer.rule} ${timer.action}`).values()) {
        expect(timers.map(({ timer }) => timer.step)).toEqual(timers.map((_, i) => i))
        const [{ timer } = { timer: null }] = timers
        const acknowledged = world.notifications
          .filter(({ notification }) => notification.event === timer?.event && notification.rule === timer?.rule)
          .flatMap(({ acknowledgedAt }) => (acknowledgedAt === null ? [] : [acknowledgedAt]))
        const end = Math.min(...acknowledged)
        const later = world.deliveries.filter(
          ({ delivery: { event, rule, round } }) =>
            event === timer?.event && rule === timer.rule && round?.startsWith("escalate:") === true,
        )
        for (const { at, settledAt, status } of later) {
          expect(at).toBeLessThanOrEqual(end)
          if (status === "delivered") expect(settledAt ?? 0).toBeLessThanOrEqual(end)
        }
        const asked = later.map(({ delivery: { channel, addressKey, round } }) => `${channel} ${addressKey} ${round}`)
        expect(new Set(asked).size).toBe(asked.length)
      }
    }))

  test("nothing is sent within quiet hours but what bypasses them, nor after it has expired", () =>
    holds(({ world, people }) => {
      const quiet = new Map(people.map(({ recipient: { id }, preferences }) => [id, preferences?.quietHours ?? null]))
      const who = new Map(world.notifications.map(({ notification: { id, recipient } }) => [id, recipient]))
      for (const { delivery, status, settledAt } of world.deliveries) {
        expect(settledAt).not.toBeNull()
        if (status !== "delivered" || settledAt === null) continue
        expect(delivery.expiresAt === null || settledAt < delivery.expiresAt).toBe(true)
        if (delivery.rule === "urgent") continue
        for (const id of delivery.notifications) {
          const person = who.get(id)
          const window = person === undefined ? null : (quiet.get(person) ?? null)
          expect(window !== null && isOpen(window, settledAt)).toBe(false)
        }
      }
    }))

  test("everybody has one notification of an event and a rule, and each delivery is one to an address in its round", () =>
    holds(({ world }) => {
      const told = world.notifications.map(
        ({ notification: { event, rule, recipient } }) => `${event} ${rule} ${recipient}`,
      )
      expect(new Set(told).size).toBe(told.length)
      const ids = new Set(world.notifications.map(({ notification: { id } }) => id))
      const made = world.deliveries.map(({ delivery: { event, rule, channel, addressKey, round } }) =>
        [event, rule, channel, addressKey, round].join(" "),
      )
      expect(new Set(made).size).toBe(made.length)
      for (const { delivery } of world.deliveries) {
        expect(delivery.notifications.length).toBeGreaterThan(0)
        expect(delivery.notifications.every((id) => ids.has(id))).toBe(true)
      }
    }))

  test("the same history gives the same world", () =>
    fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const [one, other] = await Promise.all([run(history), run(history)])
        expect(other.world.deliveries).toEqual(one.world.deliveries)
        expect(other.world.notifications).toEqual(one.world.notifications)
        expect(other.world.timers).toEqual(one.world.timers)
      }),
      { numRuns: 15 },
    ))
})
