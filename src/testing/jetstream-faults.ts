/**
 * What NATS does to a hub that takes events from it (numbers 5, 6 and 24 of the fault catalogue), and a hub that is killed in the midst
 * of reading. Each fault is a function of its size, run in short by the tests and in full by `npm run faults`; it throws
 * where a promise is broken, and gives back what it measured.
 */
import { eventually } from "./eventually.ts"
import { SERVICE_KEY } from "./front.ts"
import type { HubProcess } from "./hub-process.ts"
import { publish } from "./jetstream-node.ts"
import { allStored, countOf, event, healthOf, publishUntilAcked, startWorld, type World } from "./jetstream-world.ts"

const percentile = (values: readonly number[], share: number): number =>
  values.toSorted((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? 0
const rounded = (value: number): number => Math.round(value * 10) / 10

/** Runs in a world of its own, where every message is good. */
async function inWorld<Figures>(run: (world: World) => Promise<Figures>): Promise<Figures> {
  const world = await startWorld()
  try {
    const figures = await run(world)
    const rejected = await countOf(world.db, "rejected")
    if (rejected > 0) throw new Error(`${rejected} good messages were rejected`)
    return figures
  } finally {
    await world.end()
  }
}

const isUp = (world: World, withinMs = 10_000): Promise<string> =>
  eventually(
    () => healthOf(world),
    (now) => now === "up",
    { withinMs, everyMs: 50, what: "JetStream" },
  )

/** Eight at once, each going on with the next number when its last is done. Returns the way to stop them. */
function publishSteadily(one: (n: number) => Promise<void>): () => Promise<void> {
  let going = true
  let n = 0
  const publisher = async (): Promise<void> => {
    while (going) await one(++n)
  }
  const all = Promise.all(Array.from({ length: 8 }, publisher))
  return async () => {
    going = false
    await all
  }
}

interface Pace {
  /** Latencies of what was answered 2xx, in ms, since the last call. */
  take(): readonly number[]
  readonly acked: ReadonlySet<string>
  readonly failed: readonly string[]
  stop(): Promise<void>
}

/** Posts events at a steady rate, whatever becomes of the ones before. */
function postSteadily(hub: HubProcess, perSecond: number): Pace {
  let taken: number[] = []
  const acked = new Set<string>()
  const failed: string[] = []
  const open = new Set<Promise<void>>()
  let n = 0
  const post = async (key: string): Promise<void> => {
    const began = performance.now()
    try {
      const answer = await fetch(`http://127.0.0.1:${hub.port}/v1/events`, {
        method: "POST",
        headers: { authorization: `Bearer ${SERVICE_KEY}`, "content-type": "application/json" },
        body: JSON.stringify(event(key)),
        signal: AbortSignal.timeout(5_000),
      })
      await answer.text()
      if (answer.status === 201) acked.add(key)
      else failed.push(`${key}: ${answer.status}`)
    } catch (error) {
      failed.push(`${key}: ${String(error)}`)
    }
    taken.push(performance.now() - began)
  }
  const timer = setInterval(() => {
    n += 1
    const one = post(`http-${n}`).finally(() => open.delete(one))
    open.add(one)
  }, 1_000 / perSecond)
  return {
    acked,
    failed,
    take() {
      const now = taken
      taken = []
      return now
    },
    async stop() {
      clearInterval(timer)
      await Promise.all(open)
    },
  }
}

export interface CrashLoopFigures {
  readonly rounds: number
  readonly pubAcked: number
  readonly httpAccepted: number
  readonly lost: 0
  readonly httpP99Before: number
  readonly httpP99During: number
  /** From NATS's word that it has the first message after a crash to the event, in ms: the median and the slowest. */
  readonly medianResume: number
  readonly slowestResume: number
  /** From "Server is ready" to that word: NATS's and its client's own share. */
  readonly slowestPubAck: number
  /** Messages that came again although they had been acknowledged. */
  readonly duplicates: number
}

/** 5: nats-server is killed again and again while events come by it and over HTTP. */
export const natsCrashLoop = (rounds: number): Promise<CrashLoopFigures> =>
  inWorld(async (world) => {
    const { db, sender } = world
    const hub = world.hub()
    await publishUntilAcked(sender, "first")
    const acked = new Set<string>(["first"])
    const pace = postSteadily(hub, 50)
    await Bun.sleep(3_000)
    const before = pace.take()

    const stop = publishSteadily(async (n) => {
      await publishUntilAcked(sender, `nats-${n}`)
      acked.add(`nats-${n}`)
      await Bun.sleep(2)
    })
    const resumes: number[] = []
    let slowestPubAck = 0
    for (let round = 1; round <= rounds; round += 1) {
      await Bun.sleep(200 + Math.random() * 600)
      await world.kill()
      await Bun.sleep(100 + Math.random() * 400)
      await world.revive()
      const ready = performance.now()
      const key = `resume-${round}`
      await publishUntilAcked(sender, key)
      acked.add(key)
      const has = performance.now()
      slowestPubAck = Math.max(slowestPubAck, has - ready)
      const stored = async () => (await db.query("select from events where idempotency_key = $1", [key])).length
      await eventually(stored, (count) => count === 1, {
        withinMs: 15_000,
        everyMs: 20,
        what: "an event after a crash",
      })
      resumes.push(performance.now() - has)
    }
    const during = pace.take()
    await stop()
    await pace.stop()
    await allStored(db, new Set([...acked, ...pace.acked]), 60_000)
    if (pace.failed.length > 0) throw new Error(`HTTP was not untouched: ${pace.failed.slice(0, 5).join("; ")}`)
    const metrics = await (await fetch(`http://127.0.0.1:${hub.port}/metrics`)).text()
    return {
      rounds,
      pubAcked: acked.size,
      httpAccepted: pace.acked.size,
      lost: 0,
      httpP99Before: rounded(percentile(before, 0.99)),
      httpP99During: rounded(percentile(during, 0.99)),
      medianResume: rounded(percentile(resumes, 0.5)),
      slowestResume: rounded(Math.max(...resumes)),
      slowestPubAck: rounded(slowestPubAck),
      duplicates: Number(/^hub_events_duplicate_total\{via="nats"\} (\d+)/m.exec(metrics)?.[1] ?? 0),
    }
  })

export interface AmnesiaFigures {
  readonly events: number
  /** From "Server is ready" to a healthy hub, in ms. */
  readonly healthyAfter: number
}

/** 6: nats-server comes back with an empty store. What the hub had stays, what is repeated is no second event, all works. */
export const natsAmnesia = (events: number): Promise<AmnesiaFigures> =>
  inWorld(async (world) => {
    const { db, sender } = world
    const send = (prefix: string) =>
      Promise.all(Array.from({ length: events }, (_, n) => publishUntilAcked(sender, `${prefix}-${n}`)))
    const keys = (prefix: string) => new Set(Array.from({ length: events }, (_, n) => `${prefix}-${n}`))
    await isUp(world)
    await send("old")
    await allStored(db, keys("old"), 30_000)
    await world.kill()
    await world.revive("wiped")
    const ready = performance.now()
    // Its first answers may be from before the break was noticed: healthy is that it takes what is sent.
    await publishUntilAcked(sender, "probe")
    await allStored(db, new Set(["probe"]), 30_000)
    await isUp(world, 30_000)
    const healthyAfter = performance.now() - ready
    // A producer that does not know what became of its messages repeats them.
    await send("old")
    await send("new")
    await allStored(db, new Set([...keys("old"), ...keys("new")]), 30_000)
    const stored = await countOf(db, "events")
    if (stored !== 2 * events + 1) throw new Error(`${stored} events of ${2 * events + 1} keys`)
    return { events: stored, healthyAfter: rounded(healthyAfter) }
  })

export interface RedeliveryFigures {
  readonly messages: number
  /** Messages a second, at the first reading and when all of them came again. */
  readonly firstPerSecond: number
  readonly againPerSecond: number
  readonly newEvents: 0
}

/** 24: the consumer is set back to the beginning, and every message comes again. */
export const fullRedelivery = (messages: number): Promise<RedeliveryFigures> =>
  inWorld(async (world) => {
    const { db, sender } = world
    await isUp(world)
    const jsm = await sender.jetstreamManager({ timeout: 10_000 })
    const read = async (withinMs: number): Promise<number> => {
      const began = performance.now()
      await eventually(
        // Between the deletion of a consumer and its repair there is none.
        () => jsm.consumers.info("HUB_EVENTS", "hub").catch(() => null),
        (info) => info !== null && info.ack_floor.stream_seq === messages && info.num_ack_pending === 0,
        { withinMs, everyMs: 100, what: "all messages read" },
      )
      return messages / ((performance.now() - began) / 1_000)
    }
    const withinMs = 60_000 + messages
    const first = read(withinMs)
    let next = 0
    const publisher = async (): Promise<void> => {
      for (let n = next++; n < messages; n = next++) await publishUntilAcked(sender, `k-${n}`)
    }
    await Promise.all(Array.from({ length: 128 }, publisher))
    const firstPerSecond = await first
    const before = await Promise.all([countOf(db, "events"), countOf(db, "deliveries"), countOf(db, "notifications")])
    if (before[0] !== messages) throw new Error(`${before[0]} events of ${messages} messages`)
    await jsm.consumers.delete("HUB_EVENTS", "hub")
    const againPerSecond = await read(withinMs)
    const after = await Promise.all([countOf(db, "events"), countOf(db, "deliveries"), countOf(db, "notifications")])
    if (before.join() !== after.join()) throw new Error(`a redelivery made of ${before.join()} rows ${after.join()}`)
    return { messages, firstPerSecond: rounded(firstPerSecond), againPerSecond: rounded(againPerSecond), newEvents: 0 }
  })

export interface HubKilledFigures {
  readonly kills: number
  readonly pubAcked: number
  readonly withoutKey: number
  readonly lost: 0
  readonly twice: 0
}

/** The hub is killed while it reads: between a commit and its ack, too. What it did not acknowledge comes again, once. */
export const hubKilledWhileReading = (kills: number): Promise<HubKilledFigures> =>
  inWorld(async (world) => {
    const { db, sender } = world
    await isUp(world)
    const acked = new Set<string>()
    let withoutKey = 0
    const stop = publishSteadily(async (n) => {
      await publishUntilAcked(sender, `nats-${n}`)
      acked.add(`nats-${n}`)
      await publish(sender, "hub.events.faults", { type: "fault.keyless", source: "keyless" })
      withoutKey += 1
    })
    for (let kill = 0; kill < kills; kill += 1) {
      await isUp(world)
      await Bun.sleep(200 + Math.random() * 500)
      await world.replaceHub()
    }
    await stop()
    await allStored(db, acked, 90_000)
    const keyless = async () =>
      (await db.query<{ n: number }>("select count(*)::int as n from events where source = 'keyless'"))[0]?.n ?? -1
    await eventually(keyless, (count) => count >= withoutKey, { withinMs: 90_000, what: "messages without a key" })
    const stored = await keyless()
    if (stored !== withoutKey) throw new Error(`${stored} events of ${withoutKey} messages without a key`)
    return { kills, pubAcked: acked.size, withoutKey, lost: 0, twice: 0 }
  })
