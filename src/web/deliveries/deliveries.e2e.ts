// The timeline in a real browser, against a whole hub whose captured providers are made to fail.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import type { Browser, Page } from "playwright-core"
import type { JsonObject } from "../../domain/json.ts"
import { launchBrowser, STEP_DEADLINE_MS, shot } from "../../testing/browser.ts"
import { ADMIN_KEY, jsonOf, tokenFor } from "../../testing/front.ts"
import { type Folders, ruleFolders } from "../../testing/rule-fixtures.ts"
import { seedDeliveries } from "../../testing/seed-deliveries.ts"
import { startTestHub, type TestHub } from "../../testing/start-hub.ts"

setDefaultTimeout(30_000)

let folders: Folders
let hub: TestHub
let browser: Browser
const broken: string[] = []

beforeAll(async () => {
  folders = await ruleFolders({
    "rules/a.yaml": `rules:
  - name: margin-call
    event_type: MARGIN_CALL
    actions:
      - { type: notify, to: { users: [ann] }, channels: [inapp, telegram], template: call }
`,
    "templates/call/default.eta": "---\ntitle: Margin call\n---\nShort of <%= it.payload.shortfall %>.",
  })
  hub = await startTestHub({ HUB_RULES_DIR: folders.rulesDir, HUB_TEMPLATES_DIR: folders.templatesDir })
  browser = await launchBrowser()
  await hub.call("/v1/recipients/ann", { method: "PUT", json: { business_id: "b1", telegram_chat_id: "991" } })
}, 60_000)
afterAll(async () => {
  await browser.close()
  await hub.remove()
  await folders.remove()
}, 60_000)

const fail = (failure: string | null, times = 1, retry_after: number | null = null): Promise<Response> =>
  hub.call("/admin/outbox/failures", { json: { channel: "telegram", failure, times, retry_after } })

async function sendOne(shortfall: string): Promise<string> {
  const json = { type: "MARGIN_CALL", source: "t", business_id: "b1", payload: { shortfall } }
  const { id } = await jsonOf<{ id: string }>(hub.call("/v1/events", { json }))
  for (;;) {
    const found = await jsonOf<{ data: JsonObject[] }>(hub.call(`/v1/deliveries?event_id=${id}`))
    const delivery = found.data[0]?.["id"]
    if (typeof delivery === "string") return delivery
    await Bun.sleep(20)
  }
}

/** A tab of its own, with `key` given in the fragment. */
async function open(path: string, key: string | null = ADMIN_KEY): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } })
  page.setDefaultTimeout(STEP_DEADLINE_MS)
  page.on("console", (message) => broken.push(message.text()))
  page.on("pageerror", (error) => broken.push(error.message))
  await page.goto(`http://127.0.0.1:${hub.port}${path}${key === null ? "" : `#token=${key}`}`)
  return page
}

test("a message that its provider throttles, refuses to answer for and then takes tells all of it, and goes on by itself", async () => {
  await fail("rate_limited", 1, 3_600)
  const id = await sendOne("17,000,000 IQD")
  const page = await open(`/deliveries/${id}`)
  await page.getByRole("heading", { name: /Not sent yet · next try in/ }).waitFor()
  await page.getByRole("heading", { name: "Try 1 The provider asked for patience" }).waitFor()
  await page.locator(".provider", { hasText: "429 Too Many Requests" }).waitFor()
  await page.locator(".to-come", { hasText: "Try 2" }).waitFor()
  await page.locator("#line", { hasText: "Live" }).waitFor()
  await page.locator(".recipient", { hasText: "ann" }).waitFor()
  await shot(page, "deliveries-1-waits")

  // Nobody waits for an hour here: the row is made due, and the page hears of what follows.
  await fail("answer_lost", 1)
  await hub.db.execute("update deliveries set next_attempt_at = now() where id = $1", [id])
  await page.getByRole("heading", { name: "Try 2 No answer: it may have been sent" }).waitFor()
  await page.getByText("may arrive twice", { exact: true }).waitFor()
  await hub.db.execute("update deliveries set next_attempt_at = now() where id = $1 and status = 'retrying'", [id])
  await page.getByRole("heading", { name: "Kept in the outbox" }).waitFor()
  expect(await page.locator(".step h4").allTextContents()).toEqual([
    "Made",
    "Try 1 The provider asked for patience",
    "Try 2 No answer: it may have been sent",
    "Try 3 Captured",
  ])
  expect(await page.locator("#news").textContent()).toBe("Kept in the outbox")
  await shot(page, "deliveries-2-whole")
  await page.emulateMedia({ colorScheme: "dark" })
  await shot(page, "deliveries-2-whole-dark")
  await page.setViewportSize({ width: 390, height: 900 })
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390)
  await shot(page, "deliveries-3-narrow")
  await page.close()
})

