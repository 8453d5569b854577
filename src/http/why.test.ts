import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import type { JsonObject } from "../domain/json.ts"
import { NO_PREFERENCES, type Preferences } from "../domain/preferences.ts"
import type { Recipient } from "../domain/recipient.ts"
import { stepOf } from "../routing/explain-later.ts"
import type { RuleSet } from "../routing/rule-set.ts"
import { business, incoming, location, recipient } from "../testing/builders.ts"
import { ADMIN_KEY, type Front, SERVICE_KEY, startFront, tokenFor } from "../testing/front.ts"
import { type RoutedWorld, routedWorld } from "../testing/routed-world.ts"
import { oneRule, PLAIN_TEMPLATE, ruleSetOf } from "../testing/rule-fixtures.ts"
import { traceRoutes } from "./trace.ts"
import { whyRoutes } from "./why.ts"

const NIGHT = new Date("2026-03-02T23:00:00Z")

let front: Front
beforeAll(async () => {
  const clock = { wall: () => NIGHT }
  front = await startFront(({ db, clock: real }) => [
    traceRoutes({ db }),
    whyRoutes({ db, clock: { ...real, ...clock }, stepOf: (timer) => stepOf(running, timer) }),
  ])
})
afterAll(() => front.stop())
afterEach(() =>
  front.db.execute(
    `truncate events, routing_queue, routes, notifications, deliveries, messages, recipients, preferences, list_members, memberships,
     timers, digest_events, gates`,
  ),
)

const accountant = (id: string, changes: Partial<Recipient> = {}): Recipient => {
  const made = recipient(id, { email: `${id}@example.com`, phone: "+9647700000000", ...changes })
  return { ...made, memberships: made.memberships.map((membership) => ({ ...membership, roles: ["accountant"] })) }
}

const overdue = (more: string, channels = "inapp, email, sms") =>
  oneRule({
    type: "invoice.overdue",
    conditions: '{ ">=": [{ var: payload.days_overdue }, 7] }',
    action: `to: { roles: [accountant] }\nchannels: [${channels}]\ntemplate: plain\n${more}`,
  })

let running: RuleSet
async function world(rules: string): Promise<RoutedWorld> {
  const sad = { "templates/sad/default.eta": "---\ntitle: <%= it.payload.missing %>\n---\nx" }
  running = await ruleSetOf({ ...PLAIN_TEMPLATE, ...sad, "rules/a.yaml": rules })
  return routedWorld(front.db, running)
}

const invoice = (days = 7, where = "l1") =>
  incoming({ type: "invoice.overdue", location: location(where), payload: { days_overdue: days } })

interface Why {
  readonly notification_id: string
  readonly sentence: string
  readonly event: JsonObject
  readonly rule: string
  readonly rules_revision: string
  readonly clause: string | null
  readonly channels: readonly { channel: string; status: string; reason: string | null; sentence: string }[]
}
interface Told {
  readonly id: string
  readonly recipient: string
  readonly reason: string | null
  readonly deliveries: readonly { channel: string; status: string; reason: string | null }[]
}
interface Trace {
  readonly rules: readonly JsonObject[]
  readonly notifications: readonly Told[]
  readonly systems: readonly JsonObject[]
  readonly timers: readonly JsonObject[]
  readonly digests: readonly (JsonObject & { readonly notifications: readonly Told[] })[]
}

const read = async <T>(path: string, key?: string): Promise<T> =>
  (await (await front.call(path, key === undefined ? {} : { key })).json()) as T // the test's own expectation
const trace = (event: string | undefined): Promise<Trace> => read(`/v1/events/${event}/trace`)
const why = (id: string | undefined, key?: string): Promise<Why> => read(`/v1/notifications/${id}/why`, key)
const personOf = (sub: string, where = "b1"): Promise<string> => tokenFor({ sub, tenants: [{ business: where }] })

async function whyOfFirst(rules: string, people: readonly Recipient[], wishes?: Preferences): Promise<Why> {
  const made = await world(rules)
  await made.people(people, wishes === undefined ? undefined : new Map(people.map(({ id }) => [id, wishes])))
  const [event] = await made.come(invoice())
  const { notifications } = await trace(event?.id)
  return why(notifications[0]?.id, await personOf(people[0]?.id ?? ""))
}

const sent = (): Promise<number> =>
  front.db.execute("update deliveries set status = 'delivered' where status = 'queued'")

