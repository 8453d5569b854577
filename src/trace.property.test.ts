/**
 * What the hub tells of its decisions against what it did: for random rules, people, wishes and events over a real
 * database, the trace and the sentence for the person never contradict the rows, nor the rows the evaluation.
 */
import { expect, test } from "bun:test"
import fc from "fast-check"
import type { HubEvent } from "./domain/event.ts"
import type { Json, JsonObject } from "./domain/json.ts"
import { NO_PREFERENCES, type Preferences } from "./domain/preferences.ts"
import type { Recipient } from "./domain/recipient.ts"
import { traceOf } from "./http/trace.ts"
import { whyOf } from "./http/why.ts"
import { evaluate, isTrue } from "./routing/conditions/logic.ts"
import { factsOf } from "./routing/facts.ts"
import { ruleSetFrom } from "./routing/load.ts"
import { explainRuleError } from "./routing/rule-error.ts"
import type { RuleSet } from "./routing/rule-set.ts"
import { systemClock } from "./runtime/clock.ts"
import { getEvent, type Incoming } from "./store/events.ts"
import { notificationsOfEvent } from "./store/notifications.ts"
import { incoming, location, recipient } from "./testing/builders.ts"
import { databaseOfFile } from "./testing/file-database.ts"
import { routedWorld } from "./testing/routed-world.ts"

const RUNS = 30

const db = await databaseOfFile()

// ── what rules, people and events there can be ──────────────────────────────────────────────────────────────────────

const TYPES = ["invoice.overdue", "stock.low"]
const PEOPLE = ["person-ann", "person-bob", "person-cid", "person-dan"]
const ROLES = ["clerk", "owner"]

const condition = fc.constantFrom<Json>(
  { ">=": [{ var: "payload.n" }, 2] },
  { and: [{ exists: { var: "payload.n" } }, { "<": [{ var: "payload.n" }, 3] }] },
  { or: [{ "==": [{ var: "payload.n" }, 0] }, { severity_at_least: ["high"] }] },
  { "!": [{ "==": [{ var: "event.location_id" }, "l1"] }] },
  // A text cannot be taken for a number; the rule says so, and stands as not matched.
  { starts_with: [{ var: "payload.s" }, "x"] },
)

const MODIFIERS: readonly JsonObject[] = [
  {},
  { cooldown: "1h" },
  { throttle: { key: "payload.n", limit: 2, window: "1h" } },
  { delay: "1h" },
  { expires_in: "1h" },
  { digest: { window: "1h" } },
  { digest: { key: "location_id", window: "1h", max: 2 } },
  { mode: "shadow" },
  { escalate: [{ after: "10m", channels: ["sms"] }] },
  { failover: ["sms"] },
  { category: "billing" },
  { update: "payload.n" },
  { inhibited_by: { event_type: "stock.low", equal: ["location_id"], within: "1h" } },
]

const notify = fc
  .record({
    to: fc.constantFrom<Json>(
      { roles: ["clerk"] },
      { roles: ["owner"], users: [{ var: "payload.who" }] },
      { everyone: true },
    ),
    channels: fc.subarray(["inapp", "email", "slack"], { minLength: 1 }),
    modifier: fc.constantFrom(...MODIFIERS),
  })
  .map(({ to, channels, modifier }): JsonObject => {
    // Only what can fail can be followed by something else.
    const used = "failover" in modifier ? ["inapp", "email"] : channels
    return { type: "notify", to, channels: used, template: "plain", ...modifier }
  })
const webhook: JsonObject = { type: "webhook", url: "https://erp.example/hook" }

const rule = fc.record({
  event_type: fc.constantFrom(...TYPES, "**"),
  source: fc.option(fc.constantFrom("erp", "shop"), { nil: null, freq: 3 }),
  conditions: fc.option(condition, { nil: null }),
  actions: fc.array(fc.oneof({ weight: 6, arbitrary: notify }, { weight: 1, arbitrary: fc.constant(webhook) }), {
    minLength: 1,
    maxLength: 2,
  }),
})

const person = fc.record({
  role: fc.constantFrom(...ROLES),
  email: fc.boolean(),
  phone: fc.boolean(),
  at: fc.option(fc.constantFrom("l1", "l2"), { nil: null }),
  wishes: fc.option(
    fc.constantFrom<Partial<Preferences>>(
      { channels: { email: false } },
      { categories: { billing: { email: false, sms: false } } },
      { severityMin: { email: "critical" } },
      { quietHours: { from: 0, to: 1439, timezone: "Europe/Berlin" } },
    ),
    { nil: null },
  ),
})

