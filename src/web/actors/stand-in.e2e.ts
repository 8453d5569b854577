// The page in a real browser, told by a stand-in whatever a hub might say: storms, hundreds of topics, lost lines.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Browser, Page, WebSocketRoute } from "playwright-core"
import { builtPages } from "../../../scripts/pages.ts"
import { loadConfig } from "../../config.ts"
import { createApp } from "../../http/app.ts"
import { pageRoutes } from "../../http/pages.ts"
import { systemClock } from "../../runtime/clock.ts"
import { silent } from "../../telemetry/bus.ts"
import { launchBrowser, STEP_DEADLINE_MS, shot } from "../../testing/browser.ts"
import { eventually } from "../../testing/eventually.ts"
import { type Sample, type SampleOptions, sampleHub, samplePicture, withActor } from "./sample.ts"

setDefaultTimeout(90_000)

let browser: Browser
let server: Bun.Server<undefined>
let dataDir: string
const broken: string[] = []

beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), "hub-actors-page-"))
  const config = loadConfig({ NODE_ENV: "test", HUB_DATA_DIR: dataDir }, false).ok
  if (config === undefined) throw new Error("the default settings are good")
  const authenticate = async () => ({ failure: "missing" }) as const
  const files = [pageRoutes(await builtPages())]
  const { elysia } = createApp({ config, authenticate, clock: systemClock, telemetry: silent, files })
  server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: (request) => elysia.handle(request) })
  browser = await launchBrowser()
}, 60_000)
afterAll(async () => {
  await browser.close()
  await server.stop(true)
  await rm(dataDir, { recursive: true, force: true })
}, 60_000)

interface Told {
  readonly page: Page
  /** Pushes a picture as the hub would. */
  push(tree: Sample, options?: SampleOptions): void
  /** Cuts the line, and lets nobody in until `back`. */
  cut(): void
  back(): void
}

/** The page, joined, with the first picture. */
async function open(tree: Sample, width = 1280): Promise<Told> {
  const page = await browser.newPage({ viewport: { width, height: 800 } })
  page.setDefaultTimeout(STEP_DEADLINE_MS)
  page.on("console", (message) => broken.push(message.text()))
  page.on("pageerror", (error) => broken.push(error.message))
  let latest = samplePicture(tree, { at: Date.now() })
  let line: { socket: WebSocketRoute; join: string } | null = null
  let away = false
  await page.route("**/admin/actors", (route) => route.abort())
  await page.routeWebSocket(/\/socket\/websocket/, (socket) => {
    if (away) return void socket.close({ code: 1012 })
    socket.onMessage((raw) => {
      const [join, ref, topic, event] = JSON.parse(String(raw))
      const response = event === "phx_join" ? { actors: latest } : {}
      socket.send(JSON.stringify([join, ref, topic, "phx_reply", { status: "ok", response }]))
      if (event === "phx_join") line = { socket, join }
    })
  })
  await page.goto(`http://127.0.0.1:${server.port}/actors#token=an.admins.token`)
  await page.locator(".box").first().waitFor()
  return {
    page,
    push(next, options) {
      latest = samplePicture(next, { at: Date.now(), ...options })
      line?.socket.send(JSON.stringify([line.join, null, "dashboard", "actors", latest]))
    },
    cut() {
      away = true
      void line?.socket.close({ code: 1012 })
    },
    back() {
      away = false
    },
  }
}

const topics = (count: number, unwell: number): Sample[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `topic resources:business-${n}`,
    state: n < unwell ? "backoff" : "running",
  }))

const crashed = (tree: Sample, id: string, restarts: number): Sample =>
  withActor(tree, id, {
    restarts,
    incarnation: restarts + 1,
    recent_restarts: [{ at: new Date().toISOString(), reason: "error", detail: "TypeError: x is undefined" }],
  })

