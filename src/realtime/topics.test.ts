import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { BusinessId, LocationId, RecipientId } from "../domain/ids.ts"
import { resourceStream } from "../domain/stream.ts"
import type { News } from "../pubsub/pubsub.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { person, RawClient, type Room, startRoom } from "../testing/realtime-room.ts"

const TOPIC = "resources:b1:l1"
const stream = resourceStream("b1" as BusinessId, "l1" as LocationId)
const other = resourceStream("b2" as BusinessId, "l2" as LocationId)

let room: Room
let client: RawClient
beforeEach(async () => {
  room = await startRoom()
  client = await RawClient.open(room.url())
})
afterEach(async () => {
  await room.stop()
})

const append = (n: number): News => room.streams.append(stream, { n })
async function offsets(from: RawClient, count: number): Promise<number[]> {
  const got: number[] = []
  for (let i = 0; i < count; i++) got.push(((await from.frame())[4] as { _offset: number })._offset)
  return got
}
const upTo = (count: number, from = 1): number[] => Array.from({ length: count }, (_, i) => from + i)

describe("order", () => {
  test("shuffled and repeated news goes out in offset order, each once", async () => {
    await client.join(TOPIC)
    let last = 0
    const shuffles = fc.sample(
      fc.integer({ min: 1, max: 30 }).chain((size) =>
        fc.record({
          order: fc.shuffledSubarray(upTo(size), { minLength: size, maxLength: size }),
          repeats: fc.array(fc.integer({ min: 1, max: size }), { maxLength: 5 }),
        }),
      ),
      { numRuns: 40, seed: 3 },
    )
    for (const { order, repeats } of shuffles) {
      const news = order.map((n) => append(n))
      const pick = (n: number): News[] => news.slice(n - 1, n)
      for (const n of order) room.publish(pick(n))
      for (const n of repeats) room.publish(pick(n))
      expect(await offsets(client, order.length)).toEqual(upTo(order.length, last + 1))
      last += order.length
    }
    expect(await client.settled()).toEqual([])
  })

  test("a message whose news was lost is read from the history as soon as a later one shows the gap", async () => {
    await client.join(TOPIC)
    append(1)
    append(2)
    room.publish([append(3)])
    expect(await offsets(client, 3)).toEqual([1, 2, 3])
    expect(room.streams.historyReads).toBe(1)
  })

  test("a gap longer than one page of history is filled page by page", async () => {
    await client.join(TOPIC)
    for (let n = 1; n < 700; n++) append(n)
    room.publish([append(700)])
    expect(await offsets(client, 700)).toEqual(upTo(700))
  })

  test("a gap that the history cannot fill ends the topic with phx_error instead of being skipped", async () => {
    await client.join(TOPIC)
    append(1)
    room.streams.prune(stream, 2)
    append(2)
    room.publish([append(3)])
    expect(await client.frame()).toEqual(["1", "1", TOPIC, "phx_error", { reason: "channel_crash" }])
    expect(await client.join(TOPIC, { recover: { epoch: "e1", offset: 0 } }, "2")).toEqual({
      status: "ok",
      response: { epoch: "e1", offset: 3, recovered: false },
    })
  })

  test("everything that one commit holds reaches both spellings and the business, each with its own positions", async () => {
    const business = resourceStream("b1" as BusinessId, null)
    for (const [i, topic] of ["resources:b1-l1", "resources:b1:l1", "resources:b1"].entries()) {
      room.streams.append(business, { before: true })
      await client.join(topic, {}, String(i))
    }
    room.publish([append(1), room.streams.append(business, { n: 1 })])
    const got = [await client.frame(), await client.frame(), await client.frame()]
    expect(new Map(got.map(([, , topic, , payload]) => [topic, payload]))).toEqual(
      new Map([
        ["resources:b1-l1", { n: 1, _offset: 1 }],
        ["resources:b1:l1", { n: 1, _offset: 1 }],
        ["resources:b1", { n: 1, _offset: 4 }],
      ]),
    )
  })
})

