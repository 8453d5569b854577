/** A hub whose event loop is blocked for good is ended and started again, and nothing that it had accepted is lost. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parse } from "yaml"
import { type Database, openDatabase } from "./store/database.ts"
import { findRunning, startEmbedded } from "./store/embedded.ts"
import { dueWork } from "./store/queue-depth.ts"
import { eventually } from "./testing/eventually.ts"
import { type FakeProviders, startFakeProviders } from "./testing/fake-providers.ts"
import { ADMIN_KEY } from "./testing/front.ts"
import { type HubProcess, type HubProcessOptions, startHubProcess } from "./testing/hub-process.ts"
import { accountIn, marginCall, putTrader } from "./testing/margin-call.ts"
import { startOpenLoop } from "./testing/open-loop.ts"
import { type TestDatabase, testDatabase } from "./testing/postgres.ts"

const ROOT = join(import.meta.dir, "..")
/** The hub's own limit, and how late after it the watchdog may be. */
const LIMIT_MS = 5_000
const LATE_MS = 1_000
const BACK_MS = 7_000
const LEASE_MS = 15_000

let providers: FakeProviders
let database: TestDatabase
let db: Database
let folder: string
beforeAll(async () => {
  providers = await startFakeProviders()
  database = await testDatabase()
  db = openDatabase({ url: database.url })
  folder = mkdtempSync(join(tmpdir(), "hub-watchdog-"))
  chmodSync(folder, 0o711)
})
afterAll(async () => {
  await db.close()
  await database.drop()
  await providers.stop()
  rmSync(folder, { recursive: true, force: true })
})
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const blockFile = (): string => join(folder, "block")
const block = (): void => writeFileSync(blockFile(), "")

async function start(options: Partial<HubProcessOptions> = {}): Promise<HubProcess> {
  const hub = await startHubProcess({
    databaseUrl: database.url,
    ...options,
    settings: {
      TELEGRAM_BOT_TOKEN: "4711:test-token",
      TELEGRAM_API_ROOT: providers.url,
      BUN_OPTIONS: `--preload=${join(import.meta.dir, "testing/block-on-file.ts")}`,
      BLOCK_ON_FILE: blockFile(),
      ...options.settings,
    },
  })
  cleanups.push(async () => {
    hub.signal("SIGTERM")
    await hub.exited
  })
  return hub
}

/** What `npm start` does once Bun and the dependencies are there (scripts/run.mjs). */
function npmStart(): readonly string[] {
  const node = Bun.which("node")
  if (node === null) throw new Error("Node is what npm start is for, and it is not in PATH")
  const args = JSON.stringify(["--no-env-file", "src/main.ts", "serve"])
  const code = `
    import { runToEnd } from ${JSON.stringify(join(ROOT, "scripts/child.mjs"))}
    process.exitCode = await runToEnd(${JSON.stringify(process.execPath)}, ${args}, { cwd: ${JSON.stringify(ROOT)}, keep: true })`
  return [node, "--input-type=module", "-e", code]
}

function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } })
  const { port } = listener
  listener.stop(true)
  return port
}

const ready = async (port: number): Promise<boolean> => {
  try {
    return (await fetch(`http://127.0.0.1:${port}/ready`, { signal: AbortSignal.timeout(2_000) })).ok
  } catch {
    return false // nobody listens
  }
}

const said = (hub: HubProcess, words: string): Promise<boolean> =>
  eventually(
    async () => hub.log().includes(words),
    (yes) => yes,
    { withinMs: 20_000, everyMs: 10, what: `whether the hub has said ${words}` },
  )

