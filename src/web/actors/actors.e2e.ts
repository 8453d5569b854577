// The page of the actors in a real browser, against a whole hub whose actors really crash.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import type { Browser, Locator, Page } from "playwright-core"
import { launchBrowser, STEP_DEADLINE_MS, shot } from "../../testing/browser.ts"
import { ADMIN_KEY, tokenFor } from "../../testing/front.ts"
import { startTestHub, type TestHub } from "../../testing/start-hub.ts"

setDefaultTimeout(60_000)

let hub: TestHub
let browser: Browser
const broken: string[] = []
const asked: string[] = []

beforeAll(async () => {
  hub = await startTestHub({ NODE_ENV: "development" })
  browser = await launchBrowser()
}, 60_000)
afterAll(async () => {
  await browser.close()
  await hub.remove()
}, 60_000)

const address = (): string => `http://127.0.0.1:${hub.port}/actors`

async function open(token: string | null): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
  page.setDefaultTimeout(STEP_DEADLINE_MS)
  page.on("console", (message) => broken.push(message.text()))
  page.on("pageerror", (error) => broken.push(error.message))
  page.on("request", (request) => asked.push(request.url()))
  page.on("websocket", (socket) => asked.push(socket.url()))
  await page.goto(`${address()}${token === null ? "" : `#token=${token}`}`)
  return page
}

async function openTree(token = ADMIN_KEY): Promise<Page> {
  const page = await open(token)
  await page.locator('#line[data-state="live"]').waitFor()
  await box(page, "hub").waitFor()
  return page
}

const box = (page: Page, id: string): Locator => page.locator(`[role="treeitem"][data-key="${id}"]`)
const episodes = (page: Page, id: string): Locator => page.locator(`.episode:has([data-id="${id}"])`)
const panel = (page: Page): Locator => page.locator("#panel")
const incarnationOf = (id: string): number => hub.tree.whereis(id)?.incarnation ?? 0

/** No actor understands this: its handler throws. */
const poison = (id: string): void => void hub.tree.ref<null>(id).send(null)

async function askRestart(page: Page, id: string): Promise<void> {
  await box(page, id).click()
  await panel(page).getByRole("button", { name: "Restart…" }).click()
}

test("the page says what it needs, why a token is not enough, and opens for an admin", async () => {
  const page = await open(null)
  await page.getByRole("heading", { name: "Who is looking?" }).waitFor()
  await page.getByLabel("Token").fill("a key that nobody made")
  await page.keyboard.press("Enter")
  await page.getByRole("alert").getByText("The hub does not take this token").waitFor()
  await page.getByLabel("Token").fill(await tokenFor({ sub: "u1" }))
  await page.keyboard.press("Enter")
  await page.getByRole("alert").getByText("one with the role admin, or an admin key").waitFor()
  await shot(page, "actors-1-door")
  await page.getByLabel("Token").fill(ADMIN_KEY)
  await page.keyboard.press("Enter")
  await box(page, "hub").waitFor()
  await page.reload()
  await box(page, "hub").waitFor()
  await page.getByRole("button", { name: "Forget token" }).click()
  await page.getByRole("heading", { name: "Who is looking?" }).waitFor()
  expect(asked.filter((url) => url.includes(ADMIN_KEY))).toEqual([])
  await page.close()
})

test("the whole tree is drawn, the root at the left, a line to each from its supervisor", async () => {
  const page = await openTree()
  const tree = page.getByRole("tree", { name: "The actors" })
  for (const id of ["hub", "path", "deliveries", "dispatcher:slack", "router", "realtime", "http"])
    await box(page, id).waitFor()
  const boxes = await tree.getByRole("treeitem").count()
  expect(await tree.locator(".lines path").count()).toBe(boxes - 1)
  const [root, inner, leaf] = await Promise.all(["hub", "path", "router"].map((id) => box(page, id).boundingBox()))
  expect((root?.x ?? 0) + (root?.width ?? 0)).toBeLessThan(inner?.x ?? 0)
  expect((inner?.x ?? 0) + (inner?.width ?? 0)).toBeLessThan(leaf?.x ?? 0)
  await page.getByText("Everything runs").waitFor()
  await page.getByText("No internal message lost").waitFor()
  await page.getByText("Nothing is stuck").waitFor()
  await shot(page, "actors-2-calm")
  await page.close()
})

test("a crash is a line with its reason as it happens, and the box counts it", async () => {
  const page = await openTree()
  poison("dispatcher:sms")
  const line = episodes(page, "dispatcher:sms")
  await line.getByText("crashed").waitFor()
  await line.getByText("TypeError").waitFor()
  await box(page, "dispatcher:sms").getByText("↻ 1").waitFor()
  await line.getByRole("button", { name: "dispatcher:sms" }).click()
  await panel(page).locator("li").getByText("TypeError").waitFor()
  await shot(page, "actors-3-crash")
  await page.close()
})

