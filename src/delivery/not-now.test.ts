/** Deliveries that are not sent, or not now: expired, in the night, no longer wished; and the channel that follows them. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import type { ChannelWorker } from "../channels/channel.ts"
import { retryPolicies } from "../config/retry.ts"
import type { SendingChannel } from "../domain/channel.ts"
import type { NewDelivery, Outcome, RetryPolicy } from "../domain/delivery.ts"
import { type DeliveryId, newDeliveryId, newEventId, newNotificationId, type RuleName } from "../domain/ids.ts"
import { NO_PREFERENCES, type Preferences } from "../domain/preferences.ts"
import type { News } from "../pubsub/pubsub.ts"
import type { Database } from "../store/database.ts"
import { getDelivery } from "../store/delivery-reads.ts"
import { insertDeliveries } from "../store/new-deliveries.ts"
import { insertNotifications } from "../store/new-notifications.ts"
import { deleteRecipient, upsertRecipients } from "../store/recipients.ts"
import { replayDead } from "../store/replays.ts"
import { saveRuleSet } from "../store/rule-sets.ts"
import { seal } from "../store/sealed.ts"
import { business, PLAIN_DELIVERY, recipient, recipientId } from "../testing/builders.ts"
import { type DeliveryWorld, startDeliveryWorld } from "../testing/delivery-world.ts"
import { eventually } from "../testing/eventually.ts"
import { someMessage } from "../testing/seed-deliveries.ts"
import { wishForAll } from "./wishes.ts"

let world: DeliveryWorld
let db: Database
let news: News[] = []
beforeAll(async () => {
  world = await startDeliveryWorld()
  db = world.db
  world.pubsub.subscribe((some) => news.push(...some))
  await upsertRecipients(db, [recipient("ann"), recipient("bob")], null)
  await saveRuleSet(db, { hash: "h1", revision: "r1", files: {} })
})
beforeEach(async () => {
  news = []
  await db.execute("truncate notifications, preferences, suppressions, timers, streams, stream_entries")
  await world.begin()
})
afterEach(() => world.end())
afterAll(() => world.stop())

const rule = "a-rule" as RuleName // rule names need no check in a test
const ASKED = { wishes: { category: null, commercial: false, bypassQuietHours: false } } as const

/** A delivery to these people, as routing stores it. */
async function plant(changes: Partial<NewDelivery> = {}, people: readonly string[] = ["ann"]): Promise<DeliveryId> {
  const event = newEventId(Date.now())
  const about = { event, rule, rulesRevision: "r1", business: business("b1") }
  const notifications = people.map((id) => ({
    ...about,
    id: newNotificationId(Date.now()),
    recipient: recipientId(id),
    location: null,
    severity: "info" as const,
    category: null,
    priority: "normal" as const,
    inbox: false,
    reason: null,
    updateKey: null,
    content: { title: "t", body: "b", actionUrl: null, actionLabel: null, data: null },
  }))
  const channel = changes.channel ?? "sms"
  const id = newDeliveryId(Date.now())
  await db.transaction(async (tx) => {
    await insertNotifications(tx, notifications)
    const start = { status: "queued", message: someMessage(channel, "hello") } as const
    const own = { id, notifications: notifications.map((n) => n.id), priority: "normal", addressKey: "a" } as const
    await insertDeliveries(tx, [{ ...about, ...PLAIN_DELIVERY, ...own, start, ...changes, channel }])
  })
  return id
}

const wish = (person: string, wishes: Partial<Preferences>) =>
  db.execute(
    `insert into preferences (recipient_id, wishes) values ($1, $2)
     on conflict (recipient_id) do update set wishes = excluded.wishes`,
    [person, seal({ ...NO_PREFERENCES, ...wishes })],
  )

/** Quiet for an hour before and an hour after now. */
function quietNow(): Pick<Preferences, "quietHours"> {
  const minute = Math.floor(Date.now() / 60_000) % 1_440
  return { quietHours: { from: (minute + 1_380) % 1_440, to: (minute + 60) % 1_440, timezone: "UTC" } }
}

