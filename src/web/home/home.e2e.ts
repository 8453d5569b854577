// The first page in a real browser, against a whole hub.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import type { Browser, BrowserContext, Page } from "playwright-core"
import { signToken } from "../../cli/token.ts"
import { launchBrowser, STEP_DEADLINE_MS, shot } from "../../testing/browser.ts"
import { JWT_SECRET } from "../../testing/front.ts"
import { faultsOf } from "../../testing/look.ts"
import { startTestHub, type TestHub } from "../../testing/start-hub.ts"

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

const tokenOf = (sub: string, ...roles: string[]): Promise<string> =>
  signToken({ secret: JWT_SECRET, sub, roles, tenants: undefined, ttl: "1h", issuer: null, audience: null })

const origin = (): string => `http://127.0.0.1:${hub.port}`

async function open(token: string | null, context?: BrowserContext): Promise<Page> {
  const page = await (context ?? (await browser.newContext({ viewport: { width: 1280, height: 860 } }))).newPage()
  page.setDefaultTimeout(STEP_DEADLINE_MS)
  page.on("console", (message) => broken.push(message.text()))
  page.on("pageerror", (error) => broken.push(error.message))
  page.on("request", (request) => asked.push(request.url()))
  page.on("websocket", (socket) => asked.push(socket.url()))
  await page.goto(`${origin()}/${token === null ? "" : `#token=${token}`}`)
  return page
}

const send = (person: string, over: object = {}): Promise<Response> =>
  hub.call("/v1/events", {
    json: {
      type: "invoice.overdue",
      source: "invoicing",
      severity: "high",
      payload: {
        invoice_id: "i7",
        invoice_number: "INV-7",
        customer_name: "<b>شركة</b> & Sons",
        days_overdue: 9,
        amount_due: 5,
        currency: "IQD",
        owner_id: person,
      },
      ...over,
    },
  })

const live = (page: Page): Promise<void> => page.locator('#line[data-state="live"]').waitFor()
const items = (page: Page) => page.locator("#inbox .item")

test("a newcomer is told what to send, sends it, and it is there; the token is in no URL", async () => {
  const token = await tokenOf("newcomer", "admin")
  const page = await open(token)
  await live(page)
  await page.getByText("Nothing here yet").waitFor()
  expect(page.url()).toBe(`${origin()}/`)
  expect(await page.locator(".first-event code").first().textContent()).toContain(`curl -X POST ${origin()}/v1/events`)
  await shot(page, "home-1-empty")
  await page.getByRole("button", { name: "Send it from here" }).click()
  await page.getByRole("button", { name: "Invoice INV-1 is overdue" }).waitFor()
  await page.getByText("New notification: Invoice INV-1 is overdue").waitFor({ state: "attached" })
  await page.getByText("1 unread", { exact: true }).waitFor()
  await page.reload()
  await items(page).first().waitFor()
  expect(asked.filter((url) => url.includes(token))).toEqual([])
  await page.close()
})

test("what is done on one screen is done on the other, by keyboard too", async () => {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 } })
  const token = await tokenOf("u2", "admin")
  const [here, there] = [await open(token, context), await open(token, context)]
  await live(here)
  await live(there)
  await send("u2")
  await send("u2")
  await items(there).nth(1).waitFor()
  await items(here).nth(1).waitFor()
  const title = items(here).first().getByRole("button", { name: "Invoice INV-7 is overdue" })
  await title.focus()
  await here.keyboard.press("Enter")
  await there.getByText("1 unread", { exact: true }).waitFor()
  await here.locator('[data-do="open"][aria-expanded="true"]').waitFor()
  await here.locator('[data-do="open"]:focus').waitFor()
  await items(here).first().getByRole("button", { name: "Acknowledge" }).click()
  await items(there).first().getByText("Acknowledged").waitFor()
  await items(here).first().getByRole("button", { name: "Archive" }).click()
  await items(there).nth(1).waitFor({ state: "detached" })
  await there.getByRole("button", { name: "Mark all read" }).click()
  await here.locator("#unread").waitFor({ state: "hidden" })
  await here.getByRole("button", { name: "Archived" }).click()
  await items(here).getByRole("button", { name: "Move to inbox" }).click()
  await items(there).nth(1).waitFor()
  expect(await there.locator(".body").first().textContent()).toContain("<b>شركة</b>")
  await context.close()
})

test("why: the panel names the rules with their reasons and every delivery, and gives the focus back", async () => {
  const page = await open(await tokenOf("u3", "admin"))
  await live(page)
  await send("u3")
  const why = items(page).first().getByRole("button", { name: "Why?" })
  await why.click()
  const panel = page.getByRole("dialog", { name: "What followed" })
  await panel.getByText("payload.days_overdue (9) >= 7 is true").waitFor()
  await panel.getByText("payload.days_overdue (9) >= 30 is false").waitFor()
  await panel.getByText("in their inbox").waitFor()
  await shot(page, "home-2-why")
  await page.keyboard.press("Escape")
  await page.locator('[data-do="why"]:focus').waitFor()
  await send("u3", { type: "nobody.listens", source: "elsewhere" })
  await page.locator(".event-open", { hasText: "nobody.listens" }).first().click()
  await panel.getByText("Nobody: no rule made a notification").waitFor()
  await page.close()
})

