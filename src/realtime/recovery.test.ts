/** What coming back costs and gives, over PostgreSQL: statements are counted where the room asks them. */
import { afterEach, expect, test } from "bun:test"
import fc from "fast-check"
import { HISTORY_MESSAGES, resourceStream, type StreamKey } from "../domain/stream.ts"
import type { News } from "../pubsub/pubsub.ts"
import { insertEvents } from "../store/events.ts"
import { streamHeads, streamHistory, streamTails, withOffset } from "../store/streams.ts"
import { business, incoming } from "../testing/builders.ts"
import { databaseOfFile } from "../testing/file-database.ts"
import { RawClient, type Room, startRoom } from "../testing/realtime-room.ts"
import { defaultLimits } from "./limits.ts"

const db = await databaseOfFile()
const { epoch } = await streamHeads(db, [])
const rooms: Room[] = []
afterEach(async () => {
  for (const room of rooms.splice(0)) await room.stop()
})

interface Counted extends Room {
  /** Since the last time it was asked. */
  statements(): number
}

/** A node that has just started: it knows of nothing. `slow`: how long it waits for each answer. */
async function node(slow: () => Promise<void> = async () => {}): Promise<Counted> {
  let asked = 0
  const counting: Pick<typeof db, "query" | "execute"> = {
    async query(text, values) {
      asked += 1
      await slow()
      return db.query(text, values)
    },
    execute: (text, values) => db.execute(text, values),
  }
  const room = await startRoom({
    heads: (streams) => streamHeads(counting, streams),
    history: (stream, after, limit) => streamHistory(counting, stream, after, limit),
    tails: (asks, most) => streamTails(counting, asks, most),
  })
  rooms.push(room)
  return {
    ...room,
    statements() {
      const since = asked
      asked = 0
      return since
    },
  }
}

const topicOf = (name: string): string => `resources:${name}`
const streamOf = (name: string): StreamKey => resourceStream(business(name), null)
/** Stores messages and gives the news of them, which a test may lose. */
async function push(name: string, count: number): Promise<readonly News[]> {
  const news: News[] = []
  for (let left = count; left > 0; left -= 500) {
    const items = Array.from({ length: Math.min(500, left) }, () =>
      incoming({ business: business(name), payload: { of: name } }, [streamOf(name)]),
    )
    for (const stored of await insertEvents(db, items, Date.now())) {
      if (stored.kind !== "accepted") throw new Error("the message is new")
      for (const { stream, position } of stored.positions) {
        const payload = withOffset(JSON.stringify({ of: name }), position)
        news.push({ kind: "stream_message", stream, position, event: "resource_update", payload })
      }
    }
  }
  return news
}

interface Back {
  readonly recovered: boolean
  readonly offset: number
  readonly missed?: readonly { readonly payload: { readonly _offset: number } }[]
}
/** A new socket that comes back to a topic. */
async function back(room: Room, name: string, offset: number): Promise<Back> {
  const client = await RawClient.open(room.url())
  const answer = (await client.join(topicOf(name), { recover: { epoch, offset } })) as unknown as { response: Back }
  return answer.response
}
const offsetsOf = ({ missed }: Back): readonly number[] => (missed ?? []).map(({ payload }) => payload._offset)
const from = (first: number, last: number): readonly number[] =>
  Array.from({ length: Math.max(0, last - first + 1) }, (_, n) => first + n)

test("one client that comes back to a node that has just started costs one statement", async () => {
  await push("alone", 7)
  const room = await node()
  expect(offsetsOf(await back(room, "alone", 3))).toEqual([4, 5, 6, 7])
  expect(room.statements()).toBe(1)
})

test("all who come back to a topic, wherever each of them was, share two statements, and what was read serves the next", async () => {
  await push("many", 60)
  const room = await node(() => Bun.sleep(50))
  const offsets = from(1, 60)
  const answers = await Promise.all(offsets.toReversed().map((offset) => back(room, "many", offset)))
  expect(answers.map((answer) => offsetsOf(answer))).toEqual(offsets.toReversed().map((offset) => from(offset + 1, 60)))
  expect(room.statements()).toBeLessThanOrEqual(2)
  expect(offsetsOf(await back(room, "many", 5))).toHaveLength(55)
  expect(room.statements()).toBe(0)
})

