import { afterEach, describe, expect, test } from "bun:test"
import type { NewDelivery } from "../domain/delivery.ts"
import { newDeliveryId, newEventId, newNotificationId, newTimerId, type RuleName } from "../domain/ids.ts"
import type { NewNotification } from "../domain/notification.ts"
import type { NewTimer } from "../domain/timer.ts"
import { business, PLAIN_DELIVERY, recipientId } from "../testing/builders.ts"
import { databaseOfFile } from "../testing/file-database.ts"
import { someMessage } from "../testing/seed-deliveries.ts"
import { type Consequences, type StoredConsequences, storeConsequences } from "./consequences.ts"

const db = await databaseOfFile()
afterEach(() =>
  db.execute("truncate notifications, deliveries, messages, timers, digest_events, streams, stream_entries"),
)

const about = { event: newEventId(0), rule: "a-rule" as RuleName, rulesRevision: "r1", business: business("b1") } // rule names need no check in a test

const item = (to: string, changes: Partial<NewNotification> = {}): NewNotification => ({
  ...about,
  id: newNotificationId(Date.now()),
  recipient: recipientId(to),
  location: null,
  severity: "info",
  category: null,
  priority: "normal",
  inbox: true,
  reason: null,
  updateKey: null,
  content: { title: "t", body: "b", actionUrl: null, actionLabel: null, data: null },
  ...changes,
})
const sms = (of: NewNotification, changes: Partial<NewDelivery> = {}): NewDelivery => ({
  ...about,
  ...PLAIN_DELIVERY,
  id: newDeliveryId(Date.now()),
  notifications: [of.id],
  channel: "sms",
  priority: "normal",
  addressKey: "+1",
  start: { status: "queued", message: someMessage("sms", "hello") },
  ...changes,
})
const timer = (changes: Partial<NewTimer> = {}): NewTimer => ({
  ...about,
  id: newTimerId(Date.now()),
  kind: "digest",
  action: 0,
  step: 0,
  beganAt: 1_000,
  dueAt: 9_000,
  until: null,
  gate: "g",
  rulesHash: "h",
  ...changes,
})
const store = (given: Partial<Consequences>): Promise<StoredConsequences> =>
  db.transaction((tx) =>
    storeConsequences(tx, { notifications: [], deliveries: [], timers: [], gathered: [], ...given }, () => true),
  )
const rows = (text: string) => db.query<Record<string, unknown>>(text)

describe("a person who is told again", () => {
  test("keeps the notification of the first time, and gets another delivery", async () => {
    const [first, again] = [item("ann"), item("ann", { content: { ...item("ann").content, title: "later" } })]
    await store({ notifications: [first], deliveries: [sms(first)] })
    const stored = await store({
      notifications: [again],
      deliveries: [sms(again, { round: "escalate:0:0" }), sms(again, { round: "escalate:0:1" })],
    })
    expect(stored).toMatchObject({ notifications: [], deliveries: 2, due: ["sms"] })
    expect(await rows("select id, inbox from notifications")).toEqual([{ id: first.id, inbox: true }])
    expect(await rows("select notification_ids, round from deliveries order by round nulls first")).toEqual([
      { notification_ids: [first.id], round: null },
      { notification_ids: [first.id], round: "escalate:0:0" },
      { notification_ids: [first.id], round: "escalate:0:1" },
    ])
    expect(await rows("select 1 from stream_entries")).toHaveLength(1)
  })

  test("in the same round has one delivery, however often it is stored", async () => {
    const one = item("ann")
    await store({ notifications: [one], deliveries: [sms(one, { round: "failover:0:0" })] })
    await store({ notifications: [item("ann")], deliveries: [sms(one, { round: "failover:0:0" })] })
    expect(await rows("select 1 from deliveries")).toHaveLength(1)
  })

  test("finds it in the inbox, in the words of then, where it was told outside of it before", async () => {
    const outside = item("ann", { inbox: false, reason: "throttled" })
    expect((await store({ notifications: [outside] })).notifications).toMatchObject([{ position: null }])
    const inside = item("ann", { reason: null, rulesRevision: "r2" })
    const stored = await store({ notifications: [inside] })
    expect(stored.notifications).toMatchObject([{ id: outside.id, position: 1, inbox: true, rulesRevision: "r2" }])
    const now = await rows("select id, inbox, reason, rules_revision from notifications")
    expect(now).toEqual([{ id: outside.id, inbox: true, reason: null, rules_revision: "r2" }])
    // And no more: what is in the inbox stays there as it is.
    expect(
      (await store({ notifications: [item("ann", { inbox: false, rulesRevision: "r3" })] })).notifications,
    ).toEqual([])
    expect(await rows("select id, inbox, reason, rules_revision from notifications")).toEqual(now)
  })

  test("by two timers of one batch has one notification, in the inbox if either is", async () => {
    const [one, two] = [item("ann", { inbox: false }), item("ann")]
    const deliveries = [sms(one, { round: "delay:0:0" }), sms(two, { round: "delay:1:0" })]
    expect((await store({ notifications: [one, two], deliveries })).notifications).toHaveLength(1)
    const [kept] = await rows("select id, inbox from notifications")
    expect(kept).toEqual({ id: one.id, inbox: true })
    expect(await rows("select distinct notification_ids from deliveries")).toEqual([{ notification_ids: [one.id] }])
  })
})

