// The test page in a real browser, against a real room.
import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Browser, Page } from "playwright-core"
import { builtPages } from "../../scripts/pages.ts"
import { loadConfig } from "../config.ts"
import type { BusinessId, LocationId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import { resourceStream } from "../domain/stream.ts"
import { createApp } from "../http/app.ts"
import { pageRoutes } from "../http/pages.ts"
import { systemClock } from "../runtime/clock.ts"
import { silent } from "../telemetry/bus.ts"
import { launchBrowser, STEP_DEADLINE_MS, shot } from "../testing/browser.ts"
import { person, type Room, startRoom } from "../testing/realtime-room.ts"
import type { SocketData } from "./websocket.ts"

setDefaultTimeout(30_000)

let room: Room
let browser: Browser
let server: Bun.Server<SocketData>
let dataDir: string
/** Closed, the hub takes no sockets: the line stays lost until it opens. */
let doorOpen = true
const broken: string[] = []

beforeAll(async () => {
  const al = [
    { business: "al" as BusinessId, locations: null },
    { business: "al-noor" as BusinessId, locations: null },
  ]
  room = await startRoom({ people: { manager: person("u1", al) }, anonymousTopics: true })
  dataDir = await mkdtemp(join(tmpdir(), "hub-test-page-"))
  const config = loadConfig({ NODE_ENV: "test", HUB_DATA_DIR: dataDir }, false).ok
  if (config === undefined) throw new Error("the default settings are good")
  const authenticate = async () => ({ failure: "missing" }) as const
  const files = [pageRoutes(await builtPages())]
  const { elysia } = createApp({ config, authenticate, clock: systemClock, telemetry: silent, files })
  server = Bun.serve<SocketData>({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request, own) {
      // Behind a path prefix, as a reverse proxy would have it.
      const path = new URL(request.url).pathname.replace("/prefix", "")
      if (path === "/socket/websocket")
        return doorOpen ? room.realtime.upgrade(request, own) : new Response(null, { status: 503 })
      if (path === "/api/notifications") return publish(request)
      return elysia.handle(new Request(`http://localhost${path}`, request))
    },
    websocket: room.realtime.websocket,
  })
  browser = await launchBrowser()
}, 60_000)
afterAll(async () => {
  await browser.close()
  await room.stop()
  await server.stop(true)
  await rm(dataDir, { recursive: true, force: true })
}, 60_000)

/** What ingest does with a sample, as far as the page can tell. */
async function publish(request: Request): Promise<Response> {
  if (request.headers.get("authorization") !== "Bearer a-service-key") return new Response(null, { status: 401 })
  const body = (await request.json()) as JsonObject
  const stream = resourceStream(body["businessId"] as BusinessId, body["locationId"] as LocationId)
  room.publish([room.streams.append(stream, body)])
  return Response.json({ id: "evt_1", status: "accepted" }, { status: 202 })
}

async function open(options: Parameters<Browser["newPage"]>[0] = {}): Promise<Page> {
  const page = await browser.newPage(options)
  page.setDefaultTimeout(STEP_DEADLINE_MS)
  page.on("pageerror", (error) => broken.push(error.message))
  page.on("console", (message) => {
    // A refused sample is an error to the browser; everything else there is one to us.
    if (message.type() === "error" && !message.text().includes("status of 401")) broken.push(message.text())
  })
  await page.goto(`http://127.0.0.1:${server.port}/prefix/test`)
  return page
}

test("one connects, sends a sample, sees it arrive with its frame, loses the line and gets what was missed", async () => {
  const page = await open()
  await shot(page, "test-page-1-empty")
  await page.getByLabel("Business").fill("business-123")
  await page.getByLabel("Location").fill("location-456")
  await page.keyboard.press("Enter")
  await page.getByText("Watching resources:business-123-location-456").waitFor()

  await page.getByLabel("Service key").fill("wrong")
  await page.getByRole("button", { name: "Send to this place" }).click()
  await page.getByText("no key or token that the hub knows").waitFor()
  await page.getByLabel("Service key").fill("a-service-key")
  await page.getByRole("button", { name: "Send to this place" }).click()
  await page.getByText("Accepted (202)").waitFor()
  const first = page.locator("#updates li").first()
  await first.getByText("reservation resource-789").waitFor()
  await first.locator("summary").click()
  expect(await first.locator("pre").textContent()).toContain('"resource_update"')
  expect(await page.locator("#offset").textContent()).toBe("1")

  const stream = resourceStream("business-123" as BusinessId, "location-456" as LocationId)
  doorOpen = false
  await page.getByRole("button", { name: "Drop the line" }).click()
  await page.getByText("Connection failed").waitFor()
  await shot(page, "test-page-6-lost")
  const missed = { type: "resource_deleted", businessId: "business-123", locationId: "location-456", resourceId: "r9" }
  room.publish([room.streams.append(stream, missed)])
  doorOpen = true
  await page.getByText("1 brought back").waitFor()
  expect(await page.locator("#updates li.missed").count()).toBe(1)
  expect(await page.locator("#offset").textContent()).toBe("2")
  await shot(page, "test-page-2-light")
  await page.emulateMedia({ colorScheme: "dark" })
  await shot(page, "test-page-3-dark")
  await page.setViewportSize({ width: 360, height: 740 })
  await shot(page, "test-page-4-narrow")
  const width = await page.evaluate("document.documentElement.scrollWidth")
  expect(width).toBeLessThanOrEqual(360)
  await page.close()
})

test("a refused join is explained in words, and the colon form resolves an ambiguous one", async () => {
  const page = await open()
  await page.getByLabel("Token").fill("manager")
  await page.getByLabel("Business").fill("al")
  await page.getByLabel("Location").fill("noor-karkh")
  await page.getByRole("button", { name: "Connect", exact: true }).click()
  await page.getByText("two places of yours are spelled like this").waitFor()
  await shot(page, "test-page-5-ambiguous")
  await page.getByLabel("Use the colon form").check()
  await page.getByRole("button", { name: "Connect", exact: true }).click()
  await page.getByText("Watching resources:al:noor-karkh").waitFor()
  await page.getByLabel("Business").fill("elsewhere")
  await page.getByRole("button", { name: "Reconnect" }).click()
  await page.getByText("The token does not name this business").waitFor()
  await page.close()
})

test("a refused token is explained, kept in the tab's own storage, and never in the address", async () => {
  const page = await open()
  await page.getByLabel("Token").fill("wrong-token")
  await page.getByLabel("Business").fill("b1")
  const asked = page.waitForEvent("websocket")
  await page.getByRole("button", { name: "Connect", exact: true }).click()
  expect((await asked).url()).not.toContain("wrong-token")
  await page.getByText("The hub does not let this connection in").waitFor()
  await page.reload()
  expect(await page.getByLabel("Token").inputValue()).toBe("wrong-token")
  await page.close()
})

test("the page broke no rule of its own policy and threw nothing", () => {
  expect(broken.filter((text) => !text.includes("WebSocket connection"))).toEqual([])
})
