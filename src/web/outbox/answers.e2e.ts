// The outbox as its reader's hands: answers, presses, reports, and providers that fail, in a real browser.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import type { Browser, Locator, Page } from "playwright-core"
import { launchBrowser, STEP_DEADLINE_MS, shot } from "../../testing/browser.ts"
import { ADMIN_KEY } from "../../testing/front.ts"
import { type Folders, ruleFolders } from "../../testing/rule-fixtures.ts"
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
      - type: notify
        to: { users: [ann] }
        channels: [inapp, sms, voice, telegram, slack, email]
        template: call
        escalate: [{ after: 1h, channels: [sms] }]
        until: acknowledged
  - name: price-news
    event_type: price.news
    actions:
      - { type: notify, to: { users: [ann] }, channels: [email, push], template: news, commercial: true, category: prices }
      - { type: webhook, url: "https://erp.example.com/in", secret: whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA }
`,
    "templates/call/default.eta": "---\ntitle: Margin call\n---\nMargin call: <%= it.payload.shortfall %> short.",
    "templates/call/email.eta":
      "---\nsubject: Margin call\n---\n<p>Margin call: <b><%= it.payload.shortfall %></b> short.</p>",
    "templates/news/default.eta": "---\ntitle: New prices\n---\nToner is 5 % cheaper until Friday.",
    "templates/news/email.eta": "---\nsubject: New prices\n---\n<p>Toner is 5 % cheaper until Friday.</p>",
  })
  hub = await startTestHub({ HUB_RULES_DIR: folders.rulesDir, HUB_TEMPLATES_DIR: folders.templatesDir })
  browser = await launchBrowser()
  const device_tokens = ["android", "ios"].map((platform) => ({ platform, token: `token-of-${platform}` }))
  const ann = { email: "ann@example.com", phone: "+9647701234567", telegram_chat_id: "991", device_tokens }
  await hub.call("/v1/recipients/ann", { method: "PUT", json: { business_id: "b1", ...ann } })
  await send("MARGIN_CALL")
  await send("price.news")
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  page.setDefaultTimeout(STEP_DEADLINE_MS)
  page.on("console", (message) => broken.push(message.text()))
  page.on("pageerror", (error) => broken.push(error.message))
  await page.goto(`http://127.0.0.1:${hub.port}/outbox#token=${ADMIN_KEY}`)
  await page.locator("#live", { hasText: "Live" }).waitFor()
}, 60_000)
afterAll(async () => {
  await browser.close()
  await hub.remove()
  await folders.remove()
}, 60_000)

async function send(type: string): Promise<void> {
  const json = { type, source: "t", business_id: "b1", payload: { shortfall: "17,000,000 IQD" } }
  expect((await hub.call("/v1/events", { json })).status).toBe(201)
}

/** Shows the newest message of a channel with these words. */
async function look(channel: string, words: string): Promise<Locator> {
  await page.locator(`#list .entry:has(.channel.${channel})`, { hasText: words }).first().click()
  const frame = page.locator("#detail figure.frame")
  await frame.waitFor()
  return frame
}

test("an SMS is answered on its phone: STOP stops, START resumes, words of their own become an event", async () => {
  const phone = await look("sms", "Margin call")
  await phone.getByRole("button", { name: "STOP" }).click()
  await phone.getByText("Stopped: nothing more goes to this address").waitFor()
  await phone.getByRole("button", { name: "START" }).click()
  await phone.getByText("Resumed: messages go to this address again.").waitFor()
  await phone.getByLabel("Text message").fill("من يتصل بي؟")
  await page.keyboard.press("Enter")
  await phone.getByText("Became the event reply.received").waitFor()
  expect(await phone.locator(".said.reader").allTextContents()).toEqual(["STOP", "START", "من يتصل بي؟"])
  await shot(page, "answers-1-sms")
  await phone.getByRole("button", { name: "It did not arrive" }).click()
  await page.locator(".facts .pill", { hasText: "undelivered" }).waitFor()
})

test("what was said stays with its message while others are read", async () => {
  await look("voice", "Margin call")
  const phone = await look("sms", "Margin call")
  await phone.locator(".said.reader", { hasText: "STOP" }).waitFor()
})