const event = fc.record({
  type: fc.constantFrom(...TYPES),
  source: fc.constantFrom("erp", "shop"),
  severity: fc.constantFrom("info" as const, "high" as const),
  at: fc.option(fc.constantFrom("l1", "l2"), { nil: null }),
  payload: fc.record(
    { n: fc.integer({ min: 0, max: 3 }), s: fc.constantFrom<Json>("xy", 7), who: fc.constantFrom(...PEOPLE) },
    { requiredKeys: [] },
  ),
})

function ruleSetOf(rules: readonly JsonObject[]): RuleSet {
  const named = rules.map((one, i) => {
    const given = Object.fromEntries(Object.entries(one).filter(([, value]) => value !== null))
    return { name: `rule-${i}`, ...given }
  })
  const files = {
    // JSON is YAML.
    "rules/a.yaml": JSON.stringify({ rules: named }),
    "templates/plain/default.eta": "---\ntitle: News\n---\nSomething happened.",
  }
  const loaded = ruleSetFrom(files, { revision: "r1", wallMillis: 0 })
  if ("errors" in loaded) throw new Error(loaded.errors.map(explainRuleError).join("\n"))
  return loaded.ok
}

const recipientOf = (
  id: string,
  { role, email, phone, at }: { role: string; email: boolean; phone: boolean; at: string | null },
): Recipient => {
  const made = recipient(id, {
    email: email ? "shared@example.com" : null,
    phone: phone ? `+964770000${id.length}` : null,
  })
  const locations = at === null ? null : [location(at)]
  return { ...made, memberships: made.memberships.map((one) => ({ ...one, roles: [role], locations })) }
}

// ── what must hold ──────────────────────────────────────────────────────────────────────────────────────────────────

interface Row {
  readonly id: string
  readonly rule: string
  readonly status: string
  readonly reason: string | null
  readonly notification_ids: readonly string[]
}
interface Shown {
  readonly rules: readonly { rule: string; matched: boolean; reason: string; clause: string }[]
  readonly notifications: readonly {
    id: string
    recipient: string
    rule: string
    reason: string | null
    inbox: boolean
    deliveries: readonly Row[]
  }[]
  readonly systems: readonly Row[]
  readonly timers: readonly { id: string; rule: string; kind: string }[]
  readonly digests: readonly { id: string; rule: string }[]
}

/** Decided here a second time, by the evaluation alone. */
function fits(ruleSet: RuleSet, name: string, event: HubEvent): boolean | "not computable" {
  const found = ruleSet.rulesFor(event.type).find((one) => one.name === name)
  if (found === undefined) return false
  if (found.source !== null && found.source !== event.source) return false
  if (found.condition === null) return true
  try {
    return isTrue(evaluate(found.condition, factsOf(event), event.acceptedAt))
  } catch {
    return "not computable"
  }
}

const statuses = (rows: readonly { id: string; status: string; reason: string | null }[]): readonly string[] =>
  rows.map(({ id, status, reason }) => `${id} ${status} ${reason}`).sort()

