import { afterEach, expect, test } from "bun:test"
import { connect as dial, type Socket } from "node:net"
import type { BusinessId, LocationId } from "../domain/ids.ts"
import type { Json } from "../domain/json.ts"
import { resourceStream } from "../domain/stream.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { person, RawClient, type Room, startRoom } from "../testing/realtime-room.ts"
import type { TopicFamily } from "./topic.ts"

const TOPIC = "resources:b1:l1"
const stream = resourceStream("b1" as BusinessId, "l1" as LocationId)

let room: Room
afterEach(async () => {
  await room.stop()
})

test("a reader that stops reading is cut after a bounded backlog, and a neighbour misses nothing", async () => {
  room = await startRoom()
  const neighbour = await RawClient.open(room.url())
  await neighbour.join(TOPIC)
  const silent = await slowReader(room, TOPIC)
  const text = "x".repeat(64 * 1024)
  const ended = new Promise<void>((done) => silent.once("close", () => done()))
  for (let n = 1; n <= 400; n++) {
    room.publish([room.streams.append(stream, { n, text })])
    expect((await neighbour.frame())[4]).toMatchObject({ _offset: n })
    if (room.realtime.gauges.sockets() === 1) break
  }
  expect(room.realtime.gauges.sockets()).toBe(1)
  silent.on("data", () => {})
  silent.resume()
  await ended
})

test("a reader that does not read what its joins bring is cut, and its topic stays as it was for everybody else", async () => {
  // Nothing is kept back, so that it is an answer that does not fit.
  room = await startRoom({ clock: fakeClock(), limits: { politeBacklogBytes: Number.POSITIVE_INFINITY } })
  const neighbour = await RawClient.open(room.url())
  await neighbour.join(TOPIC)
  const silent = await slowReader(room, TOPIC)
  const text = "x".repeat(64 * 1024)
  for (let n = 1; n <= 10; n++) {
    room.publish([room.streams.append(stream, { n, text })])
    await neighbour.frame()
  }
  for (let n = 2; n < 60 && room.realtime.gauges.sockets() === 2; n++) {
    silent.write(masked([`${n}`, `${n}`, TOPIC, "phx_join", { recover: { epoch: "e1", offset: 0 } }]))
    expect(await neighbour.settled()).toEqual([])
  }
  expect(room.realtime.gauges.sockets()).toBe(1)
  expect(await neighbour.settled()).toEqual([])
  silent.destroy()
})

test("who comes back to many topics over a slow line is not cut for what they bring together", async () => {
  room = await startRoom({ clock: fakeClock() })
  const slow = await slowReader(room, TOPIC)
  const other = await RawClient.open(room.url())
  const text = "x".repeat(68_000)
  for (let n = 0; n < 30; n++) {
    const place = resourceStream("b2" as BusinessId, `l${n}` as LocationId)
    for (let k = 0; k < 10; k++) room.streams.append(place, { text })
    const join = [`${n}`, `${n}`, `resources:b2:l${n}`, "phx_join", { recover: { epoch: "e1", offset: 0 } }]
    slow.write(masked(join))
    for (let turn = 0; turn < 3; turn++) await other.settled()
  }
  expect(room.realtime.gauges.sockets()).toBe(2)
  expect(room.events).toContainEqual({ kind: "topic_refused", family: "resources", reason: "unavailable" })
  slow.destroy()
})

test("frames that pile up behind a join are bounded, and a heartbeat is answered meanwhile", async () => {
  const join = Promise.withResolvers<void>()
  room = await startRoom({
    families: [
      {
        name: "slow",
        prefix: "slow:",
        async join() {
          await join.promise
          return { kind: "refused", response: { reason: "enough" } }
        },
      },
    ],
  })
  const client = await RawClient.open(room.url())
  client.send(["1", "1", "slow:a", "phx_join", {}])
  for (let n = 0; n < 100; n++) client.send(["1", `${n}`, "slow:a", "x", {}])
  expect(await client.settled()).toEqual([])
  client.send(["1", "101", "slow:a", "x", {}])
  expect(await client.closed).toBe(1008)
  join.resolve()
})

test("large frames behind a join are bounded sooner than small ones", async () => {
  const join = Promise.withResolvers<void>()
  const slow: TopicFamily = {
    name: "slow",
    prefix: "slow:",
    async join() {
      await join.promise
      return { kind: "refused", response: { reason: "enough" } }
    },
  }
  room = await startRoom({ families: [slow] })
  const client = await RawClient.open(room.url())
  client.send(["1", "1", "slow:a", "phx_join", {}])
  // Each is 240 kB, and takes 6 MB when it is parsed.
  const payload = Array.from({ length: 80_000 }, () => [])
  for (let n = 0; n < 3; n++) client.send(["1", `${n}`, "slow:a", "x", payload])
  expect(await client.settled()).toEqual([])
  client.send(["1", "4", "slow:a", "x", payload])
  expect(await client.closed).toBe(1008)
  join.resolve()
})