describe("lost hints", () => {
  test("a lost message with nothing after it is found by the check that runs every few seconds", async () => {
    const clock = fakeClock()
    const own = await startRoom({ clock, random: () => 0.5 })
    const watcher = await RawClient.open(own.url())
    const joined = watcher.join(TOPIC)
    await clock.flush()
    await joined
    own.streams.append(stream, { n: 1 })
    own.streams.append(stream, { n: 2 })
    await clock.advance(9_900)
    expect(own.streams.historyReads).toBe(0)
    await clock.advance(200)
    expect(await offsets(watcher, 2)).toEqual([1, 2])
    await own.stop()
  })

  test("while nothing comes from the other nodes it runs every second, and once more when they are back", async () => {
    const clock = fakeClock()
    let cutOff = true
    const own = await startRoom({ clock, random: () => 0.5, cutOff: () => cutOff })
    const watcher = await RawClient.open(own.url())
    const joined = watcher.join(TOPIC)
    await clock.flush()
    await joined
    own.streams.append(stream, { n: 1 })
    await clock.advance(1_100)
    expect(await offsets(watcher, 1)).toEqual([1])
    cutOff = false
    own.streams.append(stream, { n: 2 })
    await clock.advance(1_000)
    expect(await offsets(watcher, 1)).toEqual([2])
    own.streams.append(stream, { n: 3 })
    await clock.advance(9_000)
    expect(await watcher.settled()).toEqual([])
    await clock.advance(1_100)
    expect(await offsets(watcher, 1)).toEqual([3])
    await own.stop()
  })

  test("what came while nobody listened to the news, as the feed was started anew, is found a second later", async () => {
    const clock = fakeClock()
    const own = await startRoom({ clock, random: () => 0.5 })
    const watcher = await RawClient.open(own.url())
    const joined = watcher.join(TOPIC)
    await clock.flush()
    await joined
    own.streams.append(stream, { n: 1 })
    await own.tree.restart("feed")
    await clock.advance(1_100)
    expect(await offsets(watcher, 1)).toEqual([1])
    await own.stop()
  })

  test("two nodes of which one hears half of the news show the same, in the same order", async () => {
    const deaf = await startRoom({
      heads: room.streams.heads,
      history: room.streams.history,
      tails: room.streams.tails,
    })
    const far = await RawClient.open(deaf.url())
    await far.join(TOPIC)
    await client.join(TOPIC)
    for (const n of upTo(200)) {
      const news = append(n)
      room.publish([news])
      if (n % 2 === 0) deaf.publish([news])
    }
    expect(await offsets(client, 200)).toEqual(upTo(200))
    expect(await offsets(far, 200)).toEqual(upTo(200))
    await deaf.stop()
  })

  test("counts that cannot be read now are read again until they can", async () => {
    const clock = fakeClock()
    let asked = 0
    const recipient = "u1" as RecipientId
    const own = await startRoom({
      clock,
      people: { t: person("u1", []) },
      async countsOf() {
        asked += 1
        if (asked === 1) throw new Error("the database is away")
        return new Map([[recipient, () => ({ unread: asked })]])
      },
    })
    const watcher = await RawClient.open(own.url("vsn=2.0.0&token=t"))
    const joined = watcher.join("notifications:u1")
    await clock.flush()
    await joined
    await clock.advance(10)
    await clock.advance(1_000)
    expect(await watcher.frame()).toEqual(["1", null, "notifications:u1", "counts", { unread: 2 }])
    own.publish([
      { kind: "counts_changed", recipient },
      { kind: "counts_changed", recipient },
    ])
    await clock.advance(10)
    expect(await watcher.frame()).toEqual([null, null, "notifications:u1", "counts", { unread: 3 }])
    expect(asked).toBe(3)
    await own.stop()
  })
})

