import { afterEach, expect, test } from "bun:test"
import { type Channel, Presence, Socket } from "phoenix"
import type { BusinessId, LocationId } from "../domain/ids.ts"
import type { Json, JsonObject } from "../domain/json.ts"
import type { Grant } from "../domain/principal.ts"
import type { StreamKey } from "../domain/stream.ts"
import { localPubSub, type News, type PubSub } from "../pubsub/pubsub.ts"
import { systemClock } from "../runtime/clock.ts"
import { startTree } from "../runtime/tree.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { person, RawClient, type Room, startRoom } from "../testing/realtime-room.ts"
import { spelling } from "./fanout.ts"
import { defaultLimits } from "./limits.ts"
import { createPresence } from "./presence.ts"

const at = (business: string, location?: string): Grant => ({
  business: business as BusinessId,
  locations: location === undefined ? null : [location as LocationId],
})
const people = {
  ann: person("ann", [at("b1", "l1")]),
  ben: person("ben", [at("b1")]),
  proto: person("__proto__", [at("b1")]),
  cafe: person("ann", [at("cafe")]),
  shop: person("ann", [at("shop")]),
  left: person("left", [at("a", "b-c")]),
  right: person("right", [at("a-b", "c")]),
  root: person("root", "*"),
}

const rooms: Room[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) await new Promise<void>((done) => socket.disconnect(() => done()))
  for (const room of rooms.splice(0)) await room.stop()
})

async function start(options: Parameters<typeof startRoom>[0] = {}): Promise<Room> {
  const room = await startRoom({ people, ...options })
  rooms.push(room)
  return room
}

interface Watcher {
  readonly channel: Channel
  readonly socket: Socket
  /** Keys with what each of their sockets says of itself, `phx_…` left out. */
  readonly seen: () => Readonly<Record<string, unknown>>
  /** Resolves when that is so. */
  until(wanted: Readonly<Record<string, unknown>>): Promise<void>
  /** The frames as they came. */
  readonly frames: JsonObject[]
  readonly left: string[]
}

/** The stock client with the stock class. */
async function watch(room: Room, token: string, topic: string, meta: JsonObject): Promise<Watcher> {
  const socket = new Socket(`ws://127.0.0.1:${room.server.port}/socket`, {
    params: { token },
    reconnectAfterMs: () => 5,
    rejoinAfterMs: () => 5,
  })
  sockets.push(socket)
  socket.connect()
  const channel = socket.channel(topic, { presence: meta })
  const presence = new Presence(channel)
  const frames: JsonObject[] = []
  const left: string[] = []
  let wake = (): void => {}
  channel.on("presence_state", (frame: JsonObject) => void frames.push(structuredClone(frame)))
  channel.on("presence_diff", (frame: JsonObject) => void frames.push(structuredClone(frame)))
  presence.onSync(() => wake())
  presence.onLeave((key) => void left.push(key ?? ""))
  const seen = () => {
    const shown: Record<string, unknown> = {}
    presence.list((key: string, { metas }: { metas: readonly JsonObject[] }) => {
      shown[key] = metas.map(({ phx_ref, phx_ref_prev, ...meta }) => meta)
    })
    return shown
  }
  await new Promise((done, fail) => channel.join().receive("ok", done).receive("error", fail))
  return {
    channel,
    socket,
    seen,
    frames,
    left,
    async until(wanted) {
      while (!Bun.deepEquals(seen(), wanted)) {
        await new Promise<void>((done) => {
          wake = done
        })
      }
    },
  }
}

const refOf = (frame: JsonObject | undefined, side: "joins" | "leaves", key: string): JsonObject => {
  // The shape is the protocol's; a wrong one fails the comparison that follows.
  const metas = (frame as unknown as Record<string, Record<string, { metas: JsonObject[] }>>)[side]?.[key]?.metas
  return metas?.[0] ?? {}
}

test("those who join with a meta see each other, in both spellings of one place, by Phoenix's own class", async () => {
  const room = await start()
  const ann = await watch(room, "ann", "resources:b1-l1", { at: "till" })
  await ann.until({ ann: [{ at: "till" }] })
  const ben = await watch(room, "ben", "resources:b1:l1", { at: "desk" })
  const both = { ann: [{ at: "till" }], ben: [{ at: "desk" }] }
  await Promise.all([ann.until(both), ben.until(both)])
  const second = await watch(room, "ben", "resources:b1-l1", { at: "phone" })
  await Promise.all([ann, ben, second].map((each) => each.until({ ...both, ben: [{ at: "desk" }, { at: "phone" }] })))
  second.socket.disconnect()
  await Promise.all([ann.until(both), ben.until(both)])
  ben.channel.leave()
  await ann.until({ ann: [{ at: "till" }] })
  expect(ann.left).toEqual(["ben", "ben"])
})

