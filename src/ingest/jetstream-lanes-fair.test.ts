/** One business over its limit, and everybody else on the same stream: real NATS and database, limits in the test's hands. */
import { afterAll, afterEach, beforeAll, expect, test } from "bun:test"
import type { NatsConnection } from "nats"
import { type Database, openDatabase } from "../store/database.ts"
import type { Incoming } from "../store/events.ts"
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
import type { RateLimits } from "./rate-limit.ts"

let nats: TestNats
let database: TestDatabase
let db: Database
let sender: NatsConnection
let node: JetStreamNode | null = null
beforeAll(async () => {
  nats = await startNats()
  database = await testDatabase()
  db = openDatabase({ url: database.url })
  sender = await producer(nats.url)
})
afterEach(async () => {
  await node?.stop()
  node = null
  const jsm = await sender.jetstreamManager()
  for await (const { config } of jsm.streams.list()) await jsm.streams.delete(config.name)
})
afterAll(async () => {
  await sender.close()
  await db.close()
  await database.drop()
  await nats.stop()
})

/** Of `loud` only as many events pass as it was given; everybody else is free. */
function given(tokens: number, perSecond = 100) {
  let left = tokens
  const limits: RateLimits = {
    async admit({ events }) {
      if (events[0]?.business !== "loud") return { kind: "admitted", standing: null }
      const standing = { key: "business:loud", perSecond, remaining: 0, resetMs: 10 }
      if (left <= 0) return { kind: "limited", by: "business", retryMs: 10, standing }
      left -= 1
      return { kind: "admitted", standing }
    },
    refusesCaller: () => null,
  }
  const give = (more: number): void => {
    left += more
  }
  return { limits, give }
}

/** A node, and what it stored, in order. */
async function start(options: Partial<NodeOptions>): Promise<{ node: JetStreamNode; stored: string[] }> {
  const stored: string[] = []
  const keys = (items: readonly Incoming[]) => items.map(({ event }) => String(event.idempotencyKey))
  node = await startJetStreamNode({
    url: nats.url,
    db,
    between: (accept) => async (items, via) => {
      const results = await accept(items, via)
      if (typeof results !== "string") stored.push(...keys(items))
      return results
    },
    ...options,
  })
  await node.up()
  return { node, stored }
}
const send = (business: string, key: string) =>
  publish(sender, "hub.events.x", { type: "t", source: business, business_id: business, idempotency_key: key })
/** The consumer, once the server has heard of so many acks that no more than these are without one. */
const unacked = (count: number) =>
  eventually(
    async () => (await sender.jetstreamManager()).consumers.info("HUB_EVENTS", "hub"),
    (info) => info.num_ack_pending === count && info.num_pending === 0,
    { withinMs: 10_000, everyMs: 20, what: "messages without an ack" },
  )
const acked = (one: JetStreamNode, count: number) =>
  eventually(
    async () => one.settled().acked,
    (n) => n >= count,
    { withinMs: 15_000, everyMs: 20, what: "messages acknowledged" },
  )
/** Until a message has been said to be in hand so often: three times are an ack wait. */
async function keptInHand(times: number): Promise<void> {
  let said = 0
  for await (const { data, subject } of sender.subscribe("$JS.ACK.HUB_EVENTS.hub.>")) {
    if (new TextDecoder().decode(data) === "+WPI" && subject.split(".")[5] === "200") said += 1
    if (said === times) return
  }
}
const keysOf = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${n}`)

test("a business that sends ten times its limit holds up nobody: others pass it, and its own are stored in order", async () => {
  const { limits, give } = given(20)
  const { node: one, stored } = await start({ limits, ackWaitMs: 3_000 })
  const loud = keysOf("loud", 200)
  for (const key of loud) await send("loud", key)
  const quiet = keysOf("quiet", 5)
  for (const key of quiet) await send("quiet", key)
  await acked(one, 25)
  expect(stored.toSorted()).toEqual([...loud.slice(0, 20), ...quiet].toSorted())
  // In hand longer than the server waits for an ack, and still nobody else's.
  await unacked(180)
  await keptInHand(4)
  await send("quiet", "later")
  await acked(one, 26)
  expect(await unacked(180)).toMatchObject({ num_redelivered: 0 })
  give(180)
  await acked(one, 206)
  expect(stored.filter((key) => key.startsWith("loud"))).toEqual(loud)
  expect(one.settled()).toEqual({ acked: 206, terminated: 0, redelivered: 0 })
}, 30_000)

test("what is more than a lane holds comes again in its turn, each message stored once, and nobody waits meanwhile", async () => {
  const { limits, give } = given(10, 50)
  const laneBounds = { lanes: 4, lane: { messages: 20, bytes: 1_000_000 }, all: { messages: 30, bytes: 1_000_000 } }
  const { node: one, stored } = await start({ limits, laneBounds })
  const loud = keysOf("much", 120)
  for (const key of loud) await send("loud", key)
  await send("quiet", "after")
  await acked(one, 11)
  expect(stored.toSorted()).toEqual([...loud.slice(0, 10), "after"].toSorted())
  expect(one.source.status().limited).toBe(20)
  // Each comes again by itself, long before an ack would be missed.
  give(110)
  await acked(one, 121)
  expect(stored.toSorted()).toEqual([...loud, "after"].toSorted())
  expect(one.settled().terminated).toBe(0)
  await unacked(0)
}, 30_000)