/** A channel that sees these outcomes one after the other, the last of them for ever; `sent` is what it was given. */
function channel(
  name: SendingChannel,
  ...outcomes: readonly Outcome[]
): ChannelWorker & { readonly sent: DeliveryId[] } {
  const sent: DeliveryId[] = []
  const send: ChannelWorker["send"] = ({ id }) => {
    sent.push(id)
    return Promise.resolve(outcomes[sent.length - 1] ?? outcomes.at(-1) ?? DELIVERED)
  }
  return { channel: name, sent, send }
}

const DELIVERED: Outcome = { kind: "delivered", providerMessageId: null }
const BUSY: Outcome = { kind: "retry", reason: "rate_limited", detail: "", retryAfterMs: 60_000 }
const REFUSED: Outcome = { kind: "rejected", reason: "blocked", detail: "" }
const SILENT: Outcome = { kind: "unknown", reason: "timeout", detail: "" }

const state = async (id: DeliveryId) => {
  const found = await getDelivery(db, id, null)
  return found === null ? null : { status: found["status"], reason: found["reason"] }
}
const makeDue = async (id: DeliveryId) => {
  await db.execute("update deliveries set next_attempt_at = now() where id = $1", [id])
  world.pubsub.publish([{ kind: "deliveries_due", channels: ["sms"] }])
}
const settled = (n: number) => world.told.waitFor("delivery_settled", n)
const timers = () => db.query("select kind, rule, action, step, rules_hash, done_at from timers order by id")
const set = (step: number) => ({ kind: "failover", rule, action: 0, step, rules_hash: "h1", done_at: null })
const timersWereTold = () => news.some((one) => one.kind === "timers_set")

test("what waited for an address that nobody has is told as an end, like the try that found it out", async () => {
  const message = someMessage("sms", "hello")
  const later = await plant({
    start: { status: "scheduled", at: Date.now() + 3_600_000, reason: "quiet_hours", message },
  })
  await plant()
  await world.run([channel("sms", { kind: "rejected", reason: "bad_number", detail: "" })])
  await world.told.waitFor("delivery_settled", 1, ({ deliveryId }) => deliveryId === later)
  expect(await state(later)).toEqual({ status: "suppressed", reason: "gone" })
})

describe("what an operator sends again to an address that nobody had", () => {
  const nobody: Outcome = { kind: "rejected", reason: "bad_number", detail: "" }
  const again = async (id: DeliveryId) => {
    const asked = { asked: {}, replayId: null, actor: "op", businesses: null }
    expect(await replayDead(db, { what: { kind: "one", id }, ...asked })).toMatchObject({ kind: "replayed" })
  }
  const ends = (id: DeliveryId, status: string) =>
    world.told.waitFor("delivery_settled", 1, (event) => event.deliveryId === id && event.status === status)
  const learned = async () =>
    eventually(
      () => db.query("select reason from suppressions"),
      (rows) => rows.length > 0,
      { withinMs: 5_000, everyMs: 5, what: "that nobody is there" },
    )

  test("is tried, as its provider may know better by now; what nobody sends again is not", async () => {
    const sms = channel("sms", nobody, DELIVERED)
    await world.run([sms])
    const id = await plant()
    world.pubsub.publish([{ kind: "deliveries_due", channels: ["sms"] }])
    await ends(id, "dead")
    await learned()
    await again(id)
    await ends(id, "delivered")
    const other = await plant()
    await ends(other, "suppressed")
    expect(sms.sent).toEqual([id, id])
  })

  test("is not where its owner has said STOP since", async () => {
    await world.run([channel("sms", nobody, DELIVERED)])
    const id = await plant()
    await ends(id, "dead")
    await learned()
    await db.execute("update suppressions set reason = 'stop', since = now()")
    await again(id)
    await ends(id, "suppressed")
    expect(await state(id)).toEqual({ status: "suppressed", reason: "stop" })
  })
})

