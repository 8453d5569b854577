/** Whatever the database does to its clients, nothing that was accepted is lost, and the hub stays up without help. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { type Database, openDatabase } from "./store/database.ts"
import { dueWork } from "./store/queue-depth.ts"
import { eventually } from "./testing/eventually.ts"
import { type FakeProviders, startFakeProviders } from "./testing/fake-providers.ts"
import { type HubProcess, startHubProcess } from "./testing/hub-process.ts"
import { accountIn, marginCall, putTrader } from "./testing/margin-call.ts"
import { type OpenLoop, startOpenLoop } from "./testing/open-loop.ts"
import { type TestDatabase, testDatabase } from "./testing/postgres.ts"

const STORM = 40
const CANCELS = 1_500
const HUB = "datname = current_database() and application_name = 'hubbub'"

let providers: FakeProviders
let database: TestDatabase
let db: Database
let hub: HubProcess
let ended: number | string | null = null
beforeAll(async () => {
  providers = await startFakeProviders()
  database = await testDatabase()
  db = openDatabase({ url: database.url, applicationName: "storm" })
  const settings = { TELEGRAM_BOT_TOKEN: "4711:test-token", TELEGRAM_API_ROOT: providers.url }
  hub = await startHubProcess({ databaseUrl: database.url, settings })
  void hub.exited.then((code) => {
    ended = code
  })
  await putTrader(hub.port)
})
beforeEach(async () => {
  await db.execute(
    "truncate events, routing_queue, routes, notifications, deliveries, messages, attempts, stream_entries",
  )
  providers.reset()
})
afterAll(async () => {
  hub.signal("SIGTERM")
  expect(await hub.exited).toBe(0)
  await db.close()
  await database.drop()
  await providers.stop()
})

/** 200 margin calls a second, each of which the shipped rule turns into one Telegram message that names its account. */
const underLoad = (name: string): OpenLoop =>
  startOpenLoop({
    perSecond: 200,
    url: () => `http://127.0.0.1:${hub.port}`,
    event: (n) => ({
      key: `${name}-${n}`,
      body: marginCall(n),
    }),
  })

/** Ends the load, waits until nothing is left to do, and compares what was accepted with what was told and sent. */
async function nothingIsLost(load: OpenLoop): Promise<void> {
  await load.finish()
  await eventually(
    () => dueWork(db),
    (work) => work.unrouted + work.waiting + work.sending === 0,
    { withinMs: 60_000, what: "work that nobody does" },
  )
  expect(load.refused).toEqual([])
  const stored = await db.query<{ id: string; key: string }>("select id, idempotency_key as key from events")
  expect(new Map(stored.map((row) => [row.key, row.id]))).toEqual(new Map(load.acked))
  const told = await db.query("select event_id from notifications group by event_id having count(*) = 1")
  expect(told).toHaveLength(load.acked.size)
  expect(providers.counts((call) => accountIn(call.text)).size).toBe(load.acked.size)
  const statuses = await db.query(
    "select status, count(*)::int as n from deliveries where channel = 'telegram' group by 1",
  )
  expect(statuses).toEqual([{ status: "delivered", n: load.acked.size }])
  expect(ended).toBeNull()
  expect(hub.log()).not.toMatch(/"event":"(bug_found|actor_exited|actor_restarted|actor_gave_up|route_failed)"/)
}

describe("a hub under load loses nothing and stays up", () => {
  test("while its connections are cut, some or all at once", async () => {
    const load = underLoad("cut")
    for (let cut = 0; cut < STORM; cut += 1) {
      await load.more(1 + Math.floor(Math.random() * 30))
      const some = cut % 5 === 0 ? "true" : "random() < 0.4"
      await db.query(`select pg_terminate_backend(pid) from pg_stat_activity where ${HUB} and ${some}`)
    }
    await nothingIsLost(load)
  }, 120_000)

  test("while its statements are cancelled", async () => {
    const load = underLoad("cancelled")
    await load.more(50)
    // So many and no more: a storm that lasted until something got through could starve a slow machine.
    for (let round = 0; round < CANCELS; round += 1)
      await db.query(`select pg_cancel_backend(pid) from pg_stat_activity where ${HUB}`)
    await nothingIsLost(load)
  }, 120_000)

  test("while somebody holds a lock for longer than it waits for one", async () => {
    const load = underLoad("locked")
    await load.more(50)
    await db.transaction(async (tx) => {
      await tx.execute("lock table notifications, deliveries in access exclusive mode")
      await tx.execute("select pg_sleep(3)")
    })
    await nothingIsLost(load)
  }, 120_000)
})
