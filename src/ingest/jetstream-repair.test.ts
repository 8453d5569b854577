import { afterAll, afterEach, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  AckPolicy,
  type ConsumerConfig,
  createInbox,
  DeliverPolicy,
  type JetStreamManager,
  type NatsConnection,
  nanos,
  RetentionPolicy,
  type StreamConfig,
} from "nats"
import { type Database, openDatabase } from "../store/database.ts"
import { eventually } from "../testing/eventually.ts"
import { type JetStreamNode, producer, publish, startJetStreamNode } from "../testing/jetstream-node.ts"
import { natsServer, startNats, type TestNats } from "../testing/nats.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { covers, type Progress, repair } from "./jetstream-repair.ts"

let database: TestDatabase
let db: Database
let nats: TestNats
let sender: NatsConnection
let jsm: JetStreamManager
let running: JetStreamNode | null = null
let key = 0

beforeAll(async () => {
  database = await testDatabase()
  db = openDatabase({ url: database.url })
  nats = await startNats()
  sender = await producer(nats.url)
  jsm = await sender.jetstreamManager()
})
afterAll(async () => {
  await sender.close()
  await nats.stop()
  await db.close()
  await database.drop()
})
afterEach(async () => {
  await running?.stop()
  running = null
  for await (const { config } of jsm.streams.list()) await jsm.streams.delete(config.name)
})

const start = async (): Promise<JetStreamNode> => {
  running = await startJetStreamNode({ url: nats.url, db })
  await running.up()
  return running
}
const stream = async (): Promise<StreamConfig> => (await jsm.streams.info("HUB_EVENTS")).config
const consumer = async (): Promise<ConsumerConfig> => (await jsm.consumers.info("HUB_EVENTS", "hub")).config
const repairs = (node: JetStreamNode) => node.said.flatMap((e) => (e.kind === "jetstream_repaired" ? [e.what] : []))
const send = () =>
  publish(sender, "hub.events.x", { type: "a", source: "b", idempotency_key: `k${++key}`, payload: {} })
const takes = async (node: JetStreamNode): Promise<void> => {
  const before = node.settled().acked
  await send()
  await eventually(
    async () => node.settled().acked,
    (now) => now > before,
    { withinMs: 10_000, everyMs: 20, what: "a message taken" },
  )
}
const made = (config: Partial<ConsumerConfig>) =>
  jsm.consumers.add("HUB_EVENTS", { durable_name: "hub", ack_policy: AckPolicy.Explicit, ...config })
const ours = { name: "HUB_EVENTS", subjects: ["hub.events.>", "hub.resources.>"] }

test("on an empty server the stream and its consumer are made", async () => {
  const node = await start()
  expect(repairs(node)).toEqual(["stream_created", "consumer_created"])
  expect(await stream()).toMatchObject({
    subjects: ["hub.events.>", "hub.resources.>"],
    retention: "limits",
    storage: "file",
  })
  expect(await consumer()).toMatchObject({
    durable_name: "hub",
    ack_policy: "explicit",
    ack_wait: nanos(30_000),
    max_deliver: -1,
    max_ack_pending: 65_536,
  })
  await takes(node)
})

test("what an operator made stricter stays, and nothing is called repaired", async () => {
  await jsm.streams.add({
    ...ours,
    max_age: nanos(3_600_000),
    max_msgs: 1_000_000,
    retention: RetentionPolicy.Workqueue,
  })
  await made({ ack_wait: nanos(90_000), max_ack_pending: 64, max_batch: 10, max_expires: nanos(2_000) })
  const before = [await stream(), await consumer()]
  const node = await start()
  await takes(node)
  expect([await stream(), await consumer()]).toEqual(before)
  expect(repairs(node)).toEqual([])
})

test("lost subjects come back, and those of others stay", async () => {
  await jsm.streams.add({ ...ours, subjects: ["hub.events.orders", "legacy.>"], max_msgs: 777 })
  const node = await start()
  expect(repairs(node)).toEqual(["subjects_restored", "consumer_created"])
  expect(await stream()).toMatchObject({ subjects: ["legacy.>", "hub.events.>", "hub.resources.>"], max_msgs: 777 })
  await takes(node)
})

test("a consumer that would lose messages is mended: laxer limits in place, wrong kinds by a new one from the beginning", async () => {
  await jsm.streams.add(ours)
  await made({ ack_wait: nanos(5_000), max_deliver: 3, max_ack_pending: 100_000 })
  const node = await start()
  expect(repairs(node)).toEqual(["consumer_updated"])
  expect(await consumer()).toMatchObject({ ack_wait: nanos(30_000), max_deliver: -1, max_ack_pending: 65_536 })
  await takes(node)
  await node.stop()
  const wrong: Partial<ConsumerConfig>[] = [
    { ack_policy: AckPolicy.None },
    { ack_policy: AckPolicy.All },
    { filter_subject: "hub.events.orders" },
    { deliver_subject: "somewhere" },
    { deliver_policy: DeliverPolicy.New, ack_policy: AckPolicy.None },
  ]
  for (const config of wrong) {
    await jsm.consumers.delete("HUB_EVENTS", "hub")
    await made(config)
    await send()
    const mending = await start()
    expect(repairs(mending)).toEqual(["consumer_replaced"])
    const { filter_subject, deliver_subject, ...now } = await consumer()
    expect(now).toMatchObject({ ack_policy: "explicit", deliver_policy: "all", max_deliver: -1 })
    expect([filter_subject ?? "", deliver_subject ?? ""]).toEqual(["", ""])
    await takes(mending)
    await mending.stop()
  }
}, 20_000)