describe("why one was told", () => {
  test("is a sentence with the rule, the clause that decided and the values it saw", async () => {
    const made = await world(overdue(""))
    await made.people([accountant("u1")])
    const [event] = await made.come(invoice())
    await sent()
    const [told] = (await trace(event?.id)).notifications
    const answer = await why(told?.id, await personOf("u1"))
    expect(answer).toMatchObject({
      notification_id: told?.id,
      sentence:
        "You were told “News” in the inbox, by e-mail and by SMS because the event invoice.overdue fits the rule the-rule: payload.days_overdue (7) >= 7.",
      event: { id: event?.id, type: "invoice.overdue", business_id: "b1", location_id: "l1" },
      rule: "the-rule",
      rules_revision: expect.stringMatching(/^[0-9a-f]{12}/),
      clause: "payload.days_overdue (7) >= 7 is true",
    })
    expect(answer.channels.map(({ channel, status }) => [channel, status])).toEqual([
      ["inapp", "delivered"],
      ["email", "delivered"],
      ["sms", "delivered"],
    ])
    expect(Object.keys(answer.event)).not.toContain("idempotency_key")
  })

  test("says what waits, and until when on the person's own clock", async () => {
    const quietHours = { from: 0, to: 1439, timezone: "Europe/Berlin" }
    const { sentence, channels } = await whyOfFirst(overdue("", "inapp, sms"), [accountant("u1")], {
      ...NO_PREFERENCES,
      quietHours,
    })
    expect(sentence).toContain("You were told “News” in the inbox because")
    expect(sentence).toMatch(/The SMS waits until 23:59 on .* in Europe\/Berlin, the end of your quiet hours\.$/)
    expect(channels).toMatchObject([
      { channel: "inapp" },
      { channel: "sms", status: "scheduled", reason: "quiet_hours" },
    ])
  })

  test("names the next step, when, how and to whom, which somebody can still end", async () => {
    const rules = overdue(
      "escalate: [{ after: 30m, channels: [sms, inapp] }, { after: 1h, channels: [voice], to: { users: [the-boss] } }]",
      "inapp",
    )
    const made = await world(rules)
    await made.people([accountant("u1")])
    const [event] = await made.come(invoice())
    const [told] = (await trace(event?.id)).notifications
    const sentence = async () => (await why(told?.id, await personOf("u1"))).sentence
    expect(await sentence()).toMatch(
      / It goes on at .* UTC by SMS and in the inbox, to all of you, unless somebody has acknowledged it by then\.$/,
    )
    await made.fireAll()
    const later = await sentence()
    expect(later).toMatch(/ It went on at .* UTC, because nobody had reacted by then\. It goes on at /)
    expect(later).toEndWith(" by phone, to whom the rule names next, unless somebody has acknowledged it by then.")
    expect(later).not.toContain("the-boss")
    // What other rules would do is not what these did.
    running = { ...running, revision: "another" }
    expect(await sentence()).toMatch(/ It goes on at .* UTC, unless somebody has acknowledged it by then\.$/)
  })

  test("of a digest of several events, says nothing that another's event said", async () => {
    const rules = oneRule({
      type: "invoice.overdue",
      conditions: "[{ field: owner, operator: exists }]",
      action:
        "to: { users: [{ var: payload.owner }] }\nchannels: [inapp]\ntemplate: plain\ndigest: { key: location_id, window: 1h }",
    })
    const made = await world(rules)
    await made.people([accountant("u1"), accountant("u2")])
    const event = (owner: string) => incoming({ type: "invoice.overdue", location: location("l1"), payload: { owner } })
    const [first, second] = await made.come(event("u1"), event("u2"))
    expect((await trace(second?.id)).digests).toMatchObject([{ outcome: null, events: 2, opened_by: first?.id }])
    await made.fireAll()
    const { digests, notifications } = await trace(second?.id)
    expect(notifications).toEqual([])
    expect(digests).toMatchObject([{ kind: "digest", outcome: "fired", opened_by: first?.id, events: 2 }])
    const told = digests[0]?.notifications.find((one) => one.recipient === "u2")
    expect(told?.reason).toBe("digest")
    const answer = await why(told?.id, await personOf("u2"))
    expect(answer.sentence).toBe(
      "You were told “News” in the inbox because of events that the rule the-rule gathers into one message.",
    )
    expect([answer.clause, answer.event]).toEqual([null, { id: first?.id ?? "" }])
    expect(JSON.stringify(answer)).not.toContain("u1")
  })
})