test("a hundred crashes a second are one line that counts, and a box that says crashing", async () => {
  const { page, push } = await open(sampleHub(topics(3, 0)))
  const began = Date.now()
  for (let n = 1; n <= 12; n++)
    push(crashed(sampleHub(topics(3, 0)), "dispatcher:slack", n * 25), { at: began + n * 250 })
  await page.locator(".episode").getByText("crashed 300 times in the last 10 s").waitFor()
  expect(await page.locator(".episode").count()).toBe(1)
  await page.locator('[data-key="dispatcher:slack"]').getByText("crashing").waitFor()
  await page.locator("#summary").getByText("dispatcher:slack keeps crashing").waitFor()
  await shot(page, "actors-5-hundred-a-second")
  await page.close()
})

test("a pool of hundreds is a stack with the unwell beside it, all within reach in the panel", async () => {
  const tree = withActor(sampleHub(topics(50, 2)), "topics", {
    children_count: 312,
    children_states: { running: 310, backoff: 2 },
  })
  const { page } = await open(tree)
  const stack = page.getByRole("treeitem", { name: "312 actors in topics: 2 waiting, 310 running" })
  await stack.waitFor()
  expect(await page.locator('[data-key^="topic resources:"]').count()).toBe(2)
  await stack.click()
  await page.locator("#panel").getByText("and 262 more, not listed here").waitFor()
  await page.locator("#panel").getByRole("button", { name: "topic resources:business-17" }).click()
  await page.locator("#panel").getByRole("heading", { name: "topic resources:business-17" }).waitFor()
  await shot(page, "actors-6-pool")
  await page.close()
})

test("a lost line is said, what is shown turns grey and cannot be restarted, and it comes back by itself", async () => {
  const { page, push, cut, back } = await open(sampleHub())
  await page.locator('[data-key="router"]').click()
  cut()
  await page.getByText("Connection lost").waitFor()
  await page.getByText("The hub cannot be reached. This is how it was at").waitFor()
  expect(await page.getByRole("button", { name: "Restart…" }).isDisabled()).toBe(true)
  expect(await page.locator(".drawing").evaluate((node) => getComputedStyle(node).filter)).toBe("grayscale(1)")
  await shot(page, "actors-7-lost")
  back()
  await page.locator('#line[data-state="live"]').waitFor()
  await page.getByText("The hub cannot be reached.").waitFor({ state: "hidden" })
  push(crashed(sampleHub(), "router", 1))
  await page.locator(".episode").getByText("crashed").waitFor()
  expect(await page.getByRole("button", { name: "Restart…" }).isEnabled()).toBe(true)
  await page.close()
})

test("text that somebody selects stays selected while pictures come", async () => {
  const { page, push } = await open(sampleHub())
  await page.locator('[data-key="dispatcher:email"] .name').dblclick()
  const selected = await page.evaluate("String(getSelection())")
  expect(selected).not.toBe("")
  for (let n = 1; n <= 5; n++) push(crashed(sampleHub(), "dispatcher:email", n))
  await page.locator('[data-key="dispatcher:email"]').getByText("↻ 5").waitFor()
  expect(await page.evaluate("String(getSelection())")).toBe(selected)
  await page.close()
})

test("on a phone the tree is an indented list, nothing runs out of the page, in the dark too", async () => {
  const { page, push } = await open(crashed(sampleHub(topics(30, 1)), "dispatcher:sms", 2), 390)
  await page.emulateMedia({ colorScheme: "dark" })
  push(crashed(sampleHub(topics(30, 1)), "dispatcher:sms", 9))
  await page.locator('[data-key="dispatcher:sms"]').getByText("↻ 9").waitFor()
  await shot(page, "actors-8-phone")
  const width = (): Promise<unknown> => page.evaluate("document.documentElement.scrollWidth")
  expect(await width()).toBe(390)
  for (const right of await page.locator(".box").evaluateAll((all) => all.map((b) => b.getBoundingClientRect().right)))
    expect(right).toBeLessThanOrEqual(390)
  await page.locator('[data-key="dispatcher:sms"]').click()
  await page.locator("#panel").getByRole("button", { name: "Restart…" }).waitFor()
  await shot(page, "actors-9-phone-panel")
  const [box, panel] = await Promise.all(
    ['[data-key="dispatcher:sms"]', "#panel"].map((id) => page.locator(id).boundingBox()),
  )
  expect((box?.y ?? 0) + (box?.height ?? 0)).toBeLessThanOrEqual(panel?.y ?? 0)
  expect(await width()).toBe(390)
  await page.getByRole("button", { name: "Close" }).click()
  await page.close()
})