test("subjects that another stream holds are told loudly, and what can be taken is taken", async () => {
  await jsm.streams.add({ ...ours, subjects: ["hub.events.>"] })
  await jsm.streams.add({ name: "OTHER", subjects: ["hub.resources.>"] })
  const node = await start()
  expect(node.said.filter(({ kind }) => kind === "jetstream_unfit")).toMatchObject([
    { error: expect.stringContaining("lacks subjects") },
  ])
  expect(node.source.status()).toMatchObject({ state: "up", troubles: 1 })
  await takes(node)
})

test("while it runs: a consumer deleted by hand, a stream deleted by hand, are there again and used", async () => {
  const node = await start()
  await takes(node)
  await jsm.consumers.delete("HUB_EVENTS", "hub")
  await eventually(
    async () => repairs(node).length,
    (n) => n === 3,
    { withinMs: 10_000, what: "the consumer" },
  )
  await takes(node)
  await jsm.streams.delete("HUB_EVENTS")
  await eventually(
    async () => repairs(node).length,
    (n) => n === 5,
    { withinMs: 10_000, what: "the stream" },
  )
  await takes(node)
  expect(repairs(node).slice(2)).toEqual(["consumer_created", "stream_created", "consumer_created"])
}, 30_000)

test("acks that a crash made NATS forget do not hold up what comes after", async () => {
  await (await start()).stop()
  for (let n = 0; n < 600; n += 1) await send()
  // In hand and never let go of, as it looks to a server that forgot.
  const inbox = createInbox()
  const had = sender.subscribe(inbox, { max: 600 })
  for (let asked = 0; asked < 600; asked += 200)
    sender.publish("$JS.API.CONSUMER.MSG.NEXT.HUB_EVENTS.hub", JSON.stringify({ batch: 200, expires: nanos(5_000) }), {
      reply: inbox,
    })
  await eventually(
    async () => had.getReceived(),
    (n) => n >= 512,
    { withinMs: 10_000, everyMs: 20, what: "messages in hand" },
  )
  await takes(await start())
})

/** Where a server keeps how far the consumer has come. */
const PLACE = "jetstream/$G/streams/HUB_EVENTS/obs/hub/o.dat"

/** A server whose messages are all acknowledged, and what looks have seen of it. */
async function passedWorld() {
  const storeDir = mkdtempSync(join(tmpdir(), "hub-reset-"))
  let server = await startNats({ storeDir })
  const link = await producer(server.url)
  const admin = await link.jetstreamManager({ timeout: 10_000, checkAPI: false })
  // What is asked of a server that is away is lost, and asked again.
  const asking = await link.jetstreamManager({ timeout: 500, checkAPI: false })
  const done: string[] = []
  let before: Progress | null = null
  const look = async () => {
    const now = await repair(admin, { ackWaitMs: 30_000, repaired: (what) => done.push(what), before })
    before = now.progress
    return now
  }
  await look()
  for (let n = 0; n < 5; n += 1) await publish(link, "hub.events.x", { n })
  const consumer = await link.jetstream().consumers.get("HUB_EVENTS", "hub")
  for (let n = 0; n < 5; n += 1) await (await consumer.next({ expires: 5_000 }))?.ackAck()
  await look()
  await look()
  return {
    admin,
    done,
    look,
    /** As a server finds it that was killed while it wrote the consumer's place. */
    async forgetPlace() {
      await server.kill9()
      rmSync(join(storeDir, PLACE))
      server = await startNats({ storeDir, port: server.port })
      await eventually(
        () => asking.consumers.info("HUB_EVENTS", "hub").catch(() => null),
        (info) => info?.delivered.stream_seq === 0,
        { withinMs: 10_000, everyMs: 20, what: "a consumer at the start" },
      )
    },
    async end() {
      await link.close()
      await server.stop()
      rmSync(storeDir, { recursive: true, force: true })
    },
  }
}

test("a consumer whose place NATS forgot goes on behind what was stored, with what its operator set", async () => {
  const world = await passedWorld()
  try {
    await world.admin.consumers.update("HUB_EVENTS", "hub", { max_ack_pending: 64 })
    await world.forgetPlace()
    expect((await world.look()).pending).toBe(0)
    expect(world.done).toEqual(["stream_created", "consumer_created", "consumer_replaced"])
    const { config } = await world.admin.consumers.info("HUB_EVENTS", "hub")
    expect(config).toMatchObject({ deliver_policy: "by_start_sequence", opt_start_seq: 6, max_ack_pending: 64 })
    await world.look()
    expect(world.done).toHaveLength(3)
  } finally {
    await world.end()
  }
})