test("a string that spells several places costs one too, where one of them speaks", async () => {
  await push("spelled-out", 4)
  const room = await node()
  expect(offsetsOf(await back(room, "spelled-out", 2))).toEqual([3, 4])
  expect(room.statements()).toBe(1)
})

test("clients of twenty topics cost a statement a topic at most, and one for all that come in one turn", async () => {
  const names = from(1, 20).map((n) => `topic${n}`)
  for (const name of names) await push(name, 4)
  const room = await node()
  const answers = await Promise.all(names.flatMap((name) => from(1, 4).map(() => back(room, name, 1))))
  expect(answers.filter((answer) => offsetsOf(answer).join() !== "2,3,4")).toEqual([])
  expect(room.statements()).toBeLessThanOrEqual(20)
  // One client of many topics, as a screen that comes back: its joins are heard in one turn.
  const again = await node()
  const client = await RawClient.open(again.url())
  for (const [n, name] of names.entries()) {
    client.send([String(n), String(n), topicOf(name), "phx_join", { recover: { epoch, offset: 1 } }])
  }
  for (const _ of names) expect(await client.frame()).toMatchObject({ 3: "phx_reply", 4: { status: "ok" } })
  expect(again.statements()).toBeLessThanOrEqual(4)
})

test("what is pushed while the history is read comes once, in order, to everybody", async () => {
  const release = Promise.withResolvers<void>()
  const reading = Promise.withResolvers<void>()
  await push("meanwhile", 3)
  const room = await node(() => {
    reading.resolve()
    return release.promise
  })
  const client = await RawClient.open(room.url())
  const joined = client.join(topicOf("meanwhile"), { recover: { epoch, offset: 1 } })
  await reading.promise
  const news = await push("meanwhile", 2)
  room.publish(news)
  release.resolve()
  const { response } = (await joined) as unknown as { response: Back }
  const seen = [...offsetsOf(response)]
  while (seen.length < 4) seen.push(((await client.frame())[4] as { _offset: number })._offset)
  expect(seen).toEqual([2, 3, 4, 5])
  expect(await client.settled()).toEqual([])
})

test("whoever is within the last thousand messages gets all of them, and whoever is not is told so, whatever else happens", async () => {
  const head = HISTORY_MESSAGES + 200
  const news = await push("long", head)
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: head }), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 0, max: 3 }),
      async (offsets, heard) => {
        const room = await node()
        const coming = offsets.map((offset) => back(room, "long", offset))
        // Old news again, as another node's may come late.
        room.publish(news.slice(0, heard))
        for (const [n, answer] of (await Promise.all(coming)).entries()) {
          const offset = offsets[n] ?? 0
          const kept = offset >= head - HISTORY_MESSAGES
          expect([answer.recovered, answer.offset]).toEqual([kept, head])
          expect(offsetsOf(answer)).toEqual(kept ? from(offset + 1, head) : [])
        }
        expect(room.statements()).toBeLessThanOrEqual(Math.min(offsets.length, 2))
        await room.stop()
        rooms.pop()
      },
    ),
    { numRuns: 25 },
  )
})

test("messages too large to remember are recovered all the same while more of them come", async () => {
  const name = "large"
  const text = "x".repeat(140_000)
  const one = async (): Promise<News> => {
    const [stored] = await insertEvents(
      db,
      [incoming({ business: business(name), payload: { text } }, [streamOf(name)])],
      Date.now(),
    )
    const position = stored?.kind === "accepted" ? (stored.positions[0]?.position ?? 0) : 0
    const payload = withOffset(JSON.stringify({ text }), position)
    return { kind: "stream_message", stream: streamOf(name), position, event: "resource_update", payload }
  }
  await one()
  let more = 2
  const late: Room[] = []
  // Each reading is overtaken by a message, twice.
  const room = await node(async () => {
    if (more === 0) return
    more -= 1
    const news = await one()
    setTimeout(() => late[0]?.publish([news]), 0)
  })
  late.push(room)
  const answer = await back(room, name, 0)
  expect(answer.recovered).toBe(true)
  expect(offsetsOf(answer)).toEqual(from(1, answer.offset))
})

test("what is given back in one frame is less than a slow reader may leave unread, or they would be dropped for it each time", () => {
  const { recoveredBytes, politeBacklogBytes } = defaultLimits
  // The envelope of a join's answer, and what comes behind it.
  expect(recoveredBytes + 32 * 1024).toBeLessThan(politeBacklogBytes)
})
