/** Several processes on one port are one hub: connections are dealt out, and what one takes is on everybody's screen. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { eventually } from "./testing/eventually.ts"
import { ADMIN_KEY, jsonOf, SERVICE_KEY, tokenFor } from "./testing/front.ts"
import { type HubProcess, startHubProcess } from "./testing/hub-process.ts"
import { freePort } from "./testing/nats.ts"
import { type TestDatabase, testDatabase } from "./testing/postgres.ts"
import { RawClient } from "./testing/realtime-room.ts"

let database: TestDatabase
let hubs: readonly HubProcess[]
let port: number
const start = (): Promise<HubProcess> =>
  startHubProcess({
    databaseUrl: database.url,
    port,
    settings: {
      HUB_REUSE_PORT: "true",
      NATS_URL: process.env["HUB_TEST_NATS_URL"] ?? "nats://127.0.0.1:4222",
    },
  })
beforeAll(async () => {
  database = await testDatabase()
  port = await freePort()
  hubs = [await start(), await start()]
})
afterAll(async () => {
  for (const hub of hubs) hub.signal("SIGTERM")
  expect(await Promise.all(hubs.map((hub) => hub.exited))).toEqual([0, 0])
  await database.drop()
})

const message = (n: number) => ({
  type: "resource_updated",
  resourceType: "reservation",
  businessId: "b1",
  locationId: "l1",
  resourceId: `r${n}`,
  shardId: "s1",
  timestamp: "2026-01-08T10:00:00.000Z",
})
/** By a connection of its own, so that the kernel decides anew who takes it. */
const tell = async (n: number): Promise<number> => {
  const answer = await fetch(`http://127.0.0.1:${port}/api/notifications`, {
    method: "POST",
    keepalive: false,
    headers: { authorization: `Bearer ${SERVICE_KEY}`, "content-type": "application/json", connection: "close" },
    body: JSON.stringify(message(n)),
  })
  await answer.text()
  return answer.status
}
/** Which node answers, by the name that each gives itself. */
const nodeName = async (): Promise<string> => {
  const headers = { authorization: `Bearer ${ADMIN_KEY}`, connection: "close" }
  return (await jsonOf<{ node: string }>(fetch(`http://127.0.0.1:${port}/admin/actors`, { headers, keepalive: false })))
    .node
}

test("both processes of one port get connections", async () => {
  const names = new Set<string>()
  const ask = async (): Promise<number> => names.add(await nodeName()).size
  await eventually(ask, (size) => size === 2, { withinMs: 20_000, everyMs: 1, what: "an answer of each process" })
})

test("sockets are on both, and each sees everything, once and in order, whoever took it", async () => {
  const token = await tokenFor({ sub: "u1", tenants: [{ business: "b1", locations: ["l1"] }] })
  const clients = await Promise.all(
    Array.from({ length: 24 }, () =>
      RawClient.open(`ws://127.0.0.1:${port}/socket/websocket?vsn=2.0.0&token=${token}`),
    ),
  )
  for (const client of clients) expect(await client.join("resources:b1:l1")).toMatchObject({ status: "ok" })
  for (let n = 1; n <= 12; n++) expect(await tell(n)).toBe(202)
  for (const client of clients) {
    const seen: string[] = []
    while (seen.length < 12) seen.push(((await client.frame())[4] as { resourceId: string }).resourceId)
    expect(seen).toEqual(Array.from({ length: 12 }, (_, n) => `r${n + 1}`))
    client.close()
  }
})

test("one of them may be restarted while the other serves", async () => {
  const [first, second] = hubs
  if (first === undefined || second === undefined) throw new Error("there are two")
  first.signal("SIGTERM")
  expect(await first.exited).toBe(0)
  expect(await tell(100)).toBe(202)
  hubs = [second, await start()]
  const names = new Set<string>()
  const ask = async (): Promise<number> => names.add(await nodeName()).size
  await eventually(ask, (size) => size === 2, { withinMs: 20_000, everyMs: 1, what: "an answer of each process" })
})
