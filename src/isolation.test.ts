/** A channel that crashes all the time, as an operator meets it: the hub is up, the others send, the log can be read. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { type Database, openDatabase } from "./store/database.ts"
import { dueWork } from "./store/queue-depth.ts"
import { eventually } from "./testing/eventually.ts"
import { type FakeProviders, startFakeProviders } from "./testing/fake-providers.ts"
import { jsonOf } from "./testing/front.ts"
import { type HubProcess, startHubProcess } from "./testing/hub-process.ts"
import { accountIn, marginCall, putTrader } from "./testing/margin-call.ts"
import { type OpenLoop, startOpenLoop } from "./testing/open-loop.ts"
import { type TestDatabase, testDatabase } from "./testing/postgres.ts"
import { seedDeliveries, someMessage } from "./testing/seed-deliveries.ts"

const PRELOAD = join(import.meta.dir, "testing/crashing-channel.ts")
const FLAT_MB = 50

let providers: FakeProviders
let database: TestDatabase
let db: Database
let hub: HubProcess
let ended: number | string | null = null
let folder: string
let load: OpenLoop | null = null
beforeEach(async () => {
  load = null
  providers = await startFakeProviders()
  database = await testDatabase()
  db = openDatabase({ url: database.url, applicationName: "isolation" })
  folder = mkdtempSync(join(tmpdir(), "hub-isolation-"))
})
afterEach(async () => {
  // Of a test that failed: what it still sends would reach the next one's hub.
  await load?.finish()
  hub.signal("SIGTERM")
  expect(await hub.exited).toBe(0)
  await db.close()
  await database.drop()
  await providers.stop()
  rmSync(folder, { recursive: true, force: true })
})

const bug = () => join(folder, "bug")
const start = async (settings: Readonly<Record<string, string>>): Promise<void> => {
  ended = null
  hub = await startHubProcess({
    databaseUrl: database.url,
    command: [process.execPath, "--no-env-file", "--preload", PRELOAD, "src/main.ts"],
    settings: {
      TELEGRAM_BOT_TOKEN: "4711:test-token",
      TELEGRAM_API_ROOT: providers.url,
      SLACK_WEBHOOK_URL: providers.slackWebhook(),
      CRASH_WHILE: bug(),
      ...settings,
    },
  })
  void hub.exited.then((code) => {
    ended = code
  })
  await putTrader(hub.port)
}

const get = (path: string): Promise<Response> =>
  fetch(`http://127.0.0.1:${hub.port}${path}`, { signal: AbortSignal.timeout(5_000) })
const channels = async () =>
  (await jsonOf<{ parts: { channels: Record<string, string> } }>(get("/health/detailed"))).parts.channels
const figure = async (line: string): Promise<number> => {
  const found = (await (await get("/metrics")).text()).split("\n").find((one) => one.startsWith(`${line} `))
  return Number(found?.slice(line.length) ?? 0)
}
const CRASHES = 'hub_actor_crashes_total{kind="dispatcher",reason="error"}'
const GAVE_UP = "hub_supervisors_gave_up_total"
const untilFigure = (line: string, least: number) =>
  eventually(
    () => figure(line),
    (is) => is >= least,
    { withinMs: 60_000, everyMs: 100, what: line },
  )
const megabytes = async (): Promise<number> =>
  Number(/^VmRSS:\s+(\d+) kB/m.exec(await Bun.file(`/proc/${hub.pid}/status`).text())?.[1]) / 1_024

/** Asks again and again whether it is ready, until it is told to stop; gives what it was answered. */
function watchReady(): () => Promise<ReadonlyMap<number, number>> {
  const answers = new Map<number, number>()
  let watching = true
  const watched = (async () => {
    while (watching) {
      const status = await get("/ready").then(
        (answer) => answer.status,
        () => 0,
      )
      answers.set(status, (answers.get(status) ?? 0) + 1)
      await Bun.sleep(50)
    }
    return answers
  })()
  return () => {
    watching = false
    return watched
  }
}

interface Logged {
  /** Lines in any second since it listens. */
  readonly most: number
  /** Of the channel's dispatcher, told or counted. */
  readonly crashes: number
  /** Whatever else crashed, gave up or was started anew. */
  readonly others: readonly string[]
}

function logged(): Logged {
  const lines = hub
    .log()
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as { time: string; event: string; actor?: string; of?: Record<string, number> }) // as log.ts writes it
  const after = lines.slice(lines.findIndex(({ event }) => event === "hub_listening") + 1)
  const times = after.map(({ time }) => Date.parse(time))
  const most = Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + 1_000).length))
  const crashes = after.reduce((all, { event, actor, of = {} }) => {
    if (event === "actor_gave_up" || (event === "actor_restarted" && actor === "dispatcher:slack")) return all + 1
    return all + (of["actor_gave_up channel:slack"] ?? 0) + (of["actor_restarted dispatcher:slack"] ?? 0)
  }, 0)
  const others = after
    .flatMap(({ event, actor, of = {} }) => [`${event} ${actor}`, ...Object.keys(of)])
    .filter((told) => told.startsWith("actor_") && !told.endsWith(":slack"))
  return { most, crashes, others }
}

