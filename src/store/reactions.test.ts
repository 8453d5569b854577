/** Somebody has reacted: what the hub would have done until then ends with the mark. */
import { afterEach, describe, expect, test } from "bun:test"
import type { NewDelivery } from "../domain/delivery.ts"
import {
  type DeliveryId,
  newDeliveryId,
  newEventId,
  newNotificationId,
  newTimerId,
  type RuleName,
} from "../domain/ids.ts"
import type { NewNotification } from "../domain/notification.ts"
import type { NewTimer } from "../domain/timer.ts"
import { business, PLAIN_DELIVERY, recipientId } from "../testing/builders.ts"
import { databaseOfFile } from "../testing/file-database.ts"
import { someMessage } from "../testing/seed-deliveries.ts"
import { storeConsequences } from "./consequences.ts"
import { settleMany } from "./deliveries.ts"
import { insertNotifications } from "./new-notifications.ts"
import { acknowledgeTold, getInboxItem, type Mark, markAllRead, markInboxItem } from "./notifications.ts"

const db = await databaseOfFile()
afterEach(() => db.execute("truncate notifications, deliveries, messages, timers, streams, stream_entries"))

const ann = recipientId("ann")

/** One telling of a rule whose action 1 escalates and whose action 0 does not. */
async function told(until: NewTimer["until"], name = "a-rule"): Promise<NewNotification> {
  const rule = name as RuleName // rule names need no check in a test
  const about = { event: newEventId(Date.now()), rule, rulesRevision: "r1", business: business("b1") }
  const item: NewNotification = {
    ...about,
    id: newNotificationId(Date.now()),
    recipient: ann,
    location: null,
    severity: "info",
    category: null,
    priority: "normal",
    inbox: true,
    reason: null,
    updateKey: null,
    content: { title: "t", body: "b", actionUrl: null, actionLabel: null, data: null },
  }
  const timer = { ...about, business: about.business, rulesHash: "h", beganAt: 0, dueAt: Date.now() + 60_000, step: 0 }
  const sms = (action: number, addressKey: string): NewDelivery => ({
    ...about,
    ...PLAIN_DELIVERY,
    id: newDeliveryId(Date.now()),
    notifications: [item.id],
    channel: "sms",
    priority: "normal",
    addressKey,
    action,
    start: { status: "queued", message: someMessage("sms", "hello") },
  })
  const deliveries = [sms(0, "+1"), sms(1, "+1"), sms(1, "+2"), sms(1, "+3")].map((d, i) => ({ ...d, round: `x:${i}` }))
  const timers: readonly NewTimer[] = [
    { ...timer, id: newTimerId(0), kind: "escalate", action: 1, until, gate: null },
    { ...timer, id: newTimerId(0), kind: "delay", action: 0, until: null, gate: null },
  ]
  await db.transaction((tx) =>
    storeConsequences(tx, { notifications: [item], deliveries, timers, gathered: [] }, () => true),
  )
  const [, , being, done] = deliveries
  await db.execute("update deliveries set status = 'sending' where id = $1", [being?.id ?? ""])
  await db.execute("update deliveries set status = 'delivered' where id = $1", [done?.id ?? ""])
  return item
}

const mark = (item: NewNotification, how: Mark) => markInboxItem(db, ann, null, item.id, how)
const state = async (rule = "a-rule") => ({
  timers: (
    await db.query<{ kind: string; outcome: string | null }>(
      "select kind, outcome from timers where rule = $1 order by kind",
      [rule],
    )
  ).map(({ kind, outcome }) => `${kind} ${outcome ?? "open"}`),
  deliveries: (
    await db.query<{ action: number; status: string; reason: string | null }>(
      "select action, status, reason from deliveries where rule = $1 order by round",
      [rule],
    )
  ).map(({ action, status, reason }) => [action, status, reason].filter((part) => part !== null).join(" ")),
})

