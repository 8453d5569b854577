// The page of the rules in a real browser, against a whole hub whose files change under it.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import type { Browser, Locator, Page } from "playwright-core"
import { rulesBacktest } from "../../cli/rules-backtest.ts"
import { launchBrowser, STEP_DEADLINE_MS, shot } from "../../testing/browser.ts"
import { ADMIN_KEY, tokenFor } from "../../testing/front.ts"
import { gitRepository } from "../../testing/git-repository.ts"
import { runCommand } from "../../testing/hub-command.ts"
import { type Folders, ruleFolders } from "../../testing/rule-fixtures.ts"
import { startTestHub, type TestHub } from "../../testing/start-hub.ts"

setDefaultTimeout(30_000)

const RULES = `rules:
  - name: overdue
    event_type: invoice.overdue
    source: erp
    conditions:
      - { field: days_overdue, operator: gte, value: 7 }
      - { field: currency, operator: in, value: [IQD, USD] }
    actions:
      - type: notify
        to: { roles: [accountant] }
        channels: [inapp, email]
        template: invoice
        cooldown: { key: payload.number, window: 30m }
        escalate: [{ after: 5m, channels: [sms] }]
  - name: every invoice
    event_type: invoice.*
    actions:
      - { type: notify, mode: shadow, to: { users: [boss] }, channels: [telegram], template: invoice }
  - name: stock-low
    event_type: stock.low
    actions:
      - { type: notify, to: { everyone: true }, channels: [slack], template: invoice }
`
const TEMPLATE = "---\ntitle: Invoice <%= it.payload.number %>\n---\nDear <%= it.recipient.name ?? 'reader' %>"

let folders: Folders
let hub: TestHub
let browser: Browser
const broken: string[] = []
const asked: string[] = []

beforeAll(async () => {
  folders = await ruleFolders({ "rules/a.yaml": RULES, "templates/invoice/default.eta": TEMPLATE })
  hub = await startTestHub({ HUB_RULES_DIR: folders.rulesDir, HUB_TEMPLATES_DIR: folders.templatesDir })
  const people = { ann: ["accountant"], boss: ["manager"] }
  for (const [id, roles] of Object.entries(people)) {
    const json = { roles, name: id.toUpperCase(), email: `${id}@example.com`, telegram_chat_id: "7" }
    await hub.call(`/v1/recipients/${id}`, { method: "PUT", json })
  }
  browser = await launchBrowser()
}, 60_000)
afterAll(async () => {
  await browser.close()
  await hub.remove()
  await folders.remove()
}, 60_000)

const address = (): string => `http://127.0.0.1:${hub.port}/rules`

async function open(at = "", token: string | null = ADMIN_KEY): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 860 } })
  page.setDefaultTimeout(STEP_DEADLINE_MS)
  page.on("console", (message) => broken.push(message.text()))
  page.on("pageerror", (error) => broken.push(error.message))
  page.on("request", (request) => asked.push(request.url()))
  if (token !== null)
    await page.addInitScript(`if (window === top) sessionStorage.setItem("hubbub.token", ${JSON.stringify(token)})`)
  await page.goto(`${address()}${at}`)
  return page
}

const card = (page: Page, name: string): Locator => page.locator("#rules .card", { hasText: name })
const result = (page: Page, rule: string): Locator => page.locator(`.result[data-rule="${rule}"]`)
const editor = (page: Page): Locator => page.getByLabel("The event, as a producer would send it")
const EVENT = { type: "invoice.overdue", source: "erp", payload: { number: "INV-7", days_overdue: 9, currency: "IQD" } }
const write = (page: Page, event: object): Promise<void> => editor(page).fill(JSON.stringify(event, null, 2))

test("the page says what it needs, and why a person's token is not enough", async () => {
  const page = await open("", null)
  await page.getByLabel("Token").fill("a key that nobody made")
  await page.keyboard.press("Enter")
  await page.getByRole("alert").getByText("The hub does not take this token").waitFor()
  await page.getByLabel("Token").fill(await tokenFor({ sub: "u1" }))
  await page.keyboard.press("Enter")
  await page.getByRole("alert").getByText("The hub does not show its rules to this token").waitFor()
  await page.getByLabel("Token").fill(ADMIN_KEY)
  await page.keyboard.press("Enter")
  await card(page, "overdue").waitFor()
  expect(asked.filter((url) => url.includes(ADMIN_KEY))).toEqual([])
  await page.close()
})

