import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test"
import { connect, type NatsConnection } from "nats"
import { type Database, openDatabase } from "../store/database.ts"
import { listEvents } from "../store/events.ts"
import { listRejected } from "../store/rejected.ts"
import { eventually } from "../testing/eventually.ts"
import {
  type JetStreamNode,
  type NodeOptions,
  producer,
  publish,
  startJetStreamNode,
} from "../testing/jetstream-node.ts"
import { startNats, type TestNats } from "../testing/nats.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"

let database: TestDatabase
let db: Database
let nats: TestNats
let sender: NatsConnection
const nodes: JetStreamNode[] = []

beforeAll(async () => {
  database = await testDatabase()
  db = openDatabase({ url: database.url })
  nats = await startNats()
  sender = await producer(nats.url)
})
afterAll(async () => {
  await sender.close()
  await nats.stop()
  await db.close()
  await database.drop()
})
beforeEach(async () => {
  await db.execute("delete from events")
  await db.execute("delete from rejected")
})
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop()
  const jsm = await sender.jetstreamManager()
  for await (const { config } of jsm.streams.list()) await jsm.streams.delete(config.name)
})

const node = async (options: Partial<NodeOptions> = {}): Promise<JetStreamNode> => {
  const started = await startJetStreamNode({ url: nats.url, db, ...options })
  nodes.push(started)
  await started.up()
  return started
}
const event = (key: string | null, more: object = {}) => ({
  type: "order.created",
  source: "orders",
  ...(key === null ? {} : { idempotency_key: key }),
  payload: { n: 1 },
  ...more,
})
const events = async () => (await listEvents(db, { businesses: null, limit: 200 })).events
const rejected = async () => (await listRejected(db, { businesses: null, limit: 200 })).rejected
const settledBy = (count: number, ...some: JetStreamNode[]) =>
  eventually(
    async () => some.reduce((sum, one) => sum + one.settled().acked + one.settled().terminated, 0),
    (sum) => sum >= count,
    { withinMs: 10_000, everyMs: 20, what: "messages settled" },
  )
const consumer = async () => (await sender.jetstreamManager()).consumers.info("HUB_EVENTS", "hub")
const drained = () =>
  eventually(consumer, (info) => info.num_pending === 0 && info.num_ack_pending === 0, {
    withinMs: 10_000,
    what: "nothing left in the stream",
  })

test("an event in any spelling is stored once, with its business from the body", async () => {
  const one = await node()
  await publish(sender, "hub.events.orders", event("k1", { business_id: "b1", location_id: "l1" }))
  await publish(sender, "hub.events.a.b.c", {
    event_type: "invoice.overdue",
    source_module: "invoicing",
    producer_idempotency_key: "k2",
    business_id: "b2",
    branch_id: "l2",
  })
  await publish(sender, "hub.events.trading", { type: "MARGIN_CALL", producer: "risk", dedupe_key: "k3" })
  await settledBy(3, one)
  expect((await events()).toReversed()).toMatchObject([
    { type: "order.created", source: "orders", business: "b1", location: "l1", idempotencyKey: "k1" },
    { type: "invoice.overdue", source: "invoicing", business: "b2", location: "l2", idempotencyKey: "k2" },
    { type: "MARGIN_CALL", source: "risk", business: "default", idempotencyKey: "k3" },
  ])
  await drained()
})

test("Nats-Msg-Id is the key where the body has none, and only there", async () => {
  const one = await node()
  await publish(sender, "hub.events.x", event(null), { "Nats-Msg-Id": "m1" })
  await publish(sender, "hub.events.x", event("own"), { "Nats-Msg-Id": "m2" })
  await settledBy(2, one)
  expect((await events()).map((e) => e.idempotencyKey).toSorted()).toEqual(["m1", "own"])
})

test("a message without any key is known by its place in the stream: brought again it is no second event", async () => {
  const one = await node()
  await publish(sender, "hub.events.x", event(null))
  await publish(sender, "hub.events.x", event(null))
  await settledBy(2, one)
  const keys = (await events()).map((e) => e.idempotencyKey)
  expect(new Set(keys).size).toBe(2)
  await (await sender.jetstreamManager()).consumers.delete("HUB_EVENTS", "hub")
  await settledBy(4, one)
  expect((await events()).map((e) => e.idempotencyKey)).toEqual(keys)
})

