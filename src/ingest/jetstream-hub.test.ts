import { afterAll, beforeAll, expect, test } from "bun:test"
import type { NatsConnection } from "nats"
import { eventually } from "../testing/eventually.ts"
import { ADMIN_KEY, jsonOf } from "../testing/front.ts"
import { type HubProcess, startHubProcess } from "../testing/hub-process.ts"
import { producer, publish } from "../testing/jetstream-node.ts"
import { startNats, type TestNats } from "../testing/nats.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"

let nats: TestNats
let database: TestDatabase
let hub: HubProcess
let sender: NatsConnection
beforeAll(async () => {
  nats = await startNats()
  database = await testDatabase()
  hub = await startHubProcess({
    databaseUrl: database.url,
    settings: { NATS_URL: nats.url, LOG_LEVEL: "debug" },
  })
  sender = await producer(nats.url)
})
afterAll(async () => {
  hub.signal("SIGTERM")
  await hub.exited
  await sender.close()
  await nats.stop()
  await database.drop()
})

const get = (path: string) =>
  fetch(`http://127.0.0.1:${hub.port}${path}`, { headers: { authorization: `Bearer ${ADMIN_KEY}` } })
const health = async () =>
  (await jsonOf<{ parts: { jetstream: Record<string, unknown> } }>(get("/health/detailed"))).parts.jetstream

test("an event published to NATS is the hub's, and its source is seen in health, figures and the tree", async () => {
  await eventually(health, ({ status }) => status === "up", { withinMs: 10_000, what: "JetStream" })
  expect(await health()).toEqual({ status: "up", connected: true, held: false, troubles: 0, pending: 0 })
  await publish(sender, "hub.events.orders", { type: "order.created", source: "orders", idempotency_key: "o1" })
  const list = await eventually(
    () => jsonOf<{ data: { type: string; idempotency_key: string }[] }>(get("/v1/events?source=orders")),
    ({ data }) => data.length === 1,
    { withinMs: 10_000, what: "the event" },
  )
  expect(list.data).toMatchObject([{ type: "order.created", idempotency_key: "o1" }])
  const metrics = await eventually(
    async () => (await get("/metrics")).text(),
    (text) => text.includes('hub_jetstream_messages_total{how="acked"} 1'),
    { withinMs: 5_000, what: "the counter" },
  )
  expect(metrics).toContain("hub_jetstream_up 1\n")
  expect(metrics).toContain('hub_events_accepted_total{via="nats"} 1')
  expect(metrics).toMatch(/^hub_jetstream_pending \d+$/m)
  expect(await (await get("/admin/actors")).text()).toContain('"sources"')
})

test("a rejected message is seen by an operator with its text, which no line of the log holds", async () => {
  const canary = "canary-of-a-customer"
  await publish(sender, "hub.events.bad", `{"type":"a","payload":{"name":"${canary}"}}`)
  await publish(sender, "hub.events.bad", `${canary} is no JSON`)
  const page = await eventually(
    () => jsonOf<{ data: { raw: string; origin: string }[]; groups: unknown }>(get("/admin/rejected?via=nats")),
    ({ data }) => data.length === 2,
    { withinMs: 10_000, what: "the rejected" },
  )
  expect(page.data.every(({ raw }) => raw.includes(canary))).toBe(true)
  expect(page.groups).toEqual([
    { via: "nats", code: "invalid", count: 1 },
    { via: "nats", code: "malformed", count: 1 },
  ])
  const settled = () =>
    hub
      .log()
      .split("\n")
      .filter((line) => line.includes('"terminated":')).length
  await eventually(
    async () => settled(),
    (lines) => lines >= 1,
    { withinMs: 5_000, what: "a line about it" },
  )
  expect(hub.log()).not.toContain(canary)
})

test("while nats-server is away the hub says so and takes events over HTTP, and is well again when it is back", async () => {
  const { port } = nats
  await nats.kill9()
  await eventually(health, ({ status }) => status === "degraded", { withinMs: 10_000, what: "JetStream" })
  expect(await health()).toMatchObject({ connected: false, pending: null })
  const answer = await fetch(`http://127.0.0.1:${hub.port}/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({ type: "order.created", source: "web" }),
  })
  expect(answer.status).toBe(201)
  expect((await get("/ready")).status).toBe(200)
  nats = await startNats({ port })
  await eventually(health, ({ status }) => status === "up", { withinMs: 10_000, what: "JetStream" })
}, 40_000)
