import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { EventId } from "../domain/ids.ts"
import { resourceStream } from "../domain/stream.ts"
import { business, incoming, location } from "../testing/builders.ts"
import { databaseOfFile } from "../testing/file-database.ts"
import { testDatabase } from "../testing/postgres.ts"
import { type Database, databaseProblem, openDatabase, type SqlValue } from "./database.ts"
import { getEvent, insertEvents, listEvents, type Stored } from "./events.ts"
import { streamHeads, streamHistory } from "./streams.ts"

const db = await databaseOfFile()

const now = Date.UTC(2026, 2, 2, 9)
const idOf = (stored: Stored | undefined): EventId => {
  if (stored === undefined) throw new Error("nothing was stored")
  return stored.id
}

describe("an event is durable once per key", () => {
  test("a new event is accepted and can be read back whole", async () => {
    const payload = { customer_name: "نور", amount: 1250000.5, lines: [{ sku: "a" }] }
    const [stored] = await insertEvents(
      db,
      [incoming({ payload, location: location("l-1"), correlationId: "c9" })],
      now,
    )
    expect(stored?.kind).toBe("accepted")
    const read = await getEvent(db, idOf(stored))
    expect(read).toMatchObject({ payload, location: "l-1", correlationId: "c9", occurredAt: Date.UTC(2026, 2, 2, 9) })
  })

  test("the same key with the same content is a duplicate of the first", async () => {
    const item = incoming({ idempotencyKey: "k1", payload: { n: 1 } })
    const [first] = await insertEvents(db, [item], now)
    const [again] = await insertEvents(db, [item], now)
    expect(again).toEqual({ kind: "duplicate", id: idOf(first) })
  })

  test("the same key with other content is reported with the earlier event, and nothing is stored", async () => {
    const [first] = await insertEvents(db, [incoming({ idempotencyKey: "k2", payload: { n: 1 } })], now)
    const [other] = await insertEvents(db, [incoming({ idempotencyKey: "k2", payload: { n: 2 } })], now)
    expect(other).toEqual({ kind: "reused", id: idOf(first) })
  })

  test("who holds a taken key is found by the key alone, in a table that was never analyzed too", async () => {
    const own = await testDatabase()
    const fresh = openDatabase({ url: own.url, max: 1 })
    try {
      await fresh.execute("alter table events set (autovacuum_enabled = off)")
      const items = Array.from({ length: 5_000 }, (_, n) => incoming({ idempotencyKey: `many-${n}` }))
      for (let from = 0; from < items.length; from += 1_000)
        await insertEvents(fresh, items.slice(from, from + 1_000), now)
      const read = async () => {
        await fresh.query("select pg_stat_force_next_flush()")
        await fresh.query("select pg_stat_clear_snapshot()")
        const rows = await fresh.query<{ n: number }>(
          "select sum(idx_tup_read)::int as n from pg_stat_user_indexes where relname = 'events'",
        )
        return rows[0]?.n ?? -1
      }
      const before = await read()
      const again = await insertEvents(fresh, items.slice(-100), now)
      expect(again.every(({ kind }) => kind === "duplicate")).toBe(true)
      expect((await read()) - before).toBeLessThan(1_000)
    } finally {
      await fresh.close()
      await own.drop()
    }
  })

  test("a holder that is pruned before it is read makes room, and one that is so for ever is worth a try later", async () => {
    const one = incoming({ idempotencyKey: "fleeting" })
    await insertEvents(db, [one], now)
    let holders = 4
    const looks: number[] = []
    const fleeting: Database = {
      ...db,
      async query<Row>(text: string, values?: readonly SqlValue[]): Promise<readonly Row[]> {
        if (!text.includes("cross join lateral")) return db.query<Row>(text, values)
        looks.push(holders)
        holders -= 1
        if (holders === 0) await db.execute("delete from events where idempotency_key = 'fleeting'")
        return []
      },
    }
    expect((await insertEvents(fleeting, [one], now))[0]?.kind).toBe("accepted")
    expect(looks).toHaveLength(4)
    holders = 1_000
    const refused = await insertEvents(fleeting, [one], now).catch((error: unknown) => error)
    expect(databaseProblem(refused)).toBe("away")
    expect(looks).toHaveLength(14)
  })

  test("the same key in another business or from another source is another event", async () => {
    const results = await insertEvents(
      db,
      [
        incoming({ idempotencyKey: "k3" }),
        incoming({ idempotencyKey: "k3", business: business("b2") }),
        incoming({ idempotencyKey: "k3", source: "elsewhere" }),
      ],
      now,
    )
    expect(results.map((r) => r.kind)).toEqual(["accepted", "accepted", "accepted"])
  })

  test("a key that repeats within one batch is accepted once, the first one", async () => {
    const results = await insertEvents(
      db,
      [
        incoming({ idempotencyKey: "k4" }),
        incoming({ idempotencyKey: "k4" }),
        incoming({ idempotencyKey: "k4", payload: { x: 1 } }),
      ],
      now,
    )
    expect(results.map((r) => r.kind)).toEqual(["accepted", "duplicate", "reused"])
    expect(new Set(results.map((r) => r.id)).size).toBe(1)
  })

  test("batches that race over the same keys in any order store each key once and never deadlock", async () => {
    let round = 0
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 12 }), {
          minLength: 2,
          maxLength: 6,
        }),
        async (batches) => {
          round += 1
          const stream = resourceStream(business("race"), null)
          const results = await Promise.all(
            batches.map((keys) =>
              insertEvents(
                db,
                keys.map((key) =>
                  incoming({ business: business("race"), idempotencyKey: `r${round}-${key}` }, [stream]),
                ),
                now,
              ),
            ),
          )
          const accepted = results.flat().filter((r) => r.kind === "accepted")
          expect(accepted.length).toBe(new Set(batches.flat()).size)
          expect(results.flat().every((r) => r.kind !== "reused")).toBe(true)
        },
      ),
      { numRuns: 30 },
    )
    const history = await streamHistory(db, resourceStream(business("race"), null), 0, 10_000)
    if (history === "pruned") throw new Error("the history has a hole")
    expect(history.map((m) => m.position)).toEqual(history.map((_, i) => i + 1))
  })
})

