/** Later news of the same thing, through a whole hub: one message for each person and thing, which says the latest. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { eventually } from "./testing/eventually.ts"
import { type Call, type FakeProviders, startFakeProviders } from "./testing/fake-providers.ts"
import { type Folders, ruleFolders } from "./testing/rule-fixtures.ts"
import { startTestHub, type TestHub } from "./testing/start-hub.ts"

let folders: Folders
let providers: FakeProviders
let hub: TestHub
beforeAll(async () => {
  folders = await ruleFolders({
    "rules/stock.yaml": `
rules:
  - name: stock
    event_type: stock.moved
    actions:
      - { type: notify, to: { roles: [buyer] }, channels: [telegram, slack], template: stock, update: { var: payload.sku } }
`,
    "templates/stock/default.eta": "<%= it.payload.sku %>: <%= it.payload.left %>",
  })
  providers = await startFakeProviders()
  hub = await startTestHub({
    HUB_RULES_DIR: folders.rulesDir,
    HUB_TEMPLATES_DIR: folders.templatesDir,
    TELEGRAM_BOT_TOKEN: "4711:test-token",
    TELEGRAM_API_ROOT: providers.url,
    SLACK_BOT_TOKEN: "xoxb-test",
    SLACK_API_ROOT: providers.url,
  })
}, 30_000)
afterAll(async () => {
  await hub.remove()
  await providers.stop()
  await folders.remove()
}, 30_000)

const did = ({ path, to, text }: Call): string => `${path.split("/").at(-1)} ${to} ${text}`

test("later news changes each person's own message of the same thing, and no other", async () => {
  for (const [id, chat] of [
    ["ann", "11"],
    ["bob", "22"],
  ]) {
    const json = { business_id: "b1", roles: ["buyer"], telegram_chat_id: chat, slack_user_id: `U${chat}` }
    expect((await hub.call(`/v1/recipients/${id}`, { method: "PUT", json })).status).toBeLessThan(300)
  }
  const moves: readonly (readonly [sku: string, left: number])[] = [
    ["tea", 9],
    ["tea", 3],
    ["rice", 5],
  ]
  for (const [n, [sku, left]] of moves.entries()) {
    const event = { type: "stock.moved", source: "erp", business_id: "b1", payload: { sku, left } }
    expect((await hub.call("/v1/events", { json: event })).status).toBe(201)
    await providers.waitFor((n + 1) * 4)
    // Its place is written down behind the answer: what comes before that is a case of its own.
    const held = "select 1 from message_places where held_by is not null"
    await eventually(
      () => hub.db.query(held),
      (rows) => rows.length === 0,
      { withinMs: 20_000, what: "every place is free" },
    )
  }
  const of = (channel: "telegram" | "slack") => providers.callsOf(channel).map(did).toSorted()
  expect(of("telegram")).toEqual([
    "editMessageText 11 tea: 3",
    "editMessageText 22 tea: 3",
    "sendMessage 11 rice: 5",
    "sendMessage 11 tea: 9",
    "sendMessage 22 rice: 5",
    "sendMessage 22 tea: 9",
  ])
  expect(of("slack")).toEqual([
    "chat.postMessage U11 rice: 5",
    "chat.postMessage U11 tea: 9",
    "chat.postMessage U22 rice: 5",
    "chat.postMessage U22 tea: 9",
    "chat.update D11 tea: 3",
    "chat.update D22 tea: 3",
  ])
})
