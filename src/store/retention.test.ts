import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { randomBytes } from "node:crypto"
import { idFloor } from "../domain/ids.ts"
import { notificationStream, resourceStream } from "../domain/stream.ts"
import { business, location, recipientId } from "../testing/builders.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { keepBacktest } from "./backtests.ts"
import { type Database, openDatabase } from "./database.ts"
import { PRUNE_STEPS, type Retention } from "./retention.ts"
import { seal } from "./sealed.ts"
import { streamHistory } from "./streams.ts"

let database: TestDatabase
let db: Database
beforeAll(async () => {
  database = await testDatabase()
  db = openDatabase({ url: database.url })
})
afterAll(async () => {
  await db.close()
  await database.drop()
})
afterEach(() =>
  db.execute(`truncate events, routing_queue, routes, raw_bodies, streams, stream_entries, notifications, deliveries,
    messages, attempts, rejected, rule_sets, rate_buckets, timers, digest_events, gates, backtests`),
)

const DAY = 86_400_000
const NOW = Date.now()
const KEEP: Retention = { eventsMs: 90 * DAY, notificationsMs: 180 * DAY, attemptsMs: 60 * DAY, rejectedMs: 30 * DAY }
const LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
const tail = (): string => [...randomBytes(16)].map((byte) => LETTERS[byte & 31]).join("")
/** An id that was made so many days ago. */
const madeAgo = (prefix: Parameters<typeof idFloor>[0], days: number): string =>
  idFloor(prefix, NOW - days * DAY) + tail()
const ago = (days: number): Date => new Date(NOW - days * DAY)

/** All steps to their end; the rows that went, by table. */
async function prune(limit = 1_000, retention = KEEP): Promise<Record<string, number>> {
  const gone: Record<string, number> = {}
  for (const step of PRUNE_STEPS) {
    for (let after: string | null = ""; after !== null; ) {
      const batch = await step.batch(db, retention, NOW, after, limit)
      for (const [table, count] of Object.entries(batch.rows)) gone[table] = (gone[table] ?? 0) + count
      after = batch.next
    }
  }
  return Object.fromEntries(Object.entries(gone).filter(([, count]) => count > 0))
}

const B = business("b1")
const L = location("l1")
async function event(
  days: number,
  more: { acceptedDays?: number; key?: string; at?: typeof L | null } = {},
): Promise<string> {
  const id = madeAgo("evt_", days)
  await db.execute(
    `insert into events (id, business_id, location_id, type, source, severity, occurred_at, accepted_at, idempotency_key,
      content_hash, payload) values ($1, $2, $3, 't', 's', 'info', now(), $4, $5, '', $6)`,
    [id, B, more.at ?? null, ago(more.acceptedDays ?? days), more.key ?? null, seal({})],
  )
  return id
}
async function delivery(event: string, days: number, status = "delivered", settledDays: number | null = days) {
  const id = madeAgo("dlv_", days)
  await db.execute(
    `insert into deliveries (id, event_id, notification_ids, rule, rules_revision, business_id, channel, address_hash,
      status, created_at, settled_at) values ($1, $2, $3, 'r', 'rev', $4, 'email', $5, $6, $7, $8)`,
    [id, event, [], B, randomBytes(16), status, ago(days), settledDays === null ? null : ago(settledDays)],
  )
  await db.execute("insert into messages (delivery_id, message) values ($1, '')", [id])
  await attempt(id, days)
  return id
}
const attempt = (id: string, days: number) =>
  db.execute(
    `insert into attempts (delivery_id, number, started_at, finished_at, outcome)
    select $1, count(*) + 1, $2, $2, 'delivered' from attempts where delivery_id = $1`,
    [id, ago(days)],
  )
async function notification(event: string, days: number, recipient = "u1"): Promise<string> {
  const id = madeAgo("ntf_", days)
  await db.execute(
    `insert into notifications (id, event_id, rule, rules_revision, recipient_id, business_id, severity, priority, inbox,
      content, created_at) values ($1, $2, 'r', 'rev', $3, $4, 'info', 'normal', true, $5, $6)`,
    [id, event, recipient, B, seal({ title: "t", body: "b" }), ago(days)],
  )
  return id
}
/** Puts messages at the next positions of a stream. */
async function push(stream: string, refs: readonly string[]): Promise<void> {
  for (const ref of refs)
    await db.execute(
      `with moved as (
         insert into streams (key, position) values ($1, 1)
         on conflict (key) do update set position = streams.position + 1 returning position
       ) insert into stream_entries (stream, position, ref) select $1, position, $2 from moved`,
      [stream, ref],
    )
}
const ids = async (table: string, column = "id"): Promise<readonly string[]> =>
  (await db.query<{ id: string }>(`select ${column} as id from ${table} order by 1`)).map(({ id }) => id)

