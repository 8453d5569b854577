import { afterEach, expect, test } from "bun:test"
import { connect, type Socket as Line } from "node:net"
import type { BusinessId, RecipientId } from "../domain/ids.ts"
import type { Json } from "../domain/json.ts"
import { notificationStream } from "../domain/stream.ts"
import { localPubSub } from "../pubsub/pubsub.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { type Heard, heard } from "../testing/heard.ts"
import { person, RawClient, type Room, startRoom } from "../testing/realtime-room.ts"

const ANN = "ann" as RecipientId // fits the pattern
const stream = notificationStream(ANN)
const b1 = [{ business: "b1" as BusinessId, locations: null }]
const people = {
  ann: person("ann", b1),
  ben: person("ben", b1),
  key: { ...person(null, "*"), kind: "key" as const, service: true },
}

/** A room whose telemetry can be waited for. */
interface ToldRoom extends Room {
  readonly told: Heard
}
const rooms: ToldRoom[] = []
afterEach(async () => {
  for (const room of rooms.splice(0)) await room.stop()
})
async function start(options: Parameters<typeof startRoom>[0] = {}): Promise<ToldRoom> {
  const told = heard()
  const room = { ...(await startRoom({ people, telemetry: told, ...options })), told }
  rooms.push(room)
  return room
}
const url = (room: Room, path: string, query: string): string => `ws://127.0.0.1:${room.server.port}${path}?${query}`
const ITEM = { id: "ntf_1", title: "Hello", body: "You there", business_id: "b1" }
/** Stores a notification and tells of it. */
const tell = (room: Room, body: { readonly [key: string]: Json } = ITEM) =>
  room.publish([room.streams.append(stream, body, "notification")])
/** A drawer whose join has been answered: what is told from now on comes. */
async function drawer(room: ToldRoom, path = "/ws/notifications", query = "token=ann"): Promise<RawClient> {
  const joined = room.told.of("topic_joined").length
  const client = await RawClient.open(url(room, path, query))
  await room.told.waitFor("topic_joined", joined + 1)
  return client
}
/** A client that knows nothing of WebSockets but how to open one. */
async function dial({ server }: Room, path: string): Promise<Line> {
  const line = connect({ host: "127.0.0.1", port: server.port ?? 0 })
  line.on("error", () => {})
  line.write(
    `GET ${path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  )
  await new Promise((done) => line.once("data", done))
  line.on("data", () => {})
  return line
}
/** Everything that it was sent before it is told that the hub is there. */
async function before(client: RawClient): Promise<unknown[]> {
  client.sendText("ping")
  const sent: unknown[] = []
  for (let text = await client.next(); text !== "pong"; text = await client.next()) sent.push(JSON.parse(text))
  return sent
}

test("/ws/notifications is sent each item in its envelope, /v1/ws the bare item with its body as message too", async () => {
  const room = await start()
  const [old, older] = [await drawer(room), await drawer(room, "/v1/ws")]
  tell(room)
  room.publish([
    { kind: "stream_message", stream, event: "notification_changed", position: null, payload: `{"id":"ntf_1"}` },
  ])
  room.counts.set(ANN, { unread_count: 1 })
  room.publish([{ kind: "counts_changed", recipient: ANN }])
  expect(await before(old)).toEqual([{ type: "notification", data: ITEM }])
  expect(await before(older)).toEqual([{ ...ITEM, message: "You there" }])
})

test("a person's items go to that person's drawers alone, and to the businesses that the token names", async () => {
  const room = await start()
  const [ann, ben] = [await drawer(room), await drawer(room, "/v1/ws", "token=ben")]
  tell(room, { ...ITEM, business_id: "b2" })
  tell(room, ITEM)
  expect(await before(ann)).toEqual([{ type: "notification", data: ITEM }])
  expect(await before(ben)).toEqual([])
})

test.each([
  ["no token, even where strangers may join topics", ""],
  ["a token that nobody knows", "token=other"],
  ["a key, which is no person", "token=key"],
])("%s is refused", async (_, query) => {
  const room = await start()
  for (const path of ["/ws/notifications", "/v1/ws"]) {
    await expect(RawClient.open(url(room, path, query))).rejects.toThrow("refused")
  }
})

test("a page of another origin opens none, and what asks without a socket is told what lives there", async () => {
  const room = await start({ allowedOrigins: "same_origin" })
  const asked = (headers: Record<string, string>) =>
    fetch(url(room, "/ws/notifications", "token=ann").replace("ws:", "http:"), { headers })
  const upgrade = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-version": "13" }
  const key = { "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==" }
  expect((await asked({ ...upgrade, ...key, origin: "https://evil.example" })).status).toBe(403)
  expect((await asked({})).status).toBe(400)
})

test("whatever an old client says is taken without an answer, but for pings", async () => {
  const room = await start()
  const client = await drawer(room)
  for (const said of [
    "hello",
    "{",
    `{"type":"subscribe","channel":"all"}`,
    `["1","1","notifications:ben","phx_join",{}]`,
  ])
    client.sendText(said)
  client.send(new Uint8Array([0, 255, 1]))
  client.sendText(`{"type": "ping"}`)
  expect(await client.next()).toBe(`{"type":"pong"}`)
  tell(room)
  expect(await before(client)).toEqual([{ type: "notification", data: ITEM }])
  client.sendText("x".repeat(300_000))
  expect(await client.closed).toBe(1009)
})

test("a drawer that only listens stays open by answering pings, as every browser does", async () => {
  const clock = fakeClock()
  const room = await start({ clock })
  const client = await drawer(room)
  for (let seconds = 0; seconds < 300; seconds += 15) {
    await clock.advance(15_000)
    // The ping and its answer travel through a real socket, beside this; six rounds may pass before one has to be there.
    for (let n = 0; n < 3; n++) await fetch(`http://127.0.0.1:${room.server.port}/`)
  }
  expect(room.told.of("socket_closed")).toEqual([])
  tell(room)
  expect(await before(client)).toEqual([{ type: "notification", data: ITEM }])
})

