import { afterEach, expect, test } from "bun:test"
import { type Channel, Socket } from "phoenix"
import type { BusinessId, LocationId, RecipientId } from "../domain/ids.ts"
import { notificationStream, resourceStream } from "../domain/stream.ts"
import { person, type Room, startRoom } from "../testing/realtime-room.ts"

const tenancy = [{ business: "b1" as BusinessId, locations: ["l1" as LocationId] }]
const stream = resourceStream("b1" as BusinessId, "l1" as LocationId)
const people = { good: person("u1", tenancy), also: person("u2", tenancy) }

let room: Room
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) await new Promise<void>((done) => socket.disconnect(() => done()))
  await room.stop()
})

function connect(options: ConstructorParameters<typeof Socket>[1] & object = {}): Socket {
  const socket = new Socket(`ws://127.0.0.1:${room.server.port}/socket`, {
    reconnectAfterMs: () => 5,
    rejoinAfterMs: () => 5,
    ...options,
  })
  sockets.push(socket)
  socket.connect()
  return socket
}
const reply = (push: ReturnType<Channel["join"]>): Promise<[string, unknown]> =>
  new Promise((done) => {
    for (const status of ["ok", "error", "timeout"] as const)
      push.receive(status, (got: unknown) => done([status, got]))
  })
const pushed = (channel: Channel, event: string): Promise<unknown> => new Promise((done) => channel.on(event, done))

test("the stock client joins with its token, gets a push, and leaves", async () => {
  room = await startRoom({ people, anonymousTopics: false })
  const channel = connect({ params: { token: "good" } }).channel("resources:b1-l1")
  expect(await reply(channel.join())).toEqual(["ok", { epoch: "e1", offset: 0 }])
  const update = pushed(channel, "resource_update")
  room.publish([room.streams.append(stream, { type: "resource_updated", businessId: "b1", locationId: "l1" })])
  expect(await update).toEqual({ type: "resource_updated", businessId: "b1", locationId: "l1", _offset: 1 })
  expect(await reply(channel.leave())).toEqual(["ok", {}])
})

test("authToken opens the socket, and a forced drop is healed by the client with what it missed", async () => {
  room = await startRoom({ people, anonymousTopics: false })
  const socket = connect({ authToken: "good" })
  let joins = 0
  let seen = 0
  const channel = socket.channel("resources:b1:l1", () =>
    joins === 0 ? {} : { recover: { epoch: "e1", offset: seen } },
  )
  const again = Promise.withResolvers<unknown>()
  const first = Promise.withResolvers<unknown>()
  channel.join().receive("ok", (response: unknown) => {
    joins += 1
    if (joins === 1) first.resolve(response)
    else again.resolve(response)
  })
  await first.promise
  const update = pushed(channel, "resource_update")
  room.publish([room.streams.append(stream, { n: 1 })])
  await update
  seen = 1
  // The network goes away under the client.
  const closed = new Promise<void>((done) => socket.onClose(() => done()))
  socketOf(socket).close(3000, "test")
  await closed
  room.publish([room.streams.append(stream, { n: 2 })])
  expect(await again.promise).toEqual({
    epoch: "e1",
    offset: 2,
    recovered: true,
    missed: [{ event: "resource_update", payload: { n: 2, _offset: 2 } }],
  })
})

test("a bad token never opens, and nothing of it is told", async () => {
  room = await startRoom({ people, anonymousTopics: false })
  const socket = connect({ params: { token: "bad-secret-token" }, reconnectAfterMs: () => 10_000 })
  await new Promise<void>((done) => socket.onError(() => done()))
  expect(room.events).toContainEqual({ kind: "socket_refused", transport: "websocket", reason: "token" })
  expect(JSON.stringify(room.events)).not.toContain("bad-secret")
})

test("a person hears of their own notifications and counts, and of nobody else's", async () => {
  room = await startRoom({ people })
  const recipient = "u1" as RecipientId
  room.counts.set(recipient, { unread: 0 })
  const socket = connect({ params: { token: "good" } })
  const channel = socket.channel("notifications:u1")
  const atJoin = pushed(channel, "counts")
  expect(await reply(channel.join())).toEqual(["ok", { epoch: "e1", offset: 0 }])
  expect(await atJoin).toEqual({ unread: 0 })
  channel.off("counts")

  const [notification, changed, counts] = ["notification", "notification_changed", "counts"].map((event) =>
    pushed(channel, event),
  )
  room.counts.set(recipient, { unread: 1 })
  room.publish([
    room.streams.append(notificationStream(recipient), { id: "ntf_1", title: "Hello" }, "notification"),
    {
      kind: "stream_message",
      stream: notificationStream(recipient),
      event: "notification_changed",
      position: null,
      payload: `{"id":"ntf_1"}`,
    },
    { kind: "counts_changed", recipient },
    { kind: "counts_changed", recipient: "u2" },
  ])
  expect(await notification).toEqual({ id: "ntf_1", title: "Hello", _offset: 1 })
  expect(await changed).toEqual({ id: "ntf_1" })
  expect(await counts).toEqual({ unread: 1 })

  expect(await reply(socket.channel("notifications:u2").join())).toEqual(["error", { reason: "unauthorized" }])
  expect(await reply(channel.push("frobnicate", {}))).toEqual(["error", { reason: "unknown event" }])
})

test("without a token, where that is allowed, resources may be joined and notifications may not", async () => {
  room = await startRoom({ people })
  const socket = connect()
  expect((await reply(socket.channel("resources:b1-l1").join()))[0]).toBe("ok")
  expect(await reply(socket.channel("notifications:u1").join())).toEqual(["error", { reason: "unauthorized" }])
})

/** The browser's socket under the client's, which its published types do not mention. */
function socketOf(socket: Socket): WebSocket {
  const { conn } = socket as unknown as { readonly conn: WebSocket }
  return conn
}