test("CloudEvents come structured, by their content type, and binary, by their headers", async () => {
  const one = await node()
  const attributes = { specversion: "1.0", id: "c1", source: "/shop", type: "order.created", businessid: "b1" }
  await publish(
    sender,
    "hub.events.x",
    { ...attributes, data: { n: 1 } },
    { "content-type": "application/cloudevents+json" },
  )
  const binary = {
    "ce-specversion": "1.0",
    "ce-id": "c2",
    "ce-source": "/shop",
    "ce-type": "order.paid",
    "ce-businessid": "b1",
    "ce-traceparent": "00-1",
    "ce-subject": "caf%C3%A9",
  }
  await publish(sender, "hub.events.x", { n: 2 }, { ...binary, "content-type": "application/json" })
  await publish(
    sender,
    "hub.events.x",
    { n: 3 },
    { ...binary, "ce-id": "c3", "ce-datacontenttype": "application/json" },
  )
  await publish(sender, "hub.events.x", new Uint8Array([1, 2]), {
    ...binary,
    "ce-id": "c4",
    "content-type": "image/png",
  })
  await publish(sender, "hub.events.x", "", { ...binary, "ce-id": "c5" })
  await publish(sender, "hub.events.x", { n: 6 }, { ...binary, "ce-id": "c6" })
  await settledBy(6, one)
  expect(await rejected()).toEqual([])
  expect((await events()).toReversed()).toMatchObject([
    { idempotencyKey: "c1", type: "order.created", source: "/shop", business: "b1", payload: { n: 1 } },
    {
      idempotencyKey: "c2",
      type: "order.paid",
      payload: { n: 2 },
      extensions: { traceparent: "00-1", subject: "café" },
    },
    { idempotencyKey: "c3", payload: { n: 3 } },
    { idempotencyKey: "c4", payload: { data_base64: "AQI=" } },
    { idempotencyKey: "c5", payload: {} },
    { idempotencyKey: "c6", payload: { n: 6 } },
  ])
})

test("a resource message is an event that is pushed to its place, and a repeat of it is none", async () => {
  const one = await node()
  const message = {
    type: "resource_updated",
    resourceType: "bay",
    resourceId: "r1",
    businessId: "b1",
    locationId: "l1",
  }
  await publish(sender, "hub.resources.b1", message)
  await publish(sender, "hub.resources.b1", message)
  await publish(sender, "hub.resources.b1", message, { "Nats-Msg-Id": "again" })
  await settledBy(3, one)
  expect((await events()).map((e) => e.type)).toEqual(["resource.updated", "resource.updated"])
  const heads = await db.query<{ key: string; position: string }>(
    "select key, position::text from streams order by key",
  )
  expect(heads.map(({ position }) => position)).toEqual(["2", "2"])
})

test("a message that is a list is stored event by event; what is refused of it is kept, with pointers", async () => {
  const one = await node()
  await publish(sender, "hub.events.x", [event("l1"), { type: "x" }, event(null)], { "Nats-Msg-Id": "m9" })
  await settledBy(1, one)
  expect((await events()).map((e) => e.idempotencyKey).toSorted()).toEqual(["l1", "m9:2"])
  expect(await rejected()).toMatchObject([
    {
      code: "invalid",
      detail: "1 of 3 events were refused, the others are stored",
      errors: [{ pointer: "/1/source" }],
    },
  ])
})