test("each rule is said in words, with its place; the filter finds it; its address names it", async () => {
  const page = await open("#every%20invoice")
  await page.locator(".card.named", { hasText: "every invoice" }).and(page.locator(":focus")).waitFor()
  const overdue = await card(page, "overdue").textContent()
  for (const words of [
    "rules/a.yaml:2:5",
    "invoice.overdue from erp",
    "payload.days_overdue >= 7",
    'payload.currency is one of "IQD", "USD"',
    "the role accountant, in the inbox and by email",
    "Once in 30 minutes for each person and number.",
    "Goes on by SMS after 5 minutes, until somebody acknowledges it.",
  ])
    expect(overdue).toContain(words)
  await card(page, "every invoice").locator(".badge", { hasText: "shadow" }).waitFor()
  const names = () => page.locator("#rules h3").allTextContents()
  await page.getByLabel("Event type").fill("invoice.overdue")
  await page.getByText("2 of 3 rules").waitFor()
  expect(await names()).toEqual(["overdue", "every invoice"])
  await page.getByLabel("Channel").selectOption("sms")
  expect(await names()).toEqual(["overdue"])
  await page.getByLabel("Channel").selectOption("")
  await page.getByLabel("Only shadow").check()
  expect(await names()).toEqual(["every invoice"])
  await page.getByLabel("Search").fill("no such words")
  await page.getByText("No rule fits.").waitFor()
  await page.close()
})

test("what a rule matched is counted as it happens, in place", async () => {
  const page = await open()
  await card(page, "overdue").getByText("Nothing matched since the hub started").waitFor()
  await hub.call("/v1/events", { json: EVENT })
  await hub.call("/v1/events", { json: EVENT })
  await card(page, "overdue").getByText("2 matched").waitFor()
  await card(page, "overdue").getByText("1 told").waitFor()
  await card(page, "overdue").getByText("1 held back").waitFor()
  await shot(page, "rules-1-list")
  await page.close()
})

test("a change that does not load stands on top with its place, while the last good set runs, and goes when it is mended", async () => {
  const page = await open()
  await card(page, "overdue").waitFor()
  const before = await page.locator("#revision code").textContent()
  await folders.write({ "rules/a.yaml": RULES.replace("operator: gte", "operator: gtee") })
  const refused = page.getByRole("region", { name: "A change of the rules was refused" })
  await refused.getByText("rules/a.yaml:6:42").waitFor()
  await refused.getByText('did you mean "gte"?').waitFor()
  await page.locator("#news", { hasText: "A change of the rules was refused" }).waitFor({ state: "attached" })
  expect(await page.locator("#revision code").textContent()).toBe(before)
  expect(await page.locator("#rules .card").count()).toBe(3)
  await shot(page, "rules-2-refused")
  await folders.write({ "rules/a.yaml": RULES.replace("value: 7", "value: 8") })
  await refused.waitFor({ state: "hidden" })
  await card(page, "overdue").getByText("payload.days_overdue >= 8").waitFor()
  expect(await page.locator("#revision code").textContent()).not.toBe(before)
  await folders.write({ "rules/a.yaml": RULES })
  await card(page, "overdue").getByText("payload.days_overdue >= 7").waitFor()
  await page.close()
})

test("an event that is typed shows each clause with its value, by a word too, and follows every keystroke", async () => {
  const page = await open("?view=try")
  await write(page, { ...EVENT, payload: { ...EVENT.payload, days_overdue: 3 } })
  const overdue = result(page, "overdue")
  const clause = (text: string) => overdue.locator(".clause", { hasText: text }).last()
  await overdue.locator('.clause[data-value="false"]', { hasText: "payload.days_overdue >= 7" }).last().waitFor()
  await page.getByText("2 rules listen to it, 1 matches: nobody would be told.").waitFor()
  expect(await clause("payload.days_overdue >= 7").textContent()).toContain("payload.days_overdue is 3")
  expect(await clause("payload.days_overdue >= 7").locator(".sign").textContent()).toContain("False")
  expect(await clause("payload.days_overdue >= 7").locator(".decides").count()).toBe(1)
  expect(await clause("payload.currency").getAttribute("data-value")).toBe("true")
  expect(await clause("payload.currency").locator(".sign").textContent()).toContain("True")
  expect(await clause("payload.currency").locator(".decides").count()).toBe(0)
  const colour = (value: string) =>
    page.evaluate(`getComputedStyle(document.querySelector('.clause[data-value="${value}"] > p .what')).color`)
  expect(await colour("false")).not.toBe(await colour("true"))
  await shot(page, "rules-3-clauses")
  await write(page, EVENT)
  await result(page, "overdue").and(page.locator('[data-verdict="matched"]')).waitFor()
  await page.getByText("2 rules listen to it, 2 match: 1 person would be told.").waitFor()
  await page.close()
})

