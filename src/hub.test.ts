/** The story: one event becomes one Telegram message, one inbox item and one line on an open screen. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { Socket } from "phoenix"
import { type FakeProviders, startFakeProviders } from "./testing/fake-providers.ts"
import { jsonOf, tokenFor } from "./testing/front.ts"
import { startTestHub, type TestHub } from "./testing/start-hub.ts"

let providers: FakeProviders
let hub: TestHub
beforeAll(async () => {
  providers = await startFakeProviders()
  hub = await startTestHub({ TELEGRAM_BOT_TOKEN: "4711:test-token", TELEGRAM_API_ROOT: providers.url })
})
afterAll(async () => {
  await hub.remove()
  await providers.stop()
})

const MARGIN_CALL = {
  type: "MARGIN_CALL",
  producer: "risk-engine",
  dedupe_key: "margin-77",
  severity: "critical",
  business_id: "desk",
  payload: {
    account_id: "acc-77",
    account_name: "Al Noor",
    trader_id: "trader-7",
    margin_required: 25_000_000,
    equity: 8_000_000,
    shortfall: 17_000_000,
    currency: "IQD",
  },
}

interface Item {
  readonly id: string
  readonly title: string
  readonly event_id: string
  readonly rule: string
}

test("a margin call reaches a trader by Telegram, in the inbox and on the open screen, once however often it is sent", async () => {
  await hub.call("/v1/recipients/trader-7", {
    method: "PUT",
    json: { business_id: "desk", name: "Sara", telegram_chat_id: "991" },
  })
  const token = await tokenFor({ sub: "trader-7", business_id: "desk" })
  const socket = new Socket(`ws://127.0.0.1:${hub.port}/socket`, { params: { token } })
  const screen = socket.channel("notifications:trader-7")
  const shown = Promise.withResolvers<Item>()
  const counted = Promise.withResolvers<unknown>()
  screen.on("notification", (item) => shown.resolve(item))
  screen.on("counts", (counts: { unread_count: number }) => {
    if (counts.unread_count > 0) counted.resolve(counts)
  })
  socket.connect()
  await new Promise((resolve, reject) => screen.join().receive("ok", resolve).receive("error", reject))

  const first = await hub.call("/v1/events", { json: MARGIN_CALL })
  expect(first.status).toBe(201)
  const again = await hub.call("/v1/events", { json: MARGIN_CALL })
  expect(again.status).toBe(200)
  expect(again.headers.get("idempotent-replayed")).toBe("true")

  const [message] = await providers.waitFor(1, "telegram")
  expect(message).toMatchObject({ to: "991" })
  expect(message?.text).toContain("17,000,000")
  const item = await shown.promise
  expect(await counted.promise).toEqual({ unread_count: 1, unseen_count: 1 })

  const { notifications } = await jsonOf<{ notifications: Item[] }>(hub.call("/v1/notifications", { key: token }))
  expect(notifications.map((n) => n.id)).toEqual([item.id])
  expect(item).toMatchObject({ rule: "margin-call", event_id: (await jsonOf<{ id: string }>(again)).id })

  const trace = await jsonOf<unknown>(hub.call(`/v1/events/${item.event_id}/trace`))
  expect(trace).toMatchObject({
    status: "routed",
    rules: expect.arrayContaining([expect.objectContaining({ rule: "margin-call", matched: true })]),
    notifications: [{ recipient: "trader-7" }],
  })
  expect(providers.callsOf("telegram")).toHaveLength(1)
  socket.disconnect()
})