test("a dead letter is sent again from its timeline, and keeps its history", async () => {
  await fail("gone")
  const id = await sendOne("9")
  const page = await open(`/deliveries/${id}`)
  await page.getByRole("heading", { name: "Given up" }).waitFor()
  await page.locator(".then[data-again=false]", { hasText: "for good" }).waitFor()
  await shot(page, "deliveries-4-dead")
  // They have the bot back: whoever writes is written to again, so that START has nothing left to do.
  const back = { delivery_id: id, answer: "reply", text: "/start" }
  expect(await jsonOf<JsonObject>(hub.call("/admin/outbox/answers", { json: back }))).toMatchObject({ effect: "known" })
  await page.getByRole("button", { name: "Send again" }).press("Enter")
  await page.getByRole("heading", { name: "Kept in the outbox" }).waitFor()
  await page.getByRole("heading", { name: "Sent again by an operator" }).waitFor()
  expect(await page.evaluate("document.activeElement.id")).toBe("how")
  await page.getByRole("heading", { name: "Try 1 Refused for good" }).waitFor()
  await page.getByRole("link", { name: "See the message" }).click()
  await page.getByText("Short of 9.").first().waitFor()
  await page.close()
})

test("the list shows the latest as they come, by status and channel, and leads to each", async () => {
  await fail(null)
  const page = await open("/deliveries")
  await page.locator("#line", { hasText: "Live" }).waitFor()
  await seedDeliveries(hub.db, [{ channel: "sms" }])
  await page.locator(".entry", { hasText: "SMS" }).first().waitFor()
  await shot(page, "deliveries-5-list")
  await page.getByLabel("Channel").selectOption("sms")
  await page.locator(".entry", { hasText: "Telegram" }).first().waitFor({ state: "detached" })
  expect(page.url()).toEndWith("/deliveries?channel=sms")
  await page.setViewportSize({ width: 390, height: 900 })
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390)
  await shot(page, "deliveries-6-list-narrow")
  await page.getByLabel("Status").selectOption("dead")
  await page.getByText("No delivery fits.").waitFor()
  await page.getByLabel("Status").selectOption("")
  await page.locator(".entry").first().press("Enter")
  await page.getByRole("heading", { name: "Kept in the outbox" }).waitFor()
  await page.close()
})

test("what is not there, what is another business's and who may not look are told apart from a trouble", async () => {
  const page = await open("/deliveries/dlv_nothing")
  await page.getByRole("heading", { name: "No such delivery" }).waitFor()
  await page.getByRole("link", { name: "The latest deliveries" }).waitFor()
  await page.close()
  const [other = ""] = await seedDeliveries(hub.db, [{ business: "b2" }])
  const b1 = await tokenFor({ sub: "op", roles: ["admin"], tenants: [{ business: "b1" }] })
  const confined = await open(`/deliveries/${other}`, b1)
  await confined.getByRole("heading", { name: "No such delivery" }).waitFor()
  await confined.close()
  const person = await open(`/deliveries/${other}`, await tokenFor({ sub: "ann", business_id: "b1" }))
  await person.getByRole("alert").getByText("does not show deliveries to this token").waitFor()
  await person.getByLabel("Token").fill(ADMIN_KEY)
  await person.keyboard.press("Enter")
  await person.getByRole("heading", { name: "Kept in the outbox" }).waitFor()
  await person.close()
})

test("the page broke no rule of its own policy and threw nothing", () => {
  // The browser itself writes a line for each refusal that the tests provoke, and for a line cut by going elsewhere.
  expect(broken.filter((text) => !/status of 40[134]|closed before the connection/.test(text))).toEqual([])
})