describe("why one was not told", () => {
  test("a cooldown, a throttle and a rule that is tried out say so", async () => {
    for (const [more, words, reason] of [
      ["cooldown: 1h", "its cooldown was not over", "cooldown"],
      ["throttle: { limit: 1, window: 1h }", "as often as it may", "throttled"],
      ["mode: shadow", "is being tried out and tells nobody yet", "shadow"],
    ] as const) {
      const made = await world(overdue(more))
      await made.people([accountant("u1"), accountant("u2", { email: "other@example.com" })])
      const [, event] = await made.come(invoice(), invoice(8))
      const [told] = (await trace(event?.id)).notifications
      const answer = await why(told?.id, await personOf("u1"))
      expect(answer.sentence).toStartWith("You were not told “News”: ")
      expect(answer.sentence).toContain(words)
      expect(answer.sentence).toContain("payload.days_overdue (8) >= 7")
      expect(answer.channels.length).toBeGreaterThan(0)
      for (const channel of answer.channels) expect(channel).toMatchObject({ status: "suppressed", reason })
      // The decision goes on about who was refused, and that is nobody's but an operator's.
      expect(JSON.stringify(answer)).not.toContain("u2")
    }
  })

  test("no address, and each wish that keeps a message back", async () => {
    const nowhere = await whyOfFirst(overdue("", "email"), [accountant("u1", { email: null })])
    expect(nowhere.sentence).toStartWith("You were not told “News” by any message. It is there because the event")
    const waits = await whyOfFirst(overdue("", "sms"), [accountant("u1")])
    expect(waits.sentence).toStartWith("You have not been told “News” by any message. It is there because the event")
    expect(waits.sentence).toEndWith("The SMS is waiting to be sent.")
    expect(nowhere.sentence).toEndWith("No e-mail was sent: no e-mail address of yours is known.")
    for (const [wishes, words, reason] of [
      [{ channels: { email: false } }, "you have turned it off", "preference_channel"],
      [
        { categories: { billing: { email: false } } },
        "you have turned it off for the category billing",
        "preference_category",
      ],
      [{ severityMin: { email: "high" } }, "you want an e-mail only for more severe news", "preference_severity"],
    ] as const) {
      const answer = await whyOfFirst(overdue("category: billing", "inapp, email"), [accountant("u1")], {
        ...NO_PREFERENCES,
        ...wishes,
      })
      expect(answer.sentence).toEndWith(`No e-mail was sent: ${words}.`)
      expect(answer.channels[1]).toMatchObject({ channel: "email", status: "suppressed", reason })
    }
  })

  test("what became of a message later, without a provider's words", async () => {
    const made = await world(overdue("", "inapp, email"))
    await made.people([accountant("u1")])
    const [event] = await made.come(invoice())
    const [told] = (await trace(event?.id)).notifications
    const became = async (status: string, reason: string) => {
      await front.db.execute("update deliveries set status = $1, reason = $2", [status, reason])
      return why(told?.id, await personOf("u1"))
    }
    const dead = await became("dead", "bad_credential")
    expect(dead.sentence).toEndWith("The e-mail could not be sent.")
    expect(dead.channels[1]).toMatchObject({ status: "dead", reason: null })
    expect((await why(told?.id)).channels[1]).toMatchObject({ reason: "bad_credential" })
    expect((await became("dead", "address_dead")).sentence).toEndWith("does not take messages.")
    expect((await became("unknown", "timeout")).sentence).toEndWith("It is not known whether the e-mail was sent.")
    expect((await became("expired", "expires_in")).sentence).toEndWith("it was too late, the news had expired.")
    expect((await became("cancelled", "acknowledged")).sentence).toEndWith("the news had been acknowledged before.")
    const suppressed = async (reason: string) => (await became("suppressed", reason)).sentence
    expect(await suppressed("stop")).toEndWith("you have answered STOP to an earlier one.")
    expect(await suppressed("bounced")).toEndWith("mail to the e-mail address that is known of you came back.")
    expect(await suppressed("complained")).toEndWith("you have reported an earlier one as unwanted.")
    expect((await became("captured", "")).sentence).toContain("kept in the hub's outbox and not sent")
  })
})

