/** `kill -9` loses nothing that was accepted; SIGTERM loses no time and no attempt. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type Database, openDatabase } from "./store/database.ts"
import { dueWork } from "./store/queue-depth.ts"
import { eventually } from "./testing/eventually.ts"
import { type FakeProviders, startFakeProviders } from "./testing/fake-providers.ts"
import { tokenFor } from "./testing/front.ts"
import { type HubProcess, startHubProcess } from "./testing/hub-process.ts"
import { accountIn, marginCall, putTrader } from "./testing/margin-call.ts"
import { startOpenLoop } from "./testing/open-loop.ts"
import { type TestDatabase, testDatabase } from "./testing/postgres.ts"

const KILLS = 50
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

const start = (port = 0): Promise<HubProcess> =>
  startHubProcess({
    databaseUrl: database.url,
    port,
    settings: { TELEGRAM_BOT_TOKEN: "4711:test-token", TELEGRAM_API_ROOT: providers.url },
  })

const numbered = (name: string) => (n: number) => ({ key: `${name}-${n}`, body: marginCall(n) })
const work = () => dueWork(db)
const nothingLeft = (w: { unrouted: number; waiting: number; sending: number }): boolean =>
  w.unrouted + w.waiting + w.sending === 0

describe("kill -9", () => {
  test(`of a hub under load, ${KILLS} times, loses no accepted event and leaves nothing stuck`, async () => {
    let hub = await start()
    const { port } = hub
    await putTrader(hub.port)
    const load = startOpenLoop({ perSecond: 200, url: () => `http://127.0.0.1:${port}`, event: numbered("margin") })
    for (let kill = 0; kill < KILLS; kill += 1) {
      // At a moment that nothing in the hub can know: after so many more events, wherever each of them is.
      await load.more(1 + Math.floor(Math.random() * 150))
      hub.signal("SIGKILL")
      expect(await hub.exited).toBe("SIGKILL")
      hub = await start(port)
    }
    await load.finish()
    await eventually(work, nothingLeft, { withinMs: 60_000, what: "work that nobody does" })

    expect(load.refused).toEqual([])
    expect(load.acked.size).toBeGreaterThan(KILLS * 20)
    const stored = await db.query<{ id: string; key: string }>("select id, idempotency_key as key from events")
    expect(new Map(stored.map((row) => [row.key, row.id]))).toEqual(new Map(load.acked))
    const told = await db.query("select event_id from notifications group by event_id having count(*) = 1")
    expect(told).toHaveLength(load.acked.size)

    const sends = providers.counts((call) => accountIn(call.text))
    expect(sends.size).toBe(load.acked.size)
    const statuses = await db.query<{ status: string; n: number }>(
      "select status, count(*)::int as n from deliveries where channel = 'telegram' group by 1",
    )
    expect(statuses).toEqual([{ status: "delivered", n: load.acked.size }])
    const duplicates = [...sends].filter(([, n]) => n > 1)
    const marked = await db.query<{ key: string }>(
      "select e.idempotency_key as key from deliveries d join events e on e.id = d.event_id where d.maybe_duplicate",
    )
    const extra = duplicates.reduce((sum, [, n]) => sum + n - 1, 0)
    console.log(
      `${KILLS} kills: ${load.acked.size} accepted, 0 lost, ${extra} sent again (bound ${KILLS * IN_FLIGHT}), ${marked.length} marked`,
    )
    expect(extra).toBeLessThanOrEqual(KILLS * IN_FLIGHT)
    // Whoever was told twice is marked: account 7 belongs to the event with key 7.
    const keys = new Set(marked.map((row) => row.key))
    expect(duplicates.filter(([account]) => !keys.has(account.replace(/^acc-(\d+)\.$/, "margin-$1")))).toEqual([])
    hub.signal("SIGTERM")
    expect(await hub.exited).toBe(0)
  }, 300_000)
})

describe("SIGTERM", () => {
  test("closes sockets with 1012, lets sends finish, gives leases back and ends with 0 in under 10 s", async () => {
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
      event: numbered("term"),
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
    const burned = await db.query("select 1 from deliveries where status in ('queued', 'retrying') and attempt > 0")
    expect(burned).toHaveLength(0)
    const delivered = await db.query(
      "select 1 from deliveries d join events e on e.id = d.event_id where d.status = 'delivered' and e.idempotency_key like 'term-%'",
    )
    expect(delivered.length).toBe(providers.callsOf("telegram").length)
  }, 60_000)
})