describe("an item that replaces earlier ones", () => {
  const news = (to: string, updateKey: string | null, changes: Partial<NewNotification> = {}) =>
    item(to, { event: newEventId(Date.now()), updateKey, ...changes })
  const shown = async () =>
    (await rows("select id from notifications where inbox and archived_at is null order by id")).map(({ id }) => id)

  test("takes those of its person, rule and key out of the inbox, and says which", async () => {
    const [old, otherKey, otherPerson] = [news("ann", "k"), news("ann", "x"), news("bob", "k")]
    const [otherRule, plain] = [news("ann", "k", { rule: "b-rule" as RuleName }), news("ann", null)]
    await store({ notifications: [old, otherKey, otherPerson, otherRule, plain] })
    const replacing = news("ann", "k")
    const { replaced } = await store({ notifications: [replacing] })
    expect(replaced).toMatchObject([{ id: old.id }])
    expect(replaced[0]?.archivedAt).toBeNumber()
    expect(await shown()).toEqual([otherKey, otherPerson, otherRule, plain, replacing].map(({ id }) => id).sort())
  })

  test("is the last of its batch", async () => {
    const all = [news("ann", "k"), news("ann", "k"), news("ann", "k")]
    const { notifications, replaced } = await store({ notifications: all })
    expect(notifications).toHaveLength(3)
    expect(replaced.map(({ id }) => id).sort()).toEqual(all.slice(0, 2).map(({ id }) => id))
    expect(await shown()).toEqual(all.slice(2).map(({ id }) => id))
  })

  test("takes nothing away where it is not in the inbox itself", async () => {
    const old = news("ann", "k")
    await store({ notifications: [old] })
    expect((await store({ notifications: [news("ann", "k", { inbox: false })] })).replaced).toEqual([])
    expect(await shown()).toEqual([old.id])
  })
})

describe("what is stored for later", () => {
  test("is a delivery with its moment and all that its rule says of it", async () => {
    const one = item("ann")
    const at = Date.UTC(2030, 0, 1)
    await store({
      notifications: [one],
      deliveries: [
        sms(one, {
          action: 2,
          expiresAt: at + 1,
          holdUnknown: true,
          failover: true,
          wishes: { category: "offers", commercial: true, bypassQuietHours: false },
          start: { status: "scheduled", at, reason: "quiet_hours", message: someMessage("sms", "x") },
        }),
        sms(one, { addressKey: "+2", start: { status: "expired", reason: "expires_in" } }),
      ],
    })
    const found = await rows(`select status, reason, (extract(epoch from next_attempt_at) * 1000)::float8 as at,
      (extract(epoch from expires_at) * 1000)::float8 as expires, settled_at is null as open, action, hold_unknown, failover,
      wishes, commercial, bypass_quiet_hours, category from deliveries order by status desc`)
    const plain = { category: null, action: 0, hold_unknown: false, failover: false, wishes: false, commercial: false }
    const flags = { category: "offers", action: 2, hold_unknown: true, failover: true, wishes: true, commercial: true }
    expect(found).toEqual([
      {
        status: "scheduled",
        reason: "quiet_hours",
        at,
        expires: at + 1,
        open: true,
        bypass_quiet_hours: false,
        ...flags,
      },
      {
        status: "expired",
        reason: "expires_in",
        at: null,
        expires: null,
        open: false,
        bypass_quiet_hours: false,
        ...plain,
      },
    ])
  })

  test("is a digest's timer, due at once when it is full, and each event in one digest only", async () => {
    const [open, full] = [timer(), timer()]
    const into = (of: NewTimer, fullAt: number | null, event = newEventId(Date.now())) => ({
      event,
      rule: of.rule,
      action: 0,
      timer: of.id,
      fullAt,
    })
    const event = newEventId(0)
    const stored = await store({ timers: [open, full], gathered: [into(open, null, event), into(full, 5_000)] })
    expect(stored.firstTimerAt).toBe(5_000)
    const due = await rows(
      "select id, (extract(epoch from due_at) * 1000)::float8 as due, gate from timers order by id",
    )
    expect(due).toEqual([
      { id: open.id, due: 9_000, gate: "g" },
      { id: full.id, due: 5_000, gate: "g" },
    ])
    await expect(store({ gathered: [into(full, null, event)] })).rejects.toThrow("duplicate key")
  })

  test("is a full digest that waits for nobody who fires it right now", async () => {
    const one = timer()
    await store({ timers: [one] })
    await db.transaction(async (tx) => {
      await tx.query("select 1 from timers for update")
      const gathered = [{ event: newEventId(0), rule: one.rule, action: 0, timer: one.id, fullAt: 5_000 }]
      await store({ gathered })
    })
    expect(await rows("select 1 from digest_events")).toHaveLength(1)
  })
})
