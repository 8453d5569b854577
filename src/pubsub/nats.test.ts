import { afterEach, expect, test } from "bun:test"
import { Secret } from "../domain/secret.ts"
import type { StreamKey } from "../domain/stream.ts"
import { systemClock } from "../runtime/clock.ts"
import { startTree, type Tree } from "../runtime/supervisor.ts"
import type { TelemetryEvent } from "../telemetry/events.ts"
import { startNats, type TestNats } from "../testing/nats.ts"
import { type NatsPubSub, natsPubSub } from "./nats.ts"
import { decodeNews, encodeNews } from "./news-codec.ts"
import type { News } from "./pubsub.ts"

interface Node {
  readonly bus: NatsPubSub
  readonly tree: Tree
  readonly heard: News[]
  /** Resolves at the next telemetry event of this kind. */
  said(kind: TelemetryEvent["kind"]): Promise<void>
  /** Resolves when this many pieces of news were heard. */
  hears(count: number): Promise<void>
}

const stops: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})

async function startNode(url: string): Promise<Node> {
  const heard: News[] = []
  const waiting: { kind: TelemetryEvent["kind"]; done: () => void }[] = []
  const counting: { count: number; done: () => void }[] = []
  const telemetry = {
    emit(event: TelemetryEvent) {
      for (const each of waiting.filter(({ kind }) => kind === event.kind)) each.done()
    },
  }
  const bus = natsPubSub({ url: new Secret(url), clock: systemClock, telemetry })
  bus.subscribe((news) => {
    heard.push(...news)
    for (const { count, done } of counting) if (heard.length >= count) done()
  })
  const tree = await startTree(bus.child, { clock: systemClock, emit: () => {}, onGiveUp: () => {} })
  stops.push(() => tree.stop())
  return {
    bus,
    tree,
    heard,
    said: (kind) => new Promise((done) => waiting.push({ kind, done })),
    hears: (count) =>
      heard.length >= count ? Promise.resolve() : new Promise((done) => counting.push({ count, done })),
  }
}
async function up(node: Node): Promise<void> {
  if (node.bus.status().state === "down") await node.said("pubsub_up")
}
const server = async (options?: Parameters<typeof startNats>[0]): Promise<TestNats> => {
  const nats = await startNats(options)
  stops.push(() => nats.stop())
  return nats
}
const message = (n: number, payload = `{"n":${n}}`): News => ({
  kind: "stream_message",
  stream: "resources:b1:l1" as StreamKey, // the form of a key, written by hand
  event: "resource_update",
  position: n,
  payload,
})

test("two nodes hear each other's news in order, and their own once", async () => {
  const nats = await server()
  const [one, two] = [await startNode(nats.url), await startNode(nats.url)]
  await Promise.all([up(one), up(two)])
  one.bus.publish([message(1), message(2)])
  await two.hears(2)
  two.bus.publish([message(3)])
  await one.hears(3)
  expect(one.heard).toEqual([message(1), message(2), message(3)])
  expect(two.heard).toEqual([message(1), message(2), message(3)])
})

test("a batch larger than the server's max_payload arrives whole, in pieces", async () => {
  const nats = await server()
  const [one, two] = [await startNode(nats.url), await startNode(nats.url)]
  await Promise.all([up(one), up(two)])
  const large = Array.from({ length: 20 }, (_, n) => message(n, `{"text":"${"x".repeat(200_000)}"}`))
  one.bus.publish(large)
  await two.hears(20)
  expect(two.heard).toEqual(large)
})

test("a node is asked by its name; nobody of that name, silence, too large a question and no NATS are no answer", async () => {
  const nats = await server()
  const [one, two] = [await startNode(nats.url), await startNode(nats.url)]
  await Promise.all([one, two].map(up))
  const text = (bytes: Uint8Array | null) => (bytes === null ? null : Buffer.from(bytes).toString())
  const ask = async (whom: string, question: string, ms = 5_000) =>
    text(await one.bus.ask(whom, Buffer.from(question), ms))
  two.bus.answerWith(async (question, most) => {
    const asked = text(question)
    if (asked === "silence") await new Promise(() => {})
    if (asked === "fail") throw new Error("no")
    return Buffer.from(`${asked} in ${most}`)
  })
  expect(await ask(two.bus.node, "ü?")).toBe(`ü? in ${1_048_576 - 1_024}`)
  expect(await ask("nobody", "?")).toBeNull()
  expect(await ask(two.bus.node, "silence", 50)).toBeNull()
  expect(await ask(two.bus.node, "fail", 50)).toBeNull()
  expect(await ask(two.bus.node, "x".repeat(1_048_000))).toBeNull()
  expect(await ask(two.bus.node, "still there?")).toStartWith("still there?")
  await nats.stop()
  expect(await ask(two.bus.node, "?", 50)).toBeNull()
})

test("a node without NATS starts, delivers to its own rooms at once, and never throws", async () => {
  const node = await startNode("nats://127.0.0.1:1")
  expect(node.bus.status().state).toBe("down")
  node.bus.publish([message(1)])
  expect(node.heard).toEqual([message(1)])
})

test("a NATS that is killed and comes back is used again; what was said meanwhile is lost and blocks nobody", async () => {
  const nats = await server()
  const [one, two] = [await startNode(nats.url), await startNode(nats.url)]
  await Promise.all([up(one), up(two)])
  const down = [one.said("pubsub_down"), two.said("pubsub_down")]
  await nats.kill9()
  await Promise.all(down)
  one.bus.publish([message(1)])
  expect(one.heard).toEqual([message(1)])
  const back = [one.said("pubsub_up"), two.said("pubsub_up")]
  await server({ port: nats.port })
  await Promise.all(back)
  one.bus.publish([message(2)])
  await two.hears(1)
  expect(two.heard).toEqual([message(2)])
}, 20_000)

test("news that is malformed, unknown, our own or too large for the server is left out", () => {
  const all: News[] = [
    message(1),
    { kind: "counts_changed", recipient: "u1" },
    message(2, `{"x":"${"y".repeat(500)}"}`),
  ]
  const messages = encodeNews("me", all, 400)
  expect(messages).toHaveLength(1)
  expect(decodeNews(messages[0] ?? "", "other")).toEqual(all.slice(0, 2))
  expect(decodeNews(messages[0] ?? "", "me")).toBeNull()
  for (const text of ["", "null", "[]", `{"from":"x"}`, `{"from":"x","news":1}`])
    expect(decodeNews(text, "me")).toBeNull()
  const odd = [{ kind: "stream_message", stream: 1 }, { kind: "new_in_version_9" }, null, 7]
  expect(decodeNews(JSON.stringify({ from: "x", news: odd }), "me")).toEqual([])
})
