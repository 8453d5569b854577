/**
 * Asks a room everything that the recorder of the golden transcript asked a real Phoenix server, and writes the answers
 * down in the transcript's own form. What the recorder's server had for these scenarios (a probe topic, mounts of other
 * settings) is a fixture here; what its `connect/3` was told by parameters is a token.
 */
import type { RecipientId } from "../domain/ids.ts"
import type { Principal } from "../domain/principal.ts"
import { type Probe, probe } from "./golden-probe.ts"
import { PollClient, pollUrl } from "./poll-client.ts"
import { person, RawClient, type Room, startRoom } from "./realtime-room.ts"

export interface Section {
  readonly name: string
  /** As in the file, without the margin. */
  readonly lines: readonly string[]
}

export const readTranscript = (text: string): readonly Section[] =>
  text
    .split("\n## ")
    .slice(1)
    .map((part) => {
      const [name = "", ...lines] = part.trimEnd().split("\n")
      return { name, lines: lines.map((line) => line.trim()) }
    })

/** As long as the recorder's: on a busy machine an answer that is not held takes a part of a shorter one. */
export const WINDOW_MS = 1_000

export interface Golden {
  readonly rooms: ReadonlyMap<string, Room>
  readonly probe: Probe
  stop(): Promise<void>
}

const key: Principal = {
  kind: "key",
  label: "k",
  recipient: null,
  service: true,
  admin: false,
  tenancy: "*",
  expiresAt: null,
}
const people: Record<string, Principal | "unavailable"> = {
  secret: key,
  "secret-token": key,
  u1: person("u1", "*"),
  ann: person("ann", "*"),
  bob: person("bob", "*"),
  limited: "unavailable",
  // The probe's `connect/3` looks at no token.
  bad: key,
}

/** The mounts that the recorder asks. */
export async function startGolden(): Promise<Golden> {
  const rooms = new Map<string, Room>()
  const all = probe(() => ({
    native: {
      publish: (name, frame) => {
        for (const { realtime } of rooms.values()) realtime.native.publish(name, frame)
      },
      subscribers: () => 0,
    },
    publish: (name, frame) => {
      for (const { server } of rooms.values()) server.publish(name, frame)
    },
  }))
  const families = [all.family]
  const authenticate = async (token: string) => people[token] ?? null
  const mounts: Record<string, Parameters<typeof startRoom>[0]> = {
    "/socket": { limits: { pollWindowMs: WINDOW_MS } },
    "/limited": { limits: { topicsPerSocket: 1 } },
    "/quiet": { limits: { idleSeconds: 1, sweepMs: 50 } },
    "/small": { limits: { frameBytes: 1_000 } },
    "/auth": { anonymousTopics: false },
    "/origin": { allowedOrigins: ["https://example.com"] },
    // The probe has no presence: the hub's own topics do.
    "/presence": { families: [] },
  }
  for (const [mount, options] of Object.entries(mounts))
    rooms.set(mount, await startRoom({ families, authenticate, ...options }))
  return {
    rooms,
    probe: all,
    async stop() {
      for (const room of rooms.values()) await room.stop()
    },
  }
}

export const roomOf = ({ rooms }: Golden, mount: string): Room => {
  const room = rooms.get(mount)
  if (room === undefined) throw new Error(`no room for ${mount}`)
  return room
}

/** What the probe's `connect/3` was told by a parameter, our handshake is told by a token. */
export const asToken = (query: string): string =>
  query
    .replace("reject=true", "token=refused")
    .replace("ratelimit=true", "token=limited")
    .replace("user=u1", "token=u1")

/** One client of a scenario, by whatever way its frames travel. */
interface Line {
  send(data: string | Uint8Array<ArrayBuffer>): Promise<void>
  /** Rejects when it is closed. */
  next(): Promise<string>
  /** What the recorder would write of its end. */
  end(): Promise<string>
}

const authToken = (mount: string): string => (mount === "/auth" ? "secret-token" : "")

async function socketLine(room: Room, mount: string, query: string): Promise<Line & { readonly protocol: string }> {
  const token = authToken(mount)
  const protocols = token === "" ? [] : ["phoenix", `base64url.bearer.phx.${btoa(token).replaceAll("=", "")}`]
  const client = await RawClient.open(room.url(query), protocols)
  return {
    protocol: client.protocol,
    async send(data) {
      if (typeof data === "string") client.sendText(data)
      else client.send(data)
    },
    next: () => client.next(),
    async end() {
      client.close()
      return `closed ${await client.closed} ${JSON.stringify(client.reason)}`
    },
  }
}