test("who would be told, why one would not, and the words of each channel in its reader's frame", async () => {
  const page = await open("?view=try")
  await write(page, EVENT)
  const overdue = result(page, "overdue")
  await overdue.locator(".people li", { hasText: "ann" }).getByText("email would be sent").waitFor()
  await overdue.locator(".later", { hasText: /It goes on .*, unless somebody has acknowledged it/ }).waitFor()
  await overdue.locator(".inbox-title", { hasText: "Invoice INV-7" }).waitFor()
  await overdue.getByRole("button", { name: "Email" }).click()
  await overdue.locator(".mail-top h3", { hasText: "Invoice INV-7" }).waitFor()
  await overdue.frameLocator("iframe.paper").getByText("Dear ANN").waitFor()
  await shot(page, "rules-4-mail")
  // What was looked at stays, whatever is typed.
  await page.getByLabel("Ask about a person").fill("boss")
  await overdue.getByText("boss would not be told").waitFor()
  await overdue.locator(".mail-top h3").waitFor()
  await overdue.getByRole("button", { name: "SMS" }).click()
  await overdue.locator(".phone .bubble").waitFor()
  const shadow = result(page, "every invoice")
  await shadow
    .locator(".people li", { hasText: "boss" })
    .getByText("would not be sent: its rule is in shadow mode")
    .waitFor()
  await shadow.locator(".telegram .bubble").waitFor()
  await write(page, { ...EVENT, payload: { days_overdue: 9, currency: "IQD" } })
  await result(page, "overdue").getByText("cannot be written").first().waitFor()
  await page.close()
})

test("a text that is Arabic but for its first word is set from right to left, its link too", async () => {
  const page = await open("?view=try")
  await write(page, { ...EVENT, payload: { ...EVENT.payload, number: "متأخرة عن الدفع منذ أيام" } })
  await result(page, "overdue").locator('.inbox-item[dir="rtl"]', { hasText: "Invoice متأخرة" }).waitFor()
  await write(page, EVENT)
  await result(page, "overdue").locator('.inbox-item[dir="ltr"]', { hasText: "Invoice INV-7" }).waitFor()
  await page.close()
})

test("an event that cannot be read is pointed at, and what was found before is kept aside", async () => {
  const page = await open("?view=try")
  await write(page, EVENT)
  await result(page, "overdue").waitFor()
  await editor(page).fill('{ "type": ')
  const mistakes = page.locator("#event-problem")
  await mistakes.getByText("This is no JSON: look at line 1").waitFor()
  await write(page, { type: 5, payload: [] })
  await mistakes.getByText("/type expected a string").waitFor()
  await mistakes.getByText("/source required").waitFor()
  expect(await editor(page).getAttribute("aria-invalid")).toBe("true")
  expect(await page.locator("#outcome").getAttribute("data-stale")).toBe("true")
  await page.getByText("What is shown is of the last event that could be read.").waitFor()
  await shot(page, "rules-5-mistakes")
  await write(page, { ...EVENT, type: "nobody.listens" })
  await page.getByText("No rule listens to nobody.listens.").waitFor()
  expect(await mistakes.isHidden()).toBe(true)
  await page.close()
})

test("from a rule and from a recorded event one comes to the playground, and saving the rule evaluates anew", async () => {
  const { id } = await (await hub.call("/v1/events", { json: EVENT })).json()
  const page = await open()
  await card(page, "overdue").getByRole("link", { name: "Try overdue" }).click()
  await page.getByRole("heading", { name: "Try an event" }).and(page.locator(":focus")).waitFor()
  await page.getByText("overdue matches: 1 person would be told.").waitFor()
  expect(await editor(page).inputValue()).toContain('"INV-7"')
  expect(await page.locator(".result").count()).toBe(1)
  await folders.write({ "rules/a.yaml": RULES.replace("value: 7", "value: 30") })
  await page.getByText("overdue does not match: nobody would be told.").waitFor()
  await folders.write({ "rules/a.yaml": RULES })
  await page.getByText("overdue matches: 1 person would be told.").waitFor()
  await result(page, "overdue").getByRole("link", { name: "The rule itself" }).click()
  await page.locator(".card.named", { hasText: "overdue" }).waitFor()
  await page.goBack()
  await editor(page).waitFor()
  await page.goto(`${address()}?event=${id}`)
  await result(page, "every invoice").waitFor()
  await page.getByLabel("Begin with").selectOption({ label: "stock.low" })
  await result(page, "stock-low").waitFor()
  await page.close()
})

