// Calls and pushes in the outbox, in a real browser: as they would be heard, and as a locked screen would show them.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import type { Browser, Page } from "playwright-core"
import { launchBrowser, STEP_DEADLINE_MS, shot } from "../../testing/browser.ts"
import { ADMIN_KEY } from "../../testing/front.ts"
import { type Folders, ruleFolders } from "../../testing/rule-fixtures.ts"
import { seedDeliveries } from "../../testing/seed-deliveries.ts"
import { startTestHub, type TestHub } from "../../testing/start-hub.ts"

setDefaultTimeout(30_000)

let folders: Folders
let hub: TestHub
let browser: Browser
let page: Page
const broken: string[] = []

beforeAll(async () => {
  folders = await ruleFolders({
    "rules/a.yaml": `rules:
  - name: margin-call
    event_type: MARGIN_CALL
    actions:
      - { type: notify, to: { users: [ann] }, channels: [push, voice], template: call, priority: high, action_url: /accounts/7 }
`,
    "templates/call/default.eta": "---\ntitle: Margin call on <b>شركة</b>\n---\nShort of <%= it.payload.shortfall %>.",
    "templates/call/voice.ar.eta": "نقص <%= it.payload.shortfall %>",
  })
  hub = await startTestHub({ HUB_RULES_DIR: folders.rulesDir, HUB_TEMPLATES_DIR: folders.templatesDir })
  browser = await launchBrowser()
  const devices = [{ platform: "ios", token: "aCanaryOfADevice" }]
  const ann = { business_id: "b1", phone: "+9647701234567", locale: "ar", device_tokens: devices }
  await hub.call("/v1/recipients/ann", { method: "PUT", json: ann })
  const payload = { shortfall: "17,000,000 IQD" }
  await hub.call("/v1/events", { json: { type: "MARGIN_CALL", source: "t", business_id: "b1", payload } })
  page = await browser.newPage({ viewport: { width: 1280, height: 860 } })
  page.setDefaultTimeout(STEP_DEADLINE_MS)
  page.on("console", (message) => broken.push(message.text()))
  page.on("pageerror", (error) => broken.push(error.message))
  await page.goto(`http://127.0.0.1:${hub.port}/outbox#token=${ADMIN_KEY}`)
}, 60_000)
afterAll(async () => {
  await browser.close()
  await hub.remove()
  await folders.remove()
}, 60_000)

test("a push is a card on a locked screen, and says which device without its token", async () => {
  await page.locator("#list .entry:has(.channel.push)").click()
  const frame = page.locator(".frame.push")
  await frame.getByText("Margin call on <b>شركة</b>").waitFor()
  await frame.getByText("Short of 17,000,000 IQD.").waitFor()
  await frame.getByText("To an iPhone or iPad · opens /accounts/7 · high priority").waitFor()
  expect(await page.content()).not.toContain("aCanary")
  const [list, filter] = await Promise.all([
    page.locator(".side").boundingBox(),
    page.locator(".channels").getByText("Systems").boundingBox(),
  ])
  expect((filter?.x ?? 0) + (filter?.width ?? 0)).toBeLessThanOrEqual((list?.x ?? 0) + (list?.width ?? 0))
  await shot(page, "outbox-push")
})

test("a push to a browser stands in the corner of a desk, also where its service is gone", async () => {
  const device = { platform: "web", token: "no subscription" }
  const link = { actionUrl: null, actionLabel: null }
  const words = {
    title: "New prices",
    text: "Toner is 5 % cheaper.",
    priority: "normal",
    expiresAt: null,
    topic: null,
  } as const
  await seedDeliveries(hub.db, [{ channel: "push", message: { channel: "push", device, ...words, ...link } }])
  await page.locator("#list .entry", { hasText: "a browser" }).click()
  await page.locator(".push.desktop .card-title", { hasText: "New prices" }).waitFor()
  await page.getByText("Its reader has not had this message").waitFor()
  await shot(page, "outbox-push-browser")
})

test("a call is what is heard, twice, in its language", async () => {
  await page.locator("#list .entry:has(.channel.voice)").click()
  const heard = page.locator(".frame.voice blockquote")
  await heard.first().waitFor()
  expect(await heard.allTextContents()).toEqual(["نقص 17,000,000 IQD", "نقص 17,000,000 IQD"])
  expect(await heard.first().getAttribute("lang")).toBe("ar")
  await page.getByText("Call to +9647701234567 · read twice · ar").waitFor()
  await shot(page, "outbox-voice")
  expect(broken).toEqual([])
})