test("at every width each box stands whole within the drawing: in columns where they fit, else in a list", async () => {
  const desk = withActor(sampleHub(topics(3, 0)), "nats", { name: "embedded-postgres" })
  const { page } = await open(desk, 1280)
  const box = (id: string) => page.locator(`[data-key="${id}"]`)
  for (const [width, columns] of [
    [1280, true],
    [1000, false],
    [700, false],
    [390, false],
    [1280, true],
  ] as const) {
    await page.setViewportSize({ width, height: 800 })
    // In columns a parent stands at the middle of its children, in a list above them.
    await eventually(
      () => Promise.all(["deliveries", "path"].map(async (id) => (await box(id).boundingBox())?.y ?? 0)),
      ([child, parent]) => (child ?? 0) < (parent ?? 0) === columns,
      { withinMs: 5_000, what: `the drawing at ${width} px` },
    )
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(width)
    const place = await page.locator("#tree").boundingBox()
    for (const right of await page
      .locator(".box")
      .evaluateAll((all) => all.map((b) => b.getBoundingClientRect().right)))
      expect(right).toBeLessThanOrEqual((place?.x ?? 0) + (place?.width ?? 0))
    for (const name of ["embedded-postgres", "dispatcher:telegram"])
      await box(name === "embedded-postgres" ? "nats" : name)
        .getByText(name, { exact: true })
        .waitFor()
  }
  await page.close()
})

test("hours of pictures leave nothing behind, and one with 60 boxes is drawn within a frame", async () => {
  const tree = (n: number): Sample => {
    const extra = Array.from({ length: 37 }, (_, i) => ({ id: `worker-${i}`, handled: n * i }))
    return { id: "root", type: "supervisor", children: [crashed(sampleHub(), "drain", n), ...extra] }
  }
  const { page, push } = await open(tree(0))
  expect(await page.locator(".box").count()).toBe(60)
  await page.locator('[data-key="drain"]').click()
  const session = await page.context().newCDPSession(page)
  await session.send("Performance.enable")
  const measure = async (): Promise<{ nodes: number; listeners: number; heap: number }> => {
    await session.send("HeapProfiler.collectGarbage")
    const { metrics } = await session.send("Performance.getMetrics")
    const of = (name: string): number => metrics.find((metric) => metric.name === name)?.value ?? Number.NaN
    return { nodes: of("Nodes"), listeners: of("JSEventListeners"), heap: of("JSHeapUsedSize") }
  }
  // A frame is drawn, with its styles and its layout, for each picture: what that took is kept.
  await page.evaluate(`
    window.took = []
    const frame = window.requestAnimationFrame.bind(window)
    window.requestAnimationFrame = (draw) => frame((at) => {
      const began = performance.now()
      draw(at)
      document.body.offsetHeight
      window.took.push(performance.now() - began)
    })
  `)
  let n = 0
  const run = async (count: number): Promise<void> => {
    for (const end = n + count; n < end; ) {
      n++
      push(tree(n), { at: Date.now() + n * 250 })
      await page.evaluate("new Promise(requestAnimationFrame)")
    }
    await page.locator(`[data-key="drain"][aria-label*="${n.toLocaleString("en")} restarts"]`).waitFor()
  }
  await run(100)
  const before = await measure()
  await run(600)
  const after = await measure()
  const took = ((await page.evaluate("window.took")) as number[]).toSorted((a, b) => a - b) // what the script above kept
  const median = took[Math.floor(took.length / 2)] ?? Number.NaN
  expect(took.length).toBeGreaterThan(300)
  expect(median).toBeLessThan(16)
  expect(after.nodes).toBeLessThan(before.nodes + 200)
  expect(after.listeners).toBeLessThan(before.listeners + 20)
  expect(after.heap).toBeLessThan(before.heap + 2_000_000)
  await page.close()
})

test("the page broke no rule of its own policy and threw nothing", () => {
  // The browser itself writes a line for the calls that the stand-in does not answer.
  expect(broken.filter((text) => !/ERR_FAILED|WebSocket connection/.test(text))).toEqual([])
})
