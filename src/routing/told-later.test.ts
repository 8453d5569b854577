/** What becomes later of what was told, on a real database: whoever is told again, ends it, or comes in between. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import type { SendingChannel } from "../domain/channel.ts"
import type { DeliveryId, EventId, NotificationId } from "../domain/ids.ts"
import type { NotificationContent } from "../domain/notification.ts"
import { NO_PREFERENCES } from "../domain/preferences.ts"
import type { Database } from "../store/database.ts"
import { settleMany } from "../store/deliveries.ts"
import { markInboxItem } from "../store/notifications.ts"
import { upsertRecipients } from "../store/recipients.ts"
import { openAs, seal } from "../store/sealed.ts"
import { fireTimers } from "../store/timers.ts"
import { business, recipient, recipientId } from "../testing/builders.ts"
import { eventually } from "../testing/eventually.ts"
import { PLAIN_TEMPLATE, ruleSetOf } from "../testing/rule-fixtures.ts"
import { type TimedNodes, timedNodes } from "../testing/timed-nodes.ts"
import type { RuleSet } from "./rule-set.ts"

const MINUTE = 60_000

const RULES = `
rules:
  - name: comes-in
    event_type: test.comes_in
    actions:
      - type: notify
        to: { roles: [r] }
        channels: [sms]
        template: plain
        cooldown: 1h
        escalate: [{ after: 1m, channels: [inapp] }]
  - name: fails
    event_type: test.fails
    actions:
      - { type: notify, to: { roles: [f] }, channels: [email], failover: [slack, sms], template: plain }
  - name: climbs
    event_type: test.climbs
    actions:
      - type: notify
        to: { roles: [r] }
        channels: [inapp]
        template: plain
        escalate: [{ after: 1m, channels: [sms] }, { after: 2m, channels: [sms] }]
`

/** What gathers and what is limited, of an action that says this too. */
const changing = (action: string): string => `
rules:
  - name: gathers
    event_type: test.gathers
    actions:
      - { type: notify, template: plain, channels: [inapp], digest: { window: 10m }, ${action} }
  - name: limits
    event_type: test.limits
    actions:
      - { type: notify, template: plain, channels: [inapp], cooldown: 10m, ${action} }
`
const setOf = (rules: string): Promise<RuleSet> => ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": rules })

let world: TimedNodes
let db: Database
let ruleSet: RuleSet
beforeAll(async () => {
  ruleSet = await setOf(RULES)
  world = await timedNodes(ruleSet)
  db = world.nodes[0]
  const member = { business: business("b1"), locations: null, roles: ["r"] }
  const people = [
    recipient("ann", { phone: "+9647700000000", memberships: [member] }),
    ...["fay", "fox"].map((id) =>
      recipient(id, {
        phone: `+96477000000${id}`,
        email: `${id}@x.example`,
        slackWebhookUrl: "https://hooks.example/shared",
        memberships: [{ ...member, roles: ["f"] }],
      }),
    ),
    recipient("bob", { memberships: [{ ...member, roles: ["s"] }] }),
  ]
  await upsertRecipients(db, people, null)
})
afterAll(() => world.close())
afterEach(async () => {
  world.change(ruleSet)
  await world.clear()
})

const ann = recipientId("ann")
const come = async (type: string, minutesAgo: number): Promise<EventId> => {
  const [id] = await world.accept([{ type, payload: {}, at: Date.now() - minutesAgo * MINUTE }])
  if (id === undefined) throw new Error("no event")
  return id
}
const inboxOf = (event: EventId) =>
  db.query<{ id: NotificationId; inbox: boolean; reason: string | null; content: Buffer; entries: number }>(
    `select id, inbox, reason, content, (select count(*)::int from stream_entries e where e.ref = n.id) as entries
     from notifications n where event_id = $1`,
    [event],
  )

describe("a later step in the inbox", () => {
  test("brings there what was told outside of it, under the same id, with a place in the stream", async () => {
    const event = await come("test.comes_in", 0.5)
    await world.settle()
    const [before] = await inboxOf(event)
    expect(before).toMatchObject({ inbox: false, entries: 0 })
    await db.execute("update timers set next_at = now(), due_at = now()")
    await world.settle()
    const after = await inboxOf(event)
    expect(after).toMatchObject([{ id: before?.id, inbox: true, reason: null, entries: 1 }])
    expect(openAs<NotificationContent>(after[0]?.content ?? Buffer.alloc(0)).title).not.toBe("")
    expect(await markInboxItem(db, ann, null, before?.id ?? ("" as NotificationId), "acknowledge")).not.toBeNull()
  })
})