describe("positions", () => {
  test("a resource event takes the next position in each of its streams, in the order of the batch", async () => {
    const place = resourceStream(business("b1"), location("l1"))
    const whole = resourceStream(business("b1"), null)
    const results = await insertEvents(
      db,
      [
        incoming({ payload: { n: 1 } }, [place, whole]),
        incoming({ payload: { n: 2 } }, [whole]),
        incoming({ payload: { n: 3 } }, [place, whole]),
      ],
      now,
    )
    const positions = results.map((r) =>
      r.kind === "accepted" ? r.positions.map((p) => `${p.stream}@${p.position}`).sort() : [],
    )
    expect(positions).toEqual([
      ["resources:b1:l1@1", "resources:b1@1"],
      ["resources:b1@2"],
      ["resources:b1:l1@2", "resources:b1@3"],
    ])
    const heads = await streamHeads(db, [place, whole])
    expect(heads.positions.get(place)).toBe(2)
    expect(heads.positions.get(whole)).toBe(3)
    expect(heads.epoch).toMatch(/^[0-9a-f]{32}$/)
  })

  test("a duplicate takes no position", async () => {
    const stream = resourceStream(business("b3"), null)
    const item = incoming({ idempotencyKey: "p1", business: business("b3") }, [stream])
    await insertEvents(db, [item], now)
    await insertEvents(db, [item], now)
    expect((await streamHeads(db, [stream])).positions.get(stream)).toBe(1)
  })

  test("history gives back what was pushed, with its offset", async () => {
    const stream = resourceStream(business("b4"), null)
    await insertEvents(db, [incoming({ business: business("b4"), payload: { resourceId: "r1" } }, [stream])], now)
    expect(await streamHistory(db, stream, 0, 10)).toEqual([
      { position: 1, event: "resource_update", payload: '{"resourceId":"r1","_offset":1}' },
    ])
  })

  test("history with a hole is called pruned and never given in part", async () => {
    const stream = resourceStream(business("b5"), null)
    for (const n of [1, 2, 3])
      await insertEvents(db, [incoming({ business: business("b5"), payload: { n } }, [stream])], now)
    await db.execute("delete from stream_entries where stream = $1 and position = 2", [stream])
    expect(await streamHistory(db, stream, 0, 10)).toBe("pruned")
    expect(await streamHistory(db, stream, 2, 10)).toHaveLength(1)
  })
})

describe("the list of events", () => {
  test("is newest first, filtered, confined to businesses and goes on after an id", async () => {
    const results = await insertEvents(
      db,
      ["a", "b", "c"].map((type) => incoming({ business: business("list"), type })),
      now + 1_000,
    )
    const ids = results.map((r) => r.id).reverse()
    const first = await listEvents(db, { businesses: [business("list")], limit: 2 })
    expect(first).toMatchObject({ hasMore: true })
    expect(first.events.map((e) => e.id)).toEqual(ids.slice(0, 2))
    const rest = await listEvents(db, { businesses: [business("list")], limit: 2, after: ids[1] })
    expect(rest.events.map((e) => e.id)).toEqual(ids.slice(2))
    expect((await listEvents(db, { businesses: [business("list")], type: "b", limit: 5 })).events).toHaveLength(1)
    expect((await listEvents(db, { businesses: [], limit: 5 })).events).toHaveLength(0)
  })
})