test("a consumer whose place NATS forgot reads everything where the last message that was stored is gone too", async () => {
  const world = await passedWorld()
  try {
    await world.admin.streams.deleteMessage("HUB_EVENTS", 5)
    await world.forgetPlace()
    expect((await world.look()).pending).toBe(4)
    expect(world.done).toEqual(["stream_created", "consumer_created"])
  } finally {
    await world.end()
  }
})

test("while it runs: a place that NATS forgot is found again, and what was stored is not read a second time", async () => {
  const storeDir = mkdtempSync(join(tmpdir(), "hub-reset-"))
  let server = await startNats({ storeDir })
  const node = await startJetStreamNode({ url: server.url, db })
  const link = await producer(server.url)
  const ups = () => node.said.filter(({ kind }) => kind === "jetstream_up").length
  const restarted = async (between: () => void = () => {}) => {
    const before = ups()
    await server.stop()
    between()
    server = await startNats({ storeDir, port: server.port })
    await eventually(
      async () => ups(),
      (n) => n > before,
      { withinMs: 10_000, everyMs: 20, what: "JetStream again" },
    )
  }
  try {
    await node.up()
    const n = ++key
    await publish(link, "hub.events.x", { type: "a", source: "b", idempotency_key: `k${n}`, payload: {} })
    await eventually(
      async () => node.settled().acked,
      (acked) => acked === 1,
      { withinMs: 10_000, everyMs: 20, what: "a message taken" },
    )
    // At each return it looks: the first knows the stream's end, the second that all before it is acknowledged.
    await restarted()
    await restarted()
    await restarted(() => rmSync(join(storeDir, PLACE)))
    expect(repairs(node)).toEqual(["stream_created", "consumer_created", "consumer_replaced"])
    expect(node.source.status().pending).toBe(0)
  } finally {
    await link.close()
    await node.stop()
    await server.stop()
    rmSync(storeDir, { recursive: true, force: true })
  }
}, 30_000)

test("while it runs: subjects taken away are restored within seconds", async () => {
  const node = await start()
  await jsm.streams.update("HUB_EVENTS", { ...(await stream()), subjects: ["hub.resources.>"] })
  await eventually(
    async () => repairs(node).length,
    (n) => n === 3,
    { withinMs: 10_000, what: "the subjects" },
  )
  await takes(node)
}, 20_000)

test("nodes that start at once on an empty server do not hinder each other", async () => {
  const nodes = await Promise.all(Array.from({ length: 4 }, () => startJetStreamNode({ url: nats.url, db })))
  try {
    await Promise.all(nodes.map((node) => node.up()))
    expect(nodes.flatMap((node) => node.said.filter(({ kind }) => kind === "jetstream_unfit"))).toEqual([])
    await Promise.all([send(), send(), send()])
    await eventually(
      async () => nodes.reduce((sum, node) => sum + node.settled().acked, 0),
      (sum) => sum === 3,
      { withinMs: 10_000, what: "messages taken" },
    )
  } finally {
    for (const node of nodes) await node.stop()
  }
}, 20_000)

test("a server that goes silent and speaks again is read on: a request that was lost is noticed", async () => {
  const node = await start()
  await takes(node)
  process.kill(nats.pid, "SIGSTOP")
  await Bun.sleep(4_000)
  process.kill(nats.pid, "SIGCONT")
  await takes(node)
}, 30_000)

test("a server without JetStream is told of once, and used as soon as it has it", async () => {
  const storeDir = mkdtempSync(join(tmpdir(), "hub-no-js-"))
  const had = await startNats({ storeDir })
  await had.stop()
  const bare = Bun.spawn([await natsServer(), "-a", "127.0.0.1", "-p", String(had.port)], { stderr: "ignore" })
  running = await startJetStreamNode({ url: had.url, db })
  const told = () => running?.said.filter(({ kind }) => kind === "jetstream_unfit") ?? []
  await eventually(
    async () => told().length,
    (n) => n > 0,
    { withinMs: 10_000, what: "a word about it" },
  )
  expect(running.source.status().state).toBe("down")
  bare.kill("SIGKILL")
  await bare.exited
  const whole = await startNats({ storeDir, port: had.port })
  await running.up()
  expect(told()).toHaveLength(1)
  await running.stop()
  running = null
  await whole.stop()
  rmSync(storeDir, { recursive: true, force: true })
}, 30_000)

test("which subjects a pattern covers", () => {
  const cases: readonly [string, string, boolean][] = [
    [">", "hub.events.>", true],
    ["hub.>", "hub.events.>", true],
    ["hub.*.>", "hub.events.>", true],
    ["hub.events.>", "hub.events.>", true],
    ["hub.events.*", "hub.events.>", false],
    ["hub.events", "hub.events.>", false],
    ["hub.events.>", "hub.events", false],
    ["hub.events.>", "hub.events.orders", true],
    ["*.events.orders", "hub.events.orders", true],
    ["hub.events.orders", "hub.events.*", false],
  ]
  for (const [wide, narrow, yes] of cases) expect([wide, narrow, covers(wide, narrow)]).toEqual([wide, narrow, yes])
})