describe("right before it is sent, a delivery", () => {
  test("into somebody's quiet hours is held until their end, and no try is written down for it", async () => {
    await wish("ann", quietNow())
    const id = await plant(ASKED)
    const sms = channel("sms", DELIVERED)
    await world.run([sms])
    await settled(1)
    expect(await state(id)).toEqual({ status: "scheduled", reason: "quiet_hours" })
    const [row] = await db.query<{ minutes: number; tries: number }>(
      `select extract(epoch from next_attempt_at - now())::float8 / 60 as minutes, attempt - forgiven as tries
       from deliveries where owner is null and lease_until is null`,
    )
    expect(row?.tries).toBe(0)
    expect(row?.minutes).toBeWithin(58, 61)
    expect(await db.query("select 1 from attempts")).toEqual([])
    expect(sms.sent).toEqual([])

    // When the night is over.
    await db.execute("truncate preferences")
    await makeDue(id)
    await settled(2)
    expect(await state(id)).toEqual({ status: "delivered", reason: null })
    expect(sms.sent).toEqual([id])
  })

  test("whose retry falls into the night is held as well", async () => {
    const id = await plant(ASKED)
    const sms = channel("sms", BUSY, DELIVERED)
    await world.run([sms])
    await settled(1)
    await wish("ann", quietNow())
    await makeDue(id)
    await settled(2)
    expect(await state(id)).toEqual({ status: "scheduled", reason: "quiet_hours" })
    expect(sms.sent).toEqual([id])
  })

  test("is asked about by the category of what is sent, which the inbox item need not have", async () => {
    await wish("ann", { categories: { offers: { sms: false } } })
    const wishes = { ...ASKED.wishes, category: "offers" }
    const [offer, plain] = [await plant({ wishes }), await plant(ASKED)]
    const worker = channel("sms", DELIVERED)
    await world.run([worker])
    await settled(2)
    expect(worker.sent).toEqual([plain])
    expect(await state(offer)).toEqual({ status: "suppressed", reason: "preference_category" })
  })

  test("that nobody wishes any more is suppressed, and the next channel is due", async () => {
    await wish("ann", { channels: { sms: false } })
    const id = await plant({ ...ASKED, failover: true })
    await world.run([channel("sms", DELIVERED)])
    await settled(1)
    expect(await state(id)).toEqual({ status: "suppressed", reason: "preference_channel" })
    expect(await timers()).toEqual([set(0)])
    expect(timersWereTold()).toBe(true)
  })

  test("to an address that several share goes to whoever wishes it now", async () => {
    await wish("ann", quietNow())
    const id = await plant(ASKED, ["ann", "bob"])
    await world.run([channel("sms", DELIVERED)])
    await settled(1)
    expect(await state(id)).toEqual({ status: "delivered", reason: null })
  })

  test("of whom nobody has to be asked goes out, whatever they wish", async () => {
    await wish("ann", { channels: { sms: false } })
    const id = await plant()
    await world.run([channel("sms", DELIVERED)])
    await settled(1)
    expect(await state(id)).toEqual({ status: "delivered", reason: null })
  })

  test("that is tried again for somebody who was deleted meanwhile is called back, though nobody had to be asked", async () => {
    await upsertRecipients(db, [recipient("eve"), recipient("fay")], null)
    const failing = channel("sms", { kind: "retry", reason: "busy", detail: "", retryAfterMs: 60_000 })
    const [alone, shared, left, system] = [
      await plant({}, ["eve"]),
      await plant({}, ["eve", "bob"]),
      await plant({}, ["fay"]),
      await plant({ channel: "webhook" }, []),
    ]
    const tree = await world.run([
      failing,
      channel("webhook", { kind: "retry", reason: "busy", detail: "", retryAfterMs: 60_000 }),
    ])
    await settled(4)
    await tree.stop()
    await deleteRecipient(db, recipientId("eve"), null, "key:1")
    const elsewhere = [{ business: business("b2"), locations: null, roles: [] }]
    await upsertRecipients(db, [recipient("fay", { memberships: elsewhere })], null)
    await db.execute("update deliveries set next_attempt_at = now()")
    const [sms, webhook] = [channel("sms", DELIVERED), channel("webhook", DELIVERED)]
    await world.run([sms, webhook])
    await settled(8)
    expect(await state(alone)).toEqual({ status: "cancelled", reason: "recipient_gone" })
    expect(await state(left)).toEqual({ status: "cancelled", reason: "recipient_gone" })
    expect([...sms.sent, ...webhook.sent].sort()).toEqual([shared, system].sort())
  })

  test("to somebody who is gone, or no longer of the business, is called back", async () => {
    const [held, shared, moved] = [
      await plant(ASKED, ["cem"]),
      await plant(ASKED, ["cem", "bob"]),
      await plant(ASKED, ["dan"]),
    ]
    await upsertRecipients(db, [recipient("cem"), recipient("dan")], null)
    await deleteRecipient(db, recipientId("cem"), null, "key:1")
    const elsewhere = [{ business: business("b2"), locations: null, roles: [] }]
    await upsertRecipients(db, [recipient("dan", { memberships: elsewhere })], null)
    const sms = channel("sms", DELIVERED)
    await world.run([sms])
    await settled(3)
    expect(await state(held)).toEqual({ status: "cancelled", reason: "recipient_gone" })
    expect(await state(moved)).toEqual({ status: "cancelled", reason: "recipient_gone" })
    expect(sms.sent).toEqual([shared])
    expect(await timers()).toEqual([])
  })

  test("is no duplicate where the database goes away between its claim and the question", async () => {
    const id = await plant(ASKED)
    let cuts = 1
    const cut: Database = {
      ...db,
      query: (text, values) =>
        text.includes("left join preferences") && cuts-- > 0
          ? Promise.reject(new Error("Connection terminated"))
          : db.query(text, values),
    }
    const sms = channel("sms", DELIVERED)
    await world.run([sms], { db: cut })
    await settled(1)
    expect(sms.sent).toEqual([id])
    expect(await db.query("select attempt - forgiven as tries, maybe_duplicate from deliveries")).toEqual([
      { tries: 1, maybe_duplicate: false },
    ])
  })

  test("whose wish cannot be read is not sent: it may be a no", async () => {
    await db.execute("insert into preferences (recipient_id, wishes) values ('ann', $1)", [Buffer.from([9, 9])])
    await plant(ASKED)
    const other = await plant({ priority: "low" }, ["bob"])
    const sms = channel("sms", DELIVERED)
    await world.run([sms])
    await settled(1)
    expect(sms.sent).toEqual([other])
    expect(world.told.of("bug_found")).toMatchObject([{ where: "delivery of sms" }])
  })

  test("is asked about on days on which the clock is set", () => {
    const zone = "Europe/Berlin"
    const night = { ...NO_PREFERENCES, quietHours: { from: 22 * 60, to: 7 * 60, timezone: zone } }
    const person = { severity: "info", timezone: zone, preferences: night } as const
    const ask = (at: string) => wishForAll({ channel: "sms", ...ASKED }, [person], Date.parse(at))
    const held = (until: string) => ({ kind: "hold", until: Date.parse(until), reason: "quiet_hours" })
    // An hour less of night, an hour more of it, and the edges: held from the first minute, and no more at the last.
    expect(ask("2026-03-28T21:30:00Z")).toEqual(held("2026-03-29T05:00:00Z") as never)
    expect(ask("2026-10-24T20:30:00Z")).toEqual(held("2026-10-25T06:00:00Z") as never)
    expect(ask("2026-03-29T04:59:00Z")).toEqual(held("2026-03-29T05:00:00Z") as never)
    expect(ask("2026-03-29T05:00:00Z")).toEqual({ kind: "send" })
  })
})

