import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { resourceStream } from "../domain/stream.ts"
import type { News } from "../pubsub/pubsub.ts"
import { localPubSub } from "../pubsub/pubsub.ts"
import { systemClock } from "../runtime/clock.ts"
import { type Database, databaseProblem, openDatabase } from "../store/database.ts"
import type { TelemetryEvent } from "../telemetry/events.ts"
import { business, incoming, location } from "../testing/builders.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { type Accept, type AcceptOptions, createAccept } from "./accept.ts"

let database: TestDatabase
let db: Database
let news: (readonly News[])[]
let emitted: TelemetryEvent[]
beforeAll(async () => {
  database = await testDatabase()
  db = openDatabase({ url: database.url })
})
afterAll(async () => {
  await db.close()
  await database.drop()
})
beforeEach(() => {
  news = []
  emitted = []
})
afterEach(async () => {
  await db.execute("truncate events, routing_queue, streams, stream_entries")
})

function make(options: Partial<AcceptOptions> = {}): Accept {
  const pubsub = localPubSub((error) => {
    throw error
  })
  pubsub.subscribe((some) => news.push(some))
  return createAccept({
    db,
    pubsub,
    clock: systemClock,
    telemetry: { emit: (event) => emitted.push(event) },
    ...options,
  })
}

/** A database whose statements can be counted, spoilt or held. */
function around(inner: Database, run: (values: readonly unknown[]) => Promise<void>): Database {
  return {
    ...inner,
    async query<Row>(text: string, values: Parameters<Database["query"]>[1] = []) {
      if (text.includes("insert into events")) await run(values)
      return inner.query<Row>(text, values)
    },
  }
}
const typesIn = (values: readonly unknown[]): readonly string[] => values[3] as readonly string[] // the statement's fourth value
const refusedByServer = (code: string): Error => Object.assign(new Error("refused"), { code })

describe("accept", () => {
  test("answers after the commit, in the order of the items, and the news goes out in one piece", async () => {
    const streams = [resourceStream(business("b1"), location("l1")), resourceStream(business("b1"), null)]
    const accept = make()
    const results = await accept(
      [incoming({ idempotencyKey: "k" }), incoming({ payload: { a: 1 } }, streams), incoming({ idempotencyKey: "k" })],
      "http",
    )
    expect(results).toMatchObject([{ kind: "accepted" }, { kind: "accepted" }, { kind: "duplicate" }])
    expect(news).toHaveLength(1)
    expect(news[0]).toEqual([
      { kind: "events_accepted", count: 2, toRoute: 2 },
      {
        kind: "stream_message",
        stream: expect.any(String),
        event: "resource_update",
        position: 1,
        payload: '{"a":1,"_offset":1}',
      },
      {
        kind: "stream_message",
        stream: expect.any(String),
        event: "resource_update",
        position: 1,
        payload: '{"a":1,"_offset":1}',
      },
      {
        kind: "events_passing",
        events: [expect.objectContaining({ type: "test.happened" }), expect.objectContaining({ business_id: "b1" })],
        counts: [["b1", null, 2]],
      },
    ])
    expect(emitted).toMatchObject([
      { kind: "events_accepted", via: "http", count: 2, duplicates: 1, byType: { "test.happened": 2 } },
    ])
  })

  test("says nothing about duplicates", async () => {
    const accept = make()
    await accept([incoming({ idempotencyKey: "k" })], "http")
    await accept([incoming({ idempotencyKey: "k" })], "http")
    expect(news).toHaveLength(1)
  })

  test("lets callers who come together share commits", async () => {
    let statements = 0
    const accept = make({
      db: around(db, async () => {
        statements += 1
      }),
    })
    const results = await Promise.all(Array.from({ length: 200 }, () => accept([incoming()], "http")))
    expect(results.flat()).toHaveLength(200)
    expect(statements).toBeLessThan(5)
  })

  test("keeps a poisoned item from failing its neighbours", async () => {
    const accept = make({
      db: around(db, async (values) => {
        if (typesIn(values).includes("poison")) throw refusedByServer("22P05")
      }),
    })
    const items = Array.from({ length: 50 }, (_, i) => incoming({ type: i === 17 || i === 40 ? "poison" : "fine" }))
    const results = await accept(items, "http")
    if (typeof results === "string") throw new Error(results)
    const poisoned = results.flatMap((result, i) => (result.kind === "unstorable" ? [i] : []))
    expect(poisoned).toEqual([17, 40])
    expect(await db.query("select count(*)::int as n from events")).toEqual([{ n: 48 }])
  })

  test("a really unstorable text is refused by PostgreSQL and reported as such", async () => {
    const results = await make()([incoming({ type: "a\0b" }), incoming()], "http")
    expect(results).toMatchObject([
      { kind: "unstorable", sqlstate: expect.stringMatching(/^22/) },
      { kind: "accepted" },
    ])
  })

  test("rejects with the database's error while it is away, and takes nothing", async () => {
    const gone = openDatabase({ url: "postgres://postgres@127.0.0.1:9/none" })
    const error = await make({ db: gone })([incoming()], "http").catch((thrown: unknown) => thrown)
    expect(databaseProblem(error)).toBe("away")
    expect(news).toEqual([])
    await gone.close()
  })

  test("a bug of ours is not blamed on the item", async () => {
    const accept = make({
      db: around(db, async () => {
        throw refusedByServer("42P01")
      }),
    })
    expect(await accept([incoming()], "http").catch((error: unknown) => error)).toMatchObject({ code: "42P01" })
  })

  test("refuses a whole call when too many wait, and takes none of it", async () => {
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const accept = make({ db: around(db, () => held), maxItems: 1, maxInFlight: 1, maxWaiting: 3 })
    const first = accept([incoming(), incoming(), incoming()], "http")
    expect(await accept([incoming()], "http")).toBe("overloaded")
    release()
    expect(await first).toHaveLength(3)
    expect(await db.query("select count(*)::int as n from events")).toEqual([{ n: 3 }])
  })

  test("stops waiting at its deadline", async () => {
    let release = (): void => {}
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    const clock = fakeClock()
    const accept = make({ db: around(db, () => held), clock, deadlineMs: 5_000 })
    const answer = accept([incoming()], "http")
    await clock.advance(5_000)
    expect(await answer).toBe("late")
    release()
  })

  test("has one timer for all deadlines, which ends with the last of them", async () => {
    const clock = fakeClock()
    const accept = make({ clock, deadlineMs: 5_000 })
    await Promise.all([accept([incoming()], "http"), accept([incoming()], "http")])
    expect(clock.pending).toBe(1)
    await clock.advance(5_000)
    expect(clock.pending).toBe(0)
  })
})