test("an update is a leave and a join in one diff, and the new ref names the old", async () => {
  const room = await start()
  const ann = await watch(room, "ann", "resources:b1-l1", {})
  await ann.until({ ann: [{}] })
  const ben = await watch(room, "ben", "resources:b1-l1", { typing: false })
  await ann.until({ ann: [{}], ben: [{ typing: false }] })
  const joined = refOf(ann.frames.at(-1), "joins", "ben")
  const answer = await new Promise((done) => ben.channel.push("presence_update", { typing: true }).receive("ok", done))
  expect(answer).toEqual({})
  await Promise.all([ann, ben].map((each) => each.until({ ann: [{}], ben: [{ typing: true }] })))
  const diff = ann.frames.at(-1)
  expect(refOf(diff, "leaves", "ben")).toEqual(joined)
  expect(refOf(diff, "joins", "ben")).toEqual({
    typing: true,
    phx_ref: expect.any(String),
    phx_ref_prev: joined["phx_ref"] ?? null,
  })
  expect(refOf(diff, "joins", "ben")["phx_ref"]).not.toBe(joined["phx_ref"] ?? "")
})

test("who joins without a meta hears nothing of who is there, and is not shown", async () => {
  const room = await start()
  const quiet = await RawClient.open(room.url("vsn=2.0.0&token=ben"))
  await quiet.join("resources:b1-l1")
  const ann = await watch(room, "ann", "resources:b1-l1", {})
  await ann.until({ ann: [{}] })
  expect(await quiet.settled()).toEqual([])
  quiet.send(["1", "2", "resources:b1-l1", "presence_update", {}])
  expect((await quiet.frame())[4]).toEqual({ status: "error", response: { reason: "not_present" } })
})

test("tenants whose topics are spelled alike do not see each other, nor does a person in another business", async () => {
  const room = await start()
  const left = await watch(room, "left", "resources:a-b-c", { side: "left" })
  const right = await watch(room, "right", "resources:a-b-c", { side: "right" })
  const cafe = await watch(room, "cafe", "notifications:ann", { side: "cafe" })
  const shop = await watch(room, "shop", "notifications:ann", { side: "shop" })
  await Promise.all([
    left.until({ left: [{ side: "left" }] }),
    right.until({ right: [{ side: "right" }] }),
    cafe.until({ ann: [{ side: "cafe" }] }),
    shop.until({ ann: [{ side: "shop" }] }),
  ])
  // Who may see both of them is seen by both, and sees both.
  const root = await watch(room, "root", "resources:a-b-c", { side: "top" })
  await root.until({ left: [{ side: "left" }], right: [{ side: "right" }], root: [{ side: "top" }] })
  await left.until({ left: [{ side: "left" }], root: [{ side: "top" }] })
  await right.until({ right: [{ side: "right" }], root: [{ side: "top" }] })
  root.socket.disconnect()
  await Promise.all([left.until({ left: [{ side: "left" }] }), right.until({ right: [{ side: "right" }] })])
  expect(JSON.stringify([left.frames, cafe.frames])).not.toMatch(/right|shop/)
})

test("nobody chooses a key: it is the person's id, made harmless, and of strangers a random one", async () => {
  const room = await start()
  const proto = await watch(room, "proto", "resources:b1:l1", { key: "x" })
  await proto.until({ "~__proto__": [{ key: "x" }] })
  const stranger = await RawClient.open(room.url("vsn=2.0.0"))
  stranger.send(["1", "1", "resources:b1:l1", "phx_join", { presence: {} }])
  await stranger.frame()
  const [, , , event, state] = await stranger.frame()
  expect([event, Object.keys(state as JsonObject)]).toEqual([
    "presence_state",
    ["~__proto__", expect.stringMatching(/^anonymous:.{12,}$/)],
  ])
})

test.each([
  ["a word", "here"],
  ["a list", []],
  ["true", true],
  ["more than 1 KiB", { x: "ä".repeat(600) }],
  ["deeper than four levels", { a: { b: { c: { d: {} } } } }],
  ["the hub's own name", { phx_ref: "1" }],
  ["a prototype", JSON.parse(`{"a": {"__proto__": {"x": 1}}}`)],
] as [string, Json][])("a meta that is %s is refused, at the join and as an update", async (_, presence) => {
  const room = await start()
  const client = await RawClient.open(room.url("vsn=2.0.0&token=ann"))
  const refused = { status: "error", response: { reason: "invalid_presence" } }
  expect(await client.join("resources:b1-l1", { presence })).toEqual(refused)
  client.send(["2", "2", "resources:b1-l1", "phx_join", { presence: {} }])
  await client.frame()
  await client.frame()
  client.send(["2", "3", "resources:b1-l1", "presence_update", presence])
  expect((await client.frame())[4]).toEqual(refused)
})

