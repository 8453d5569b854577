/** Two hubs with one DATABASE_URL and one NATS_URL are one hub: what one takes is on the screens of the other. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { type Channel, LongPoll, Socket } from "phoenix"
import { eventually } from "./testing/eventually.ts"
import { ADMIN_KEY, jsonOf, SERVICE_KEY, tokenFor } from "./testing/front.ts"
import { type HubProcess, startHubProcess } from "./testing/hub-process.ts"
import { type TestDatabase, testDatabase } from "./testing/postgres.ts"

/** Of one hub, so of all its nodes. */
const KEYS = `k1:${Buffer.alloc(32, 7).toString("base64")}`

let database: TestDatabase
let hubs: readonly [HubProcess, HubProcess]
beforeAll(async () => {
  database = await testDatabase()
  const start = () =>
    startHubProcess({
      databaseUrl: database.url,
      settings: {
        NATS_URL: process.env["HUB_TEST_NATS_URL"] ?? "nats://127.0.0.1:4222",
        HUB_ENCRYPTION_KEYS: KEYS,
      },
    })
  hubs = await Promise.all([start(), start()])
})
afterAll(async () => {
  for (const hub of hubs) hub.signal("SIGTERM")
  expect(await Promise.all(hubs.map((hub) => hub.exited))).toEqual([0, 0])
  await database.drop()
})

const at = (hub: HubProcess, path: string): string => `http://127.0.0.1:${hub.port}${path}`

const joined = (channel: Channel): Promise<unknown> =>
  new Promise((resolve, reject) => {
    channel.join().receive("ok", resolve).receive("error", reject).receive("timeout", reject)
  })

async function publish(hub: HubProcess, locationId: string, resourceId: string): Promise<void> {
  const answer = await fetch(at(hub, "/api/notifications"), {
    method: "POST",
    headers: { authorization: `Bearer ${SERVICE_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({
      type: "resource_updated",
      resourceType: "reservation",
      businessId: "b1",
      locationId,
      resourceId,
      shardId: "s1",
      timestamp: "2026-01-08T10:00:00.000Z",
    }),
  })
  expect(answer.status).toBe(202)
}

test("both say that NATS is up", async () => {
  for (const hub of hubs) {
    const headers = { authorization: `Bearer ${ADMIN_KEY}` }
    const read = () => jsonOf<{ parts: { nats?: { status: string } } }>(fetch(at(hub, "/health/detailed"), { headers }))
    await eventually(read, ({ parts }) => parts.nats?.status === "up", { withinMs: 10_000, what: "the health of NATS" })
  }
})

test("a resource message that one takes reaches the sockets of both, once and in order", async () => {
  const token = await tokenFor({ sub: "u1", tenants: [{ business: "b1", locations: ["l1"] }] })
  const seen = hubs.map((): string[] => [])
  const { promise: complete, resolve } = Promise.withResolvers<void>()
  const sockets = await Promise.all(
    hubs.map(async (hub, index) => {
      const socket = new Socket(at(hub, "/socket").replace("http", "ws"), { params: { token }, transport: WebSocket })
      socket.connect()
      const channel = socket.channel("resources:b1-l1")
      channel.on("resource_update", ({ resourceId }: { resourceId: string }) => {
        seen[index]?.push(resourceId)
        if (seen.every((ids) => ids.length >= 6)) resolve()
      })
      await joined(channel)
      return socket
    }),
  )
  const sent = ["r1", "r2", "r3", "r4", "r5", "r6"]
  for (const [index, resourceId] of sent.entries()) {
    const hub = hubs[index % 2] ?? hubs[0]
    await publish(hub, "l1", resourceId)
  }
  await complete
  expect(seen).toEqual([sent, sent])
  for (const socket of sockets) socket.disconnect()
})

test("a client that polls is served by both, as a balancer sends its requests to each in turn", async () => {
  let turn = 0
  const balancer = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 30,
    fetch(request) {
      const { pathname, search } = new URL(request.url)
      const hub = hubs[turn++ % 2] ?? hubs[0]
      return fetch(new Request(at(hub, pathname + search), request))
    },
  })
  const token = await tokenFor({ sub: "u1", tenants: [{ business: "b1", locations: ["l2"] }] })
  const socket = new Socket(`http://127.0.0.1:${balancer.port}/socket`, { params: { token }, transport: LongPoll })
  let lost = 0
  socket.onError(() => {
    lost += 1
  })
  socket.connect()
  const channel = socket.channel("resources:b1-l2")
  const seen: string[] = []
  const complete = new Promise<void>((done) => {
    channel.on("resource_update", ({ resourceId }: { resourceId: string }) => {
      seen.push(resourceId)
      if (seen.length === 4) done()
    })
  })
  await joined(channel)
  const sent = ["p1", "p2", "p3", "p4"]
  for (const [index, resourceId] of sent.entries()) await publish(hubs[index % 2] ?? hubs[0], "l2", resourceId)
  await complete
  expect([seen, lost]).toEqual([sent, 0])
  await new Promise((done) => channel.leave().receive("ok", done))
  socket.disconnect()
  await balancer.stop(true)
})