test("a rule's name in the explanation leads to the rule, and its event to the playground", async () => {
  const page = await open(await tokenOf("u3", "admin"))
  await items(page).first().getByRole("button", { name: "Why?" }).click()
  const panel = page.getByRole("dialog", { name: "What followed" })
  await panel.getByRole("link", { name: "invoice-overdue", exact: true }).first().click()
  await page.locator(".card.named", { hasText: "invoice-overdue" }).waitFor()
  expect(page.url()).toBe(`${origin()}/rules#invoice-overdue`)
  await page.goBack()
  await items(page).first().getByRole("button", { name: "Why?" }).click()
  await panel.getByRole("link", { name: "Try it with other values" }).click()
  await page.locator('.result[data-rule="invoice-overdue"][data-verdict="matched"]').waitFor()
  await page.close()
})

test("a person without a role sees their inbox, and is told what looking behind the scenes needs", async () => {
  const page = await open(await tokenOf("u3"))
  await items(page).first().getByRole("button", { name: "Why?" }).click()
  await page.getByText("that needs the role admin or service").waitFor()
  expect(await page.getByRole("button", { name: "Send it from here" }).count()).toBe(0)
  await page.close()
})

test("without a token, or with one that is not taken, the page asks for one and says why", async () => {
  const good = await tokenOf("u2")
  const page = await open(null)
  await page.getByRole("heading", { name: "Whose inbox?" }).waitFor()
  await page.locator("#health").getByText("Database").waitFor()
  await page.getByLabel("Token").fill("hub_a_key_and_no_token")
  await page.keyboard.press("Enter")
  await page.getByText("An API key has no inbox").waitFor()
  await page.getByLabel("Token").fill(`${good.slice(0, -6)}AAAAAA`)
  await page.keyboard.press("Enter")
  await page.getByText("The hub does not take this token").waitFor()
  await shot(page, "home-3-refused")
  await page.getByLabel("Token").fill(good)
  await page.keyboard.press("Enter")
  await live(page)
  await page.close()
})

test("on a narrow screen, in the dark, nothing runs out of the page", async () => {
  const page = await open(await tokenOf("u2", "admin"))
  await page.emulateMedia({ colorScheme: "dark" })
  await page.setViewportSize({ width: 360, height: 740 })
  await items(page).first().waitFor()
  await shot(page, "home-4-narrow")
  expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360)
  await page.close()
})

test("every page, the docs too, is one click away from every other, says which one it is, and its name's first word leads back", async () => {
  const page = await open(await tokenOf("u2", "admin"))
  const pages = page.getByRole("navigation", { name: "Pages" })
  for (const [link, path] of [
    ["Rules", "/rules"],
    ["Outbox", "/outbox"],
    ["Deliveries", "/deliveries"],
    ["Actors", "/actors"],
    ["Realtime test", "/test"],
    ["API docs", "/docs"],
  ] as const) {
    await pages.getByRole("link", { name: link }).click()
    await page.waitForURL(`${origin()}${path}`)
    const back = page.getByRole("heading", { level: 1 }).getByRole("link", { name: "Hubbub" })
    expect(await back.getAttribute("href")).toBe("./")
    expect(await pages.locator("[aria-current]").allTextContents()).toEqual([link])
    expect(await pages.getByRole("link").count()).toBe(7)
  }
  await page.getByRole("searchbox").fill("no such words")
  await page.getByRole("status").getByText("Nothing in the API fits.").waitFor()
  await page.getByRole("heading", { level: 1 }).getByRole("link", { name: "Hubbub" }).click()
  await page.waitForURL(`${origin()}/`)
  await live(page)
  expect(await pages.getByRole("link").count()).toBe(7)
  await page.close()
})

test("on every page words stand out from what is behind them and nothing runs out sideways, on a desk and on a phone, light and dark", async () => {
  const token = await tokenOf("u3", "admin")
  for (const [width, colorScheme] of [
    [1280, "light"],
    [390, "dark"],
  ] as const) {
    const page = await open(token, await browser.newContext({ viewport: { width, height: 844 }, colorScheme }))
    await live(page)
    for (const path of ["", "rules", "rules?view=try", "outbox", "deliveries", "actors", "test", "docs"]) {
      await page.goto(`${origin()}/${path}`)
      if (path !== "test" && path !== "docs") await page.locator('.line[data-state="live"]').waitFor()
      expect([path, ...(await faultsOf(page))]).toEqual([path])
    }
    await page.context().close()
  }
  const poor = await browser.newPage()
  await poor.setContent('<p style="width: 3000px; color: #888; background: #fff">pale and long</p>')
  expect(await faultsOf(poor)).toEqual(["pale and long: contrast 3.54", expect.stringContaining("scrolls sideways")])
  await poor.close()
})

test("the pages broke no rule of their own policy and threw nothing", () => {
  // The browser itself writes a line for every 401 and 403 that the tests above provoke.
  expect(broken.filter((text) => !/status of 40[13]|WebSocket connection/.test(text))).toEqual([])
})
