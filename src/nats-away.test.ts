/** Two nodes whose NATS is gone are two nodes still: what one takes is on the other's screens, a second later. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { eventually } from "./testing/eventually.ts"
import { ADMIN_KEY, jsonOf, SERVICE_KEY, tokenFor } from "./testing/front.ts"
import { type HubProcess, startHubProcess } from "./testing/hub-process.ts"
import { startNats, type TestNats } from "./testing/nats.ts"
import { type TestDatabase, testDatabase } from "./testing/postgres.ts"
import { RawClient } from "./testing/realtime-room.ts"

const TOPIC = "resources:b1:l1"

let nats: TestNats
let database: TestDatabase
let hubs: readonly [HubProcess, HubProcess]
beforeAll(async () => {
  database = await testDatabase()
  nats = await startNats()
  const start = () => startHubProcess({ databaseUrl: database.url, settings: { NATS_URL: nats.url } })
  hubs = await Promise.all([start(), start()])
})
afterAll(async () => {
  for (const hub of hubs) hub.signal("SIGTERM")
  expect(await Promise.all(hubs.map((hub) => hub.exited))).toEqual([0, 0])
  await nats.stop()
  await database.drop()
})

async function tell({ port }: HubProcess, n: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/api/notifications`, {
    method: "POST",
    headers: { authorization: `Bearer ${SERVICE_KEY}`, "content-type": "application/json" },
    body: JSON.stringify({
      type: "resource_updated",
      resourceType: "reservation",
      businessId: "b1",
      locationId: "l1",
      resourceId: `r${n}`,
      shardId: "s1",
      timestamp: "2026-01-08T10:00:00.000Z",
    }),
  })
  expect(answer.status).toBe(202)
}
const natsIs = (state: "up" | "degraded") =>
  Promise.all(
    hubs.map(({ port }) => {
      const headers = { authorization: `Bearer ${ADMIN_KEY}` }
      const read = () =>
        jsonOf<{ parts: { nats: { status: string } } }>(fetch(`http://127.0.0.1:${port}/health/detailed`, { headers }))
      return eventually(read, ({ parts }) => parts.nats.status === state, {
        withinMs: 20_000,
        what: "the health of NATS",
      })
    }),
  )

test("what one takes while NATS is gone is on the other's screens, each once and in order, and no node is less ready", async () => {
  const token = await tokenFor({ sub: "u1", tenants: [{ business: "b1", locations: ["l1"] }] })
  const [here, there] = hubs
  await natsIs("up")
  const screen = await RawClient.open(`ws://127.0.0.1:${there.port}/socket/websocket?vsn=2.0.0&token=${token}`)
  await screen.join(TOPIC)
  await tell(here, 1)
  const seen = async (): Promise<string> => ((await screen.frame())[4] as { resourceId: string }).resourceId
  expect(await seen()).toBe("r1")
  await nats.kill9()
  await natsIs("degraded")
  const began = performance.now()
  for (const n of [2, 3, 4]) await tell(here, n)
  expect([await seen(), await seen(), await seen()]).toEqual(["r2", "r3", "r4"])
  // Within its second; the rest is for a machine that has other things to do.
  expect(performance.now() - began).toBeLessThan(7_000)
  for (const { port } of hubs) expect((await fetch(`http://127.0.0.1:${port}/ready`)).status).toBe(200)
})