const STORMS = [
  { how: "as often as its supervisor lets it", settings: {}, of: GAVE_UP, many: 3, waiting: 200 },
  { how: "100 times a second", settings: { CRASH_EVERY_MS: "10" }, of: CRASHES, many: 500, waiting: 1_500 },
] as const

describe("a channel whose dispatcher crashes on every message", () => {
  for (const { how, settings, of, many, waiting } of STORMS)
    test(`${how}, disturbs nobody, can be seen, and has lost nothing when it is mended`, async () => {
      await start(settings)
      load = startOpenLoop({
        perSecond: 100,
        url: () => `http://127.0.0.1:${hub.port}`,
        event: (n) => ({ key: `isolation-${n}`, body: marginCall(n) }),
      })
      await load.more(200)
      const before = await megabytes()
      const ready = watchReady()
      writeFileSync(bug(), "")
      await seedDeliveries(
        db,
        Array.from({ length: waiting }, (_, n) => ({
          channel: "slack" as const,
          message: someMessage("slack", `slack-${n}.`),
        })),
      )
      await untilFigure(of, 1)
      const [began, crashed] = [performance.now(), await figure(CRASHES)]
      await untilFigure(of, many)
      const perSecond = ((await figure(CRASHES)) - crashed) / ((performance.now() - began) / 1_000)
      expect(await channels()).toMatchObject({ slack: "crashing", telegram: "live" })
      expect(await jsonOf<object>(get("/health/detailed"))).toMatchObject({ status: "degraded" })
      await load.more(100)
      expect((await megabytes()) - before).toBeLessThan(FLAT_MB)

      rmSync(bug())
      await load.finish()
      await eventually(
        () => dueWork(db),
        (work) => work.unrouted + work.waiting + work.sending === 0,
        { withinMs: 90_000, what: "work that nobody does" },
      )
      expect([...(await ready()).keys()]).toEqual([200])
      expect(ended).toBeNull()
      expect(load.refused).toEqual([])
      const told = new Set(providers.callsOf("telegram").map((call) => accountIn(call.text)))
      expect(told.size).toBe(load.acked.size)
      expect(providers.callsOf("telegram")).toHaveLength(load.acked.size)
      expect(new Set(providers.callsOf("slack").map((call) => call.text)).size).toBe(waiting)
      const { most, crashes, others } = logged()
      expect(most).toBeGreaterThan(0)
      expect(most).toBeLessThan(10)
      expect(crashes).toBeGreaterThanOrEqual(many)
      expect(others).toEqual([])
      console.log(`${how}: ${perSecond.toFixed(0)} crashes/s, at most ${most} lines in a second`)
    }, 150_000)
})

describe("a stop that is asked while a channel crashes", () => {
  for (const { how, settings, of } of STORMS)
    test(`${how} ends with 0 within 10 s, and nothing is lost`, async () => {
      await start(settings)
      writeFileSync(bug(), "")
      const seeds = Array.from({ length: 300 }, (_, n) => ({
        channel: "slack" as const,
        message: someMessage("slack", `slack-${n}.`),
      }))
      await seedDeliveries(db, seeds)
      // A channel that rests is stopped in its pause, the other one in the midst of its crashes.
      await untilFigure(of, of === CRASHES ? 50 : 1)
      const asked = performance.now()
      hub.signal("SIGTERM")
      expect(await hub.exited).toBe(0)
      expect(performance.now() - asked).toBeLessThan(10_000)
      const over = await db.query("select 1 from deliveries where status not in ('queued', 'retrying', 'sending')")
      expect(over).toEqual([])
      expect(logged().others).toEqual([])
    }, 60_000)
})

test("a provider that is away is told to the operator, disturbs nobody, and has lost nothing when it is back", async () => {
  await start({})
  providers.always("slack", { kind: "answer", status: 503, body: "away" })
  const seeds = Array.from({ length: 60 }, (_, n) => ({
    channel: "slack" as const,
    message: someMessage("slack", `slack-${n}.`),
  }))
  await seedDeliveries(db, seeds)
  await eventually(channels, ({ slack }) => slack === "provider_error", { withinMs: 20_000, what: "the open breaker" })
  expect(await jsonOf<object>(get("/health/detailed"))).toMatchObject({ status: "degraded" })
  expect((await get("/ready")).status).toBe(200)
  expect(await figure("hub_broken_channels")).toBe(1)
  expect(hub.log()).toMatch(/"level":"warn","event":"breaker_opened","channel":"slack","reason":"provider_error"/)
  providers.always("slack", { kind: "ok" })
  await eventually(
    () => dueWork(db),
    (work) => work.waiting + work.sending === 0,
    { withinMs: 40_000, what: "work that nobody does" },
  )
  expect(await db.query("select status, count(*)::int as n from deliveries group by 1")).toEqual([
    { status: "delivered", n: 60 },
  ])
  expect(await channels()).toMatchObject({ slack: "live" })
  expect(hub.log()).toMatch(/"event":"breaker_closed","channel":"slack"/)
  expect(logged().most).toBeLessThan(10)
}, 90_000)
