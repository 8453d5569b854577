/** The test page in a real browser before a room whose streams a test writes itself, behind a path prefix. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Browser, Locator, Page } from "playwright-core"
import { builtPages } from "../../scripts/pages.ts"
import { loadConfig } from "../config.ts"
import type { BusinessId, LocationId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import { resourceStream, type StreamKey } from "../domain/stream.ts"
import { createApp } from "../http/app.ts"
import { pageRoutes } from "../http/pages.ts"
import type { SocketData } from "../realtime/websocket.ts"
import { systemClock } from "../runtime/clock.ts"
import { silent } from "../telemetry/bus.ts"
import { launchBrowser, STEP_DEADLINE_MS } from "./browser.ts"
import { enter, person, type Room, startRoom } from "./realtime-room.ts"

export interface TestPageWorld {
  readonly room: Room
  /** What any page wrote to its console or threw; refusals that tests provoke are left out. */
  readonly broken: readonly string[]
  /** Every address that a page asked for. */
  readonly asked: readonly string[]
  /** Shut, the hub takes no sockets: a lost line stays lost until it opens. */
  door(open: boolean): void
  /** A tab with the page; `link` is what follows `/test`. */
  open(link?: string, options?: Parameters<Browser["newPage"]>[0]): Promise<Page>
  /** Something happens at a place. */
  happen(business: string, location: string, body?: JsonObject): StreamKey
  stop(): Promise<void>
}

/** Behind the token `manager` is somebody for whom `resources:al-noor-karkh` has two meanings. */
export async function startTestPage(): Promise<TestPageWorld> {
  const places = ["al", "al-noor"].map((business) => ({ business: business as BusinessId, locations: null }))
  const room = await startRoom({ people: { manager: person("u1", places) }, anonymousTopics: true })
  const dataDir = await mkdtemp(join(tmpdir(), "hub-test-page-"))
  const config = loadConfig({ NODE_ENV: "test", HUB_DATA_DIR: dataDir }, false).ok
  if (config === undefined) throw new Error("the default settings are good")
  const authenticate = async () => ({ failure: "missing" }) as const
  const files = [pageRoutes(await builtPages())]
  const { elysia } = createApp({ config, authenticate, clock: systemClock, telemetry: silent, files })
  const broken: string[] = []
  const asked: string[] = []
  let doorOpen = true

  /** Tests write ids that fit the pattern. */
  const happen: TestPageWorld["happen"] = (business, location, body = {}) => {
    const stream = resourceStream(business as BusinessId, location as LocationId)
    const update = { type: "resource_updated", businessId: business, locationId: location, resourceId: "r1", ...body }
    room.publish([room.streams.append(stream, update)])
    return stream
  }

  /** What ingest does with a sample, as far as the page can tell. */
  async function publish(request: Request): Promise<Response> {
    if (request.headers.get("authorization") !== "Bearer a-service-key") return new Response(null, { status: 401 })
    const body = (await request.json()) as JsonObject
    happen(String(body["businessId"]), String(body["locationId"]), body)
    return Response.json({ id: "evt_1", status: "accepted" }, { status: 202 })
  }

  const server = Bun.serve<SocketData>({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request, own) {
      const path = new URL(request.url).pathname.replace("/prefix", "")
      if (path.startsWith("/socket/"))
        return doorOpen ? enter(room.realtime, request, own) : new Response(null, { status: 503 })
      if (path === "/api/notifications") return publish(request)
      return elysia.handle(new Request(`http://localhost${path}`, request))
    },
    websocket: room.realtime.websocket,
  })
  const browser = await launchBrowser()

  return {
    room,
    broken,
    asked,
    door(open) {
      doorOpen = open
    },
    happen,
    async open(link = "", options = {}) {
      const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...options })
      page.setDefaultTimeout(STEP_DEADLINE_MS)
      page.on("pageerror", (error) => broken.push(error.message))
      page.on("console", (message) => {
        // A refused sample and a shut door are errors to the browser; everything else there is one to us.
        if (!/status of (401|503)|WebSocket connection/.test(message.text())) broken.push(message.text())
      })
      page.on("request", (request) => asked.push(request.url()))
      page.on("websocket", (socket) => asked.push(socket.url()))
      await page.goto(`http://127.0.0.1:${server.port}/prefix/test${link}`)
      return page
    },
    async stop() {
      await browser.close()
      await room.stop()
      await server.stop(true)
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** The card of a topic. */
export const cardOf = (page: Page, topic: string): Locator => page.locator(`.card[data-topic="${topic}"]`)

/** Once it is in that state, in the client's words. */
export const inState = (page: Page, topic: string, state: string): Promise<void> =>
  page.locator(`.card[data-topic="${topic}"][data-state="${state}"]`).waitFor()
