import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import type { NewDelivery } from "../domain/delivery.ts"
import type { HubEvent } from "../domain/event.ts"
import { type EventId, newDeliveryId, newNotificationId, type RecipientId, type RuleName } from "../domain/ids.ts"
import type { NewNotification } from "../domain/notification.ts"
import type { Plan } from "../domain/plan.ts"
import { NO_PREFERENCES, type Preferences } from "../domain/preferences.ts"
import { namedOnly } from "../domain/recipient.ts"
import { notificationStream } from "../domain/stream.ts"
import { business, incoming, location, PLAIN_DELIVERY, recipient, recipientId } from "../testing/builders.ts"
import { testDatabase } from "../testing/postgres.ts"
import type { AudienceQuery } from "./audience.ts"
import { type Database, openDatabase } from "./database.ts"
import { insertEvents } from "./events.ts"
import { notificationsOfEvent } from "./notifications.ts"
import { type Decide, routeAlone, routeBatch } from "./plans.ts"
import { deleteRecipient, getRecipient, upsertRecipients } from "./recipients.ts"
import { getRoute } from "./routes.ts"
import { seal } from "./sealed.ts"
import { streamHeads } from "./streams.ts"
import { acquit, MOST_CRASHES, nextSuspect } from "./suspects.ts"

let db: Database
let server: string
let drop: () => Promise<void>
beforeAll(async () => {
  const made = await testDatabase()
  drop = made.drop
  server = made.url
  db = openDatabase({ url: made.url })
})
afterAll(async () => {
  await db.close()
  await drop()
})
afterEach(async () => {
  await db.execute(
    "truncate events, routing_queue, routes, notifications, deliveries, messages, recipients, preferences, list_members, memberships",
  )
})

const now = Date.UTC(2026, 2, 2, 9)
const rule = "a-rule" as RuleName // rule names need no check in a test

const notification = (event: HubEvent, to: RecipientId, inbox = true): NewNotification => ({
  id: newNotificationId(now),
  event: event.id,
  rule,
  rulesRevision: "r1",
  recipient: to,
  business: event.business,
  location: event.location,
  severity: event.severity,
  category: null,
  priority: "normal",
  inbox,
  reason: null,
  updateKey: null,
  content: { title: "t", body: "b", actionUrl: null, actionLabel: null, data: null },
})

const sms = (event: HubEvent, notifications: readonly NewNotification[], to: string): NewDelivery => ({
  id: newDeliveryId(now),
  event: event.id,
  notifications: notifications.map((n) => n.id),
  rule,
  rulesRevision: "r1",
  business: event.business,
  channel: "sms",
  priority: "high",
  addressKey: to,
  ...PLAIN_DELIVERY,
  start: { status: "queued", message: { channel: "sms", to, text: "hello", actionUrl: null, actionLabel: null } },
})

const plan = (event: HubEvent, changes: Partial<Plan> = {}): Plan => ({
  event,
  rulesRevision: "r1",
  decisions: [{ rule, matched: true, reason: "because" }],
  failures: [],
  notifications: [],
  deliveries: [],
  newRecipients: [],
  timers: [],
  gathered: [],
  broadcasts: [],
  ...changes,
})

const tell =
  (...ids: RecipientId[]): Decide =>
  async (events) =>
    events.map((event) => plan(event, { notifications: ids.map((id) => notification(event, id)) }))

const suspectRouted = async (of: Database, decide: Decide) => {
  const suspect = await nextSuspect(of)
  return suspect === null ? null : routeAlone(of, suspect.id, decide)
}

/** A router that dies with its batch in hand: what it was doing is rolled back, and it says nothing of it. */
const dies: Decide = () => Promise.reject(new Error("died"))