test("a channel that crashes a hundred times a second is one line or two, and nobody else moves", async () => {
  const page = await openTree()
  await page.evaluate(`
    window.shifts = []
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifts.push(entry.value)
    }).observe({ type: "layout-shift" })
  `)
  const ids = ["hub", "path", "router", "dispatcher:email", "realtime", "http"]
  const places = () => Promise.all(ids.map((id) => box(page, id).boundingBox()))
  const before = await places()
  const storm = setInterval(() => poison("dispatcher:slack"), 10)
  try {
    await page
      .locator('.box:is([data-key="channel:slack"], [data-key="dispatcher:slack"])[data-look="backoff"]')
      .waitFor()
    await page.waitForFunction(`document.querySelectorAll(".episode").length > 0`)
    await box(page, "dispatcher:slack").waitFor()
    await shot(page, "actors-4-storm")
    expect(await places()).toEqual(before)
    expect(await page.locator(".episode[data-what]").count()).toBeLessThanOrEqual(4)
    await page
      .locator("#summary")
      .getByText("is not running")
      .or(page.locator("#summary").getByText("crashing"))
      .waitFor()
  } finally {
    clearInterval(storm)
  }
  await page.locator('.box[data-key="dispatcher:slack"][data-look="running"]').waitFor({ timeout: 45_000 })
  expect(await places()).toEqual(before)
  const shifts = (await page.evaluate("window.shifts")) as number[] // what the script above put there
  expect(shifts.reduce((sum, shift) => sum + shift, 0)).toBeLessThan(0.05)
  await page.close()
})

test("by keyboard alone a child is found, looked at, restarted after a question, and the answer is a sentence", async () => {
  const page = await openTree()
  const before = incarnationOf("rescuer")
  await box(page, "hub").focus()
  await page.keyboard.press("End")
  await box(page, "http").and(page.locator(":focus")).waitFor()
  await page.keyboard.press("Home")
  for (let step = 0; step < 40; step++) {
    if ((await page.evaluate("document.activeElement?.dataset.key")) === "rescuer") break
    await page.keyboard.press("ArrowDown")
  }
  await page.keyboard.press("Enter")
  await panel(page).getByRole("heading", { name: "rescuer" }).waitFor()
  await page.keyboard.press("Tab")
  await page.keyboard.press("Tab")
  await panel(page).getByRole("button", { name: "Restart…" }).and(page.locator(":focus")).waitFor()
  await page.keyboard.press("Enter")
  const question = page.getByRole("dialog", { name: "Restart rescuer?" })
  await question.getByText("This stops it and starts it anew. Its siblings are not touched.").waitFor()
  await page.keyboard.press("Enter")
  await question.waitFor({ state: "hidden" })
  expect(incarnationOf("rescuer")).toBe(before)
  await panel(page).getByRole("button", { name: "Restart…" }).click()
  await question.getByRole("button", { name: "Restart", exact: true }).click()
  await panel(page).getByText("It was stopped and runs anew.").waitFor()
  expect(incarnationOf("rescuer")).toBe(before + 1)
  await episodes(page, "rescuer").getByText("was started anew").waitFor()
  await page.keyboard.press("Escape")
  await panel(page).waitFor({ state: "hidden" })
  await box(page, "rescuer").and(page.locator(":focus")).waitFor()
  await page.close()
})

test("what cannot be restarted from inside is said in words", async () => {
  const page = await openTree()
  await box(page, "hub").click()
  await panel(page).getByText("The root cannot be restarted from inside").waitFor()
  expect(await panel(page).getByRole("button", { name: "Restart…" }).count()).toBe(0)
  await askRestart(page, "http")
  await page.getByRole("dialog").getByRole("button", { name: "Restart", exact: true }).click()
  await panel(page)
    .getByText(/^Not restarted: (?!root).*restart the process/)
    .waitFor()
  await page.close()
})

test("an admin of one business sees the tree, and is told why they may not restart what works for all", async () => {
  const page = await openTree(await tokenFor({ sub: "u1", role: "admin", business_id: "b1" }))
  await askRestart(page, "drain")
  await page.getByRole("dialog").getByRole("button", { name: "Restart", exact: true }).click()
  await panel(page)
    .getByText(/^Not allowed: .*admin of all/)
    .waitFor()
  await page.close()
})

test("when the sockets are restarted under it, the page says so or not, and is live again by itself", async () => {
  const page = await openTree()
  const before = incarnationOf("realtime")
  expect(await hub.tree.restart("realtime")).toEqual({ kind: "restarted" })
  await page.locator('#line[data-state="live"]').waitFor()
  await box(page, "realtime").click()
  await panel(page)
    .locator(".facts div", { hasText: "Incarnation" })
    .getByText(String(before + 1), { exact: true })
    .waitFor()
  await page.close()
})

test("the page broke no rule of its own policy, asked nobody but the hub, and threw nothing", () => {
  // The browser itself writes a line for every refusal and lost line that the tests above provoke.
  expect(broken.filter((text) => !/status of 4\d\d|WebSocket connection/.test(text))).toEqual([])
  expect(asked.filter((url) => new URL(url).host !== `127.0.0.1:${hub.port}`)).toEqual([])
})
