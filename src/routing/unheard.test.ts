import { afterEach, expect, test } from "bun:test"
import fc from "fast-check"
import { resourceStream } from "../domain/stream.ts"
import { createAccept } from "../ingest/accept.ts"
import { localPubSub, type News } from "../pubsub/pubsub.ts"
import { systemClock } from "../runtime/clock.ts"
import { startTree, supervisor } from "../runtime/supervisor.ts"
import { insertEvents } from "../store/events.ts"
import { getRoute } from "../store/routes.ts"
import { getRuleSet } from "../store/rule-sets.ts"
import { business, incoming } from "../testing/builders.ts"
import { databaseOfFile } from "../testing/file-database.ts"
import { heard } from "../testing/heard.ts"
import { oneRule, PLAIN_TEMPLATE, ruleSetOf } from "../testing/rule-fixtures.ts"
import { router } from "./router.ts"
import type { RuleSet } from "./rule-set.ts"
import { unheardTypes } from "./unheard.ts"

const db = await databaseOfFile()
const action = "to: { users: [ann] }\nchannels: [inapp]\ntemplate: plain"
const named = (type: string) => ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule({ type, action }) })

afterEach(() => db.execute("truncate events, routing_queue, routes, raw_bodies, streams, stream_entries"))

const queued = () => db.query("select event_id from routing_queue order by event_id")

test("an event whose type no rule names is routed by the statement that stores it, and nobody is woken for it", async () => {
  const ruleSet = await named("test.named")
  const telemetry = heard()
  const failed = (error: unknown): never => {
    throw error
  }
  const pubsub = localPubSub(failed)
  const news: News[] = []
  pubsub.subscribe((some) => news.push(...some))
  const unheard = unheardTypes(() => ruleSet)
  const settings = { publicUrl: "https://hub.example", defaultSlack: false }
  const routing = router({
    db,
    pubsub,
    telemetry,
    settings,
    rules: () => ruleSet,
    onKept: unheard.kept,
    random: () => 0.5,
  })
  const accept = createAccept({ db, pubsub, clock: systemClock, telemetry, unheard: unheard.now })

  // Before the router has kept the rules, a decision could not name them.
  await accept([incoming({ type: "test.unnamed" })], "http")
  expect(await queued()).toHaveLength(1)

  const root = supervisor({ id: "hub", strategy: "one_for_one", children: [routing] })
  const tree = await startTree(root, { clock: systemClock, emit: () => {}, onGiveUp: () => {} })
  try {
    await telemetry.waitFor("route_done", 1)
    expect(await getRuleSet(db, ruleSet.hash)).not.toBeNull()
    news.length = 0
    const results = await accept([incoming({ type: "test.unnamed" }), incoming({ type: "test.other" })], "http")
    if (typeof results === "string") throw new Error(results)
    for (const { kind, ...rest } of results) {
      if (kind !== "accepted" || !("id" in rest)) throw new Error(kind)
      const route = await getRoute(db, rest.id)
      expect(route).toMatchObject({ rulesRevision: ruleSet.revision, decisions: [], failures: [] })
    }
    expect(await queued()).toEqual([])
    expect(news[0]).toEqual({ kind: "events_accepted", count: 2, toRoute: 0 })
    expect(telemetry.of("events_accepted").map(({ unheard }) => unheard)).toEqual([0, 2])
    expect(telemetry.of("route_done")).toHaveLength(1)
  } finally {
    await tree.stop()
  }
})

test("a set that nobody has kept yet decides nothing, nor does one that has been replaced", async () => {
  const sets: RuleSet[] = [await named("test.a"), await named("test.b")]
  let running = sets[0] as RuleSet
  const unheard = unheardTypes(() => running)
  expect(unheard.now()).toBeNull()
  unheard.kept(running)
  expect(unheard.now()?.includes("test.a")).toBe(false)
  expect(unheard.now()?.includes("test.b")).toBe(true)
  running = sets[1] as RuleSet
  expect(unheard.now()).toBeNull()
  unheard.kept(running)
  expect(unheard.now()?.includes("test.b")).toBe(false)
  expect(unheard.now()?.revision).toBe(running.revision)
})

test("the same rules at another commit are known as kept, under the revision that runs", async () => {
  const first = await named("test.a")
  let running = first
  const unheard = unheardTypes(() => running)
  unheard.kept(first)
  running = { ...first, revision: "another" }
  expect(unheard.now()?.revision).toBe("another")
})

const item = fc.record({
  type: fc.constantFrom("test.heard", "test.unheard", "test.too"),
  key: fc.option(fc.constantFrom("a", "b", "c"), { nil: null }),
  streams: fc.subarray([resourceStream(business("b1"), null), resourceStream(business("b2"), null)]),
  raw: fc.boolean(),
})

test("in any mixture each event that is stored waits for the router or is routed, never both and never neither", async () => {
  const unheard = { revision: "r1", includes: (type: string) => type === "test.unheard" }
  await fc.assert(
    fc.asyncProperty(fc.array(item, { minLength: 1, maxLength: 8 }), async (items) => {
      const incomings = items.map(({ type, key, streams, raw }) => ({
        ...incoming({ type, idempotencyKey: key }, streams),
        ...(raw ? { rawBody: Buffer.from("as it came") } : {}),
      }))
      const stored = await insertEvents(db, incomings, Date.now(), unheard)
      const accepted = stored.flatMap((one, n) => (one.kind === "accepted" ? [{ id: one.id, item: items[n] }] : []))
      const of = (wanted: boolean) =>
        accepted.filter(({ item }) => (item?.type === "test.unheard") === wanted).map(({ id }) => ({ event_id: id }))
      const byId = (a: { event_id: string }, b: { event_id: string }) => (a.event_id < b.event_id ? -1 : 1)
      expect(await queued()).toEqual(of(false).sort(byId))
      expect(await db.query("select event_id from routes where rules_revision = 'r1' order by event_id")).toEqual(
        of(true).sort(byId),
      )
      const [bodies] = await db.query<{ n: number }>("select count(*)::int as n from raw_bodies")
      expect(bodies?.n).toBe(accepted.filter(({ item }) => item?.raw).length)
      const entries = await db.query<{ place: string }>(
        "select stream || ' ' || position || ' ' || ref as place from stream_entries",
      )
      const places = stored.flatMap((one) =>
        one.kind === "accepted" ? one.positions.map(({ stream, position }) => `${stream} ${position} ${one.id}`) : [],
      )
      expect(places.sort()).toEqual(entries.map(({ place }) => place).sort())
      expect(places).toHaveLength(accepted.reduce((sum, { item }) => sum + (item?.streams.length ?? 0), 0))
      await db.execute("truncate events, routing_queue, routes, raw_bodies, streams, stream_entries")
    }),
    { numRuns: 60 },
  )
})