describe("who may ask", () => {
  test("the person, in the inbox or not; whoever runs the business; nobody else", async () => {
    const made = await world(overdue("", "email"))
    await made.people([accountant("u1"), accountant("u2", { email: "two@example.com" })])
    const [event] = await made.come(invoice())
    const [told] = (await trace(event?.id)).notifications
    const status = async (key: string) => (await front.call(`/v1/notifications/${told?.id}/why`, { key })).status
    expect(told?.recipient).toBe("u1")
    expect(await status(await personOf("u1"))).toBe(200)
    expect(await status(ADMIN_KEY)).toBe(200)
    const admin = (grant: JsonObject) => tokenFor({ sub: "boss", roles: ["admin"], tenants: [grant] })
    expect(await status(await admin({ business: "b1" }))).toBe(200)
    expect(await status(await admin({ business: "b1", locations: ["l1"] }))).toBe(200)
    expect(await status(await admin({ business: "b1", locations: ["l2"] }))).toBe(404)
    expect(await status(await admin({ business: "b2" }))).toBe(404)
    expect(await status(await personOf("u1", "b2"))).toBe(404)
    expect(await status(await personOf("u2"))).toBe(404)
    expect(await status(SERVICE_KEY)).toBe(404)
    expect((await front.call("/v1/notifications/nonsense/why")).status).toBe(404)
  })

  test("of an event that is gone the rest is still told", async () => {
    const made = await world(overdue("", "inapp"))
    await made.people([accountant("u1")])
    const [event] = await made.come(invoice())
    const [told] = (await trace(event?.id)).notifications
    await front.db.execute("truncate events, routes")
    expect(await why(told?.id, await personOf("u1"))).toMatchObject({
      sentence: "You were told “News” in the inbox because an event fits the rule the-rule.",
      event: { id: event?.id ?? "" },
      clause: null,
    })
  })
})

describe("the trace", () => {
  test("shows what waits, what went to systems, and what could not be done", async () => {
    const made = await world(
      [
        oneRule({
          type: "invoice.overdue",
          action: "to: { roles: [accountant] }\nchannels: [inapp]\ntemplate: plain\ndelay: 1h",
        }),
        "  - name: to-erp",
        "    event_type: invoice.overdue",
        "    actions: [{ type: webhook, url: 'https://erp.example/hook' }]",
        "  - name: shown",
        "    event_type: invoice.overdue",
        "    actions: [{ type: broadcast, topic: 'resources:b1', event: bell }]",
        "  - name: too-late",
        "    event_type: invoice.overdue",
        "    actions: [{ type: notify, to: { roles: [accountant] }, channels: [inapp], template: sad, delay: 1h }]",
        "  - name: cannot",
        "    event_type: invoice.overdue",
        "    actions: [{ type: notify, to: { users: [{ var: payload.whom }] }, channels: [inapp], template: plain }]",
        "",
      ].join("\n"),
    )
    await made.people([accountant("u1")])
    const [event] = await made.come(
      incoming({ type: "invoice.overdue", business: business("b1"), payload: { whom: { no: "id" } } }),
    )
    const found = await trace(event?.id)
    expect(found).toMatchObject({
      rules_revision: expect.any(String),
      failures: [{ rule: "cannot", reason: "to.users: a value that is no recipient id" }],
      timers: [
        { kind: "delay", rule: "the-rule", outcome: null, done_at: null, due_at: expect.any(String), failures: [] },
        { kind: "delay", rule: "too-late" },
      ],
      systems: [{ rule: "to-erp", channel: "webhook", status: "queued" }],
      notifications: [],
    })
    expect(found.rules[0]).toMatchObject({ matched: true, clause: "the event type fits, no conditions" })
    expect(found.rules.find(({ rule }) => rule === "shown")).toMatchObject({
      reason: "the event type fits, no conditions; broadcast as bell to resources:b1",
    })
    await made.fireAll()
    expect(await trace(event?.id)).toMatchObject({
      timers: [
        { rule: "the-rule", outcome: "fired", done_at: expect.any(String), failures: [] },
        { rule: "too-late", outcome: "fired", failures: [expect.stringContaining("inapp: ")] },
      ],
      notifications: [{ recipient: "u1", rule: "the-rule", reason: null, deliveries: [] }],
    })
  })
})
