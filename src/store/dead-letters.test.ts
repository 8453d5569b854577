import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { DEFAULT_RETRY, type Outcome, settle } from "../domain/delivery.ts"
import { type BusinessId, newDeliveryId } from "../domain/ids.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { seedDeliveries } from "../testing/seed-deliveries.ts"
import { type Database, openDatabase } from "./database.ts"
import { listDeadLetters, replayDead } from "./dead-letters.ts"
import { claimDue, settleMany } from "./deliveries.ts"
import { deliveryMessage, getDelivery, listDeliveries, listOutbox } from "./delivery-reads.ts"

let server: TestDatabase
let db: Database
beforeAll(async () => {
  server = await testDatabase()
  db = openDatabase({ url: server.url, max: 4 })
})
beforeEach(() => db.execute("truncate deliveries, messages, attempts"))
afterAll(async () => {
  await db.close()
  await server.drop()
})

const B1 = "b1" as BusinessId // matches the pattern
const B2 = "b2" as BusinessId // matches the pattern
const OK: Outcome = { kind: "delivered", providerMessageId: "42" }
const BLOCKED: Outcome = { kind: "rejected", reason: "blocked_by_recipient", detail: "403 blocked" }
const SILENT: Outcome = { kind: "unknown", reason: "timeout", detail: "no answer" }

/** Claims what is due and settles all of it so. */
const sendAll = async (outcome: Outcome) => {
  const claimed = await claimDue(db, { channel: "telegram", limit: 100, owner: "a", leaseMs: 15_000 })
  const policy = { ...DEFAULT_RETRY, onUnknown: "hold" as const }
  const items = claimed.map((one) => {
    const settlement = settle({ attempt: one.tries, ageMs: one.ageMs }, outcome, policy, 0.5)
    return { id: one.id, attempt: one.attempt, outcome, settlement }
  })
  await settleMany(db, "a", items)
  return claimed
}

describe("deliveries", () => {
  test("are read with every attempt, by those of the business alone", async () => {
    const [id] = await seedDeliveries(db, [{ business: "b1" }])
    await sendAll(OK)
    if (id === undefined) throw new Error("nothing seeded")
    const delivery = await getDelivery(db, id, [B1])
    expect(delivery).toMatchObject({
      id,
      rule: "a-rule",
      rules_revision: "r1",
      channel: "telegram",
      status: "delivered",
      reason: null,
      receipt: null,
      maybe_duplicate: false,
      next_attempt_at: null,
      attempts: [{ number: 1, outcome: "delivered", reason: null, detail: null, provider_message_id: "42" }],
    })
    expect(delivery?.["event_id"]).toStartWith("evt_")
    expect(delivery?.["notification_ids"]).toEqual([`ntf_${id}`])
    expect(await getDelivery(db, id, [B2])).toBeNull()
    expect(await getDelivery(db, id, null)).not.toBeNull()
    expect(await getDelivery(db, newDeliveryId(0), null)).toBeNull()
    expect(await deliveryMessage(db, id)).toMatchObject({ channel: "telegram" })
  })

  test("are listed newest first, page after page, by business, status and channel", async () => {
    const ids = await seedDeliveries(
      db,
      [0, 1, 2, 3, 4].map((n) => ({ business: n < 4 ? "b1" : "b2" })),
    )
    await seedDeliveries(db, [{ channel: "sms" }])
    const telegram = { businesses: [B1], channel: "telegram" as const, limit: 3 }
    const first = await listDeliveries(db, telegram)
    expect(first.deliveries.map((one) => one["id"])).toEqual([ids[3], ids[2], ids[1]])
    expect(first.hasMore).toBe(true)
    const rest = await listDeliveries(db, { ...telegram, after: ids[1] })
    expect(rest.deliveries.map((one) => one["id"])).toEqual([ids[0]])
    expect(rest.hasMore).toBe(false)
    await sendAll(OK)
    expect((await listDeliveries(db, { businesses: null, status: "delivered", limit: 50 })).deliveries).toHaveLength(5)
    expect((await listDeliveries(db, { businesses: null, status: "queued", limit: 50 })).deliveries).toHaveLength(1)
    expect((await listDeliveries(db, { businesses: [], limit: 50 })).deliveries).toHaveLength(0)
  })

  test("that were captured show the message as its reader would see it, and no webhook's path", async () => {
    const message = {
      channel: "slack" as const,
      text: "hello",
      webhookUrl: "https://hooks.slack.com/services/T0/B0/secret",
      actionUrl: "https://x.example/1",
      actionLabel: null,
    }
    await seedDeliveries(db, [{ channel: "slack", message }, { channel: "slack" }])
    await db.execute("update deliveries set status = 'captured'")
    const page = await listOutbox(db, { businesses: [B1], limit: 1 })
    expect(page.hasMore).toBe(true)
    expect(page.deliveries).toMatchObject([{ status: "captured", message: { to: null, text: "message 1" } }])
    const [, last] = (await listOutbox(db, { businesses: [B1], channel: "slack", limit: 50 })).deliveries
    expect(last).toMatchObject({
      message: {
        to: "https://hooks.slack.com/…",
        text: "hello",
        action_url: "https://x.example/1",
        action_label: null,
      },
    })
    expect((await listOutbox(db, { businesses: [B2], limit: 50 })).deliveries).toHaveLength(0)
  })
})