async function holdsFor(ruleSet: RuleSet, event: HubEvent): Promise<void> {
  const shown = JSON.parse(JSON.stringify(await traceOf(db, event))) as Shown // the test says what it is, and checks
  const notifications = await notificationsOfEvent(db, event.id)
  const rows = await db.query<Row>(
    "select id, rule, status, reason, notification_ids from deliveries where event_id = $1",
    [event.id],
  )
  const timers = await db.query<{ id: string; rule: string }>("select id, rule from timers where event_id = $1", [
    event.id,
  ])
  const digests = await db.query<{ timer_id: string; rule: string }>(
    "select timer_id, rule from digest_events where event_id = $1",
    [event.id],
  )

  // The verdict is the evaluation's, for every rule that listens and no other.
  expect(shown.rules.map((one) => one.rule)).toEqual(ruleSet.rulesFor(event.type).map(({ name }) => String(name)))
  for (const { rule, matched, reason, clause } of shown.rules) {
    const verdict = fits(ruleSet, rule, event)
    expect([rule, matched]).toEqual([rule, verdict === true])
    expect(reason.length).toBeGreaterThan(0)
    expect(reason).toStartWith(clause)
    if (/ is (?:true|false)$/.test(clause)) expect(clause.endsWith(" is true")).toBe(matched)
  }

  // Whatever followed, followed from a rule that is shown as matched.
  const matched = new Set(shown.rules.filter((one) => one.matched).map((one) => one.rule))
  for (const { rule } of [...notifications, ...rows, ...timers, ...digests]) expect(matched).toContain(String(rule))

  // The trace shows all of it, as it is, and nothing else.
  expect(shown.notifications.map(({ id }) => id).sort()).toEqual(notifications.map(({ id }) => String(id)).sort())
  const listed = new Map(
    [...shown.notifications.flatMap((one) => one.deliveries), ...shown.systems].map((d) => [d.id, d]),
  )
  expect(statuses([...listed.values()])).toEqual(statuses(rows))
  expect(shown.timers.map(({ id }) => id).sort()).toEqual(timers.map(({ id }) => id).sort())
  expect(shown.digests.map(({ id }) => id).sort()).toEqual(digests.map(({ timer_id }) => timer_id).sort())

  // What is not sent, or not told, says why.
  for (const { status, reason } of rows)
    if (["suppressed", "expired", "scheduled", "cancelled"].includes(status)) expect(reason).toBeTruthy()
  for (const { id, inbox, reason } of notifications)
    if (!inbox && reason === null) expect(rows.some((row) => row.notification_ids.includes(id))).toBe(true)

  // And the person hears the same, and of nobody else.
  for (const notification of notifications) {
    const why = await whyOf({ db, clock: systemClock, stepOf: () => null }, notification, true)
    const channels = why["channels"] as readonly {
      channel: string
      delivery_id: string
      status: string
      reason: string | null
    }[] // as above
    const own = rows.filter((row) => row.notification_ids.includes(notification.id))
    const sent = channels.filter(({ channel }) => channel !== "inapp")
    expect(statuses(sent.map((one) => ({ ...one, id: one.delivery_id })))).toEqual(statuses(own))
    expect(channels.some(({ channel }) => channel === "inapp")).toBe(notification.inbox)
    const sentence = String(why["sentence"])
    const reached = notification.inbox || own.some(({ status }) => status === "delivered")
    expect(sentence.startsWith("You were told ")).toBe(reached)
    expect(sentence).toContain(notification.rule)
    const clause = why["clause"]
    if (typeof clause === "string") expect(shown.rules.map((one) => one.clause)).toContain(clause)
    const text = JSON.stringify(why)
    for (const id of PEOPLE) expect(text).not.toContain(id)
  }
}

test("the trace, the sentence for the person and what was done never contradict each other", async () => {
  const world = fc.record({
    rules: fc.array(rule, { minLength: 1, maxLength: 4 }),
    people: fc.tuple(person, person, person, person),
    events: fc.array(event, { minLength: 1, maxLength: 5 }),
    /** What is sent of what is queued, by the last letter of its id. */
    delivered: fc.boolean(),
    rounds: fc.integer({ min: 0, max: 2 }),
  })
  let told = 0
  await fc.assert(
    fc.asyncProperty(world, async ({ rules, people, events, delivered, rounds }) => {
      await db.execute(
        `truncate events, routing_queue, routes, notifications, deliveries, messages, recipients, preferences, list_members,
           memberships, timers, digest_events, gates`,
      )
      const ruleSet = ruleSetOf(rules as readonly JsonObject[]) // made of JSON
      const room = routedWorld(db, ruleSet)
      const wishes = new Map(
        people.flatMap(({ wishes: said }, i): [string, Preferences][] =>
          said === null ? [] : [[PEOPLE[i] ?? "", { ...NO_PREFERENCES, ...said }]],
        ),
      )
      await room.people(
        people.map((one, i) => recipientOf(PEOPLE[i] ?? "", one)),
        wishes,
      )
      const ids: string[] = []
      for (const { at, payload, ...given } of events) {
        const one: Incoming = incoming({ ...given, location: at === null ? null : location(at), payload })
        ids.push(...(await room.come(one)).map(({ id }) => id))
      }
      for (let round = 0; round < rounds; round += 1) await room.fireAll()
      if (delivered)
        await db.execute("update deliveries set status = 'delivered', reason = null where status = 'queued'")
      for (const id of ids) {
        const stored = await getEvent(db, id as HubEvent["id"]) // as it was just stored
        if (stored === null) throw new Error("an event that was stored is not there")
        told += (await notificationsOfEvent(db, stored.id)).length
        await holdsFor(ruleSet, stored)
      }
    }),
    { numRuns: RUNS },
  )
  expect(told).toBeGreaterThan(RUNS / 2)
}, 60_000)