describe("an event that may be what its hub died of", () => {
  // Only of those that are counted: a row that is written anew has been in nobody's hand.
  const due = () => db.execute("update routing_queue set next_at = now() where crashes > 0")

  test("goes alone and last, and is counted before the work", async () => {
    const [first] = await insertEvents(db, [incoming()], now)
    await routeBatch(db, 10, dies).catch(() => null)
    const [second] = await insertEvents(db, [incoming()], now)
    const told: string[] = []
    const noting: Decide = (events, ports) => {
      told.push(events.map(({ id }) => id).join())
      return tell(recipientId("zoe"))(events, ports)
    }
    expect(await routeBatch(db, 10, noting)).toMatchObject({ plans: 1 })
    const suspect = await nextSuspect(db)
    expect(suspect).toEqual({ id: first?.id, crashes: 0 } as never)
    expect(await db.query("select crashes from routing_queue")).toEqual([{ crashes: 1 }])
    // For a moment it is nobody else's.
    expect(await nextSuspect(db)).toBeNull()
    await routeAlone(db, suspect?.id ?? ("" as never), noting)
    expect(told).toEqual([second?.id, first?.id] as never)
    expect(await db.query("select from routing_queue")).toEqual([])
  })

  test("is known after three deaths, whoever dies, and as innocent where its router lives on", async () => {
    await insertEvents(db, [incoming(), incoming()], now)
    const deaths = async (): Promise<number> => {
      await due()
      const suspect = await nextSuspect(db)
      if (suspect !== null) await routeAlone(db, suspect.id, dies).catch(() => null)
      return suspect?.crashes ?? -1
    }
    await routeBatch(db, 10, dies).catch(() => null)
    // The other one has not been in hand alone yet, so it is first.
    expect([await deaths(), await deaths(), await deaths(), await deaths()]).toEqual([0, 0, 1, 1])
    expect(await deaths()).toBe(MOST_CRASHES)
    const [lived] = await db.query<{ event_id: EventId }>("select event_id from routing_queue order by crashes limit 1")
    expect(await acquit(db, lived === undefined ? [] : [lived.event_id])).toBe(1)
    expect(await db.query("select crashes from routing_queue order by crashes")).toEqual([
      { crashes: 1 },
      { crashes: 3 },
    ])
  })

  test("is found behind a long queue only by its age, so that nobody walks over it", async () => {
    await insertEvents(db, [incoming()], now)
    await routeBatch(db, 10, dies).catch(() => null)
    await insertEvents(
      db,
      Array.from({ length: 600 }, () => incoming()),
      now + 1,
    )
    expect(await nextSuspect(db)).toMatchObject({ crashes: 0 })
    expect(await nextSuspect(db)).toBeNull()
  })
})