describe("when its time is over", () => {
  test("an event goes with its routes, raw body and places in streams; a younger one stays with its own", async () => {
    const old = await event(91, { at: L })
    const young = await event(89, { at: L })
    for (const id of [old, young]) {
      await db.execute("insert into routes (event_id, rules_revision, decisions) values ($1, 'r', '')", [id])
      await db.execute("insert into raw_bodies (event_id, body) values ($1, '')", [id])
    }
    await push(resourceStream(B, L), [old, young])
    await push(resourceStream(B, null), [old, young])
    expect(await prune()).toEqual({ events: 1, routes: 1, raw_bodies: 1, stream_entries: 2 })
    expect(await ids("events")).toEqual([young])
    expect(await ids("routes", "event_id")).toEqual([young])
    expect(await ids("raw_bodies", "event_id")).toEqual([young])
    expect(await ids("stream_entries", "ref")).toEqual([young, young])
  })

  test("an event that is still to be routed or sent stays, however old it is", async () => {
    const queued = await event(400)
    await db.execute("insert into routing_queue (event_id) values ($1)", [queued])
    const open: string[] = []
    for (const status of ["scheduled", "queued", "sending", "retrying"]) {
      const id = await event(400)
      await delivery(id, 399, status, null)
      open.push(id)
    }
    await prune()
    expect([...(await ids("events"))].sort()).toEqual([queued, ...open].sort())
    expect(await ids("deliveries")).toHaveLength(4)
    expect(await ids("messages", "delivery_id")).toHaveLength(4)
    expect(await ids("attempts", "delivery_id")).toHaveLength(4)
    await db.execute("update deliveries set status = 'dead', settled_at = $1", [ago(200)])
    await db.execute("delete from routing_queue")
    await prune()
    expect(await ids("events")).toEqual([])
    expect(await ids("deliveries")).toEqual([])
  })

  test("the database's clock decides: an id from a node whose clock was wrong costs no event its time", async () => {
    const fresh = await event(20_000, { acceptedDays: 1 })
    expect(await prune()).toEqual({})
    expect(await ids("events")).toEqual([fresh])
  })

  test("an idempotency key lives as long as its event", async () => {
    await event(89, { key: "k1" })
    await event(91, { key: "k2" })
    await prune()
    expect(await ids("events", "idempotency_key")).toEqual(["k1"])
  })

  test("a notification goes with its delivery, message and place in the inbox's stream, read or not", async () => {
    const old = await notification(await event(1), 181)
    const young = await notification(await event(1), 179)
    await push(notificationStream(recipientId("u1")), [old, young])
    const gone = await delivery("evt_gone", 181)
    const kept = await delivery("evt_kept", 179)
    expect(await prune()).toEqual({ notifications: 1, deliveries: 1, messages: 1, attempts: 2, stream_entries: 1 })
    expect(await ids("notifications")).toEqual([young])
    expect(await ids("deliveries")).toEqual([kept])
    expect(await ids("messages", "delivery_id")).toEqual([kept])
    expect(await ids("deliveries")).not.toContain(gone)
  })

  test("a notification that is still being sent stays", async () => {
    const id = await notification("evt_x", 300)
    await delivery("evt_x", 300, "retrying", null)
    await db.execute("update deliveries set notification_ids = $1", [[id]])
    await prune()
    expect(await ids("notifications")).toEqual([id])
    await db.execute("update deliveries set status = 'delivered', settled_at = $1", [ago(200)])
    await prune()
    expect(await ids("notifications")).toEqual([])
  })

  test("a dead letter that was replayed and settled lately has its time anew", async () => {
    const id = await delivery("evt_x", 300, "delivered", 2)
    await prune()
    expect(await ids("deliveries")).toEqual([id])
  })

  test("attempts go by their own time, and the delivery that they belong to stays", async () => {
    const id = await delivery("evt_x", 61)
    await attempt(id, 59)
    expect(await prune()).toEqual({ attempts: 1 })
    expect(await ids("deliveries")).toEqual([id])
  })

  test("rejected input goes by when it was last seen", async () => {
    const rows = [
      [31, 31],
      [31, 29],
      [29, 29],
    ] as const
    for (const [received, last] of rows)
      await db.execute(
        `insert into rejected (id, received_at, via, code, origin, fingerprint, last_at, content)
         values ($1, $2, 'http', 'invalid', 'x', $3, $4, '')`,
        [madeAgo("rej_", received), ago(received), randomBytes(16), ago(last)],
      )
    expect(await prune()).toEqual({ rejected: 1 })
  })

  test("a rule set goes when nothing that was decided under it is kept any more", async () => {
    for (const [hash, days] of [
      ["old", 182],
      ["used", 180],
      ["running", 0],
    ] as const)
      await db.execute("insert into rule_sets (hash, revision, files, used_at) values ($1, $1, '', $2)", [
        hash,
        ago(days),
      ])
    expect(await prune()).toEqual({ rule_sets: 1 })
    expect(await ids("rule_sets", "hash")).toEqual(["running", "used"])
  })

  test("a backtest goes with the events that it quotes", async () => {
    await keepBacktest(db, { rules: [] })
    await db.execute("update backtests set finished_at = $1", [ago(89)])
    expect(await prune()).toEqual({})
    await db.execute("update backtests set finished_at = $1", [ago(91)])
    expect(await prune()).toEqual({ backtests: 1 })
  })

  test("a row of the queue whose event is gone goes too, and no other", async () => {
    const waiting = await event(1)
    await db.execute("insert into routing_queue (event_id) values ($1), ($2)", [waiting, madeAgo("evt_", 2)])
    expect(await prune()).toEqual({ routing_queue: 1 })
    expect(await ids("routing_queue", "event_id")).toEqual([waiting])
  })

  test("batches of any size delete the same, and nothing twice", async () => {
    for (let n = 0; n < 25; n++) {
      const id = await event(n < 20 ? 91 + n : 10, { at: L })
      await push(resourceStream(B, L), [id])
      await delivery(id, 200)
    }
    expect(await prune(3)).toEqual({ events: 20, deliveries: 25, messages: 25, attempts: 25, stream_entries: 20 })
  })
})