test("the last backtest is there as soon as it was run, and a report's file can be opened", async () => {
  const page = await open("?view=backtest")
  await page.getByText("No backtest has been run").waitFor()
  const repository = await gitRepository()
  try {
    await repository.commit("base", { "rules/a.yaml": RULES, "templates/invoice/default.eta": TEMPLATE })
    await repository.write({
      "rules/a.yaml": RULES.replace("value: 7", "value: 30").replace("roles: [accountant]", "users: [boss]"),
    })
    await hub.call("/v1/events", { json: { ...EVENT, payload: { ...EVENT.payload, days_overdue: 40 } } })
    const folder = ["--rules", `${repository.dir}/rules`, "--templates", `${repository.dir}/templates`]
    const ran = await runCommand(rulesBacktest, ["--base", "main", ...folder, "--json"], {
      DATABASE_URL: hub.databaseUrl,
    })
    expect([ran.code, ran.err]).toEqual([1, ""])
    await page.getByRole("link", { name: "All rules" }).click()
    await page.getByRole("link", { name: "Backtest", exact: true }).click()
    await page.getByText("1 of 3 rules would act differently.").waitFor()
    const row = page.getByRole("row", { name: "overdue" })
    await row.getByText("+1, −1").waitFor()
    await page.getByText("overdue: examples").click()
    const example = page.locator(".examples li", { hasText: "payload.days_overdue (9) >= 30 is false" }).first()
    await shot(page, "rules-7-backtest")
    await example.getByRole("link").click()
    await result(page, "overdue").waitFor()
    await page.goBack()
    await page
      .getByLabel("Open a report")
      .setInputFiles({ name: "pr-7.json", mimeType: "application/json", buffer: Buffer.from(ran.out) })
    await page.getByText("From the file pr-7.json").waitFor()
    await page
      .getByLabel("Open a report")
      .setInputFiles({ name: "x.json", mimeType: "application/json", buffer: Buffer.from("[]") })
    await page.getByRole("alert").getByText("x.json is no report").waitFor()
    await page.setViewportSize({ width: 360, height: 740 })
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(360)
    await shot(page, "rules-8-backtest-narrow")
  } finally {
    await repository.remove()
  }
  await page.close()
})

test("on a narrow screen, in the dark, nothing runs out of any view", async () => {
  const page = await open()
  await page.emulateMedia({ colorScheme: "dark" })
  await page.setViewportSize({ width: 360, height: 740 })
  await card(page, "overdue").waitFor()
  const width = () => page.evaluate("document.documentElement.scrollWidth")
  expect(await width()).toBeLessThanOrEqual(360)
  await page.getByRole("link", { name: "Try an event" }).click()
  await write(page, EVENT)
  await result(page, "overdue").getByRole("button", { name: "Email" }).click()
  await page.locator("iframe.paper").waitFor()
  expect(await width()).toBeLessThanOrEqual(360)
  await shot(page, "rules-6-narrow")
  await page.close()
})

test("every control has a name, every heading its level, and nothing but the hub was asked", async () => {
  const page = await open("?view=try")
  await write(page, EVENT)
  await result(page, "overdue").waitFor()
  const nameless = await page.evaluate(`
    [...document.querySelectorAll("input, select, textarea, button, a")]
      .filter((node) => node.checkVisibility())
      .filter((node) => !node.textContent.trim() && !node.labels?.length && !node.getAttribute("aria-label"))
      .map((node) => node.outerHTML)
  `)
  expect(nameless).toEqual([])
  const levels = await page.evaluate(`
    [...document.querySelectorAll("h1, h2, h3, h4")].filter((node) => node.checkVisibility()).map((node) => Number(node.localName[1]))
  `)
  if (!Array.isArray(levels)) throw new Error("no headings")
  expect(levels[0]).toBe(1)
  expect(levels.filter((level, at) => level - (levels[at - 1] ?? 0) > 1)).toEqual([])
  expect(asked.filter((url) => !/^(data|about):/.test(url) && new URL(url).host !== `127.0.0.1:${hub.port}`)).toEqual(
    [],
  )
  await page.close()
})

test("the page broke no rule of its own policy and threw nothing", () => {
  // The browser itself writes a line for every refusal that the tests above provoke.
  expect(broken.filter((text) => !/status of 4\d\d/.test(text))).toEqual([])
})
