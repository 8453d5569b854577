/** One wish to stop comes as several signals, or as another one: it is one drain. Impatience is something else. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { eventually } from "./testing/eventually.ts"
import { type FakeProviders, startFakeProviders } from "./testing/fake-providers.ts"
import { ADMIN_KEY } from "./testing/front.ts"
import { type HubProcess, startHubProcess } from "./testing/hub-process.ts"
import { type TestDatabase, testDatabase } from "./testing/postgres.ts"

let providers: FakeProviders
let database: TestDatabase
beforeAll(async () => {
  providers = await startFakeProviders()
  database = await testDatabase()
})
afterAll(async () => {
  await database.drop()
  await providers.stop()
})
beforeEach(() => providers.reset())

const start = (): Promise<HubProcess> =>
  startHubProcess({
    databaseUrl: database.url,
    settings: { TELEGRAM_BOT_TOKEN: "4711:test-token", TELEGRAM_API_ROOT: providers.url },
  })

const call = (hub: HubProcess, method: string, path: string, json: unknown): Promise<Response> =>
  fetch(`http://127.0.0.1:${hub.port}${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
    body: JSON.stringify(json),
  })

/** A hub with one message on its way to a provider that answers when it is let. */
async function sending(key: string): Promise<{ readonly hub: HubProcess; readonly answer: () => void }> {
  const hub = await start()
  const release = Promise.withResolvers<void>()
  providers.always("telegram", { kind: "wait", released: release.promise })
  await call(hub, "PUT", "/v1/recipients/trader-7", { business_id: "desk", telegram_chat_id: "991" })
  const payload = {
    account_id: "a",
    account_name: "Al Noor",
    trader_id: "trader-7",
    margin_required: 2,
    equity: 1,
    shortfall: 1,
    currency: "IQD",
  }
  const event = {
    type: "MARGIN_CALL",
    source: "risk",
    severity: "high",
    business_id: "desk",
    idempotency_key: key,
    payload,
  }
  expect((await call(hub, "POST", "/v1/events", event)).status).toBe(201)
  await providers.waitFor(1, "telegram")
  return { hub, answer: release.resolve }
}

/** Resolves when the hub has said that it is stopping. */
const stopping = (hub: HubProcess): Promise<boolean> =>
  eventually(
    async () => hub.log().includes('"event":"shutdown_started"'),
    (said) => said,
    { withinMs: 5_000, what: "whether the hub is stopping" },
  )

describe("a hub that is told to stop", () => {
  test.each([["SIGINT"], ["SIGHUP"]] as const)("by %s drains as by SIGTERM", async (signal) => {
    const { hub, answer } = await sending(`one-${signal}`)
    hub.signal(signal)
    await stopping(hub)
    answer()
    expect(await hub.exited).toBe(0)
    expect(hub.log()).toContain('"event":"shutdown_finished"')
  })

  test("several times in a moment, as npm and a terminal do, finishes what it is sending", async () => {
    const { hub, answer } = await sending("group")
    hub.signal("SIGTERM")
    await stopping(hub)
    hub.signal("SIGTERM")
    hub.signal("SIGINT")
    answer()
    expect(await hub.exited).toBe(0)
    expect(hub.log()).toContain('"event":"shutdown_finished"')
  })

  test("again after two seconds ends at once", async () => {
    const { hub } = await sending("impatient")
    hub.signal("SIGTERM")
    // Counted from when the hub has heard it: a busy machine may take its time to tell.
    await stopping(hub)
    const began = performance.now()
    await eventually(
      async () => performance.now() - began,
      (ms) => ms > 2_100,
      { withinMs: 5_000, what: "the time since the first signal" },
    )
    hub.signal("SIGTERM")
    expect(await hub.exited).toBe(1)
    expect(hub.log()).not.toContain('"event":"shutdown_finished"')
    // Not by the deadline of the drain, which ends with 1 as well.
    expect(performance.now() - began).toBeLessThan(12_000)
  }, 30_000)
})