/** The same frames in the bodies of polls. Of a close it is only told that there was one. */
async function pollLine(room: Room, mount: string, query: string): Promise<Line> {
  const client = new PollClient(pollUrl(room, query))
  const token = authToken(mount)
  await client.poll(token === "" ? {} : { headers: { "x-phoenix-authtoken": token } })
  const came: string[] = []
  let gone = false
  return {
    // Version 1 knows no lines.
    async send(data) {
      await client.postText(
        typeof data === "string" ? data : Buffer.from(data).toString("base64"),
        isV2(query) ? undefined : "application/json",
      )
    },
    async next() {
      while (came.length === 0) {
        const { status, messages = [] } = await client.poll()
        gone ||= status === 410
        if (gone) throw new Error("gone")
        came.push(...messages)
      }
      const text = came.shift() ?? ""
      return /^[[{]/.test(text) ? text : `<binary ${Buffer.from(text, "latin1").toString("hex")}>`
    },
    end: async () => (gone ? "closed" : "open"),
  }
}

const isV2 = (query: string): boolean => query.includes("vsn=2")

/** One scenario: sends what the transcript sends, and gives what came. */
export async function recordSession(
  golden: Golden,
  { name, lines }: Section,
  way: "websocket" | "longpoll",
): Promise<readonly string[]> {
  const [path = "", ...rest] = lines
  const [mount = "", query = ""] = path.split("/websocket")
  const presence = name === "v2 presence"
  const room = roomOf(golden, presence ? "/presence" : mount)
  const asked = `${asToken(query.slice(1))}${presence ? "&token=ann" : ""}`
  const got = [path]
  let client: Line
  if (way === "websocket") {
    const socket = await socketLine(room, mount, asked)
    if (socket.protocol !== "") got.push(`protocol: ${socket.protocol}`)
    client = socket
  } else client = await pollLine(room, mount, asked)
  const sent = rest.filter((line) => line.startsWith("-> "))
  for (const [index, line] of sent.entries()) {
    const text = line.slice(3)
    // What the probe tracked by itself, the hub is asked for.
    const join = JSON.stringify(["1", "1", "resources:presence", "phx_join", { presence: { device: "web" } }])
    got.push(presence ? `-> ${join}` : line)
    if (text.startsWith("<binary ")) await client.send(new Uint8Array(Buffer.from(text.slice(8, -1), "hex")))
    // The recorder cut long frames short when it printed them.
    else if (text.length === 200)
      await client.send(JSON.stringify(["1", "1", "resources:b-1", "phx_join", { x: "y".repeat(2_000) }]))
    else await client.send(presence ? join : text)
    if (presence) got.push(`<- ${await client.next()}`, `<- ${await client.next()}`)
    for (const frame of await quiet(client, query)) got.push(`<- ${frame}`)
    for (const frame of await between(golden, room, client, `${name} ${index + 1}`, query)) got.push(`<- ${frame}`)
  }
  got.push(await client.end())
  return got.map(withoutRefs)
}

/** Refs of presence are random, here and there. */
export const withoutRefs = (line: string): string => line.replace(/"phx_ref":"[^"]+"/g, '"phx_ref":"REF"')

/** What the recorder did after a step without sending a frame, and what came of it. */
async function between(golden: Golden, room: Room, client: Line, step: string, query: string): Promise<string[]> {
  switch (step) {
    case "v2 join, broadcast, leave 1":
    case "v2 duplicate join 4":
    case "v1 join, broadcast, leave 1":
      golden.probe.notify("resources:b-1")
      return quiet(client, query)
    case "v2 binary: push, reply, broadcast 4":
      golden.probe.notifyBinary("resources:b-1")
      return quiet(client, query)
    case "disconnect broadcast to the socket id 1":
      room.realtime.kick({ recipient: "u1" as RecipientId, businesses: null })
      return untilClosed(client)
    case "client goes quiet (timeout 1 s) 1":
      return untilClosed(client)
    case "v2 presence 1": {
      const other = await RawClient.open(room.url("vsn=2.0.0&token=bob"))
      await other.join("resources:presence", { presence: { device: "web" } })
      const came = await client.next()
      void other.close()
      return [came, await client.next()]
    }
    default:
      return []
  }
}

/** All that comes before a heartbeat is answered, or before the end. */
async function quiet(client: Line, query: string): Promise<string[]> {
  const [beat, answer] = isV2(query)
    ? [`[null,"quiet","phoenix","heartbeat",{}]`, `[null,"quiet","phoenix","phx_reply",{"status":"ok","response":{}}]`]
    : [
        `{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"quiet"}`,
        `{"ref":"quiet","event":"phx_reply","payload":{"status":"ok","response":{}},"topic":"phoenix"}`,
      ]
  await client.send(beat)
  return untilClosed(client, answer)
}

/** All that comes before the end, or before a frame. */
async function untilClosed(client: Line, last: string | null = null): Promise<string[]> {
  const frames: string[] = []
  try {
    for (let frame = await client.next(); frame !== last; frame = await client.next()) frames.push(frame)
  } catch {
    // Closed: what came before it is what there is.
  }
  return frames
}