describe("a stream whose beginning was pruned", () => {
  const stream = resourceStream(B, L)

  test("is not recovered for a client that was there, and is for one that was further", async () => {
    const refs: string[] = []
    for (let n = 0; n < 10; n++) refs.push(await event(n < 6 ? 99 - n : 5, { at: L }))
    await push(stream, refs)
    await prune()
    for (const after of [0, 3, 5]) expect(await streamHistory(db, stream, after, 100)).toBe("pruned")
    expect(await streamHistory(db, stream, 6, 100)).toHaveLength(4)
    expect(await streamHistory(db, stream, 9, 100)).toHaveLength(1)
  })

  test("also not when all of it is gone: an empty history is no recovered one", async () => {
    await push(stream, [await event(95, { at: L }), await event(94, { at: L })])
    await prune()
    expect(await ids("stream_entries", "ref")).toEqual([])
    expect(await streamHistory(db, stream, 0, 100)).toBe("pruned")
    expect(await streamHistory(db, stream, 1, 100)).toBe("pruned")
    expect(await streamHistory(db, stream, 2, 100)).toEqual([])
  })

  test("goes on with the position it had", async () => {
    await push(stream, [await event(95, { at: L }), await event(94, { at: L })])
    await prune()
    await push(stream, [await event(1, { at: L })])
    expect(await streamHistory(db, stream, 2, 100)).toMatchObject([{ position: 3 }])
  })
})

describe("what is still to happen", () => {
  const timer = (event: string, done: boolean, hash = "h"): Promise<string> => {
    const id = `tmr_${tail()}${tail()}`.slice(0, 30)
    return db
      .execute(
        `insert into timers (id, kind, event_id, business_id, rule, action, step, began_at, due_at, next_at, rules_hash,
          rules_revision, done_at) values ($1, 'digest', $2, $3, 'r', 0, 0, now(), now(), now(), $4, 'rev', $5)`,
        [id, event, B, hash, done ? ago(1) : null],
      )
      .then(() => id)
  }
  const gather = (event: string, into: string) =>
    db.execute("insert into digest_events (event_id, rule, action, timer_id) values ($1, 'r', 0, $2)", [event, into])

  test("keeps its events and their notifications, whether they opened the digest or only went into it", async () => {
    const [opened, member, done, doneMember] = [await event(91), await event(91), await event(91), await event(91)]
    const [open, over] = [await timer(opened, false), await timer(done, true)]
    await gather(opened, open)
    await gather(member, open)
    await gather(done, over)
    await gather(doneMember, over)
    const kept = await notification(opened, 181)
    await notification(done, 181)
    expect(await prune()).toEqual({ events: 2, timers: 1, digest_events: 2, notifications: 1 })
    expect(await ids("events")).toEqual([opened, member].sort())
    expect(await ids("notifications")).toEqual([kept])
    expect(await ids("timers")).toEqual([open])
    expect(await ids("digest_events", "event_id")).toEqual([opened, member].sort())
  })

  test("keeps the rules that it was made under", async () => {
    for (const hash of ["waits", "over"])
      await db.execute("insert into rule_sets (hash, revision, files, used_at) values ($1, 'r', '', $2)", [
        hash,
        ago(400),
      ])
    await timer(await event(1), false, "waits")
    await timer(await event(1), true, "over")
    expect(await prune()).toEqual({ rule_sets: 1 })
    expect(await ids("rule_sets", "hash")).toEqual(["waits"])
  })

  test("leaves no gate behind that has meant nothing for a day", async () => {
    await db.execute("insert into gates (key, stale_at) values ('old', $1), ('new', $2)", [ago(2), ago(0.5)])
    expect(await prune()).toEqual({ gates: 1 })
    expect(await ids("gates", "key")).toEqual(["new"])
  })
})