describe("dead letters", () => {
  test("are listed with the counts of their causes over all pages", async () => {
    await seedDeliveries(db, [{}, {}])
    await sendAll(BLOCKED)
    await seedDeliveries(db, [{}])
    await sendAll(SILENT)
    await seedDeliveries(db, [{ business: "b2" }])
    await sendAll(BLOCKED)
    const dead = await listDeadLetters(db, { businesses: [B1], limit: 1 })
    expect(dead.deliveries).toMatchObject([
      { status: "unknown", reason: "timeout", attempts: [{ outcome: "unknown" }] },
    ])
    expect(dead.hasMore).toBe(true)
    expect(dead.groups).toEqual([
      { channel: "telegram", status: "dead", reason: "blocked_by_recipient", count: 2 },
      { channel: "telegram", status: "unknown", reason: "timeout", count: 1 },
    ])
  })

  test("are sent again with their history and a new budget", async () => {
    const [id] = await seedDeliveries(db, [{}])
    if (id === undefined) throw new Error("nothing seeded")
    await db.execute("update deliveries set attempt = 11, created_at = now() - interval '2 days'")
    await sendAll(BLOCKED)
    expect(await replayDead(db, id, [B1])).toEqual({ kind: "replayed", channel: "telegram" })
    expect(await getDelivery(db, id, null)).toMatchObject({
      status: "queued",
      reason: "replayed",
      maybe_duplicate: false,
    })
    const [claimed] = await sendAll(OK)
    expect(claimed).toMatchObject({ attempt: 13, tries: 1 })
    expect(claimed?.ageMs).toBeLessThan(60_000)
    expect(await getDelivery(db, id, null)).toMatchObject({
      status: "delivered",
      attempts: [
        { number: 12, outcome: "rejected" },
        { number: 13, outcome: "delivered" },
      ],
    })
  })

  test("that may have been sent say so when they are sent again", async () => {
    const [id] = await seedDeliveries(db, [{}])
    if (id === undefined) throw new Error("nothing seeded")
    await sendAll(SILENT)
    await replayDead(db, id, null)
    expect(await getDelivery(db, id, null)).toMatchObject({ status: "queued", maybe_duplicate: true })
  })

  test("are replayed once, by those of the business alone, and nothing else is", async () => {
    const [id] = await seedDeliveries(db, [{}])
    if (id === undefined) throw new Error("nothing seeded")
    expect(await replayDead(db, id, [B1])).toEqual({ kind: "not_dead", status: "queued" })
    await sendAll(BLOCKED)
    expect(await replayDead(db, id, [B2])).toEqual({ kind: "absent" })
    const answers = await Promise.all([1, 2, 3].map(() => replayDead(db, id, [B1])))
    expect(answers.filter(({ kind }) => kind === "replayed")).toHaveLength(1)
  })
})
