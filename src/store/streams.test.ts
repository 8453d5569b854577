/** The end of a stream, as somebody who comes back is given it. What is pushed and pruned by age is in events.test.ts and retention.test.ts. */
import { describe, expect, test } from "bun:test"
import { type LocationId, newEventId, newNotificationId, type RuleName } from "../domain/ids.ts"
import { HISTORY_MESSAGES, notificationStream, resourceStream, type StreamKey } from "../domain/stream.ts"
import { business, incoming, recipientId } from "../testing/builders.ts"
import { databaseOfFile } from "../testing/file-database.ts"
import { insertEvents } from "./events.ts"
import { HISTORY_STEP } from "./history-bound.ts"
import { insertNotifications } from "./new-notifications.ts"
import type { Retention } from "./retention.ts"
import { type StreamTail, streamHeads, streamTails } from "./streams.ts"

const db = await databaseOfFile()
const MOST = { messages: 1_000, bytes: 1_000_000 }
const KEEP: Retention = { eventsMs: 0, notificationsMs: 0, attemptsMs: 0, rejectedMs: 0 }

/** A stream of its own with so many messages. */
async function streamOf(name: string, count: number, payload: (n: number) => object = (n) => ({ n })) {
  const stream = resourceStream(business(name), null)
  const items = Array.from({ length: count }, (_, i) =>
    incoming({ business: business(name), payload: { ...payload(i + 1) } }, [stream]),
  )
  for (let from = 0; from < items.length; from += 500) await insertEvents(db, items.slice(from, from + 500), Date.now())
  return stream
}
async function streamTail(on: typeof db, stream: StreamKey, after: number, most: typeof MOST): Promise<StreamTail> {
  const tail = (await streamTails(on, [{ stream, after }], most)).get(stream)
  if (tail === undefined) throw new Error("it was asked for")
  return tail
}
const positions = (messages: readonly { readonly position: number }[]): string => {
  const [first, last] = [messages[0]?.position, messages.at(-1)?.position]
  return first === undefined || last === undefined ? "none" : `${first}..${last} (${messages.length})`
}
const entries = async (stream: StreamKey): Promise<string> => {
  const [row] = await db.query<{ first: number; last: number; n: number }>(
    `select min(position)::int as first, max(position)::int as last, count(*)::int as n from stream_entries where stream = $1`,
    [stream],
  )
  return `${row?.first}..${row?.last} (${row?.n})`
}