test("one that says too much is closed, and one that does not read is cut, as any socket is", async () => {
  const room = await start({ limits: { frameBurst: 50 } })
  const flooding = await drawer(room)
  for (let n = 0; n < 51; n++) flooding.sendText("ping")
  expect(await flooding.closed).toBe(1008)
  const silent = await dial(room, "/ws/notifications?token=ann")
  silent.pause()
  const body = "x".repeat(64 * 1024)
  for (let n = 0; n < 400 && room.realtime.gauges.sockets() === 1; n++) {
    tell(room, { ...ITEM, body })
    await fetch(`http://127.0.0.1:${room.server.port}/`)
  }
  expect(room.realtime.gauges.sockets()).toBe(0)
  silent.destroy()
})

test("one that answers no pings is closed after a while", async () => {
  const clock = fakeClock()
  const room = await start({ clock })
  const line = await dial(room, "/v1/ws?token=ann")
  const ended = new Promise((done) => line.once("close", done))
  await clock.advance(89_000)
  expect(room.realtime.gauges.sockets()).toBe(1)
  // Asked to go, and a second later cut.
  await clock.advance(3_000)
  await ended
  expect(room.realtime.gauges.sockets()).toBe(0)
})

test("one whose token runs out is closed, and so are all of them at a kick and a drain", async () => {
  const clock = fakeClock()
  const until = clock.wall().getTime() + 20_000
  const room = await start({ clock, people: { ...people, short: person("ann", b1, until) } })
  const [short, ben] = [await drawer(room, "/v1/ws", "token=short"), await drawer(room, "/v1/ws", "token=ben")]
  await clock.advance(22_000)
  expect(await short.closed).toBe(1008)
  const kicked = await drawer(room)
  room.realtime.kick({ recipient: ANN, businesses: null })
  expect(await kicked.closed).toBe(1001)
  expect(await before(ben)).toEqual([])
  await room.realtime.drain()
  expect(await ben.closed).toBe(1012)
})

test("what went out while the topic's actor was away is there when it is back, once", async () => {
  const clock = fakeClock()
  const room = await start({ clock })
  const client = await drawer(room)
  tell(room, { ...ITEM, id: "ntf_1" })
  const [actor] = room.tree.snapshot().root.children?.find(({ id }) => id === "topics")?.children ?? []
  room.streams.append(stream, { ...ITEM, id: "ntf_2" }, "notification")
  const joined = room.told.of("topic_joined").length
  await room.tree.restart(actor?.id ?? "")
  await clock.advance(1_000)
  await room.told.waitFor("topic_joined", joined + 1)
  tell(room, { ...ITEM, id: "ntf_3" })
  const ids = (await before(client)).map((sent) => (sent as { data: { id: string } }).data.id)
  expect(ids).toEqual(["ntf_1", "ntf_2", "ntf_3"])
})

test("news of another node reaches a drawer, and what it lost on the way is fetched", async () => {
  const pubsub = localPubSub((error) => {
    throw error
  })
  const [here, there] = [await start({ pubsub }), await start({ pubsub })]
  const client = await drawer(here)
  // Both rooms' streams stand for one database.
  const lost = here.streams.append(stream, { ...ITEM, id: "ntf_1" }, "notification")
  expect(lost.kind).toBe("stream_message")
  pubsub.publish([here.streams.append(stream, { ...ITEM, id: "ntf_2" }, "notification")])
  const [first, second] = [JSON.parse(await client.next()), JSON.parse(await client.next())]
  expect([first.data.id, second.data.id]).toEqual(["ntf_1", "ntf_2"])
  await there.stop()
  rooms.pop()
})
