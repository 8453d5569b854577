import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { DEFAULT_RETRY, type Outcome, settle } from "../domain/delivery.ts"
import { type BusinessId, type DeliveryId, newDeliveryId } from "../domain/ids.ts"
import { eventually } from "../testing/eventually.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { seedDeliveries } from "../testing/seed-deliveries.ts"
import { appendAudit, listAudit } from "./audit.ts"
import { type Database, openDatabase } from "./database.ts"
import { type DeadLetterFilter, listDeadLetters } from "./dead-letters.ts"
import { claimDue, settleMany } from "./deliveries.ts"
import { deliveryMessage, getDelivery, listDeliveries } from "./delivery-reads.ts"
import { listOutbox } from "./outbox.ts"
import { countDeadLetters, type ReplayRequest, replayDead } from "./replays.ts"

let server: TestDatabase
let db: Database
beforeAll(async () => {
  server = await testDatabase()
  db = openDatabase({ url: server.url, max: 4 })
})
beforeEach(() => db.execute("truncate deliveries, messages, attempts, replay_pace"))
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
    return { id: one.id, attempt: one.attempt, outcome, settlement, account: "own" }
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
    const page = await listOutbox(db, { alsoOf: [], businesses: [B1], limit: 1 })
    expect(page.hasMore).toBe(true)
    expect(page.deliveries).toMatchObject([{ status: "captured", message: { to: null, text: "message 1" } }])
    const [, last] = (await listOutbox(db, { alsoOf: [], businesses: [B1], channel: "slack", limit: 50 })).deliveries
    expect(last).toMatchObject({
      message: {
        to: "https://hooks.slack.com/…",
        text: "hello",
        action_url: "https://x.example/1",
        action_label: null,
      },
    })
    expect((await listOutbox(db, { alsoOf: [], businesses: [B2], limit: 50 })).deliveries).toHaveLength(0)
  })
})

/** Replays one, as an operator of these businesses. */
const replayOne = (id: DeliveryId, businesses: readonly BusinessId[] | null, replayId: string | null = null) =>
  replayDead(db, { what: { kind: "one", id }, asked: { job_id: id }, replayId, actor: "key:1", businesses })
const replayAll = (filter: DeadLetterFilter, perSecond: number, more: Partial<ReplayRequest> = {}) =>
  replayDead(db, {
    what: { kind: "filter", filter, perSecond },
    asked: { filter: JSON.stringify(filter), per_second: perSecond },
    replayId: null,
    actor: "key:1",
    businesses: null,
    ...more,
  })
const statuses = async (): Promise<readonly string[]> =>
  (await db.query<{ status: string }>("select status from deliveries order by id")).map(({ status }) => status)
/** Seconds from now until each is due, in the order of their ids. */
const dueIn = async (): Promise<readonly number[]> =>
  (
    await db.query<{ s: number }>(
      "select round(extract(epoch from next_attempt_at - replayed_at) * 10)::int / 10.0::float8 as s from deliveries order by id",
    )
  ).map(({ s }) => s)