describe("recovery", () => {
  test("a join tells epoch and offset; nothing published before it comes after it, nothing after it is missing", async () => {
    append(1)
    append(2)
    expect(await client.join(TOPIC)).toEqual({ status: "ok", response: { epoch: "e1", offset: 2 } })
    room.publish([append(3)])
    expect(await offsets(client, 1)).toEqual([3])
  })

  test("a client that comes back gets what it missed, in order, and then the news", async () => {
    for (const n of upTo(5)) append(n)
    expect(await client.join(TOPIC, { recover: { epoch: "e1", offset: 2 } })).toEqual({
      status: "ok",
      response: {
        epoch: "e1",
        offset: 5,
        recovered: true,
        missed: [3, 4, 5].map((n) => ({ event: "resource_update", payload: { n, _offset: n } })),
      },
    })
    room.publish([append(6)])
    expect(await offsets(client, 1)).toEqual([6])
  })

  test("many that come back with one offset share one query, and what was pushed here lately needs none", async () => {
    for (const n of upTo(5)) append(n)
    const clients = await Promise.all(upTo(20).map(() => RawClient.open(room.url())))
    const answers = await Promise.all(clients.map((each) => each.join(TOPIC, { recover: { epoch: "e1", offset: 1 } })))
    for (const answer of answers)
      expect((answer as { response: { missed: unknown[] } }).response.missed).toHaveLength(4)
    expect(room.streams.historyReads).toBe(1)
    await client.join(TOPIC, { recover: { epoch: "e1", offset: 3 } })
    expect(room.streams.historyReads).toBe(1)
  })

  test("what was pushed minutes ago is not kept for those who may come back: the database gives it", async () => {
    const clock = fakeClock()
    const own = await startRoom({ clock, limits: { idleSeconds: 900 } })
    const [here, coming] = [await RawClient.open(own.url()), await RawClient.open(own.url())]
    await here.join(TOPIC)
    const push = (n: number) => own.publish([own.streams.append(stream, { n })])
    for (const n of upTo(3)) push(n)
    await clock.advance(400_000)
    for (const n of upTo(3, 4)) push(n)
    const back = async (offset: number): Promise<number> => {
      const answer = await coming.join(TOPIC, { recover: { epoch: "e1", offset } }, String(offset))
      coming.send([String(offset), "leave", TOPIC, "phx_leave", {}])
      await coming.settled()
      return (answer as { response: { missed: unknown[] } }).response.missed.length
    }
    await clock.advance(250_000)
    expect([await back(3), own.streams.historyReads]).toEqual([3, 0])
    expect([await back(2), own.streams.historyReads]).toEqual([4, 1])
    await own.stop()
  })

  test("another epoch, or history that was pruned, is said and nothing is given", async () => {
    for (const n of upTo(5)) append(n)
    room.streams.prune(stream, 3)
    const refused = { status: "ok", response: { epoch: "e1", offset: 5, recovered: false } }
    expect(await client.join(TOPIC, { recover: { epoch: "e0", offset: 4 } }, "1")).toEqual(refused)
    expect(await client.join(TOPIC, { recover: { epoch: "e1", offset: 1 } }, "2")).toEqual(refused)
    expect((await client.frame())[3]).toBe("phx_close")
  })

  test("a client that saw more than this node has heard of waits until the node has caught up", async () => {
    const late = await RawClient.open(room.url())
    await late.join(TOPIC)
    append(1)
    append(2)
    expect(await client.join(TOPIC, { recover: { epoch: "e1", offset: 2 } })).toEqual({
      status: "ok",
      response: { epoch: "e1", offset: 2, recovered: true, missed: [] },
    })
    expect(await offsets(late, 2)).toEqual([1, 2])
  })

  test("clients that are ahead of this node share a reading, and one that began before their last message tells nothing of them", async () => {
    const gate = Promise.withResolvers<void>()
    const reading = Promise.withResolvers<void>()
    let readings = 0
    const { streams } = room
    const own = await startRoom({
      heads: streams.heads,
      tails: streams.tails,
      async history(...asked) {
        const answer = await streams.history(...asked)
        readings += 1
        reading.resolve()
        if (readings === 1) await gate.promise
        return answer
      },
    })
    const [here, first, ...more] = await Promise.all(upTo(6).map(() => RawClient.open(own.url())))
    await here?.join(TOPIC)
    append(1)
    const back = first?.join(TOPIC, { recover: { epoch: "e1", offset: 1 } })
    await reading.promise
    append(2)
    const later = more.map((each) => each.join(TOPIC, { recover: { epoch: "e1", offset: 2 } }))
    // A heartbeat's answer says that what was sent before it has been heard.
    const last = await RawClient.open(own.url())
    for (let turn = 0; turn < 5; turn++) await last.settled()
    gate.resolve()
    const answer = (offset: number) => ({
      status: "ok",
      response: { epoch: "e1", offset, recovered: true, missed: [] },
    })
    expect(await back).toEqual(answer(1))
    expect(await Promise.all(later)).toEqual(later.map(() => answer(2)))
    expect(readings).toBe(2)
    await own.stop()
  })

  test("who is ahead of this node is answered also where another place of its string is read meanwhile", async () => {
    const topic = "resources:a-b-c"
    const [first, second] = [
      resourceStream("a" as BusinessId, "b-c" as LocationId),
      resourceStream("a-b" as BusinessId, "c" as LocationId),
    ]
    const clock = fakeClock()
    const { streams } = room
    const [gate, both] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    let readings = 0
    const own = await startRoom({
      clock,
      heads: streams.heads,
      tails: streams.tails,
      async history(...asked) {
        readings += 1
        if (readings === 2) both.resolve()
        await gate.promise
        return streams.history(...asked)
      },
    })
    const [here, coming] = [await RawClient.open(own.url()), await RawClient.open(own.url())]
    await here.join(topic)
    streams.append(first, { n: 1 })
    const back = coming.join(topic, { recover: { epoch: "e1", offset: 1 } })
    // It was heard: its socket's next frame is answered.
    await (await RawClient.open(own.url())).settled()
    streams.append(second, { m: 1 })
    own.publish([streams.append(second, { m: 2 })])
    await clock.advance(50)
    await both.promise
    gate.resolve()
    await clock.flush()
    expect(await back).toMatchObject({ status: "ok" })
    await own.stop()
  })

  test("an offset beyond everything that exists is of another life of the database", async () => {
    append(1)
    expect(await client.join(TOPIC, { recover: { epoch: "e1", offset: 9 } })).toEqual({
      status: "ok",
      response: { epoch: "e1", offset: 1, recovered: false },
    })
  })

  test("a recover that means nothing is refused in words", async () => {
    for (const recover of [1, "x", [], { epoch: "e1" }, { epoch: "e1", offset: -1 }, { epoch: "e1", offset: 1.5 }]) {
      expect(await client.join(TOPIC, { recover })).toEqual({
        status: "error",
        response: { reason: "invalid_recover" },
      })
    }
  })

  test("while the database is away a join is refused as unavailable, and works afterwards", async () => {
    room.streams.failing = true
    expect(await client.join(TOPIC)).toEqual({ status: "error", response: { reason: "unavailable" } })
    room.streams.failing = false
    expect(await client.join(TOPIC)).toEqual({ status: "ok", response: { epoch: "e1", offset: 0 } })
  })
})