test("where the state would grow too large for a frame nobody more is let in with a meta; without one they are", async () => {
  const room = await start({ limits: { presenceBytes: 4_000 } })
  const answers: Json[] = []
  for (let n = 0; n < 4; n++) {
    const client = await RawClient.open(room.url("vsn=2.0.0&token=ann"))
    answers.push(await client.join("resources:b1-l1", { presence: { words: "x".repeat(1_000) } }))
  }
  const full = { status: "error", response: { reason: "presence_full" } }
  expect(answers).toEqual([...Array(3).fill({ status: "ok", response: { epoch: "e1", offset: 0 } }), full])
  const quiet = await RawClient.open(room.url("vsn=2.0.0&token=ann"))
  expect(await quiet.join("resources:b1-l1")).toMatchObject({ status: "ok" })
})

test("nor does it grow so where all come at once, as after a restart", async () => {
  const room = await start({ limits: { presenceBytes: 4_000 } })
  const herd = await Promise.all(Array.from({ length: 8 }, () => RawClient.open(room.url("vsn=2.0.0&token=ann"))))
  for (const client of herd)
    client.send(["1", "1", "resources:b1-l1", "phx_join", { presence: { words: "x".repeat(900) } }])
  const heard = await Promise.all(
    herd.map(async (client) => {
      for (;;) {
        const [, , , event, payload] = await client.frame()
        if (event === "presence_state") return "present"
        if (event === "phx_reply" && (payload as JsonObject)["status"] === "error") return "refused"
      }
    }),
  )
  expect(heard.toSorted()).toEqual([...Array(3).fill("present"), ...Array(5).fill("refused")])
})

test("nor does it grow so by what those who are there say later: what is smaller than before is always taken", async () => {
  const room = await start({ limits: { presenceBytes: 4_000 } })
  const clients: RawClient[] = []
  for (let n = 0; n < 5; n++) {
    const client = await RawClient.open(room.url("vsn=2.0.0&token=ann"))
    expect(await client.join("resources:b1-l1", { presence: {} })).toMatchObject({ status: "ok" })
    clients.push(client)
  }
  const say = async (client: RawClient | undefined, words: number): Promise<unknown> => {
    client?.send(["1", "u", "resources:b1-l1", "presence_update", { words: "x".repeat(words) }])
    for (;;) {
      const [, ref, , , payload] = (await client?.frame()) ?? []
      if (ref === "u") return payload
    }
  }
  const answers: unknown[] = []
  for (const client of clients) answers.push(await say(client, 900))
  const [ok, full] = [
    { status: "ok", response: {} },
    { status: "error", response: { reason: "presence_full" } },
  ]
  expect(answers).toEqual([ok, ok, ok, full, full])
  expect([await say(clients[0], 100), await say(clients[3], 900)]).toEqual([ok, ok])
})

test("what everybody tells everybody is bounded: after much went out, changes wait and go out together", async () => {
  const clock = fakeClock()
  const room = await start({ clock, limits: { presenceBytesPerSecond: 1_000 } })
  const client = await RawClient.open(room.url("vsn=2.0.0&token=ann"))
  await client.join("resources:b1-l1", { presence: { n: 0 } })
  const update = async (n: number): Promise<void> => {
    client.send(["1", `u${n}`, "resources:b1-l1", "presence_update", { n, words: "x".repeat(900) }])
    expect((await client.frame())[1]).toBe(`u${n}`)
  }
  await clock.advance(1_000)
  expect((await client.frame())[3]).toBe("presence_state")
  await update(1)
  await clock.advance(0)
  expect((await client.frame())[3]).toBe("presence_diff")
  await update(2)
  await update(3)
  // About a thousand bytes went out, so it is about a second's turn.
  await clock.advance(900)
  expect(await client.settled()).toEqual([])
  await clock.advance(2_000)
  const [diff, ...more] = await client.settled()
  expect(more).toEqual([])
  expect(JSON.parse(diff ?? "")[4].joins.ann.metas).toEqual([expect.objectContaining({ n: 3 })])
})

const silence = { emit: () => {}, publish: () => {}, subscribers: () => 0 }
const placeOf = (business: string, location: string) => {
  const id = `resources:${business}:${location}`
  // As a topic's view has it.
  return { id, streams: [id as StreamKey], spellings: [spelling(id, "colon", id)] }
}