test("poison among good ones is kept and terminated one by one, and the good ones are stored", async () => {
  const one = await node()
  const poison: readonly [unknown, string, Record<string, string>?][] = [
    ["not json", "malformed"],
    [new Uint8Array([0xff, 0xfe]), "malformed"],
    ['{"type":"a","source":"b","payload":{"x":"\\u0000"}}', "invalid"],
    ['{"type":"a","source":"b","payload":{"x":"\\ud800"}}', "invalid"],
    ['{"type":"a","source":"b","payload":{"x":1e400}}', "invalid"],
    [`{"type":"a","source":"b","payload":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, "invalid"],
    [`{"type":"a","source":"b","payload":{"x":"${"y".repeat(300_000)}"}}`, "too_large"],
    ['{"type":"a","source":"b","payload":{"__proto__":{}}}', "invalid"],
    ['{"type":1,"source":[]}', "invalid"],
    ["", "malformed"],
    [`{"type":"a","source":"b","idempotency_key":"${"k".repeat(300)}"}`, "invalid"],
    [event(null), "malformed", { "Nats-Msg-Id": "m".repeat(300) }],
    ["avro", "unsupported_media_type", { "content-type": "application/cloudevents+avro" }],
    [{}, "invalid", { "ce-specversion": "1.0", "ce-id": "1", "ce-type": "a" }],
    [[], "invalid"],
  ]
  for (const [n, [body, , head]] of poison.entries()) {
    await publish(sender, "hub.events.good", event(`good-${n}`))
    await publish(sender, "hub.events.bad", body, head)
  }
  await publish(sender, "hub.events.bad", event("good-0", { payload: { n: 2 } }))
  await settledBy(2 * poison.length + 1, one)
  expect(one.settled()).toMatchObject({ acked: poison.length, terminated: poison.length + 1 })
  expect(await events()).toHaveLength(poison.length)
  const codes = (await rejected()).toReversed().map(({ code }) => code)
  expect(codes).toEqual([...poison.map(([, code]) => code), "idempotency_key_reused"])
  await drained()
})

test("a rejected message that is brought again makes no second row", async () => {
  const one = await node()
  await publish(sender, "hub.events.bad", "not json")
  await settledBy(1, one)
  await (await sender.jetstreamManager()).consumers.delete("HUB_EVENTS", "hub")
  await settledBy(2, one)
  expect(await rejected()).toMatchObject([{ count: 1, origin: "hub.events.bad 1", raw: "not json" }])
})

test("a message that the database refuses for its content is rejected alone", async () => {
  const one = await node({
    between: (accept) => async (items, via) => {
      const results = await accept(items, via)
      if (typeof results === "string") return results
      return results.map((r, n) =>
        items[n]?.event.idempotencyKey === "odd" ? ({ kind: "unstorable", sqlstate: "22003" } as const) : r,
      )
    },
  })
  await publish(sender, "hub.events.x", event("even", { business_id: "b1" }))
  await publish(sender, "hub.events.x", event("odd", { business_id: "b7" }))
  await settledBy(2, one)
  expect(await rejected()).toMatchObject([{ code: "invalid", business_id: "b7" }])
})

test("nothing is acknowledged before its commit", async () => {
  const gate = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const committed = Promise.withResolvers<void>()
  const gate2 = Promise.withResolvers<void>()
  const one = await node({
    between: (accept) => async (items, via) => {
      asked.resolve()
      await gate.promise
      const results = await accept(items, via)
      committed.resolve()
      await gate2.promise
      return results
    },
  })
  await publish(sender, "hub.events.x", event("k"))
  await asked.promise
  await sender.flush()
  expect(await consumer()).toMatchObject({ num_ack_pending: 1, ack_floor: { stream_seq: 0 } })
  gate.resolve()
  await committed.promise
  expect(await events()).toHaveLength(1)
  expect(await consumer()).toMatchObject({ num_ack_pending: 1, ack_floor: { stream_seq: 0 } })
  gate2.resolve()
  await settledBy(1, one)
  await drained()
})

test("a node that dies between the commit and the ack leaves one event, which another node acknowledges", async () => {
  const committed = Promise.withResolvers<void>()
  const ackWaitMs = 1_000
  const dying = await startJetStreamNode({
    url: nats.url,
    db,
    ackWaitMs,
    between: (accept) => async (items, via) => {
      await accept(items, via)
      committed.resolve()
      return new Promise(() => {}) // it never comes back to say so
    },
  })
  await dying.up()
  await publish(sender, "hub.events.x", event("once"))
  await committed.promise
  const stopping = dying.stop()
  const other = await node({ ackWaitMs })
  await settledBy(1, other)
  expect(other.settled()).toEqual({ acked: 1, terminated: 0, redelivered: 1 })
  expect(await events()).toHaveLength(1)
  await drained()
  await stopping
}, 15_000)

test("two nodes share the consumer: each message is one node's, and together they have all", async () => {
  const [one, two] = [await node(), await node()]
  await Promise.all(Array.from({ length: 1_500 }, (_, n) => publish(sender, "hub.events.x", event(`k${n}`))))
  await settledBy(1_500, one, two)
  const [a, b] = [one.settled(), two.settled()]
  expect(a.acked + b.acked).toBe(1_500)
  expect(Math.min(a.acked, b.acked)).toBeGreaterThan(0)
  const [row] = await db.query<{ count: number }>("select count(*)::int as count from events")
  expect(row?.count).toBe(1_500)
  await drained()
}, 20_000)

test("while the database is away nothing is fetched, what is in hand is kept, and nothing is asked for again", async () => {
  let away = true
  const one = await node({
    ackWaitMs: 2_000,
    between: (accept) => async (items, via) => {
      if (away) throw Object.assign(new Error("connect refused"), { code: "ECONNREFUSED" })
      return accept(items, via)
    },
  })
  await Promise.all(Array.from({ length: 400 }, (_, n) => publish(sender, "hub.events.x", event(`k${n}`))))
  await eventually(async () => one.source.status().held, Boolean, { withinMs: 5_000, what: "held" })
  const first = await consumer()
  // Longer than the server waits for an ack: what is in hand would be brought again if it were not worked on.
  await Bun.sleep(3_000)
  const later = await consumer()
  expect(later.num_ack_pending).toBeLessThanOrEqual(200)
  expect(later.num_redelivered).toBe(0)
  expect(later.num_pending).toBeGreaterThanOrEqual(200)
  expect(first.num_pending).toBeGreaterThanOrEqual(200)
  away = false
  await settledBy(400, one)
  expect(one.settled()).toEqual({ acked: 400, terminated: 0, redelivered: 0 })
  expect(one.said.filter(({ kind }) => kind === "jetstream_held")).toHaveLength(1)
  expect(one.said.filter(({ kind }) => kind === "jetstream_resumed")).toHaveLength(1)
  await drained()
}, 20_000)

test("a node that cannot store for long asks for nothing, and does not keep its messages from the others", async () => {
  const away = () => async () => {
    throw Object.assign(new Error("connect refused"), { code: "ECONNREFUSED" })
  }
  const sick = await node({ ackWaitMs: 1_000, between: away })
  await Promise.all(Array.from({ length: 3 }, (_, n) => publish(sender, "hub.events.x", event(`k${n}`))))
  // One request follows the other at once, so that a single look could fall in between.
  let quiet = 0
  await eventually(
    async () => {
      quiet = (await consumer()).num_waiting === 0 ? quiet + 1 : 0
      return quiet
    },
    (looks) => looks >= 10,
    { withinMs: 10_000, what: "looks without a request for more" },
  )
  expect(sick.source.status()).toMatchObject({ state: "up", held: true })
  const well = await node({ ackWaitMs: 1_000 })
  await settledBy(3, well)
  expect(await events()).toHaveLength(3)
  await drained()
}, 30_000)

test("a hub that is overloaded keeps what it has in hand and goes on when there is room", async () => {
  let full = 3
  const one = await node({
    between: (accept) => async (items, via) =>
      full-- > 0 ? (full % 2 === 0 ? "overloaded" : "late") : accept(items, via),
  })
  await publish(sender, "hub.events.x", event("k"))
  await settledBy(1, one)
  expect(one.settled()).toEqual({ acked: 1, terminated: 0, redelivered: 0 })
  expect(await events()).toHaveLength(1)
})

test("at a stop what was not begun is another node's within seconds", async () => {
  const began = Promise.withResolvers<void>()
  const one = await node({
    between: () => async () => {
      began.resolve()
      return "overloaded"
    },
  })
  await Promise.all(Array.from({ length: 150 }, (_, n) => publish(sender, "hub.events.x", event(`k${n}`))))
  await began.promise
  await nodes.pop()?.stop()
  expect(one.settled().acked).toBe(0)
  const two = await node()
  await settledBy(150, two) // within the ten seconds that settledBy waits: an ack would be waited for for thirty
  expect(await events()).toHaveLength(150)
}, 15_000)

test("a stop waits three seconds at most for a batch that a silent database does not answer", async () => {
  const began = Promise.withResolvers<void>()
  const answer = Promise.withResolvers<"late">()
  await node({
    between: () => () => {
      began.resolve()
      return answer.promise
    },
  })
  await publish(sender, "hub.events.x", event("hangs"))
  await began.promise
  const asked = performance.now()
  await nodes.pop()?.stop()
  expect(performance.now() - asked).toBeLessThan(3_000)
  answer.resolve("late")
}, 15_000)

test("a node without NATS starts, and is up when NATS is", async () => {
  const free = await startNats()
  await free.stop()
  const late = await startJetStreamNode({ url: free.url, db })
  nodes.push(late)
  await eventually(
    async () => late.said.length,
    (n) => n > 0,
    { withinMs: 5_000, what: "something said" },
  )
  expect(late.said).toMatchObject([{ kind: "jetstream_down" }])
  const server = await startNats({ port: free.port })
  await late.up()
  const own = await connect({ servers: server.url })
  await publish(own, "hub.events.x", event("late"))
  await settledBy(1, late)
  await own.close()
  await nodes.pop()?.stop()
  await server.stop()
  expect(late.said.filter(({ kind }) => kind === "jetstream_down")).toHaveLength(1)
}, 20_000)