describe("a delivery whose time is over", () => {
  const past = () => ({ expiresAt: Date.now() - 1_000 })
  const soon = () => ({ expiresAt: Date.now() + 30_000 })

  test("has expired when it is claimed, and is not sent", async () => {
    const [over, next] = [await plant({ ...past(), failover: true }), await plant(soon())]
    const sms = channel("sms", DELIVERED)
    await world.run([sms])
    await settled(2)
    expect(await state(over)).toEqual({ status: "expired", reason: "expires_in" })
    expect(await state(next)).toEqual({ status: "delivered", reason: null })
    expect(sms.sent).toEqual([next])
    expect(await timers()).toEqual([set(0)])
    expect(timersWereTold()).toBe(true)
  })

  test("before its next try would be due has expired at once", async () => {
    const id = await plant({ ...soon(), failover: true })
    await world.run([channel("sms", BUSY)])
    await settled(1)
    expect(await state(id)).toEqual({ status: "expired", reason: "expires_in" })
    expect(world.told.of("delivery_settled")).toMatchObject([{ status: "expired", reason: "expires_in" }])
    expect(await timers()).toEqual([set(0)])
  })

  test("before the night is has expired in it", async () => {
    await wish("ann", quietNow())
    const id = await plant({ ...ASKED, ...soon() })
    await world.run([channel("sms", DELIVERED)])
    await settled(1)
    expect(await state(id)).toEqual({ status: "expired", reason: "expires_in" })
  })

  test("while its holder was lost has expired, and may have been sent", async () => {
    const [over, held] = [
      await plant({ ...past(), failover: true }),
      await plant({ holdUnknown: true, failover: true }),
    ]
    await db.execute(
      "update deliveries set status = 'sending', attempt = 1, owner = 'x', lease_until = now() - interval '1 s'",
    )
    await world.run([])
    await world.told.waitFor("deliveries_rescued", 1)
    expect(await state(over)).toEqual({ status: "expired", reason: "expires_in" })
    expect(await state(held)).toEqual({ status: "unknown", reason: "lost" })
    expect(await timers()).toEqual([])
  })
})

