import { afterEach, describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { BusinessId, LocationId } from "../domain/ids.ts"
import { resourceStream } from "../domain/stream.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { held, PollClient, pollUrl, probes } from "../testing/poll-client.ts"
import { person, RawClient, type Room, startRoom } from "../testing/realtime-room.ts"

const TOPIC = "resources:b1:l1"
const stream = resourceStream("b1" as BusinessId, "l1" as LocationId)
const tenancy = [{ business: "b1" as BusinessId, locations: ["l1" as LocationId] }]

let room: Room
afterEach(async () => {
  await room.stop()
})

describe("the end of a session", () => {
  test("a malformed line, a frame too large and bytes that are no text end it as they end a socket", async () => {
    room = await startRoom({ limits: { frameBytes: 1_000 } })
    const ends: [string | Uint8Array<ArrayBuffer>, number][] = [
      ["not base64!", 1011],
      ["[1]", 1011],
      [`[1,1,"a","b",{"x":"${"y".repeat(1_000)}"}]`, 1009],
      // 3 bytes each.
      [`[1,1,"a","b",{"x":"${"\u20ac".repeat(400)}"}]`, 1009],
      [new Uint8Array([0x5b, 0xff]), 1011],
    ]
    for (const [body, code] of ends) {
      const client = await PollClient.open(room)
      const polling = client.poll()
      expect(await client.postText(body)).toEqual({ status: 410 })
      expect((await polling).status).toBe(410)
      expect(room.events.findLast(({ kind }) => kind === "socket_closed")).toMatchObject({
        transport: "longpoll",
        code,
      })
    }
    const client = await PollClient.open(room)
    expect(await client.postText("x".repeat(1024 * 1024 + 1))).toEqual({ status: 413 })
  })

  test("what says why it ended is still brought, and the poll after it is told 410", async () => {
    const clock = fakeClock()
    const expiresAt = clock.wall().getTime() + 2_000
    room = await startRoom({ clock, people: { brief: person("u1", tenancy, expiresAt) } })
    const client = await PollClient.open(room, "vsn=2.0.0&token=brief")
    await client.join(TOPIC)
    await clock.advance(2_000)
    expect(await client.frames()).toEqual([["1", "1", TOPIC, "phx_error", { reason: "token_expired" }]])
    expect((await client.poll()).status).toBe(410)
  })

  test("a drain ends all of them at once, and takes no new one", async () => {
    room = await startRoom()
    const client = await PollClient.open(room)
    const polling = client.poll()
    await held(room)
    await room.realtime.drain()
    expect((await polling).status).toBe(410)
    const refused = await fetch(pollUrl(room))
    expect([refused.status, refused.headers.get("retry-after"), await refused.text()]).toEqual([503, "1", ""])
    expect(room.realtime.gauges.sockets()).toBe(0)
  })

  test("a node that is alone knows nothing of another's, and begins anew", async () => {
    room = await startRoom()
    const client = await PollClient.open(room)
    const other = await startRoom()
    const elsewhere = new PollClient(pollUrl(other))
    elsewhere.token = client.token
    expect((await elsewhere.post([[null, "1", "phoenix", "heartbeat", {}]])).status).toBe(410)
    expect((await elsewhere.poll()).status).toBe(410)
    expect(elsewhere.token).not.toBe(client.token)
    await other.stop()
  })
})

describe("bounds", () => {
  test("who never polls is dropped at the bound of a slow reader, counted, and costs others nothing", async () => {
    room = await startRoom({ limits: { backlogBytes: 10_000, politeBacklogBytes: 1_000_000, recoveredBytes: 0 } })
    const silent = await PollClient.open(room)
    await silent.join(TOPIC)
    const socket = await RawClient.open(room.url())
    await socket.join(TOPIC)
    for (let n = 1; n <= 20; n++) {
      room.publish([room.streams.append(stream, { text: "x".repeat(1_000) })])
      expect((await socket.frame())[4]).toMatchObject({ _offset: n })
    }
    expect(room.realtime.gauges.sockets()).toBe(1)
    expect(room.events).toContainEqual(expect.objectContaining({ kind: "reader_dropped", transport: "longpoll" }))
    expect((await silent.poll()).status).toBe(410)
  })

  test("the sweep closes a slow one politely before that", async () => {
    room = await startRoom({ limits: { politeBacklogBytes: 1_000, recoveredBytes: 0, sweepMs: 20 } })
    const silent = await PollClient.open(room)
    await silent.join(TOPIC)
    room.publish([room.streams.append(stream, { text: "x".repeat(2_000) })])
    while (room.realtime.gauges.sockets() > 0) await Bun.sleep(1)
    expect(room.events).toContainEqual(expect.objectContaining({ kind: "reader_dropped", transport: "longpoll" }))
  })

  test("frames of one session, characters of all, and sessions are counted", async () => {
    room = await startRoom({ limits: { pollMessages: 3 }, families: probes() })
    const many = await PollClient.open(room)
    await many.post(Array.from({ length: 5 }, (_, n) => [null, `${n}`, "phoenix", "heartbeat", {}]))
    expect((await many.poll()).status).toBe(410)
    await room.stop()

    room = await startRoom({ limits: { pollBufferedBytes: 400 } })
    const [hoarder, first, second] = [
      await PollClient.open(room),
      await PollClient.open(room),
      await PollClient.open(room),
    ]
    const beat = ["1", "1", "phoenix", "heartbeat", {}]
    await hoarder.post([beat, beat, beat])
    await first.post([beat, beat])
    // Whoever has most waiting makes room for the others.
    await second.post([beat, beat])
    const statuses = await Promise.all([hoarder, first, second].map(async (client) => (await client.poll()).status))
    expect(statuses).toEqual([410, 200, 200])
    // What was brought makes room again.
    expect([await first.post([beat, beat]), await second.post([beat, beat])]).toEqual([
      { status: 200 },
      { status: 200 },
    ])
    await room.stop()

    room = await startRoom({ limits: { pollSessions: 1 } })
    await PollClient.open(room)
    expect((await fetch(pollUrl(room))).status).toBe(503)
    expect(room.events).toContainEqual({ kind: "socket_refused", transport: "longpoll", reason: "too many sessions" })
  })
})

test("whatever is posted, the answer is one of the protocol's, nothing is a bug, and the hub goes on", async () => {
  room = await startRoom({ families: probes() })
  const frame = fc.tuple(
    fc.option(fc.string()),
    fc.option(fc.string()),
    fc.constantFrom("echo:a", "phoenix", "x"),
    fc.constantFrom("phx_join", "phx_leave", "echo", "heartbeat"),
    fc.jsonValue(),
  )
  const line = fc.oneof(
    frame.map((parts) => JSON.stringify(parts)),
    fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("base64")),
    fc.string(),
    fc.json(),
  )
  const body = fc.oneof(
    fc.array(line, { maxLength: 120 }).map((lines) => Buffer.from(lines.join("\n"))),
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  )
  const type = fc.constantFrom("application/x-ndjson", "application/json", "application/x-ndjson; charset=utf-8", "")
  await fc.assert(
    fc.asyncProperty(fc.constantFrom("vsn=2.0.0", "vsn=1.0.0"), fc.array(fc.tuple(body, type)), async (vsn, posts) => {
      const client = await PollClient.open(room, vsn)
      for (const [bytes, as] of posts) {
        expect([200, 410]).toContain((await client.postText(new Uint8Array(bytes), as)).status)
      }
    }),
    { numRuns: 100 },
  )
  expect(room.events.filter(({ kind }) => kind === "bug_found")).toEqual([])
  expect(await (await PollClient.open(room)).join("echo:a")).toEqual({ status: "ok", response: {} })
})

test("who comes back to many topics at once gets all of each, however much that is together", async () => {
  room = await startRoom({ limits: { pollWindowMs: 300 } })
  const topics = Array.from({ length: 5 }, (_, n) => `resources:b1:l${n}`)
  for (const [n] of topics.entries()) {
    const place = resourceStream("b1" as BusinessId, `l${n}` as LocationId)
    for (let k = 0; k < 10; k++) room.streams.append(place, { text: "x".repeat(68_000) })
  }
  const client = await PollClient.open(room)
  const recover = { epoch: "e1", offset: 0 }
  const left = new Set(topics)
  // Whoever is told to come again does, as the stock client.
  for (let round = 0; round < 5 && left.size > 0; round++) {
    await client.post([...left].map((topic) => ["1", "1", topic, "phx_join", { recover }]))
    for (let answers = left.size; answers > 0; ) {
      const frames = await client.frames()
      answers -= frames.length
      for (const [, , topic, , payload] of frames) {
        const { status, response } = payload as { status: string; response: { missed?: unknown[] } }
        if (status === "ok" && response.missed?.length === 10) left.delete(topic)
      }
    }
  }
  expect(left).toEqual(new Set())
})