describe("routing a batch", () => {
  test("stores what follows from an event in one transaction and takes it off the queue", async () => {
    const [stored] = await insertEvents(db, [incoming()], now)
    const ann = recipientId("ann")
    const routed = await routeBatch(db, 10, async (events) =>
      events.map((event) => {
        const n = notification(event, ann)
        return plan(event, { notifications: [n], deliveries: [sms(event, [n], "+1")] })
      }),
    )
    expect(routed).toMatchObject({ plans: 1, due: ["sms"], deliveries: 1, hadMore: false })
    expect(routed.notifications[0]).toMatchObject({ recipient: "ann", position: 1 })
    const event = stored?.id
    if (event === undefined) throw new Error("no event")
    expect(await getRoute(db, event)).toMatchObject({ rulesRevision: "r1", decisions: [{ reason: "because" }] })
    expect(await db.query("select 1 from routing_queue")).toHaveLength(0)
    expect(await db.query("select status, priority from deliveries")).toEqual([{ status: "queued", priority: 2 }])
    expect(await db.query("select 1 from messages")).toHaveLength(1)
  })

  test("a decision that throws leaves everything as it was, and the event is routed the next time", async () => {
    await insertEvents(db, [incoming()], now)
    const broken = routeBatch(db, 10, async () => {
      throw new Error("rules are broken")
    })
    expect(broken).rejects.toThrow("rules are broken")
    await broken.catch(() => null)
    // It may have been what its router died of, so it goes alone.
    expect((await routeBatch(db, 10, tell(recipientId("ann")))).plans).toBe(0)
    expect(await suspectRouted(db, tell(recipientId("ann")))).toMatchObject({ plans: 1 })
  })

  test("statements sent behind one that fails leave the connection sound: it stores the next plan", async () => {
    const single = openDatabase({ url: server, max: 1 })
    const pid = () => single.query("select pg_backend_pid() as pid")
    const before = await pid()
    await insertEvents(single, [incoming()], now)
    const told =
      (rule: string): Decide =>
      async (events) =>
        events.map((event) => {
          const n = { ...notification(event, recipientId("ann")), rule: rule as RuleName } // a name that no column takes
          return plan(event, { notifications: [n], deliveries: [sms(event, [n], "+1")] })
        })
    await expect(routeBatch(single, 10, told("a NUL \u0000 inside"))).rejects.toThrow("invalid byte sequence")
    expect(await suspectRouted(single, told("a-rule"))).toMatchObject({ plans: 1, deliveries: 1 })
    expect(await pid()).toEqual(before)
    await single.close()
  })

  test("an event that cannot be read is put off, and the others of its batch are routed", async () => {
    const [first] = await insertEvents(db, [incoming(), incoming(), incoming()], now)
    await db.execute("update events set payload = '\\x6363' where id = $1", [first?.id ?? ""])
    const ann = recipientId("ann")
    expect(await routeBatch(db, 10, tell(ann))).toMatchObject({ plans: 2, unreadable: [first?.id] })
    expect(await routeBatch(db, 10, tell(ann))).toMatchObject({ plans: 0, unreadable: [] })
    expect(await db.query("select event_id from routing_queue")).toEqual([{ event_id: first?.id }])
  })

  test("two routers never route one event twice", async () => {
    await insertEvents(
      db,
      Array.from({ length: 40 }, () => incoming()),
      now,
    )
    const batches = await Promise.all(Array.from({ length: 8 }, () => routeBatch(db, 5, tell(recipientId("ann")))))
    expect(batches.reduce((sum, b) => sum + b.plans, 0)).toBe(40)
    expect(await db.query("select 1 from notifications")).toHaveLength(40)
  })

  test("positions of a person's stream have no gap, whoever routes", async () => {
    const bob = recipientId("bob")
    const before = (await streamHeads(db, [notificationStream(bob)])).positions.get(notificationStream(bob)) ?? 0
    await insertEvents(
      db,
      Array.from({ length: 30 }, () => incoming()),
      now,
    )
    const batches = await Promise.all(Array.from({ length: 6 }, () => routeBatch(db, 5, tell(bob))))
    const positions = batches.flatMap((b) => b.notifications.map((n) => n.position ?? -1)).sort((a, b) => a - b)
    expect(positions).toEqual(Array.from({ length: 30 }, (_, i) => before + i + 1))
  })

  test("a notification that is not for the inbox takes no position", async () => {
    await insertEvents(db, [incoming()], now)
    const routed = await routeBatch(db, 10, async (events) =>
      events.map((event) => plan(event, { notifications: [notification(event, recipientId("zed"), false)] })),
    )
    expect(routed.notifications[0]?.position).toBeNull()
  })

  test("a user that nobody knows becomes a recipient of the event's business", async () => {
    await insertEvents(db, [incoming()], now)
    const eve = recipientId("eve")
    await routeBatch(db, 10, async (events) =>
      events.map((event) =>
        plan(event, { notifications: [notification(event, eve)], newRecipients: [namedOnly(eve, event.business)] }),
      ),
    )
    expect(await getRecipient(db, eve)).toMatchObject({ memberships: [{ business: "b1", locations: null, roles: [] }] })
  })

  test("an unknown user that another business named first is not told the second one's news", async () => {
    const [first] = await insertEvents(db, [incoming(), incoming({ business: business("b2") })], now)
    const eve = recipientId("eve")
    await routeBatch(db, 10, async (events) =>
      events.map((event) => {
        const n = notification(event, eve)
        const deliveries = [sms(event, [n], "+1")]
        return plan(event, { notifications: [n], deliveries, newRecipients: [namedOnly(eve, event.business)] })
      }),
    )
    const told = await db.query<{ event_id: string }>("select event_id from notifications")
    expect(told).toEqual([{ event_id: first?.id ?? "" }])
    expect(await db.query("select 1 from deliveries")).toHaveLength(1)
  })
})