const OPEN = {
  timers: ["delay open", "escalate open"],
  deliveries: ["0 queued", "1 queued", "1 sending", "1 delivered"],
}
const ended = (by: string) => ({
  timers: ["delay open", `escalate ${by}`],
  deliveries: ["0 queued", `1 cancelled ${by}`, "1 sending", "1 delivered"],
})

describe("an escalation", () => {
  test("that ends does not try again what a channel has in its hands", async () => {
    const item = await told("acknowledged")
    await db.execute("update deliveries set owner = 'me', claimed_at = now() where status = 'sending'")
    await mark(item, "acknowledge")
    const [held] = await db.query<{ id: DeliveryId; attempt: number }>(
      "select id, attempt from deliveries where status = 'sending'",
    )
    if (held === undefined) throw new Error("it was called back")
    const failed = { reason: "busy", detail: "" }
    const outcome = { kind: "retry", ...failed, retryAfterMs: null } as const
    const settlement = {
      status: "retrying",
      ...failed,
      delayMs: 1_000,
      maybeDuplicate: false,
      because: "backoff",
    } as const
    expect(await settleMany(db, "me", [{ ...held, outcome, settlement }])).toMatchObject([{ expired: true }])
  })

  test.each(["acknowledged", "read"] as const)("until %s ends when somebody acknowledges", async (until) => {
    const item = await told(until)
    expect((await mark(item, "acknowledge"))?.acknowledgedAt).toBeNumber()
    expect(await state()).toEqual(ended("acknowledged"))
  })

  test("until somebody has read it ends when it is read, alone or with all others", async () => {
    const one = await told("read", "one")
    await told("read", "two")
    await mark(one, "read")
    expect(await state("one")).toEqual(ended("read"))
    expect(await state("two")).toEqual(OPEN)
    expect((await markAllRead(db, ann, null)).items).toHaveLength(1)
    expect(await state("two")).toEqual(ended("read"))
  })

  test("until somebody acknowledges goes on when it is read, seen or archived", async () => {
    const item = await told("acknowledged")
    for (const how of ["read", "seen", "archive", "unarchive", "unread"] as const) await mark(item, how)
    expect(await state()).toEqual(OPEN)
    await mark(item, "unread")
    await markAllRead(db, ann, null)
    expect(await state()).toEqual(OPEN)
  })

  test("is not ended by whom it does not belong to, nor by what was said of another rule", async () => {
    const item = await told("acknowledged")
    const other = await told("acknowledged", "other")
    expect(await markInboxItem(db, recipientId("bob"), null, item.id, "acknowledge")).toBeNull()
    await mark(other, "acknowledge")
    expect(await state()).toEqual(OPEN)
  })

  test("whose last step has been climbed still cancels what waits", async () => {
    const item = await told("acknowledged")
    await db.execute("update timers set done_at = now(), outcome = 'fired' where kind = 'escalate'")
    await mark(item, "acknowledge")
    expect(await state()).toEqual({ ...ended("acknowledged"), timers: ["delay open", "escalate fired"] })
  })

  test("that is being fired, or a message that is being claimed, is not waited for", async () => {
    const item = await told("acknowledged")
    await db.transaction(async (tx) => {
      await tx.query("select 1 from timers for update")
      await tx.query("select 1 from deliveries for update")
      expect(await mark(item, "acknowledge")).not.toBeNull()
    })
    expect(await state()).toEqual(OPEN)
  })
})

test("what was acknowledged before it came into the inbox comes there as acknowledged", async () => {
  const outside = { ...(await told("acknowledged")), inbox: false }
  await db.execute("update notifications set inbox = false")
  expect((await acknowledgeTold(db, outside.id)).items).toHaveLength(1)
  const stored = await db.transaction((tx) => insertNotifications(tx, [{ ...outside, inbox: true }]))
  const [pushed] = stored.told
  if (pushed === undefined) throw new Error("it is new there")
  const { position, ...item } = pushed
  expect(item).toEqual((await getInboxItem(db, ann, null, outside.id)) ?? item)
  expect(item.acknowledgedAt).toBeNumber()
})