describe("a hub whose event loop is blocked for good", () => {
  test("is ended, started again by npm start, serves within 7 s, and loses nothing it had accepted or in hand", async () => {
    const port = freePort()
    const hub = await start({ command: npmStart(), port })
    await putTrader(port)
    const release = Promise.withResolvers<void>()
    providers.always("telegram", { kind: "wait", released: release.promise })
    const load = startOpenLoop({
      perSecond: 100,
      url: () => `http://127.0.0.1:${port}`,
      event: (n) => ({ key: `block-${n}`, body: marginCall(n) }),
    })
    await load.more(100)
    const inHand = [...(await providers.waitFor(10, "telegram"))]

    const asked = performance.now()
    block()
    await said(hub, '"event":"event_loop_blocked"')
    const ended = performance.now()
    expect(ended - asked).toBeLessThan(LIMIT_MS + LATE_MS)
    providers.always("telegram", { kind: "ok" })
    release.resolve()
    await eventually(
      () => ready(port),
      (yes) => yes,
      { withinMs: 20_000, everyMs: 20, what: "readiness" },
    )
    const backMs = performance.now() - ended
    console.log(
      `ended after ${Math.round(ended - asked)} ms of blocked loop, ready again ${Math.round(backMs)} ms later`,
    )
    expect(backMs).toBeLessThan(BACK_MS)
    expect(Number(/"blocked_ms":(\d+)/.exec(hub.log())?.[1])).toBeWithin(LIMIT_MS, LIMIT_MS + LATE_MS)
    expect(hub.log()).toContain('"exit_code":75')
    expect(hub.log()).toContain("hub: it ended itself: starting it again")
    await load.more(100)
    await load.finish()
    await eventually(
      () => dueWork(db),
      ({ unrouted, waiting, sending }) => unrouted + waiting + sending === 0,
      { withinMs: 40_000, what: "work that nobody does" },
    )

    expect(load.refused).toEqual([])
    const stored = await db.query<{ id: string; key: string }>("select id, idempotency_key as key from events")
    expect(new Map(stored.map((row) => [row.key, row.id]))).toEqual(new Map(load.acked))
    const statuses = await db.query(
      "select status, count(*)::int as n from deliveries where channel = 'telegram' group by 1",
    )
    expect(statuses).toEqual([{ status: "delivered", n: load.acked.size }])
    // What was in hand is sent again by the next process, and says so.
    const sends = providers.counts((call) => accountIn(call.text))
    expect(sends.size).toBe(load.acked.size)
    const marked = await db.query<{ key: string }>(
      "select e.idempotency_key as key from deliveries d join events e on e.id = d.event_id where d.maybe_duplicate",
    )
    const keys = new Set(marked.map(({ key }) => key))
    for (const call of inHand) {
      const account = accountIn(call.text)
      const [once, again, ...more] = providers.calls.filter(({ text }) => accountIn(text) === account)
      expect(more).toEqual([])
      // The lease was not given back: it had to run out.
      expect((again?.at ?? 0) - (once?.at ?? 0)).toBeGreaterThan(LEASE_MS - 1_000)
      expect(keys).toContain(account.replace(/^acc-(\d+)\.$/, "block-$1"))
    }
    hub.signal("SIGTERM")
    expect(await hub.exited).toBe(0)
  }, 120_000)

  test("leaves its embedded PostgreSQL to the next start, which takes it over with what was accepted", async () => {
    const dataDir = join(folder, "data")
    cleanups.push(async () => {
      // Whatever became of the hubs, their server does not stay.
      if ((await findRunning(dataDir)) !== null) await (await startEmbedded({ dataDir, durable: false })).stop()
    })
    const embedded = { databaseUrl: null, dataDir }
    const headers = { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" }
    const first = await start(embedded)
    const body = JSON.stringify({ type: "stock.low", source: "inventory", idempotency_key: "before" })
    const answer = await fetch(`http://127.0.0.1:${first.port}/v1/events`, { method: "POST", headers, body })
    expect(answer.status).toBe(201)
    const { id }: { id: string } = JSON.parse(await answer.text())
    const server = await findRunning(dataDir)
    block()
    expect(await first.exited).toBe(75)
    expect(await findRunning(dataDir)).toBe(server)

    const second = await start(embedded)
    expect(await findRunning(dataDir)).toBe(server)
    expect((await fetch(`http://127.0.0.1:${second.port}/v1/events/${id}`, { headers })).status).toBe(200)
    second.signal("SIGTERM")
    expect(await second.exited).toBe(0)
  }, 60_000)

  test("while it drains is ended too", async () => {
    const release = Promise.withResolvers<void>()
    cleanups.push(() => {
      release.resolve()
      providers.always("telegram", { kind: "ok" })
    })
    providers.reset()
    providers.always("telegram", { kind: "wait", released: release.promise })
    const hub = await start()
    await putTrader(hub.port)
    const load = startOpenLoop({
      perSecond: 50,
      url: () => `http://127.0.0.1:${hub.port}`,
      event: (n) => ({ key: `drain-${n}`, body: marginCall(n) }),
    })
    await load.more(1)
    await load.finish()
    await providers.waitFor(1, "telegram")
    hub.signal("SIGTERM")
    await said(hub, '"event":"shutdown_started"')
    block()
    expect(await hub.exited).toBe(75)
  }, 30_000)
})

describe("a hub that is stopped by SIGSTOP for longer than the limit", () => {
  test("goes on afterwards as if nothing had been", async () => {
    const hub = await start()
    process.kill(hub.pid, "SIGSTOP")
    await Bun.sleep(LIMIT_MS + 3_000) // how long it is stopped is what is tried
    process.kill(hub.pid, "SIGCONT")
    await eventually(
      () => ready(hub.port),
      (yes) => yes,
      { withinMs: 5_000, what: "readiness" },
    )
    hub.signal("SIGTERM")
    expect(await hub.exited).toBe(0)
    expect(hub.log()).not.toContain("event_loop_blocked")
  }, 30_000)
})

describe("a hub in which something is thrown that nothing catches", () => {
  test("says what, without the person it names, and ends with 75, which starts it again", async () => {
    const file = join(folder, "float")
    const hub = await start({
      settings: {
        BUN_OPTIONS: `--preload=${join(import.meta.dir, "testing/float-on-file.ts")}`,
        FLOAT_ON_FILE: file,
      },
    })
    expect(await ready(hub.port)).toBe(true)
    writeFileSync(file, "")
    expect(await hub.exited).toBe(75)
    expect(hub.log()).toMatch(/"event":"uncaught","error":"Error: nobody waits for «e-mail»","at":"at .*float-on-file/)
    expect(hub.log()).not.toContain("canary")
  }, 30_000)
})

describe("a hub whose root runs out of restarts", () => {
  test("28: stops what is left, says why, and ends with 1", async () => {
    const file = join(folder, "give-up")
    const hub = await start({
      settings: {
        BUN_OPTIONS: `--preload=${join(import.meta.dir, "testing/give-up-on-file.ts")}`,
        GIVE_UP_ON_FILE: file,
      },
    })
    expect(await ready(hub.port)).toBe(true)
    writeFileSync(file, "")
    expect(await hub.exited).toBe(1)
    const events = hub
      .log()
      .trimEnd()
      .split("\n")
      .map((line): Record<string, unknown> => JSON.parse(line))
    expect(events.find(({ event }) => event === "shutdown_started")).toMatchObject({
      signal: expect.stringMatching(/^gave_up: /),
    })
    // Its last words are out before the process is.
    expect(events.at(-1)).toMatchObject({ event: expect.stringMatching(/^(shutdown_finished|suppressed)$/) })
    expect(events.map(({ event }) => event)).toContain("shutdown_finished")
    expect(await ready(hub.port)).toBe(false)
  }, 30_000)
})

describe("whoever keeps the hub in production", () => {
  test("starts it again whatever it ended with: systemd and compose", () => {
    const unit = readFileSync(join(ROOT, "deploy/hubbub.service"), "utf8")
    expect(unit.match(/^Restart=.*$/gm)).toEqual(["Restart=always"])
    const pause = Number(/^RestartSec=(\d+)$/m.exec(unit)?.[1])
    expect(pause * 1_000).toBeLessThan(BACK_MS - 5_000)
    expect(unit).not.toMatch(/^(RestartPreventExitStatus|SuccessExitStatus|SuccessAction)=/m)
    const { services }: { services: Record<string, { restart?: string; deploy?: unknown }> } = parse(
      readFileSync(join(ROOT, "compose.yaml"), "utf8"),
    )
    for (const service of Object.values(services)) expect(service).toMatchObject({ restart: "unless-stopped" })
    expect(services["hub"]?.deploy).toBeUndefined() // its restart_policy would win
  })
})