describe("the end of a stream", () => {
  test("is everything after a position, with the epoch, and empty where nothing came", async () => {
    const stream = await streamOf("t1", 5)
    const { epoch } = await streamHeads(db, [stream])
    const tail = await streamTail(db, stream, 3, MOST)
    expect(tail).toEqual({
      epoch,
      head: 5,
      since: 3,
      messages: [4, 5].map((n) => ({
        position: n,
        event: "resource_update",
        payload: JSON.stringify({ n, _offset: n }),
      })),
    })
    expect(await streamTail(db, stream, 5, MOST)).toEqual({ epoch, head: 5, since: 5, messages: [] })
    expect(await streamTail(db, stream, 9, MOST)).toEqual({ epoch, head: 5, since: 5, messages: [] })
    const silent = resourceStream(business("t-silent"), null)
    expect(await streamTail(db, silent, 0, MOST)).toEqual({ epoch, head: 0, since: 0, messages: [] })
  })

  test("is the newest of it where there is more than is given back", async () => {
    const stream = await streamOf("t2", 30)
    const tail = await streamTail(db, stream, 2, { messages: 10, bytes: MOST.bytes })
    expect([tail.since, positions(tail.messages)]).toEqual([20, "21..30 (10)"])
  })

  test("is read of several streams at once, each from its own position and by its own bounds", async () => {
    const long = await streamOf("t6", 30)
    const short = await streamOf("t7", 3)
    const silent = resourceStream(business("t-silent"), null)
    const asks = [
      { stream: long, after: 2 },
      { stream: silent, after: 0 },
      { stream: short, after: 1 },
    ]
    const tails = await streamTails(db, asks, { messages: 10, bytes: MOST.bytes })
    expect(
      [...tails].map(([key, { head, since, messages }]) => [key, head, since, positions(messages)]).toSorted(),
    ).toEqual(
      [
        [long, 30, 20, "21..30 (10)"],
        [short, 3, 1, "2..3 (2)"],
        [silent, 0, 0, "none"],
      ].toSorted(),
    )
  })

  test("is bounded in bytes, however large single messages are", async () => {
    const stream = await streamOf("t3", 6, (n) => ({ text: "x".repeat(n === 2 ? 100_000 : 1_000) }))
    const tail = await streamTail(db, stream, 0, { messages: 10, bytes: 50_000 })
    expect([tail.since, positions(tail.messages)]).toEqual([2, "3..6 (4)"])
    const large = await streamOf("t4", 1, () => ({ text: "x".repeat(100_000) }))
    expect(await streamTail(db, large, 0, { messages: 10, bytes: 50_000 })).toMatchObject({ head: 1, since: 1 })
  })

  test("counts a notification as what goes out, however long the names around its words are", async () => {
    const [person, name] = [recipientId("t8"), "x".repeat(64)]
    const all = Array.from({ length: 200 }, (_, n) => ({
      id: newNotificationId(Date.now()),
      event: newEventId(Date.now()),
      rule: `${name}${n}` as RuleName, // rule names need no check in a test
      rulesRevision: name,
      recipient: person,
      business: business(name),
      location: name as LocationId, // fits the pattern
      severity: "critical" as const,
      category: name,
      priority: "high" as const,
      inbox: true,
      reason: null,
      updateKey: null,
      content: { title: "t", body: "b", actionUrl: null, actionLabel: null, data: null },
    }))
    await db.transaction((tx) => insertNotifications(tx, all))
    await db.execute(
      `update notifications set read_at = now(), seen_at = now(), archived_at = now(), acknowledged_at = now()
       where recipient_id = $1`,
      [person],
    )
    const most = { messages: 1_000, bytes: 100_000 }
    const { messages } = await streamTail(db, notificationStream(person), 0, most)
    const missed = messages.map(({ event, payload }) => ({ event, payload: JSON.parse(payload) }))
    const bytes = Buffer.byteLength(JSON.stringify(missed))
    expect(bytes).toBeLessThanOrEqual(most.bytes)
    expect(bytes).toBeGreaterThan(0.95 * most.bytes)
  })

  test("begins behind what is gone, and is never given with a hole", async () => {
    const stream = await streamOf("t5", 9)
    await db.execute("delete from stream_entries where stream = $1 and position = 4", [stream])
    await db.execute(
      "delete from events where id = (select ref from stream_entries where stream = $1 and position = 6)",
      [stream],
    )
    const tail = await streamTail(db, stream, 0, MOST)
    expect([tail.since, positions(tail.messages)]).toEqual([6, "7..9 (3)"])
  })
})

describe("the bound of the history", () => {
  /** The whole walk; rows that went. */
  async function bound(limit = 50): Promise<number> {
    let gone = 0
    for (let after: string | null = ""; after !== null; ) {
      const batch = await HISTORY_STEP.batch(db, KEEP, 0, after, limit)
      gone += batch.rows["stream_entries"] ?? 0
      after = batch.next
    }
    return gone
  }

  test("keeps the last thousand messages of each stream, their events, and every position", async () => {
    const long = await streamOf("h1", HISTORY_MESSAGES + 2_500)
    const short = await streamOf("h2", 20)
    expect(await bound(1)).toBe(2_500)
    expect(await entries(long)).toBe("2501..3500 (1000)")
    expect(await entries(short)).toBe("1..20 (20)")
    const [left] = await db.query<{ n: number }>("select count(*)::int as n from events where business_id = 'h1'")
    expect(left?.n).toBe(3_500)
    expect((await streamHeads(db, [long])).positions.get(long)).toBe(3_500)
    expect(await bound()).toBe(0)
  })

  test("gives back exactly what it keeps: what would still be there an hour later is there now", async () => {
    const stream = await streamOf("h3", HISTORY_MESSAGES + 10)
    const most = { messages: HISTORY_MESSAGES, bytes: MOST.bytes }
    const before = await Promise.all([9, 10].map((after) => streamTail(db, stream, after, most)))
    await bound()
    const after = await Promise.all([9, 10].map((after) => streamTail(db, stream, after, most)))
    expect(before.map(({ since }) => since)).toEqual([10, 10])
    expect(after).toEqual(before)
  })

  test("two nodes at once delete each entry once, while the stream is held by whoever pushes, and wait for nobody", async () => {
    const stream = await streamOf("h4", HISTORY_MESSAGES + 800)
    await db.transaction(async (tx) => {
      // What pushes holds its stream's row until its commit.
      await tx.execute("update streams set position = position + 1 where key = $1", [stream])
      const [mine, theirs] = await Promise.all([bound(), bound()])
      expect(mine + theirs).toBe(800)
    })
    expect(await entries(stream)).toBe("801..1800 (1000)")
  })
})