describe("topics as actors", () => {
  test("when a topic's actor ends, its sockets hear phx_error and others notice nothing", async () => {
    await client.join(TOPIC)
    await client.join("resources:b2:l2", {}, "2")
    expect(await room.tree.pool("topics").stopChild(`topic ${stream}`)).toBe("stopped")
    expect(await client.frame()).toEqual(["1", "1", TOPIC, "phx_error", { reason: "channel_crash" }])
    room.publish([append(1), room.streams.append(other, { n: 1 })])
    expect(await client.frame()).toEqual([null, null, "resources:b2:l2", "resource_update", { n: 1, _offset: 1 }])
    expect(await client.join(TOPIC, { recover: { epoch: "e1", offset: 0 } }, "3")).toMatchObject({
      response: { recovered: true, missed: [{ payload: { n: 1 } }] },
    })
  })

  test("an unlimited caller's string shows every pair that spells it, and recovers where only one of them ever spoke", async () => {
    const topic = "resources:a-b-c"
    const first = resourceStream("a" as BusinessId, "b-c" as LocationId)
    room.publish([room.streams.append(first, { n: 1 })])
    expect(await client.join(topic, { recover: { epoch: "e1", offset: 0 } })).toMatchObject({
      response: { offset: 1, recovered: true, missed: [{ payload: { n: 1 } }] },
    })
    const second = resourceStream("a-b" as BusinessId, "c" as LocationId)
    room.publish([room.streams.append(second, { m: 1 }), room.streams.append(first, { n: 2 })])
    expect([await client.frame(), await client.frame()].map((frame) => frame[4])).toEqual([
      { m: 1, _offset: 1 },
      { n: 2, _offset: 2 },
    ])
  })
})
