// The client in a real browser, on a page of another origin than the hub's.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { join } from "node:path"
import type { Browser, Page } from "playwright-core"
import { launchBrowser, STEP_DEADLINE_MS } from "../testing/browser.ts"
import { SERVICE_KEY, tokenFor } from "../testing/front.ts"
import { cutAfter, type InFront, refuse, startInFront } from "../testing/in-front.ts"
import { startTestHub, type TestHub } from "../testing/start-hub.ts"
import type { Hub } from "./hub.ts"

setDefaultTimeout(60_000)

let pages: Bun.Server<undefined>
let server: TestHub
let line: InFront
let browser: Browser
let page: Page

beforeAll(async () => {
  const built = await Bun.build({ entrypoints: [join(import.meta.dir, "hub.ts")], target: "browser", minify: true })
  const script = (await built.outputs[0]?.text()) ?? ""
  pages = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: ({ url }) =>
      url.endsWith("/client.js")
        ? new Response(script, { headers: { "content-type": "text/javascript" } })
        : new Response("<!doctype html><title>shop</title>", { headers: { "content-type": "text/html" } }),
  })
  server = await startTestHub({ HUB_ALLOWED_ORIGINS: `http://127.0.0.1:${pages.port}` })
  line = await startInFront(`http://127.0.0.1:${server.port}`)
  browser = await launchBrowser()
  page = await browser.newPage()
  page.setDefaultTimeout(STEP_DEADLINE_MS)
  await page.goto(`http://127.0.0.1:${pages.port}/`)
}, 60_000)
afterAll(async () => {
  await browser.close()
  await line.stop()
  await server.remove()
  await pages.stop(true)
})

/** What the page gets of the module that it loads; only types cross, so it is written down as the module's. */
type Client = typeof import("./hub.ts")
declare global {
  /** In the page: the loaded client, and a hub to call. */
  var shop: { readonly client: Client; readonly hub: Hub }
}

const open = (options: { readonly apiKey: string } | { readonly token: string }): Promise<void> =>
  page.evaluate(
    async ([given, baseUrl, script]) => {
      const client: Client = await import(script)
      globalThis.shop = { client, hub: new client.Hub({ ...given, baseUrl, retry: { baseMs: 1 } }) }
    },
    [options, line.url, "/client.js"] as const,
  )

/** For answers that the hub did not give: without it the browser does not show them to the page. */
const allowed = () => ({ "access-control-allow-origin": `http://127.0.0.1:${pages.port}` })

test("a page of an allowed origin publishes, though the line fails, and there is one event", async () => {
  await open({ apiKey: SERVICE_KEY })
  // The browser asks first whether it may; that passes.
  line.script((_heard, pass) => pass(), refuse(503, { ...allowed(), "retry-after": "0" }), cutAfter)
  const result = await page.evaluate(() =>
    globalThis.shop.hub.events.publish({ type: "basket.left", source: "shop", payload: { items: 2 } }),
  )
  expect(result.status).toBe("duplicate")
  const listed = await page.evaluate(async () => {
    const ids: string[] = []
    for await (const event of globalThis.shop.hub.events.list({ type: "basket.left" })) ids.push(event.id)
    return ids
  })
  expect(listed).toEqual([result.id])
})

test("a page tells of a changed resource with a key in a header", async () => {
  await open({ apiKey: SERVICE_KEY })
  const statuses = await page.evaluate(async () => {
    const { resources } = globalThis.shop.hub
    const change = { type: "resource_updated", resourceType: "table", businessId: "b1", resourceId: "t1" } as const
    const once = await resources.notify(change, { idempotencyKey: "t1-1" })
    return [once.status, (await resources.notify(change, { idempotencyKey: "t1-1" })).status]
  })
  expect(statuses).toEqual(["accepted", "duplicate"])
})

test("a page shows the inbox of whoever is signed in, and reads what the hub refuses", async () => {
  await open({ token: await tokenFor({ sub: "guest" }) })
  const said = await page.evaluate(async () => {
    const { client, hub } = globalThis.shop
    const inbox = await hub.notifications.list({ status: "unread" }).page()
    const error: unknown = await hub.events.publish({ type: "a", source: "b" }).catch((thrown: unknown) => thrown)
    const refused = error instanceof client.HubProblem ? [error.status, error.code, error.requestId !== undefined] : []
    return { unread: inbox.unread_count, counts: await hub.notifications.counts(), refused }
  })
  expect(said).toEqual({ unread: 0, counts: { unread_count: 0, unseen_count: 0 }, refused: [403, "forbidden", true] })
})

test("a page whose call is redirected is told, and the credential goes nowhere else", async () => {
  await open({ apiKey: SERVICE_KEY })
  const from = line.heard.length
  const location = { ...allowed(), location: `${line.url}/elsewhere` }
  line.script((_heard, pass) => pass(), refuse(307, location))
  const kind = await page.evaluate(async () => {
    const { client, hub } = globalThis.shop
    const error: unknown = await hub.events.stats().catch((thrown: unknown) => thrown)
    return error instanceof client.HubError ? error.kind : "answered"
  })
  expect(kind).toBe("unexpected_answer")
  expect(line.heard.slice(from).map(({ method }) => method)).toEqual(["OPTIONS", "GET"])
})

test("a page of an origin that is not allowed gets nothing", async () => {
  const other = await browser.newPage()
  await other.goto(`http://localhost:${pages.port}/`)
  const kind = await other.evaluate(
    async ([apiKey, baseUrl, script]) => {
      const { Hub, HubError }: Client = await import(script)
      const hub = new Hub({ apiKey, baseUrl, retry: { attempts: 1 } })
      const error: unknown = await hub.events.stats().catch((thrown: unknown) => thrown)
      return error instanceof HubError ? error.kind : "answered"
    },
    [SERVICE_KEY, line.url, "/client.js"] as const,
  )
  expect(kind).toBe("unreachable")
  await other.close()
})