test("a flood of frames is ended with 1008; what comes at once when a screen comes back is not a flood", async () => {
  const clock = fakeClock()
  room = await startRoom({ clock })
  const [coming, flooding] = [await RawClient.open(room.url()), await RawClient.open(room.url())]
  for (let n = 0; n < 400; n++) coming.send([null, `${n}`, "phoenix", "heartbeat", {}])
  expect(await coming.settled()).toHaveLength(400)
  await clock.advance(1_000)
  for (let n = 0; n < 140; n++) coming.send([null, `${n}`, "phoenix", "heartbeat", {}])
  expect(await coming.settled()).toHaveLength(140)
  for (let n = 0; n < 501; n++) flooding.send([null, `${n}`, "phoenix", "heartbeat", {}])
  expect(await flooding.closed).toBe(1008)
  expect(flooding.reason).toBe("too many frames")
  expect(room.realtime.gauges.sockets()).toBe(1)
})

test("a slow reader that still takes it is closed with 1013 before it is cut, and a neighbour misses nothing", async () => {
  // The system holds some MiB between the two; what stays here is seen by the sweep before it is too much.
  const clock = fakeClock()
  room = await startRoom({ clock, limits: { backlogBytes: 64 * 1024 * 1024, politeBacklogBytes: 256 * 1024 } })
  const neighbour = await RawClient.open(room.url())
  await neighbour.join(TOPIC)
  const silent = await slowReader(room, TOPIC)
  const text = "x".repeat(64 * 1024)
  for (let n = 1; n <= 600 && room.realtime.gauges.sockets() === 2; n++) {
    room.publish([room.streams.append(stream, { n, text })])
    expect((await neighbour.frame())[4]).toMatchObject({ _offset: n })
    if (n % 20 === 0) await clock.advance(1_000)
  }
  expect(room.events.find(({ kind }) => kind === "reader_dropped")).toMatchObject({ transport: "websocket" })
  let last: Buffer = Buffer.alloc(0)
  silent.on("data", (data: Buffer) => {
    last = Buffer.concat([last, data]).subarray(-64)
  })
  const ended = new Promise((done) => silent.once("close", done))
  silent.resume()
  await ended
  // A close frame: 1013, and why.
  expect(last.subarray(-15).toString("latin1")).toBe("\x88\x0d\x03\xf5slow reader")
})

test("a join that was refused as too late is not admitted afterwards", async () => {
  const admitting: (() => boolean)[] = []
  room = await startRoom({
    families: [
      {
        name: "slow",
        prefix: "slow:",
        async join({ admit }) {
          admitting.push(() =>
            admit({ response: {}, recovered: null, view: "slow", subscription: (version) => `slow ${version}` }),
          )
          return { kind: "refused", response: { reason: "unavailable" } }
        },
      },
    ],
  })
  const client = await RawClient.open(room.url())
  client.send(["1", "1", "slow:a", "phx_join", {}])
  expect((await client.frame())[4]).toEqual({ status: "error", response: { reason: "unavailable" } })
  expect(admitting.map((late) => late())).toEqual([false])
  expect(await client.settled()).toEqual([])
  expect(room.realtime.gauges.joined()).toBe(0)
})

test("frames that wait behind a join are answered in order after it, and other topics need not wait", async () => {
  const join = Promise.withResolvers<void>()
  room = await startRoom({
    families: [
      {
        name: "slow",
        prefix: "slow:",
        async join({ admit }) {
          await join.promise
          admit({ response: {}, recovered: null, view: "slow", subscription: (version) => `slow ${version}` })
          return { kind: "joined" }
        },
      },
    ],
  })
  const client = await RawClient.open(room.url())
  client.send(["1", "1", "slow:a", "phx_join", {}])
  client.send(["1", "2", "slow:a", "x", {}])
  client.send(["1", "3", "slow:a", "phx_leave", {}])
  expect(await client.join(TOPIC, {}, "9")).toMatchObject({ status: "ok" })
  join.resolve()
  const answers = [await client.frame(), await client.frame(), await client.frame(), await client.frame()]
  expect(answers.map(([, ref, , event]) => [ref, event])).toEqual([
    ["1", "phx_reply"],
    ["2", "phx_reply"],
    ["3", "phx_reply"],
    ["1", "phx_close"],
  ])
})

test("the 101st topic of a socket is refused, and so is a storm of joins", async () => {
  room = await startRoom()
  const client = await RawClient.open(room.url())
  for (let n = 0; n <= 100; n++) client.send([`${n}`, `${n}`, `resources:b1:l${n}`, "phx_join", {}])
  const reasons: unknown[] = []
  for (let n = 0; n <= 100; n++) reasons.push((await client.frame())[4])
  expect(reasons.filter((reason) => JSON.stringify(reason).includes("too many channels joined"))).toHaveLength(1)
  for (let n = 0; n < 300; n++) client.send(["1", "1", "nothing", "phx_leave", {}])
  const stormy = await RawClient.open(room.url())
  for (let n = 0; n < 300; n++) stormy.send([`${n}`, `${n}`, TOPIC, "phx_join", {}])
  expect((await stormy.settled()).join().includes("too many joins")).toBe(true)
})

