import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import type { BusinessId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { SourcePromise } from "../domain/source-promise.ts"
import { localPubSub, type PubSub } from "../pubsub/pubsub.ts"
import { startTree, supervisor, type Tree } from "../runtime/supervisor.ts"
import { type Database, openDatabase } from "../store/database.ts"
import { listEvents } from "../store/events.ts"
import { silentSources } from "../store/silent-sources.ts"
import { createTelemetry } from "../telemetry/bus.ts"
import { newEvent } from "../testing/builders.ts"
import { eventually } from "../testing/eventually.ts"
import { type FakeClock, fakeClock } from "../testing/fake-clock.ts"
import { testDatabase } from "../testing/postgres.ts"
import { type Accept, createAccept } from "./accept.ts"
import { type Silence, type SilenceOptions, silence } from "./silence.ts"
import { type Known, look } from "./silence-look.ts"

const HOUR = 3_600_000
const DAY = 24 * HOUR
const test_ = await testDatabase()
let db: Database
beforeAll(() => {
  db = openDatabase({ url: test_.url, max: 8, applicationName: "silence-test" })
})
afterAll(async () => {
  await db.close()
  await test_.drop()
})

let clock: FakeClock
let pubsub: PubSub
let accept: Accept
const began = Date.now()
beforeEach(async () => {
  await db.execute("truncate events, routing_queue, source_promises, silent_sources")
  clock = fakeClock(new Date(began))
  pubsub = localPubSub((error) => {
    throw error
  })
  accept = createAccept({ db, pubsub, clock, telemetry: createTelemetry() })
})

const business = (id: string): BusinessId => id as BusinessId // ids of this file are fine
const promise = (more: Partial<SourcePromise> = {}): SourcePromise => ({
  source: "zoho",
  business: null,
  atLeast: 1,
  perMs: 6 * HOUR,
  window: null,
  expected: "1 event per 6h",
  at: "rules/a.yaml:1:1",
  ...more,
})
const b1 = promise({ business: business("b1") })

let spoken = 0
/** An event of the source, accepted at a moment of the test's time. */
async function speak(at: number, of = "b1", source = "zoho"): Promise<void> {
  const event = { ...newEvent({ source, business: business(of) }), idempotencyKey: `spoken ${++spoken}` }
  await accept([{ event, contentHash: Buffer.alloc(32), streams: [] }], "http")
  const where = "where idempotency_key = $1"
  await db.execute(`update events set accepted_at = to_timestamp($2::float8 / 1000) ${where}`, [
    event.idempotencyKey,
    at,
  ])
}
interface Told {
  readonly type: string
  readonly business: string
  readonly severity: string
  readonly payload: JsonObject
}
/** The hub's own events, oldest first. */
async function told(): Promise<readonly Told[]> {
  const { events } = await listEvents(db, { businesses: null, source: "hub", limit: 500 })
  return events
    .map(({ type, business: of, severity, payload }) => ({ type, business: of, severity, payload }))
    .reverse()
}
const types = async (): Promise<readonly string[]> => (await told()).map(({ type, business: of }) => `${type} ${of}`)
const lookAt = (now: number, promises: readonly SourcePromise[] = [b1], on = db) =>
  look({ db: on, accept, promises, known: new Map(), now, notBefore: 0 })

describe("a source that promised to speak", () => {
  test("and does not is told of once, as an event of its business, and once more when it speaks again", async () => {
    await speak(began)
    expect(await lookAt(began)).toMatchObject({ silent: [], next: began + 6 * HOUR })
    await lookAt(began + 6 * HOUR - 1)
    expect(await told()).toEqual([])
    const { silent } = await lookAt(began + 6 * HOUR)
    await lookAt(began + 7 * HOUR)
    expect(silent).toMatchObject([{ source: "zoho", business: "b1", since: began }])
    const since = new Date(began).toISOString()
    const facts = { source: "zoho", expected: "1 event per 6h", since }
    const alarm = { ...facts, last_event_at: since, seen: 0, silent_for: "6 h" }
    expect(await told()).toEqual([{ type: "source.silent", business: "b1", severity: "high", payload: alarm }])
    const back = began + 8.5 * HOUR
    await speak(back)
    expect((await lookAt(back)).silent).toEqual([])
    await lookAt(back + 1)
    expect(await types()).toEqual(["source.silent b1", "source.resumed b1"])
    expect((await told())[1]).toMatchObject({
      severity: "info",
      payload: { ...facts, resumed_at: new Date(back).toISOString(), silent_seconds: 30_600, silent_for: "8 h 30 min" },
    })
    await lookAt(back + 6 * HOUR)
    expect(await types()).toEqual(["source.silent b1", "source.resumed b1", "source.silent b1"])
  })

  test("owes nothing before its promise was known, on any node, nor when it is promised anew", async () => {
    await lookAt(began)
    expect((await lookAt(began + 6 * HOUR - 1)).next).toBe(began + 6 * HOUR)
    const changed = { ...b1, perMs: 5 * HOUR, expected: "1 event per 5h" }
    expect((await lookAt(began + 5.9 * HOUR, [changed])).next).toBe(began + 10.9 * HOUR)
    expect(await told()).toEqual([])
    await lookAt(began + 11 * HOUR, [changed])
    expect((await told())[0]?.payload).toMatchObject({ last_event_at: null, seen: 0, silent_for: "5 h 6 min" })
  })

  test("falls silent in time for two nodes whose rules differ, whoever looked last", async () => {
    const changed = { ...b1, perMs: 5 * HOUR, expected: "1 event per 5h" }
    let [old, fresh]: readonly Known[] = [new Map(), new Map()]
    const looks = async (hours: number): Promise<readonly (number | undefined)[]> => {
      const at = { db, accept, now: began + hours * HOUR, notBefore: 0 }
      const first = await look({ ...at, promises: [b1], known: old ?? new Map() })
      const second = await look({ ...at, promises: [changed], known: fresh ?? new Map() })
      ;[old, fresh] = [first.known, second.known]
      return [first.silent.length, second.silent.length]
    }
    for (const hours of [0, 1, 2, 3, 4, 4.9]) expect(await looks(hours)).toEqual([0, 0])
    await looks(5)
    expect((await told())[0]?.payload).toMatchObject({ expected: "1 event per 5h", silent_for: "5 h" })
  })

  test("in no business by name is watched in each that it speaks for, but those that are named", async () => {
    const everywhere = promise()
    const named = promise({ business: business("b3"), perMs: 2 * DAY, expected: "1 event per 2d" })
    for (const of of ["b1", "b2", "b3"]) await speak(began, of)
    await lookAt(began, [everywhere, named])
    await speak(began + 4 * HOUR, "b2")
    await lookAt(began + 6 * HOUR, [everywhere, named])
    expect(await types()).toEqual(["source.silent b1"])
    await lookAt(began + 10 * HOUR, [everywhere, named])
    expect(await types()).toEqual(["source.silent b1", "source.silent b2"])
    await lookAt(began + 2 * DAY, [everywhere, named])
    expect(await types()).toEqual(["source.silent b1", "source.silent b2", "source.silent b3"])
  })

  test("for nobody yet is the default business's, until it speaks for anybody", async () => {
    await lookAt(began, [promise()])
    await lookAt(began + 6 * HOUR, [promise()])
    await speak(began + 7 * HOUR, "b1")
    expect((await lookAt(began + 7 * HOUR, [promise()])).silent).toEqual([])
    expect(await types()).toEqual(["source.silent default", "source.resumed default"])
    expect((await lookAt(began + 8 * HOUR, [promise()])).next).toBe(began + 13 * HOUR)
  })

  test("and is promised no more is shown no more, and forgotten a day later", async () => {
    await lookAt(began)
    await lookAt(began + 6 * HOUR)
    expect((await lookAt(began + 7 * HOUR, [])).silent).toEqual([])
    expect(await silentSources(db)).toHaveLength(1)
    await lookAt(began + 7 * HOUR + DAY, [])
    expect(await silentSources(db)).toHaveLength(0)
    expect(await types()).toEqual(["source.silent b1"])
    expect((await lookAt(began + 8 * HOUR + DAY)).next).toBe(began + 14 * HOUR + DAY)
  })

  test("is heard among very many that promise very much", async () => {
    const promises = Array.from({ length: 50 }, (_, n) =>
      promise({ source: `s${n}`, business: business("b1"), atLeast: n === 0 ? 1 : 1_000 }),
    )
    await lookAt(began, promises)
    await speak(began + HOUR, "b1", "s0")
    const { silent } = await lookAt(began + 6 * HOUR, promises)
    expect(silent.map(({ source }) => source)).toEqual(
      promises
        .slice(1)
        .map(({ source }) => source)
        .sort(),
    )
  })

  test("is told of once by two nodes that look at once, over and over", async () => {
    const promises = Array.from({ length: 12 }, (_, n) => promise({ source: `s${n}`, business: business("b1") }))
    await lookAt(began, promises)
    for (let round = 1; round <= 5; round++) {
      const silent = began + round * 10 * HOUR
      const nodes = Array.from({ length: 2 }, () => createAccept({ db, pubsub, clock, telemetry: createTelemetry() }))
      const both = (now: number) =>
        Promise.all(nodes.map((door) => look({ db, accept: door, promises, known: new Map(), now, notBefore: 0 })))
      await both(silent)
      for (const { source } of promises) await speak(silent + HOUR, "b1", source)
      await both(silent + HOUR)
      expect(await types()).toHaveLength(24 * round)
    }
    const keys = new Set((await told()).map(({ type, payload }) => JSON.stringify([type, payload])))
    expect(keys.size).toBe(120)
  })

  test("is told of once whatever statement a node dies at", async () => {
    const dying = (after: number): { readonly db: Database; readonly died: () => boolean } => {
      let left = after
      const step = <T>(run: () => Promise<T>): Promise<T> => (left-- > 0 ? run() : Promise.reject(new Error("killed")))
      const query: Database["query"] = (text, values) => step(() => db.query(text, values))
      const execute: Database["execute"] = (text, values) => step(() => db.execute(text, values))
      return { db: { ...db, query, execute }, died: () => left < 0 }
    }
    let deaths = 0
    for (let round = 1, after = 0; ; round++, after++) {
      const source = `s${round}`
      const promises = [promise({ source, business: business("b1") })]
      const sayings = async (): Promise<readonly string[]> =>
        (await told()).filter(({ payload }) => payload["source"] === source).map(({ type }) => type)
      await lookAt(began, promises)
      const first = dying(after)
      await lookAt(began + 6 * HOUR, promises, first.db).catch(() => {})
      await lookAt(began + 6 * HOUR + 5_000, promises)
      expect(await sayings()).toEqual(["source.silent"])
      await speak(began + 7 * HOUR, "b1", source)
      const second = dying(after)
      await lookAt(began + 7 * HOUR, promises, second.db).catch(() => {})
      await lookAt(began + 7 * HOUR + 5_000, promises)
      await lookAt(began + 7 * HOUR + 10_000, promises)
      expect(await sayings()).toEqual(["source.silent", "source.resumed"])
      if (first.died() || second.died()) deaths += 1
      else break
    }
    expect(deaths).toBeGreaterThan(8)
  })
})

describe("the actor `silence`", () => {
  let rulesChanged: () => void = () => {}
  let promises: readonly SourcePromise[] = []
  /** Statements since the last look of the test. */
  let statements = 0
  async function running(
    graceMs = 0,
    now: SilenceOptions["now"] | null = async () => clock.wall().getTime(),
  ): Promise<{ readonly tree: Tree; readonly silence: Silence }> {
    const counted: Database = {
      ...db,
      query(text, values) {
        statements += 1
        return db.query(text, values)
      },
    }
    const watcher = silence({
      db: counted,
      accept,
      pubsub,
      promises: () => promises,
      onRules(listener) {
        rulesChanged = listener
        return () => {}
      },
      graceMs,
      ...(now === null ? {} : { now }),
    })
    const root = supervisor({ id: "path", strategy: "one_for_one", children: [watcher.spec] })
    const tree = await startTree(root, { clock, emit() {}, onGiveUp() {} })
    return { tree, silence: watcher }
  }
  const untilTold = (...expected: readonly string[]): Promise<unknown> =>
    eventually(types, (found) => found.join() === expected.join(), { withinMs: 5_000, what: "what was told" })
  /** Until nothing is asked any more. */
  async function quiet(): Promise<void> {
    let before = -1
    await eventually(
      async () => {
        await clock.advance(0)
        const same = before === statements && statements > 0
        before = statements
        return same
      },
      (same) => same,
      { withinMs: 5_000, what: "quiet", everyMs: 100 },
    )
    statements = 0
  }

  /** Time that a test can afford to let pass: the runtime looks around ten times a second. */
  const soon = { ...b1, perMs: 4_000 }

  test("sleeps until a source could fall silent, is there at that moment, and hears at once that it speaks", async () => {
    promises = [soon]
    await speak(began)
    const { tree, silence: watcher } = await running()
    await quiet()
    await clock.advance(3_999)
    expect(statements).toBe(0)
    await clock.advance(1)
    await untilTold("source.silent b1")
    await quiet()
    expect(watcher.silent()).toMatchObject([{ source: "zoho" }])
    await speak(clock.wall().getTime())
    await clock.advance(1_000)
    await untilTold("source.silent b1", "source.resumed b1")
    await quiet()
    expect(watcher.silent()).toEqual([])
    await tree.stop()
  })

  test("goes by the database's clock: a node that is ahead calls nobody silent who speaks", async () => {
    promises = [promise({ business: business("b1"), perMs: HOUR })]
    await lookAt(Date.now() - 2 * HOUR, promises)
    await speak(Date.now())
    clock = fakeClock(new Date(Date.now() + 3 * HOUR))
    const { tree, silence: watcher } = await running(0, null)
    await quiet()
    expect(watcher.silent()).toEqual([])
    expect(await types()).toEqual([])
    await tree.stop()
  })

  test("looks when other rules run", async () => {
    promises = []
    const { tree } = await running()
    await quiet()
    promises = [soon]
    rulesChanged()
    await quiet()
    await clock.advance(4_000)
    await untilTold("source.silent b1")
    await tree.stop()
  })

  test("calls nobody silent in the first moments after a start: the hub itself was deaf", async () => {
    promises = [soon]
    await lookAt(began - DAY, promises)
    const { tree } = await running(2_000)
    await quiet()
    await clock.advance(1_999)
    expect(await types()).toEqual([])
    await clock.advance(1)
    await untilTold("source.silent b1")
    await tree.stop()
  })
})