describe("an audience", () => {
  interface Answer {
    readonly ids: readonly string[]
    readonly outsiders: readonly string[]
    readonly preferences: Readonly<Record<string, Preferences>>
  }
  const ask = async (query: Partial<AudienceQuery>): Promise<Answer> => {
    await insertEvents(db, [incoming()], now)
    let answer: Answer = { ids: [], outsiders: [], preferences: {} }
    await routeBatch(db, 10, async (events, { audience }) => {
      const [found] = await audience([
        { business: business("b1"), location: null, roles: [], users: [], lists: [], everyone: false, ...query },
      ])
      if (found === undefined) throw new Error("no answer")
      answer = {
        ids: found.recipients.map((r) => r.id),
        outsiders: [...found.outsiders],
        preferences: Object.fromEntries(found.preferences),
      }
      return events.map((event) => plan(event))
    })
    return answer
  }
  const people = [
    recipient("ann", { memberships: [{ business: business("b1"), locations: null, roles: ["accountant"] }] }),
    recipient("bob", {
      memberships: [{ business: business("b1"), locations: [location("l1")], roles: ["accountant"] }],
    }),
    recipient("cid", { memberships: [{ business: business("b2"), locations: null, roles: ["accountant"] }] }),
  ]

  test("holds a role's people within the business and the location", async () => {
    await upsertRecipients(db, people, null)
    expect((await ask({ roles: ["accountant"] })).ids).toEqual(["ann", "bob"])
    expect((await ask({ roles: ["accountant"], location: location("l1") })).ids).toEqual(["ann", "bob"])
    expect((await ask({ roles: ["accountant"], location: location("l2") })).ids).toEqual(["ann"])
    expect((await ask({ everyone: true, location: location("l1") })).ids).toEqual(["ann", "bob"])
  })

  test("holds a list's people within the business and the location", async () => {
    await upsertRecipients(db, people, null)
    for (const [home, list, person] of [
      ["b1", "vip", "bob"],
      ["b1", "board", "ann"],
      ["b2", "vip", "cid"],
      // On a list of a business that she is not a member of.
      ["b2", "vip", "ann"],
    ]) {
      await db.execute("insert into list_members (business_id, list, recipient_id) values ($1, $2, $3)", [
        home ?? "",
        list ?? "",
        person ?? "",
      ])
    }
    expect((await ask({ lists: ["vip"] })).ids).toEqual(["bob"])
    expect((await ask({ lists: ["vip", "board", "none"] })).ids).toEqual(["ann", "bob"])
    expect((await ask({ lists: ["vip", "board"], location: location("l2") })).ids).toEqual(["ann"])
    expect((await ask({ lists: ["vip"], business: business("b2") })).ids).toEqual(["cid"])
    expect((await ask({ lists: ["board"], roles: ["accountant"] })).ids).toEqual(["ann", "bob"])
  })

  test("says what those among it wish who have said anything", async () => {
    await upsertRecipients(db, people, null)
    const wishes: Preferences = { ...NO_PREFERENCES, channels: { sms: false } }
    await db.execute("insert into preferences (recipient_id, wishes) values ('bob', $1), ('cid', $1)", [seal(wishes)])
    expect((await ask({ roles: ["accountant"] })).preferences).toEqual({ bob: wishes })
    expect((await ask({ users: [recipientId("ann")] })).preferences).toEqual({})
  })

  test("holds a named user once, and tells who belongs to another business", async () => {
    await upsertRecipients(db, people, null)
    const answer = await ask({
      roles: ["accountant"],
      users: [recipientId("ann"), recipientId("cid"), recipientId("new")],
    })
    expect(answer).toEqual({ ids: ["ann", "bob"], outsiders: ["cid"], preferences: {} })
  })
})

describe("recipients", () => {
  test("are replaced whole, and a caller of one business leaves the others' memberships alone", async () => {
    const ann = recipient("ann", {
      name: "Ann",
      email: "ann@example.com",
      memberships: [
        { business: business("b1"), locations: [location("l1"), location("l2")], roles: ["boss"] },
        { business: business("b2"), locations: null, roles: [] },
      ],
    })
    expect(await upsertRecipients(db, [ann], null)).toEqual(new Map([[ann.id, "created"]]))
    expect(await getRecipient(db, ann.id)).toEqual(ann)
    const changed = {
      ...ann,
      email: null,
      memberships: [{ business: business("b1"), locations: null, roles: ["guest"] }],
    }
    expect(await upsertRecipients(db, [changed], [business("b1")])).toEqual(new Map([[ann.id, "updated"]]))
    expect(await getRecipient(db, ann.id)).toMatchObject({
      email: null,
      memberships: [
        { business: "b1", locations: null, roles: ["guest"] },
        { business: "b2", locations: null, roles: [] },
      ],
    })
  })

  test("leave one business and are gone when they belong to none", async () => {
    const ann = recipient("ann")
    await upsertRecipients(db, [ann], null)
    expect(await deleteRecipient(db, ann.id, [business("b9")], "key:1")).toBe("absent")
    expect(await deleteRecipient(db, ann.id, [business("b1")], "key:1")).toBe("deleted")
    expect(await getRecipient(db, ann.id)).toBeNull()
  })

  test("cannot be read from the table without the store", async () => {
    await upsertRecipients(db, [recipient("ann", { email: "canary@example.com" })], null)
    const [row] = await db.query<{ text: string }>("select row_to_json(r)::text as text from recipients r")
    expect(row?.text).not.toContain("canary")
  })
})

test("what an event made can be read for its trace", async () => {
  const [stored] = await insertEvents(db, [incoming()], now)
  await routeBatch(db, 10, tell(recipientId("ann"), recipientId("bob")))
  if (stored === undefined) throw new Error("no event")
  expect((await notificationsOfEvent(db, stored.id)).map((n) => n.recipient)).toEqual([
    recipientId("ann"),
    recipientId("bob"),
  ])
})