/** The channel refuses what it has for this person, for good. */
async function refuse(channel: SendingChannel, person: string): Promise<void> {
  const [row] = await db.query<{ id: DeliveryId; attempt: number }>(
    `update deliveries d set status = 'sending', owner = 'me', claimed_at = now(), attempt = attempt + 1
     from notifications n where d.channel = $1 and n.recipient_id = $2 and n.id = any(d.notification_ids)
       and d.status = 'queued' returning d.id, d.attempt`,
    [channel, person],
  )
  if (row === undefined) throw new Error(`nothing for ${person} on ${channel}`)
  const rejected = { reason: "blocked", detail: "" }
  const settlement = { status: "dead", ...rejected, because: "permanent" } as const
  await settleMany(db, "me", [{ ...row, outcome: { kind: "rejected", ...rejected }, settlement }])
  await world.settle()
}

test("a channel that two share is tried once for both, though it is due for each at another moment, and then the next", async () => {
  await come("test.fails", 0.1)
  await world.settle()
  await refuse("email", "fay")
  await refuse("email", "fox")
  await refuse("slack", "fox")
  const tried = await db.query<{ channel: string; status: string; people: number }>(
    "select channel, status, cardinality(notification_ids) as people from deliveries order by channel, id",
  )
  expect(tried.map(({ channel, status, people }) => `${channel} ${status} ${people}`)).toEqual([
    "email dead 1",
    "email dead 1",
    "slack dead 2",
    "sms queued 1",
    "sms queued 1",
  ])
})

describe("somebody who reacts while a step is being fired", () => {
  test("waits for it, and what it has put off for the morning is called back", async () => {
    const hour = (offset: number) => ((new Date().getUTCHours() + offset + 24) % 24) * 60
    const quietHours = { from: hour(-2), to: hour(3), timezone: "UTC" }
    await db.execute("insert into preferences (recipient_id, wishes) values ('ann', $1)", [
      seal({ ...NO_PREFERENCES, quietHours }),
    ])
    const event = await come("test.climbs", 0.5)
    await world.settle()
    const [item] = await inboxOf(event)
    if (item === undefined) throw new Error("nobody was told")
    await db.execute("update timers set next_at = now(), due_at = now()")
    const [firing, letGo] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const fired = fireTimers(world.nodes[1], { which: "following", limit: 10 }, async (due, ports) => {
      firing.resolve()
      await letGo.promise
      return world.decide(due, ports)
    })
    await firing.promise
    const marked = markInboxItem(db, ann, null, item.id, "acknowledge")
    await eventually(
      () =>
        world.nodes[1].query(
          "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        ),
      (waiting) => waiting.length > 0,
      { withinMs: 2_000, what: "the mark waits for who is firing" },
    )
    letGo.resolve()
    await Promise.all([fired, marked])
    expect(await db.query("select status, reason from deliveries")).toEqual([
      { status: "cancelled", reason: "acknowledged" },
    ])
    expect(await db.query("select step, outcome from timers order by step")).toEqual([
      { step: 0, outcome: "fired" },
      { step: 1, outcome: "acknowledged" },
    ])
    await db.execute("truncate preferences")
  })
})

describe("when the rules change", () => {
  const toldOf = async (event: EventId): Promise<readonly string[]> =>
    (
      await db.query<{ told: string }>(
        "select recipient_id || ' ' || coalesce(reason, 'told') as told from notifications where event_id = $1 order by 1",
        [event],
      )
    ).map(({ told }) => told)

  test("an event is told to those whom its own rules name, not to those of an open digest", async () => {
    world.change(await setOf(changing("to: { roles: [r] }")))
    const before = await come("test.gathers", 20)
    await world.route(db, 10)
    world.change(await setOf(changing("to: { roles: [s] }")))
    const after = await come("test.gathers", 15)
    await world.settle()
    expect(await toldOf(before)).toEqual(["ann digest"])
    expect(await toldOf(after)).toEqual(["bob digest"])
  })

  test("what comes when a rule has gone live is neither gathered nor limited by what it did in shadow", async () => {
    world.change(await setOf(changing("to: { roles: [r] }, mode: shadow")))
    const before = [await come("test.gathers", 20), await come("test.limits", 20)]
    await world.route(db, 10)
    world.change(await setOf(changing("to: { roles: [r] }")))
    const after = [await come("test.gathers", 15), await come("test.limits", 15)]
    await world.settle()
    expect(await Promise.all(before.map(toldOf))).toEqual([["ann shadow"], ["ann shadow"]])
    expect(await Promise.all(after.map(toldOf))).toEqual([["ann digest"], ["ann told"]])
  })
})