describe("dead letters", () => {
  test("are listed with the counts of their causes over all pages, by every filter", async () => {
    await seedDeliveries(db, [{}, {}])
    await sendAll(BLOCKED)
    await seedDeliveries(db, [{}])
    await sendAll(SILENT)
    await seedDeliveries(db, [{ business: "b2" }])
    await sendAll(BLOCKED)
    const asked = { businesses: [B1], filter: {}, limit: 1 }
    const dead = await listDeadLetters(db, asked)
    expect(dead.deliveries).toMatchObject([
      { status: "unknown", reason: "timeout", attempts: [{ outcome: "unknown" }] },
    ])
    expect(dead.hasMore).toBe(true)
    const cause = { channel: "telegram", account: "own", rule: "a-rule" }
    const blocked = { ...cause, status: "dead", reason: "blocked_by_recipient", count: 2 }
    expect(dead.groups).toEqual([blocked, { ...cause, status: "unknown", reason: "timeout", count: 1 }])
    const filters: readonly [DeadLetterFilter, number][] = [
      [{ channel: "telegram" }, 3],
      [{ channel: "sms" }, 0],
      [{ status: "dead" }, 2],
      [{ reason: "timeout" }, 1],
      [{ rule: "another" }, 0],
      [{ account: "own" }, 3],
      [{ account: "mattermost.example" }, 0],
      [{ business: B2 }, 0],
      [{ since: Date.now() - 60_000, until: Date.now() + 60_000 }, 3],
      [{ since: Date.now() + 60_000 }, 0],
      [{ until: Date.now() - 60_000 }, 0],
    ]
    for (const [filter, count] of filters) {
      const { deliveries, groups } = await listDeadLetters(db, { businesses: [B1], filter, limit: 50 })
      expect([filter, deliveries.length]).toEqual([filter, count])
      expect(groups.reduce((sum, group) => sum + Number(group["count"]), 0)).toBe(count)
    }
  })

  test("are sent again with their history and a new budget", async () => {
    const [id] = await seedDeliveries(db, [{}])
    if (id === undefined) throw new Error("nothing seeded")
    await db.execute("update deliveries set attempt = 11, created_at = now() - interval '2 days'")
    await sendAll(BLOCKED)
    expect(await replayOne(id, [B1])).toMatchObject({ kind: "replayed", channels: ["telegram"] })
    expect(await getDelivery(db, id, null)).toMatchObject({
      status: "queued",
      reason: "replayed",
      maybe_duplicate: false,
      next: { again: true, code: "replayed" },
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
    await replayOne(id, null)
    expect(await getDelivery(db, id, null)).toMatchObject({ status: "queued", maybe_duplicate: true })
  })

  test("of a provider that knows keys say so when it has forgotten theirs, where it may have taken one", async () => {
    const tries = [
      { reason: "timeout", hoursAgo: 25, marked: true },
      { reason: "timeout", hoursAgo: 23, marked: false },
      { reason: "rate_limited", hoursAgo: 25, marked: false },
    ]
    const ids = await seedDeliveries(
      db,
      tries.map(() => ({ channel: "email" as const })),
    )
    await db.execute("update deliveries set status = 'dead', attempt = 1, settled_at = now()")
    for (const [index, { reason, hoursAgo }] of tries.entries())
      await db.execute(
        `insert into attempts (delivery_id, number, started_at, outcome, reason)
        values ($1, 1, now() - $2 * interval '1 hour', 'retry', $3)`,
        [ids[index] ?? "", hoursAgo, reason],
      )
    await replayAll({}, 100)
    const rows = await db.query<{ marked: boolean }>("select maybe_duplicate as marked from deliveries order by id")
    expect(rows).toEqual(tries.map(({ marked }) => ({ marked })))
  })

  test("of such a provider say so too where the key is forgotten by the time that their turn comes", async () => {
    await seedDeliveries(db, [{ channel: "email" }, { channel: "email" }])
    await db.execute("update deliveries set status = 'dead', attempt = 1, settled_at = now()")
    await db.execute(
      `insert into attempts (delivery_id, number, started_at, outcome, reason)
      select id, 1, now() - interval '23 hours 59 minutes', 'retry', 'timeout' from deliveries`,
    )
    await replayAll({}, 0.01)
    const rows = await db.query<{ marked: boolean }>("select maybe_duplicate as marked from deliveries order by id")
    expect(rows).toEqual([{ marked: false }, { marked: true }])
  })

  test("one whose address complains while an operator sends it again ends neither of them", async () => {
    const [id] = await seedDeliveries(db, [{}])
    if (id === undefined) throw new Error("nothing seeded")
    await sendAll(SILENT)
    const replayed = await db.transaction(async (tx) => {
      // As a report does: first its delivery, at last the log.
      await tx.execute("select from deliveries where id = $1 for update", [id])
      const replaying = replayOne(id, null).catch(String)
      const waiting = "select pid from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
      const options = { withinMs: 5_000, everyMs: 5, what: "the replay waits for the delivery" }
      await eventually(
        () => db.query(waiting),
        (found) => found.length > 0,
        options,
      )
      await appendAudit(tx, { actor: "address:1", action: "address.stop", businesses: null, key: null, detail: {} })
      return { replaying }
    })
    expect(await replayed.replaying).toMatchObject({ kind: "replayed" })
  })

  test("are replayed once, by those of the business alone, and nothing else is", async () => {
    const [id] = await seedDeliveries(db, [{}])
    if (id === undefined) throw new Error("nothing seeded")
    expect(await replayOne(id, [B1])).toEqual({ kind: "not_dead", status: "queued" })
    await sendAll(BLOCKED)
    expect(await replayOne(id, [B2])).toEqual({ kind: "absent" })
    const answers = await Promise.all([1, 2, 3].map(() => replayOne(id, [B1])))
    expect(answers.filter(({ kind }) => kind === "replayed")).toHaveLength(1)
  })

  test("whose rule's time is over stay where they are, and are counted", async () => {
    const [id] = await seedDeliveries(db, [{}, {}])
    if (id === undefined) throw new Error("nothing seeded")
    await sendAll(BLOCKED)
    await db.execute("update deliveries set expires_at = now() where id = $1", [id])
    expect(await replayOne(id, null)).toEqual({ kind: "late" })
    expect(await countDeadLetters(db, null, {})).toEqual({ matched: 1, late: 1 })
    expect(await replayAll({}, 10)).toMatchObject({ counts: { replayed: 1, left: 0, late: 1 } })
    expect(await statuses()).toEqual(["dead", "queued"])
  })
})

describe("a replay of many", () => {
  test("is spread over time on each channel, and the next one begins behind it", async () => {
    await seedDeliveries(db, [{}, {}, {}])
    await sendAll(BLOCKED)
    const first = await replayAll({}, 2)
    expect(first).toMatchObject({ counts: { replayed: 3, left: 0, late: 0, channels: { telegram: 3 } } })
    expect(await dueIn()).toEqual([0, 0.5, 1])
    expect(await statuses()).toEqual(["queued", "scheduled", "scheduled"])
    await db.execute("update deliveries set next_attempt_at = now()")
    await sendAll(BLOCKED)
    await replayAll({}, 10)
    const [soonest = 0] = await dueIn()
    expect(soonest).toBeGreaterThan(0)
  })

  test("with a replay id is done once, however often and however many at once ask, and answers the same", async () => {
    await seedDeliveries(db, [{}, {}, {}])
    await sendAll(BLOCKED)
    const ask = () => replayAll({ channel: "telegram" }, 100, { replayId: "monday" })
    const answers = await Promise.all([ask(), ask(), ask()])
    expect(answers).toMatchObject([1, 2, 3].map(() => ({ kind: "replayed", counts: { replayed: 3 } })))
    expect(answers.filter((one) => one.kind === "replayed" && !one.before)).toHaveLength(1)
    // They die again; the same id is still the same replay.
    await db.execute("update deliveries set next_attempt_at = now()")
    await sendAll(BLOCKED)
    expect(await ask()).toMatchObject({ kind: "replayed", before: true, counts: { replayed: 3 } })
    expect(await statuses()).toEqual(["dead", "dead", "dead"])
    expect(await replayAll({ channel: "sms" }, 100, { replayId: "monday" })).toMatchObject({ kind: "reused" })
    // Another tenant's id is another id.
    expect(await replayAll({}, 100, { replayId: "monday", businesses: [B1] })).toMatchObject({ before: false })
  })

  test("is in the audit log with who asked for what and how many, and nothing is written of one that did nothing wrong", async () => {
    await seedDeliveries(db, [{}, {}])
    await sendAll(BLOCKED)
    const done = await replayAll({ reason: "blocked_by_recipient" }, 5, { actor: "person:op", businesses: [B1] })
    const { entries } = await listAudit(db, { businesses: [B1], after: null, limit: 1 })
    expect(entries).toMatchObject([
      {
        seq: done.kind === "replayed" ? done.audit : 0,
        actor: "person:op",
        action: "dlq.replay",
        businesses: ["b1"],
        detail: { asked: { filter: '{"reason":"blocked_by_recipient"}', per_second: 5 }, replayed: 2, replay_id: null },
      },
    ])
    expect((await listAudit(db, { businesses: [B2], after: null, limit: 50 })).entries).toEqual([])
  })
})

test("what a try saw is never rewritten", async () => {
  await seedDeliveries(db, [{}])
  await sendAll(BLOCKED)
  const rewritten = db.execute("update attempts set outcome = 'delivered'").catch((error: unknown) => String(error))
  expect(await rewritten).toContain("attempts is append-only")
})