/** News between rooms that may be lost. */
function lossy(): PubSub & { lose: (news: News) => boolean } {
  const inner = localPubSub((error) => {
    throw error
  })
  const bus = {
    lose: (_: News): boolean => false,
    publish: (news: readonly News[]) => inner.publish(news.filter((item) => !bus.lose(item))),
    subscribe: inner.subscribe,
  }
  return bus
}

test("nodes see each other's people; a diff that is lost is made good by the next beat; a node that stops is missed at once", async () => {
  const peers = lossy()
  const [near, far] = [await start({ peers }), await start({ peers })]
  const ann = await watch(near, "ann", "resources:b1-l1", {})
  const ben = await watch(far, "ben", "resources:b1:l1", {})
  await Promise.all([ann, ben].map((each) => each.until({ ann: [{}], ben: [{}] })))
  let lost = 0
  peers.lose = (item) => {
    const isDiff = item.kind === "presence" && item.message["kind"] === "diff"
    if (isDiff) lost += 1
    return isDiff
  }
  const second = await watch(far, "ben", "resources:b1:l1", { more: 1 })
  await Promise.all([ann, second].map((each) => each.until({ ann: [{}], ben: [{}, { more: 1 }] })))
  expect(lost).toBeGreaterThan(0)
  peers.lose = () => false
  rooms.splice(rooms.indexOf(far), 1)
  await far.stop()
  await ann.until({ ann: [{}] })
})

test("a node whose room was started anew is taken at its word, though it counts from the beginning and its farewell was lost", async () => {
  const peers = lossy()
  const near = await start({ peers })
  const ann = await watch(near, "ann", "resources:b1-l1", {})
  const presence = createPresence({ native: silence, telemetry: silence, peers, limits: defaultLimits })
  peers.lose = (item) => item.kind === "presence" && item.message["kind"] === "gone"
  const options = { clock: systemClock, emit: () => {}, onGiveUp: () => {} }
  const view = { ...placeOf("b1", "l1"), family: "resources", businesses: null, actor: "topic" }
  for (const life of [1, 2]) {
    const tree = await startTree(presence.child, options)
    const client = { push: () => {}, follow: () => {}, fail: () => {}, whenLeft: () => true }
    const request = {
      client,
      principal: people.ben,
      topic: "",
      backlog: () => 0,
      payload: { presence: { life } },
      admit: () => true,
    }
    await presence.join(request, view, "colon", async () => ({ kind: "joined" }))
    await ann.until({ ann: [{}], ben: [{ life }] })
    await tree.stop()
  }
})

test("a node that says nothing for four seconds is dead, but not while this one was held up itself", async () => {
  const time = fakeClock()
  let heldUp = 0
  const clock = { ...time, now: () => time.now() + heldUp }
  const peers = lossy()
  const room = await start({ clock, peers })
  const client = await RawClient.open(room.url("vsn=2.0.0&token=ann"))
  await client.join("resources:b1:l1", { presence: {} })
  const far = { kind: "diff", node: "far", life: 1, clock: 1, out: [] } as const
  const ben = { id: "far.1", ref: "far.1", prev: null, key: "ben", scopes: ["resources:b1:l1"], meta: {} }
  peers.publish([{ kind: "presence", message: { ...far, put: [ben] } }])
  await time.advance(1_000)
  expect((await client.settled()).join("")).toContain(`"ben"`)
  // As a process that was stopped for ten seconds finds its clock.
  heldUp = 10_000
  await time.advance(3_900)
  expect(await client.settled()).toEqual([])
  await time.advance(3_000)
  const [left, ...more] = await client.settled()
  expect([Object.keys(JSON.parse(left ?? "")[4].leaves), more]).toEqual([["ben"], []])
})

test("when the presence's actor is started anew, those present come back by themselves and nobody else notices", async () => {
  const room = await start()
  const quiet = await RawClient.open(room.url("vsn=2.0.0&token=ben"))
  await quiet.join("resources:b1-l1")
  const ann = await watch(room, "ann", "resources:b1-l1", {})
  await ann.until({ ann: [{}] })
  const before = JSON.stringify(ann.frames[0])
  expect((await room.tree.restart("presence")).kind).toBe("restarted")
  while (ann.frames.filter((frame) => !("joins" in frame)).length < 2) await Bun.sleep(5)
  expect(ann.seen()).toEqual({ ann: [{}] })
  expect(JSON.stringify(ann.frames.at(-1))).not.toBe(before)
  expect(await quiet.settled()).toEqual([])
})