test("Telegram's button acknowledges, and a key of a call finds it done", async () => {
  const chat = await look("telegram", "Margin call")
  await chat.getByRole("button", { name: "Acknowledge" }).click()
  await chat.getByText("Acknowledged, on every screen and channel").waitFor()
  await shot(page, "answers-2-telegram")
  await chat.getByLabel("Message").pressSequentially("/stop")
  await page.keyboard.press("Enter")
  await chat.getByText("Stopped: nothing more goes to this address").waitFor()
  await chat.getByRole("button", { name: "/start" }).press("Enter")
  await chat.getByText("Resumed: messages go to this address again.").waitFor()
  await page.locator(".chip:focus", { hasText: "/start" }).waitFor()
  const phone = await look("voice", "Margin call")
  await phone.getByRole("button", { name: "Press key 1" }).click()
  await phone.locator(".said.note").waitFor()
  await shot(page, "answers-3-voice")
  const slack = await look("slack", "Margin call")
  await slack.getByLabel("Reply in the thread").fill("Who takes it?")
  await page.keyboard.press("Enter")
  await slack.getByText("Became the event reply.received").waitFor()
  await shot(page, "answers-4-slack")
})

test("a mail is opened and marked as spam, and its one click unsubscribes", async () => {
  const mail = await look("email", "New prices")
  await mail.getByRole("button", { name: "It was opened" }).click()
  await page.locator(".facts .pill", { hasText: "opened" }).waitFor()
  await mail.getByRole("button", { name: "Unsubscribe" }).click()
  await mail.getByText("Unsubscribed: it stands in their preferences").waitFor()
  await mail.getByRole("button", { name: "Marked as spam" }).click()
  await page.locator(".entry-state", { hasText: "complained" }).waitFor()
  await shot(page, "answers-5-mail")
})

test("each device shows a push its own way, and a system reads what it is signed by", async () => {
  const pushes = page.locator("#list .entry:has(.channel.push)")
  await pushes.filter({ hasText: "Android" }).click()
  await page.locator(".push.android").waitFor()
  await shot(page, "answers-6-android")
  await pushes.filter({ hasText: "iPhone" }).click()
  await page.locator(".push.ios").waitFor()
  await shot(page, "answers-7-ios")
  await page.locator("#list .entry:has(.channel.webhook)").click()
  await page.locator(".request dt", { hasText: "webhook-signature" }).waitFor()
  expect(await page.content()).not.toContain("whsec_")
  await shot(page, "answers-8-webhook")
})

test("a provider is made to fail, its event is sent again, and what follows is there to see", async () => {
  await look("telegram", "Margin call")
  await page.getByRole("button", { name: /^Telegram/ }).click()
  const dialog = page.getByRole("dialog")
  await dialog.getByText("says that nobody is there").click()
  await shot(page, "answers-9-dialog")
  await dialog.getByRole("button", { name: "Let it fail" }).click()
  await dialog.waitFor({ state: "hidden" })
  await page.locator(".provider", { hasText: "gone × 1" }).waitFor()
  await page.getByRole("button", { name: "Send its event again" }).click()
  await page.getByText("Sent again: what follows comes on top").waitFor()
  const dead = page.locator("#list .entry:has(.channel.telegram)", { hasText: "dead" })
  await dead.click()
  await page.locator(".facts .pill", { hasText: "dead: blocked by recipient" }).waitFor()
  await page.locator(".next", { hasText: "for good" }).waitFor()
  await page.getByText("Its reader has not had this message").waitFor()
  await page.locator(".frame.telegram .reply").waitFor({ state: "detached" })
  await shot(page, "answers-10-dead")
  await page.getByRole("link", { name: "Timeline" }).click()
  await page.getByRole("heading", { name: "Given up" }).waitFor()
  await page.goBack()
})

test("a refused account pauses its channel and says so, until it is well again", async () => {
  await page.getByRole("button", { name: /^SMS/ }).click()
  const dialog = page.getByRole("dialog")
  await dialog.getByText("refuses our account").click()
  await dialog.getByRole("button", { name: "Let it fail" }).click()
  await page.locator(".provider", { hasText: "401 × 1" }).waitFor()
  await send("MARGIN_CALL")
  await page.locator(".provider[data-state=paused]", { hasText: "paused: bad credential" }).waitFor()
  await page.emulateMedia({ colorScheme: "dark" })
  await shot(page, "answers-11-paused")
  await page.setViewportSize({ width: 390, height: 840 })
  await page.getByRole("button", { name: "All messages" }).click()
  await shot(page, "answers-12-list-narrow")
  await look("sms", "Margin call")
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390)
  await shot(page, "answers-13-narrow")
})

test("the page broke no rule of its own policy and threw nothing", () => {
  // The browser itself writes a line where a line to the hub is cut by going elsewhere.
  expect(broken.filter((text) => !text.includes("closed before the connection"))).toEqual([])
})