describe("a delivery that may have been sent", () => {
  test("is held where its rule says so, but for a channel that knows a repeated try", async () => {
    const [sms, email] = [await plant({ holdUnknown: true }), await plant({ holdUnknown: true, channel: "email" })]
    const policies = retryPolicies(null)
    await world.run([channel("sms", SILENT), channel("email", SILENT)], { policyOf: (of) => policies[of] })
    await settled(2)
    expect(await state(sms)).toEqual({ status: "unknown", reason: "timeout" })
    expect(await state(email)).toEqual({ status: "retrying", reason: "timeout" })
  })

  test("by SMTP, where nobody knows a repetition, is held as its rule says, also when its holder was lost", async () => {
    const [tried, lost] = [
      await plant({ holdUnknown: true, channel: "email" }),
      await plant({ holdUnknown: true, channel: "email" }),
    ]
    await db.execute(
      `update deliveries set status = 'sending', attempt = 1, owner = 'x', lease_until = now() - interval '1 s' where id = $1`,
      [lost],
    )
    const policyOf = (): RetryPolicy => retryPolicies(null, false).email
    await world.run([channel("email", SILENT)], { policyOf })
    await settled(2)
    await world.told.waitFor("deliveries_rescued", 1)
    expect(await state(tried)).toEqual({ status: "unknown", reason: "timeout" })
    expect(await state(lost)).toEqual({ status: "unknown", reason: "lost" })
  })

  test("is no reason for the next channel when it is given up", async () => {
    const id = await plant({ failover: true })
    await world.run([channel("sms", SILENT, REFUSED)])
    await settled(1)
    await makeDue(id)
    await settled(2)
    expect(await state(id)).toEqual({ status: "dead", reason: "blocked" })
    expect(await timers()).toEqual([])
  })
})

describe("a delivery that is definitely not sent", () => {
  test("sets the timer of the next channel once, though it dies again when it is replayed", async () => {
    const id = await plant({ failover: true })
    await world.run([channel("sms", REFUSED)])
    await settled(1)
    expect(await timers()).toEqual([set(0)])
    expect(timersWereTold()).toBe(true)
    await db.execute("update timers set done_at = now()")
    await replayDead(db, { what: { kind: "one", id }, asked: {}, replayId: null, actor: "op", businesses: null })
    await makeDue(id)
    await settled(2)
    expect(await db.query("select 1 from timers")).toHaveLength(1)
  })

  test("says with its round which channel it was, and without failover nothing follows", async () => {
    await plant({ failover: true, round: "failover:0:0:2" })
    await plant({})
    await world.run([channel("sms", REFUSED)])
    await settled(2)
    expect(await timers()).toEqual([set(1)])
  })
})
