/** SIGTERM loses no time and no attempt. What `kill -9` loses, which is nothing, is shown by `faults/01-kill-loop.ts`. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { type Database, openDatabase } from "./store/database.ts"
import { type FakeProviders, startFakeProviders } from "./testing/fake-providers.ts"
import { tokenFor } from "./testing/front.ts"
import { type HubProcess, startHubProcess } from "./testing/hub-process.ts"
import { marginCall, putTrader } from "./testing/margin-call.ts"
import { startOpenLoop } from "./testing/open-loop.ts"
import { type TestDatabase, testDatabase } from "./testing/postgres.ts"

/** Sends that one hub has in flight on one channel (delivery's default). */
const IN_FLIGHT = 32

let providers: FakeProviders
let database: TestDatabase
let db: Database
beforeAll(async () => {
  providers = await startFakeProviders()
  database = await testDatabase()
  db = openDatabase({ url: database.url })
})
afterAll(async () => {
  await db.close()
  await database.drop()
  await providers.stop()
})

const start = (): Promise<HubProcess> =>
  startHubProcess({
    databaseUrl: database.url,
    settings: { TELEGRAM_BOT_TOKEN: "4711:test-token", TELEGRAM_API_ROOT: providers.url },
  })

test("SIGTERM closes sockets with 1012, lets sends finish, gives leases back and ends with 0 in under 10 s", async () => {
  const hub = await start()
  await putTrader(hub.port)
  const token = await tokenFor({ sub: "trader-7", business_id: "desk" })
  const socket = new WebSocket(`ws://127.0.0.1:${hub.port}/socket/websocket?vsn=2.0.0&token=${token}`)
  await new Promise((resolve) => socket.addEventListener("open", resolve))
  const closed = new Promise<number>((resolve) => socket.addEventListener("close", (event) => resolve(event.code)))
  const release = Promise.withResolvers<void>()
  providers.reset()
  providers.always("telegram", { kind: "wait", released: release.promise })
  const load = startOpenLoop({
    perSecond: 400,
    url: () => `http://127.0.0.1:${hub.port}`,
    event: (n) => ({ key: `term-${n}`, body: marginCall(n) }),
  })
  // More than can be in flight at once: the rest is waiting or just claimed.
  await providers.waitFor(IN_FLIGHT, "telegram")
  await load.finish()

  const began = performance.now()
  hub.signal("SIGTERM")
  expect(await closed).toBe(1012)
  release.resolve()
  expect(await hub.exited).toBe(0)
  expect(performance.now() - began).toBeLessThan(10_000)
  const held = await db.query(
    "select 1 from deliveries where status = 'sending' or owner is not null and lease_until > now() and status <> 'delivered'",
  )
  expect(held).toHaveLength(0)
  const burned = await db.query(
    "select 1 from deliveries where status in ('queued', 'retrying') and attempt > forgiven",
  )
  expect(burned).toHaveLength(0)
  const delivered = await db.query(
    "select 1 from deliveries d join events e on e.id = d.event_id where d.status = 'delivered' and e.idempotency_key like 'term-%'",
  )
  expect(delivered.length).toBe(providers.callsOf("telegram").length)
}, 60_000)
