import { afterEach, expect, test } from "bun:test"
import type { BusinessId, LocationId } from "../domain/ids.ts"
import { Secret } from "../domain/secret.ts"
import { resourceStream } from "../domain/stream.ts"
import type { Neighbours } from "../pubsub/pubsub.ts"
import { held, PollClient, pollUrl, probes, released } from "../testing/poll-client.ts"
import { type Room, startRoom } from "../testing/realtime-room.ts"

const TOPIC = "resources:b1:l1"
const stream = resourceStream("b1" as BusinessId, "l1" as LocationId)

const rooms: Room[] = []
afterEach(async () => {
  for (const room of rooms.splice(0)) await room.stop()
})

/** Nodes that ask each other, as over NATS. */
function neighbourhood(options: { most?: number } = {}) {
  const answers = new Map<string, Parameters<Neighbours["answerWith"]>[0]>()
  const asked: string[] = []
  const of = (node: string): Neighbours => ({
    node,
    async ask(whom, question) {
      asked.push(`${node} asks ${whom}`)
      return (await answers.get(whom)?.(question, options.most ?? 1_000_000)) ?? null
    },
    answerWith: (answer) => void answers.set(node, answer),
  })
  return { of, asked, gone: (node: string) => answers.delete(node) }
}

async function start(...given: Parameters<typeof startRoom>): Promise<Room> {
  const room = await startRoom({ sessionSecret: new Secret("shared"), ...given[0] })
  rooms.push(room)
  return room
}

/** The same client, of which the next requests come to another node. */
function moved(client: PollClient, to: Room): PollClient {
  const there = new PollClient(pollUrl(to))
  there.token = client.token
  return there
}

test("a client whose requests come to another node than its session's is served as if they did not", async () => {
  const { of, asked } = neighbourhood()
  const [home, other] = [await start({ neighbours: of("a") }), await start({ neighbours: of("b") })]
  const client = await PollClient.open(home)
  const there = moved(client, other)
  expect(await there.post([["1", "1", TOPIC, "phx_join", {}]])).toEqual({ status: 200 })
  expect((await client.frames())[0]?.[4]).toMatchObject({ status: "ok" })
  const polling = there.frames()
  await held(home)
  home.publish([home.streams.append(stream, { n: 1, text: "ü" })])
  expect((await polling)[0]?.[4]).toEqual({ n: 1, text: "ü", _offset: 1 })
  expect(there.token).toBe(client.token)
  expect([home.realtime.gauges.sockets(), other.realtime.gauges.sockets()]).toEqual([1, 0])
  expect(asked).toEqual(["b asks a", "b asks a"])
  // A forged name is nobody's to be asked about.
  there.token = `${client.token.slice(0, -4)}AAAA`
  expect((await there.post([])).status).toBe(410)
  expect(asked).toHaveLength(2)
})

test("a client that hangs up elsewhere finds what came meanwhile at its next poll", async () => {
  const { of } = neighbourhood()
  const [home, other] = [await start({ neighbours: of("a") }), await start({ neighbours: of("b") })]
  const client = await PollClient.open(home)
  await client.join(TOPIC)
  const there = moved(client, other)
  const abort = new AbortController()
  const polling = fetch(there.url, { signal: abort.signal }).catch(() => "hung up")
  await held(home)
  abort.abort()
  expect(await polling).toBe("hung up")
  await released(home)
  home.publish([home.streams.append(stream, { n: 1 })])
  expect((await there.frames())[0]?.[4]).toEqual({ n: 1, _offset: 1 })
})

test("bytes, version 1 and an end come over the same way", async () => {
  const { of } = neighbourhood()
  const families = probes()
  const [home, other] = [await start({ neighbours: of("a"), families }), await start({ neighbours: of("b") })]
  const client = await PollClient.open(home)
  const there = moved(client, other)
  await there.post([["1", "1", "echo:a", "phx_join", {}]])
  await there.post([new Uint8Array(Buffer.from(`00010106043132${Buffer.from("echo:apush").toString("hex")}ff`, "hex"))])
  expect((await there.poll()).messages?.at(-1)).toBe("\u0000\u0001\u0006\u00061echo:apushed\u00ff")

  const old = await PollClient.open(home, "vsn=1.0.0")
  const oldThere = moved(old, other)
  await oldThere.post([{ topic: "phoenix", event: "heartbeat", payload: {}, ref: "1" }], "application/json")
  expect((await oldThere.poll()).messages).toHaveLength(1)

  expect((await there.postText("no frame!")).status).toBe(410)
  expect((await there.poll()).status).toBe(410)
  expect(there.token).not.toBe(client.token)
})

test("a node that is gone is a session that is gone: the client begins anew where it is", async () => {
  const { of, gone } = neighbourhood()
  const [home, other] = [await start({ neighbours: of("a") }), await start({ neighbours: of("b") })]
  const client = await PollClient.open(home)
  gone("a")
  const there = moved(client, other)
  expect((await there.post([[null, "1", "phoenix", "heartbeat", {}]])).status).toBe(410)
  expect((await there.poll()).status).toBe(410)
  expect(await there.join(TOPIC)).toMatchObject({ status: "ok" })
})

test("what is too large for the line between nodes is made small, and where that does not help the session ends", async () => {
  const { of } = neighbourhood({ most: 3_000 })
  const families = probes()
  const [home, other] = [await start({ neighbours: of("a"), families }), await start({ neighbours: of("b") })]
  const client = await PollClient.open(home)
  await client.join("echo:a")
  const there = moved(client, other)
  const random = Buffer.from(crypto.getRandomValues(new Uint8Array(6_000))).toString("base64")
  await client.post([["1", "2", "echo:a", "echo", { text: "x".repeat(20_000) }]])
  expect(JSON.stringify(await there.frames())).toContain("x".repeat(20_000))
  await client.post([["1", "3", "echo:a", "echo", { random }]])
  expect((await there.poll()).status).toBe(410)
  expect(home.realtime.gauges.sockets()).toBe(0)
})
