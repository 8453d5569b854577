/** Catalogue 32: one caller far over its limit on both nodes of a hub, and another one who is not. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { ADMIN_KEY, SERVICE_KEY } from "./testing/front.ts"
import { type HubProcess, startHubProcess } from "./testing/hub-process.ts"
import { type TestDatabase, testDatabase } from "./testing/postgres.ts"

const LIMIT = 20
const SECONDS = 5
/** Requests of the flood that may be under way: beyond it the load client would measure itself. */
const MOST_OPEN = 400

let database: TestDatabase
let hubs: readonly HubProcess[] = []
beforeAll(async () => {
  database = await testDatabase()
  const settings = { HUB_RATE_LIMIT: `caller=${LIMIT},business=100000` }
  hubs = await Promise.all([1, 2].map(() => startHubProcess({ databaseUrl: database.url, settings })))
}, 60_000)
afterAll(async () => {
  for (const hub of hubs) hub.signal("SIGTERM")
  await Promise.all(hubs.map((hub) => hub.exited))
  await database.drop()
}, 60_000)

const post = async (n: number, key: string): Promise<number> => {
  const answer = await fetch(`http://127.0.0.1:${hubs[n % hubs.length]?.port}/v1/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: '{"type":"t","source":"s"}',
    signal: AbortSignal.timeout(20_000),
  })
  await answer.arrayBuffer()
  return answer.status
}

/** Sends at a fixed rate, alternating between the nodes, whatever the answers do; how often each status came. */
async function openLoop(
  key: string,
  perSecond: number,
): Promise<{ readonly counts: Map<number, number>; sent: number }> {
  const counts = new Map<number, number>()
  const open = new Set<Promise<void>>()
  const began = performance.now()
  let sent = 0
  for (let ms = 0; ms < SECONDS * 1_000; ms = performance.now() - began) {
    for (; sent < (ms / 1_000) * perSecond && open.size < MOST_OPEN; sent++) {
      const one = post(sent, key)
        .then((status) => void counts.set(status, (counts.get(status) ?? 0) + 1))
        .finally(() => open.delete(one))
      open.add(one)
    }
    await Bun.sleep(5)
  }
  await Promise.all(open)
  return { counts, sent }
}

test("a caller at many times its limit gets its limit and one burst, over both nodes; the other gets all that it sends", async () => {
  const began = performance.now()
  const [flood, normal] = await Promise.all([openLoop(SERVICE_KEY, LIMIT * 50), openLoop(ADMIN_KEY, LIMIT / 2)])
  const seconds = (performance.now() - began) / 1_000
  const taken = flood.counts.get(201) ?? 0
  console.log(
    `rate limit ${LIMIT}/s over two nodes: ${flood.sent} sent in ${seconds.toFixed(1)} s, ${taken} taken (at most ` +
      `${Math.floor(LIMIT * (seconds + 1))} with one burst); neighbour ${normal.counts.get(201)} of ${normal.sent}`,
  )
  expect([...flood.counts.keys()].toSorted()).toEqual([201, 429])
  expect(flood.sent).toBeGreaterThan(LIMIT * SECONDS * 5)
  expect(taken).toBeLessThanOrEqual(LIMIT * (seconds * 1.05 + 1))
  expect(taken).toBeGreaterThanOrEqual(LIMIT * SECONDS * 0.95)
  expect([...normal.counts.keys()]).toEqual([201])
}, 60_000)
