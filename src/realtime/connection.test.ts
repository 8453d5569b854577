import { afterEach, expect, test } from "bun:test"
import { fakeClock } from "../testing/fake-clock.ts"
import { PollClient } from "../testing/poll-client.ts"
import { person, RawClient, type Room, startRoom } from "../testing/realtime-room.ts"
import type { TopicFamily } from "./topic.ts"

let room: Room
afterEach(async () => {
  await room.stop()
})

const family = (rest: Partial<TopicFamily>): TopicFamily => ({
  name: "probe",
  prefix: "probe:",
  join({ topic, admit, client }) {
    admit({ response: {}, recovered: null, view: topic, subscription: (version) => `${version} ${topic}` })
    client.whenLeft(() => left.push(topic))
    return { kind: "joined" }
  },
  ...rest,
})
const left: string[] = []

test("all topics of a connection are left when it ends, and only its own", async () => {
  left.length = 0
  room = await startRoom({ families: [family({})] })
  const [going, staying] = [await RawClient.open(room.url()), await RawClient.open(room.url())]
  for (const topic of ["probe:a", "probe:b"]) await going.join(topic)
  await staying.join("probe:a")
  const polling = await PollClient.open(room)
  await polling.join("probe:c")
  expect(room.realtime.gauges.joined()).toBe(4)
  going.close()
  while (room.realtime.gauges.joined() > 2) await new Promise((resolve) => setImmediate(resolve))
  expect(left).toEqual(["probe:a", "probe:b"])
  expect(room.realtime.native.subscribers("2 probe:a")).toBe(1)
  await polling.postText("nonsense!")
  expect([left.at(-1), room.realtime.native.subscribers("2 probe:c")]).toEqual(["probe:c", 0])
  const [joined, gone] = (["topic_joined", "topic_left"] as const).map((of) =>
    room.events.filter(({ kind }) => kind === of),
  )
  expect([joined?.length, gone?.length]).toEqual([4, 3])
})

test("a topic that crashes while it would end by itself is an error and no close: the client comes back", async () => {
  const push = Promise.withResolvers<void>()
  room = await startRoom({
    families: [
      family({
        async push({ client }) {
          client.fail("channel_crash")
          await push.promise
          return { kind: "stop", response: null }
        },
      }),
    ],
  })
  const client = await RawClient.open(room.url())
  await client.join("probe:a")
  client.send(["1", "2", "probe:a", "end", {}])
  expect(await client.frame()).toEqual(["1", "1", "probe:a", "phx_error", { reason: "channel_crash" }])
  push.resolve()
  await push.promise
  expect(await client.settled()).toEqual([])
})

test("whatever a topic throws, and whenever, only that topic ends: the socket lives, and so does the process", async () => {
  const clock = fakeClock(new Date(0))
  const broken = (): never => {
    throw new Error("broken")
  }
  const leavesBadly: TopicFamily["join"] = (request) => {
    const outcome = family({}).join(request)
    request.client.whenLeft(broken)
    return outcome
  }
  const later = async (): Promise<never> => {
    await Promise.resolve()
    return broken()
  }
  room = await startRoom({
    clock,
    people: { t: person("u1", "*", 60_000) },
    families: [
      family({ name: "join now", prefix: "probe:join now", join: broken }),
      family({ name: "join later", prefix: "probe:join later", join: later }),
      family({ name: "push now", prefix: "probe:push now", push: broken }),
      family({ name: "push later", prefix: "probe:push later", push: later }),
      family({ name: "leave", prefix: "probe:leave", join: leavesBadly }),
    ],
  })
  const client = await RawClient.open(room.url("vsn=2.0.0&token=t"))
  for (const topic of ["probe:join now", "probe:join later"]) {
    expect(await client.join(topic)).toEqual({ status: "error", response: { reason: "join crashed" } })
  }
  for (const topic of ["probe:push now", "probe:push later"]) {
    await client.join(topic)
    client.send(["1", "2", topic, "x", {}])
    expect(await client.frame()).toEqual(["1", "1", topic, "phx_error", { reason: "channel_crash" }])
  }
  await client.join("probe:leave")
  client.send(["1", "3", "probe:leave", "phx_leave", {}])
  expect([(await client.frame())[3], (await client.frame())[3]]).toEqual(["phx_reply", "phx_close"])
  expect(await client.settled()).toEqual([])
  // When the credential runs out it is a timer that leaves the topics, with nobody above it.
  await client.join("probe:leave")
  await clock.advance(61_000)
  expect(await client.frame()).toEqual(["1", "1", "probe:leave", "phx_error", { reason: "token_expired" }])
  expect(await client.closed).toBe(1008)
  const said = room.events.flatMap((event) => (event.kind === "bug_found" ? [event.where] : []))
  expect(said).toEqual([
    "join of join now",
    "join of join later",
    "push to push now",
    "push to push later",
    "leave of leave",
    "leave of leave",
  ])
})

test("a ping of the protocol below is answered with what it carried", async () => {
  room = await startRoom()
  const socket = new WebSocket(room.url())
  await new Promise((done) => socket.addEventListener("open", done))
  const pong = new Promise<string>((done) => {
    // Of Bun's client, and of no browser's.
    socket.addEventListener("pong" as "message", ({ data }) => done(Buffer.from(data as Uint8Array).toString()))
  })
  socket.ping("are you there")
  expect(await pong).toBe("are you there")
  socket.close()
})
