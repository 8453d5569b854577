import { afterAll, beforeAll, expect, test } from "bun:test"
import { systemClock } from "../runtime/clock.ts"
import { type Database, openDatabase } from "../store/database.ts"
import { eventually } from "../testing/eventually.ts"
import { producer, publish, startJetStreamNode } from "../testing/jetstream-node.ts"
import { startNats, type TestNats } from "../testing/nats.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { createRateLimits } from "./rate-limit.ts"

let nats: TestNats
let database: TestDatabase
let db: Database
beforeAll(async () => {
  nats = await startNats()
  database = await testDatabase()
  db = openDatabase({ url: database.url })
})
afterAll(async () => {
  await db.close()
  await database.drop()
  await nats.stop()
})

const PER_SECOND = 20

test("a flood over JetStream is stored at its business's limit, with nothing handed back and none refused", async () => {
  const limits = createRateLimits({
    limits: { caller: null, business: PER_SECOND, type: null },
    db,
    clock: systemClock,
  })
  const node = await startJetStreamNode({
    url: nats.url,
    db,
    limits,
  })
  await node.up()
  const sender = await producer(nats.url)
  const began = performance.now()
  for (let n = 0; n < 60; n++) {
    const event = { type: "t", source: "s", business_id: n === 30 ? "b2" : "b1", idempotency_key: `k${n}` }
    await publish(sender, "hub.events.t", event)
  }
  await eventually(
    async () => node.settled().acked,
    (acked) => acked === 60,
    { withinMs: 20_000, what: "all are stored" },
  )
  // 59 of one business: the burst, and two seconds for the rest.
  expect((performance.now() - began) / 1_000).toBeGreaterThan((59 - PER_SECOND) / PER_SECOND - 0.2)
  expect(node.settled()).toEqual({ acked: 60, terminated: 0, redelivered: 0 })
  expect(node.said.filter(({ kind }) => kind === "jetstream_held")).toEqual([])
  const rows = await db.query<{ n: number }>("select count(*)::int as n from events")
  expect(rows).toEqual([{ n: 60 }])
  await sender.close()
  await node.stop()
}, 30_000)