test("no odd frame ends anything but its own connection", async () => {
  room = await startRoom()
  const neighbour = await RawClient.open(room.url())
  await neighbour.join(TOPIC)
  const deep = "[".repeat(60_000) + "]".repeat(60_000)
  const odd: (string | Uint8Array<ArrayBuffer>)[] = [
    "",
    "null",
    "[]",
    "[1,2,3,4]",
    "[null,null,7,8,{}]",
    `[${deep},${deep},"${TOPIC}","x",{}]`,
    `["1","1","${TOPIC}","phx_join",${deep}]`,
    new Uint8Array(0),
    new Uint8Array([0]),
    new Uint8Array([0, 255, 255, 255, 255, 1]),
    new Uint8Array([9, 0, 0, 0, 0]),
    new Uint8Array([0, 0, 0, 1, 1, 0xff, 0xff]),
    `["1","1","__proto__","phx_join",{"__proto__":{}}]`,
    `["1","1","resources:${"-".repeat(100_000)}","phx_join",{}]`,
  ]
  for (const frame of odd) {
    const client = await RawClient.open(room.url())
    if (typeof frame === "string") client.sendText(frame)
    else client.send(frame)
    client.sendText("over and out, which is no frame")
    expect([1011, 1006]).toContain(await client.closed)
  }
  room.publish([room.streams.append(stream, { n: 1 })])
  expect((await neighbour.frame())[4]).toEqual({ n: 1, _offset: 1 })
  expect(room.events.filter(({ kind }) => kind === "bug_found")).toHaveLength(0)
})

test("a frame over the limit closes with 1009", async () => {
  room = await startRoom()
  const client = await RawClient.open(room.url())
  client.sendText("x".repeat(256 * 1024 + 1))
  expect(await client.closed).toBe(1009)
})

test("a client that only listens is ended with 1002, one that beats its heart is not", async () => {
  const clock = fakeClock()
  room = await startRoom({ clock })
  const [listening, beating] = [await RawClient.open(room.url()), await RawClient.open(room.url())]
  for (let n = 0; n < 4; n++) {
    await clock.advance(29_000)
    expect(await beating.settled()).toEqual([])
  }
  expect(await listening.closed).toBe(1002)
  expect(room.realtime.gauges.sockets()).toBe(1)
})

test("a token that runs out ends its topics and then its socket", async () => {
  const clock = fakeClock(new Date(0))
  const people = { t: person("u1", "*", 5_000) }
  room = await startRoom({ people, clock })
  const client = await RawClient.open(room.url("vsn=2.0.0&token=t"))
  await client.join(TOPIC)
  await clock.advance(6_000)
  expect(await client.frame()).toEqual(["1", "1", TOPIC, "phx_error", { reason: "token_expired" }])
  expect(await client.closed).toBe(1008)
})

test("every join that is told is followed by its leave, also when sockets go in the middle of it", async () => {
  room = await startRoom()
  const clients = await Promise.all(Array.from({ length: 20 }, () => RawClient.open(room.url())))
  for (const [n, client] of clients.entries()) {
    for (let topic = 0; topic < 5; topic++) client.send(["1", "1", `resources:b1:l${n}${topic}`, "phx_join", {}])
    if (n % 2 === 0) client.close()
  }
  await room.realtime.drain()
  await Promise.all(clients.map(({ closed }) => closed))
  await room.tree.stop()
  const count = (kind: string) => room.events.filter((event) => event.kind === kind).length
  expect(count("topic_joined")).toBe(count("topic_left"))
  expect([count("socket_opened"), count("socket_closed")]).toEqual([20, 20])
})

test("a drain closes every socket with 1012 and refuses new ones", async () => {
  room = await startRoom()
  const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.open(room.url())))
  await room.realtime.drain()
  expect(await Promise.all(clients.map(({ closed }) => closed))).toEqual([1012, 1012, 1012, 1012, 1012])
  expect(RawClient.open(room.url())).rejects.toThrow("refused")
})

/** A text frame as a client writes it, with a mask of zeros. */
function masked(frame: Json): Buffer {
  const text = Buffer.from(JSON.stringify(frame))
  return Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text])
}

/** Joins over plain TCP and then never reads again. */
async function slowReader({ server }: Room, topic: string): Promise<Socket> {
  const socket = dial({ host: "127.0.0.1", port: server.port ?? 0 })
  socket.on("error", () => {})
  socket.write(
    "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n",
  )
  await new Promise<void>((done) => {
    let seen = ""
    socket.on("data", (data: Buffer) => {
      const upgraded = seen.includes("\r\n\r\n")
      seen += data.toString("latin1")
      if (!upgraded && seen.includes("\r\n\r\n")) socket.write(masked(["1", "1", topic, "phx_join", {}]))
      if (seen.includes("phx_reply")) {
        socket.pause()
        socket.removeAllListeners("data")
        done()
      }
    })
  })
  return socket
}
