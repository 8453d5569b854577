// The test page in a real browser, against a whole hub: one's own notifications, and being kicked.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import type { Browser, Page } from "playwright-core"
import { launchBrowser, STEP_DEADLINE_MS, shot } from "../testing/browser.ts"
import { tokenFor } from "../testing/front.ts"
import { startTestHub, type TestHub } from "../testing/start-hub.ts"
import { cardOf, inState } from "../testing/test-page.ts"

setDefaultTimeout(30_000)

let hub: TestHub
let browser: Browser
const broken: string[] = []
const asked: string[] = []

beforeAll(async () => {
  hub = await startTestHub()
  browser = await launchBrowser()
}, 60_000)
afterAll(async () => {
  await browser.close()
  await hub.remove()
}, 60_000)

async function open(path: string): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  page.setDefaultTimeout(STEP_DEADLINE_MS)
  page.on("pageerror", (error) => broken.push(error.message))
  page.on("console", (message) => broken.push(message.text()))
  page.on("request", (request) => asked.push(request.url()))
  page.on("websocket", (socket) => asked.push(socket.url()))
  await page.goto(`http://127.0.0.1:${hub.port}${path}`)
  return page
}

test("whoever comes from the first page has brought their token, sees a sample become a notification, is kicked, and is back", async () => {
  const token = await tokenFor({ sub: "ann", roles: ["admin"], tenants: "*" })
  const page = await open(`/#token=${token}`)
  await page.getByRole("link", { name: "Realtime test" }).click()
  await page.getByRole("button", { name: "Add notifications:ann" }).click()
  await inState(page, "notifications:ann", "joined")
  await page.getByRole("button", { name: "Add dashboard" }).click()
  await inState(page, "dashboard", "joined")
  const card = cardOf(page, "notifications:ann")
  await card.getByText("Send a sample").click()
  await card.getByRole("button", { name: "Send an overdue invoice" }).click()
  await card.locator(".messages").getByText("Invoice INV-1 is overdue").waitFor()

  const told = card.locator(".messages li").filter({ hasText: "Invoice INV-1" })
  await told.locator("summary").click()
  const { id } = JSON.parse((await told.locator("pre").textContent()) ?? "")
  await card.getByText("Push an event").click()
  await card.getByLabel("Event").fill("read")
  await card.getByLabel("Payload").fill(JSON.stringify({ notification_id: id }))
  await card.getByRole("button", { name: "Push", exact: true }).click()
  await card.locator(".reply").getByText("ok", { exact: true }).waitFor()
  await card.locator(".messages li").first().getByText("0 unread").waitFor()

  await page.getByRole("button", { name: "Kick me" }).click()
  await page.getByText("Kicked: 1 socket of ann closed on this node.").waitFor()
  await card.locator(".comeback", { hasText: /^Back after .*: nothing was missed\.$/ }).waitFor()
  await cardOf(page, "dashboard").getByText("This topic has no positions").waitFor()
  await page.locator("#frames").getByText("Closed: 1001").waitFor()
  await shot(page, "test-page-9-kicked")
  expect(await page.content()).not.toContain(token)
  expect([...asked, page.url()].filter((url) => url.includes(token.slice(0, 30)))).toEqual([])
  await page.close()
})

test("who may not kick is told so, and who has no name has nobody to kick", async () => {
  const page = await open(`/test#token=${await tokenFor({ sub: "ben" })}&topic=notifications:ben`)
  await page.getByRole("button", { name: "Connect", exact: true }).click()
  await inState(page, "notifications:ben", "joined")
  await page.getByRole("button", { name: "Kick me" }).click()
  await page.getByText("Refused (403)").waitFor()
  await page.getByLabel("Token").fill("")
  await page.keyboard.press("Tab")
  await cardOf(page, "notifications:ben").getByText("Not allowed here").waitFor()
  expect(await page.getByRole("button", { name: "Kick me" }).isDisabled()).toBe(true)
  await page.close()
})

test("the page broke no rule of its own policy and threw nothing", () => {
  expect(broken.filter((text) => !/status of 403|WebSocket connection/.test(text))).toEqual([])
})
