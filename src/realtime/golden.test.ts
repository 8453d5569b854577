import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { loadConfig } from "../config.ts"
import { createApp } from "../http/app.ts"
import { type Listening, listen } from "../http/server.ts"
import { socketRoutes } from "../http/socket.ts"
import { systemClock } from "../runtime/clock.ts"
import { silent } from "../telemetry/bus.ts"
import { eventually } from "../testing/eventually.ts"
import { type Difference, differences, expectedLines, shownElsewhere } from "../testing/golden-differences.ts"
import { recordRequest, recordUpgrade, sortedHead } from "../testing/golden-http.ts"
import { type Golden, readTranscript, recordSession, startGolden, withoutRefs } from "../testing/golden-record.ts"

/** What a real Phoenix 1.8.12 answered. Where the hub differs is said in this room's README, and nowhere else. */
const transcript = readTranscript(await Bun.file(new URL("./golden/phoenix-1.8.12.txt", import.meta.url)).text())
const readme = await Bun.file(new URL("./README.md", import.meta.url)).text()
const listed = differences(readme)
const used = new Set<Difference>()

const section = (name: string): readonly string[] => transcript.find((each) => each.name === name)?.lines ?? []
const sessions = transcript.filter(({ name }) => name !== "upgrade answers" && name !== "long polling")

let golden: Golden
/** What is asked by plain HTTP goes through all that a hub has before its rooms. */
const fronts = new Map<string, Listening>()
beforeAll(async () => {
  golden = await startGolden()
  const dataDir = await mkdtemp(join(tmpdir(), "hub-golden-"))
  const config = loadConfig({ NODE_ENV: "test", HUB_DATA_DIR: dataDir }, false).ok
  await rm(dataDir, { recursive: true, force: true })
  if (config === undefined) throw new Error("the default settings are good")
  const authenticate = async () => ({ failure: "missing" }) as const
  for (const mount of ["/socket", "/origin"]) {
    const realtime = golden.rooms.get(mount)?.realtime
    if (realtime === undefined) throw new Error(`no room for ${mount}`)
    const files = [socketRoutes(realtime)]
    const app = createApp({ config, authenticate, clock: systemClock, telemetry: silent, files })
    fronts.set(mount, listen({ app, port: 0, host: "127.0.0.1", websocket: realtime.websocket }))
  }
})
afterAll(async () => {
  await golden.stop()
  for (const { stop } of fronts.values()) await stop(1_000)
})

/** Ours must be the transcript's, but for what is listed of this place. */
function expectGolden(place: string, ours: readonly string[], theirs: readonly string[]): void {
  expect(ours).toEqual(expectedLines(listed, place, theirs, (row) => used.add(row)))
}

describe("over a WebSocket, frame by frame", () => {
  for (const scenario of sessions) {
    test(scenario.name, async () => {
      expectGolden(scenario.name, await recordSession(golden, scenario, "websocket"), scenario.lines.map(withoutRefs))
    })
  }
})

describe("over polls, the same frames", () => {
  for (const scenario of sessions) {
    // A session has another clock: it is polled or it ends.
    if (scenario.name.startsWith("client goes quiet")) continue
    test(scenario.name, async () => {
      const theirs = scenario.lines.map(withoutRefs).flatMap((line) => {
        // No topic of the hub's broadcasts bytes, so only native sockets could hear the fixture's.
        if (line.startsWith("protocol: ") || line.startsWith("<- <binary 02")) return []
        return /^closed 1000/.test(line) ? "open" : line.replace(/^closed .*/, "closed")
      })
      expectGolden(scenario.name, await recordSession(golden, scenario, "longpoll"), theirs)
    })
  }
})

