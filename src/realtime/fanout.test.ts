import { afterEach, expect, test } from "bun:test"
import type { BusinessId, LocationId } from "../domain/ids.ts"
import { resourceStream } from "../domain/stream.ts"
import { MemoryStreams, RawClient, type Room, startRoom } from "../testing/realtime-room.ts"
import { fanOut, spelling, type TopicView } from "./fanout.ts"

const TOPIC = "resources:b1:l1"
const stream = resourceStream("b1" as BusinessId, "l1" as LocationId)
const view: TopicView = {
  id: stream,
  family: "resources",
  streams: [stream],
  businesses: null,
  spellings: [spelling(stream, "hyphen", "resources:b1-l1"), spelling(stream, "colon", TOPIC)],
  actor: "topic",
}
const messages = Array.from({ length: 10 }, (_, n) => ({ event: "resource_update", payload: `{"n":${n}}` }))

let room: Room | null = null
afterEach(async () => {
  await room?.stop()
  room = null
})

test("a message is encoded once for each version and spelling that somebody has joined, however many they are", () => {
  const published = new Map<string, string[]>()
  const subscribers: Readonly<Record<string, number>> = { [`2 colon ${stream}`]: 4_000, [`1 hyphen ${stream}`]: 1_000 }
  const frames = fanOut(
    {
      publish: (name, frame) => void published.set(name, [...(published.get(name) ?? []), frame]),
      subscribers: (name) => subscribers[name] ?? 0,
    },
    view,
    messages,
  )
  expect(frames).toBe(50_000)
  expect([...published].map(([name, sent]) => [name, sent.length])).toEqual([
    [`1 hyphen ${stream}`, 10],
    [`2 colon ${stream}`, 10],
  ])
  expect(published.get(`2 colon ${stream}`)?.[9]).toBe(`[null,null,"${TOPIC}","resource_update",{"n":9}]`)
})

test("all that one commit holds is published in the tick in which its news comes", async () => {
  const own = await startRoom()
  room = own
  const client = await RawClient.open(own.url())
  await client.join(TOPIC)
  let tick = 0
  const ticks: number[] = []
  const publish = own.server.publish.bind(own.server)
  own.server.publish = (...how) => {
    ticks.push(tick)
    return publish(...how)
  }
  own.publish(messages.map((_, n) => own.streams.append(stream, { n })))
  setImmediate(() => {
    tick += 1
  })
  for (let n = 0; n < 10; n++) expect((await client.frame())[4]).toMatchObject({ n, _offset: n + 1 })
  expect(ticks).toEqual(Array.from({ length: 10 }, () => 0))
})

test("a topic that lives lets everybody in without asking the database, and publishes without", async () => {
  const streams = new MemoryStreams()
  let asked = 0
  const counted =
    <Args extends unknown[], R>(ask: (...args: Args) => R) =>
    (...args: Args): R => {
      asked += 1
      return ask(...args)
    }
  const own = await startRoom({
    heads: counted(streams.heads),
    history: counted(streams.history),
    tails: counted(streams.tails),
  })
  room = own
  const first = await RawClient.open(own.url())
  await first.join(TOPIC)
  const toStart = asked
  const others = await Promise.all(Array.from({ length: 50 }, () => RawClient.open(own.url())))
  for (const other of others) expect(await other.join(TOPIC)).toMatchObject({ status: "ok" })
  own.publish([streams.append(stream, { n: 1 })])
  for (const client of [first, ...others]) expect((await client.frame())[4]).toEqual({ n: 1, _offset: 1 })
  expect([toStart, asked]).toEqual([1, 1])
})