describe("the answers to an upgrade", () => {
  const lines = section("upgrade answers")
  for (let line = 0; line + 1 < lines.length; line += 2) {
    const [asked = "", answer = ""] = [lines[line], lines[line + 1]]
    const name = asked.slice(0, asked.search(/: (GET |POST )?\//))
    test(name, async () => {
      const plain = /: (GET|POST) (\S+)$/.exec(asked)
      if (plain === null) expectGolden(name, [await recordUpgrade(golden, asked)], [sortedHead(answer)])
      else {
        const [, method = "", path = ""] = plain
        const { lines: ours } = await recordRequest(name, { method, path }, at("/socket"))
        expectGolden(name, ours, [asked, answer])
      }
    })
  }
})

describe("long polling", () => {
  const path = "/socket/longpoll?vsn=2.0.0"
  const ndjson = { "content-type": "application/x-ndjson" }
  const frame = (ref: string, topic: string, event: string, payload: unknown = {}) =>
    JSON.stringify([ref === "5" ? "5" : "1", ref, topic, event, payload])
  const push = Buffer.from("0001010d0431347265736f75726365733a622d317075736809", "hex").toString("base64")
  let session = ""
  /** As the recorder asked, in its order. A function: what it did in between. */
  const asked: readonly (
    | (() => void | Promise<void>)
    | [name: string, method: string, query?: string, headers?: Record<string, string>, body?: string]
  )[] = [
    ["first poll", "GET"],
    ["push join (ndjson)", "POST", "&token=SESSION", ndjson, frame("1", "resources:b-1", "phx_join")],
    ["poll", "GET", "&token=SESSION"],
    [
      "push two (ndjson)",
      "POST",
      "&token=SESSION",
      ndjson,
      `${frame("2", "resources:b-1", "echo", { a: 1 })}\n${frame("3", "resources:b-1", "echo", { a: 2 })}`,
    ],
    () => golden.probe.notify("resources:b-1"),
    ["poll", "GET", "&token=SESSION"],
    ["push binary (base64 line)", "POST", "&token=SESSION", ndjson, push],
    ["poll", "GET", "&token=SESSION"],
    [
      "push join, other content type",
      "POST",
      "&token=SESSION",
      { "content-type": "application/json" },
      frame("5", "resources:b-2", "phx_join"),
    ],
    ["poll", "GET", "&token=SESSION"],
    ["empty poll (window 1 s)", "GET", "&token=SESSION"],
    ["token in header", "GET", "", { "x-phoenix-longpoll-token": "SESSION" }],
    ["POST with a bad token", "POST", "&token=bad", ndjson, "[]"],
    ["GET with a bad token starts a new session", "GET", "&token=bad"],
    ["POST without token", "POST", "", ndjson, "[]"],
    ["rejected connect", "GET", "&reject=true"],
    ["vsn unknown", "GET"],
    ["origin refused", "GET", "", { origin: "https://evil.com" }],
    [
      "preflight",
      "OPTIONS",
      "",
      { origin: "https://a.com", "access-control-request-headers": "content-type, x-phoenix-authtoken" },
    ],
    ["PUT", "PUT"],
    () => allEnded("/socket"),
    ["poll after inactivity (1.5 x window)", "POST", "&token=SESSION", ndjson, frame("9", "resources:b-1", "echo")],
  ]

  test("every request, in the recorder's order", async () => {
    const theirs = [...section("long polling")]
    for (const step of asked) {
      if (typeof step === "function") {
        await step()
        continue
      }
      const [name, method, query = "", headers = {}, body] = step
      const mount = name === "origin refused" ? "/origin" : "/socket"
      const vsn = name === "vsn unknown" ? "/socket/longpoll?vsn=9.0.0" : path.replace("/socket", mount)
      const carried = Object.entries(headers).map(([key, value]) => [key, value.replace("SESSION", session)])
      const { lines, text } = await recordRequest(
        name,
        {
          method,
          path: vsn + query.replace("SESSION", session),
          headers: Object.fromEntries(carried) as Record<string, string>, // as given
          ...(body === undefined ? {} : { body }),
        },
        at(mount),
      )
      if (name === "first poll") session = (JSON.parse(text) as { token: string }).token
      expectGolden(name, lines, theirs.splice(0, lines.length))
    }
    expect(theirs).toEqual([])
  })
})

describe("what is listed as different", () => {
  test("is different, each line of it", () => {
    expect(listed.filter((row) => !used.has(row))).toEqual([])
  })

  test("and what no transcript shows is shown by the test that is named", async () => {
    for (const { file, title } of shownElsewhere(readme)) {
      const text = await Bun.file(new URL(file, import.meta.url)).text()
      expect([file, text.includes(title) ? title : "no such test"]).toEqual([file, title])
    }
  })
})

/** Sessions end half a window after the one in which nobody polled. */
async function allEnded(mount: string): Promise<void> {
  const open = async () => golden.rooms.get(mount)?.realtime.gauges.sockets()
  await eventually(open, (sockets) => sockets === 0, { withinMs: 20_000, what: "sessions that nobody polls" })
}

/** Asks a mount by way of the hub's front; paths are the recorder's. */
const at =
  (mount: string) =>
  (path: string, init: RequestInit): Promise<Response> =>
    fetch(`http://127.0.0.1:${fronts.get(mount)?.port}${path.replace(mount, "/socket")}`, init)
