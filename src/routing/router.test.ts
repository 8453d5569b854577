import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { isJsonObject, type Json } from "../domain/json.ts"
import { localPubSub, type News, type PubSub } from "../pubsub/pubsub.ts"
import { type Clock, systemClock } from "../runtime/clock.ts"
import { startTree, supervisor, type Tree } from "../runtime/supervisor.ts"
import { type Database, openDatabase } from "../store/database.ts"
import { insertEvents } from "../store/events.ts"
import { putOff } from "../store/plans.ts"
import { upsertRecipients } from "../store/recipients.ts"
import { getRoute } from "../store/routes.ts"
import { getRuleSet } from "../store/rule-sets.ts"
import { business, incoming, recipient } from "../testing/builders.ts"
import { type Heard, heard } from "../testing/heard.ts"
import { testDatabase } from "../testing/postgres.ts"
import { oneRule, PLAIN_TEMPLATE, ruleSetOf } from "../testing/rule-fixtures.ts"
import { type RouterOptions, router } from "./router.ts"
import type { RuleSet } from "./rule-set.ts"

let db: Database
let drop: () => Promise<void>
let ruleSet: RuleSet
let telemetry: Heard
let pubsub: PubSub
let news: News[]
let tree: Tree | null = null

const RULES = [
  oneRule({
    action: "to: { roles: [accountant], users: [{ var: payload.who }] }\nchannels: [inapp, sms]\ntemplate: plain",
  }),
  oneRule({ type: "test.text", action: "to: { roles: [accountant] }\nchannels: [inapp]\ntemplate: said" })
    .replace("rules:\n", "")
    .replace("the-rule", "say"),
  oneRule({ type: "test.parsed", action: "to: { users: [ann] }\nchannels: [inapp]\ntemplate: parsed" })
    .replace("rules:\n", "")
    .replace("the-rule", "parse"),
].join("")

beforeAll(async () => {
  const made = await testDatabase()
  drop = made.drop
  db = openDatabase({ url: made.url })
  ruleSet = await ruleSetOf({
    ...PLAIN_TEMPLATE,
    "templates/said/default.eta": "---\ntitle: Said <%= it.payload.text %>\n---\n<%= it.payload.text %>",
    "templates/parsed/default.eta": "---\ntitle: <%= JSON.parse(it.payload.text).name %>\n---\nx",
    "rules/a.yaml": RULES,
  })
})
afterAll(async () => {
  await db.close()
  await drop()
})
beforeEach(async () => {
  telemetry = heard()
  news = []
  pubsub = localPubSub((error) => {
    throw error
  })
  pubsub.subscribe((some) => news.push(...some))
  const member = { business: business("b1"), locations: null, roles: ["accountant"] }
  await upsertRecipients(db, [recipient("u1", { phone: "+9647700000001", memberships: [member] })], null)
})
afterEach(async () => {
  await tree?.stop()
  tree = null
  await db.execute(
    "truncate events, routing_queue, routes, notifications, deliveries, messages, streams, stream_entries, recipients, preferences, list_members, memberships",
  )
})

/** Waits are a fiftieth as long: what is tested is that they end. */
const hurried: Clock = { ...systemClock, after: (ms, run) => systemClock.after(ms / 50, run) }

async function start(changes: Partial<RouterOptions> = {}, clock: Clock = systemClock): Promise<void> {
  const settings = { publicUrl: "https://hub.example", defaultSlack: false }
  const options = { db, rules: () => ruleSet, settings, pubsub, telemetry, random: () => 0.5, ...changes }
  const root = supervisor({ id: "hub", strategy: "one_for_one", children: [router(options)] })
  tree = await startTree(root, { clock, emit: () => {}, onGiveUp: () => {} })
}

/** Stores events and wakes the router, as ingest does. */
async function accept(...payloads: readonly { readonly [key: string]: Json }[]) {
  const stored = await insertEvents(
    db,
    payloads.map((payload) => incoming({ payload })),
    Date.now(),
  )
  pubsub.publish([{ kind: "events_accepted", count: payloads.length, toRoute: payloads.length }])
  return stored.map(({ id }) => id)
}

const routed = async (events: number) => {
  const total = (): number => telemetry.of("route_done").reduce((sum, done) => sum + done.events, 0)
  for (let seen = 1; total() < events; seen++) await telemetry.waitFor("route_done", seen)
}

describe("the router", () => {
  test("makes of an accepted event an inbox item, a delivery, a decision, and the news of all of it", async () => {
    await start()
    const [id] = await accept({ who: "new" })
    await routed(1)
    const [done] = telemetry.of("route_done")
    expect(done).toMatchObject({ events: 1, rulesMatched: 1, notifications: 2, deliveries: 2, suppressed: 1 })
    if (id === undefined) throw new Error("one event was stored")
    expect(await getRoute(db, id)).toMatchObject({
      rulesRevision: ruleSet.revision,
      decisions: [{ rule: "the-rule", matched: true, reason: "the event type fits, no conditions" }],
      failures: [],
    } as never)
    const kinds = news.map(({ kind }) => kind)
    expect(kinds).toEqual([
      "events_accepted",
      "stream_message",
      "stream_message",
      "counts_changed",
      "counts_changed",
      "deliveries_due",
    ])
    const message = news.find((one) => one.kind === "stream_message" && one.stream.endsWith(":u1"))
    if (message?.kind !== "stream_message") throw new Error("u1 was told")
    const payload: unknown = JSON.parse(message.payload)
    expect(isJsonObject(payload) && payload).toMatchObject({
      title: "News",
      event_id: id,
      rule: "the-rule",
      _offset: 1,
    })
    expect(message).toMatchObject({ stream: "notifications:u1", event: "notification", position: 1 } as never)
    const deliveries = await db.query<{ status: string; reason: string | null }>(
      "select status, reason from deliveries order by status",
    )
    expect(deliveries).toEqual([
      { status: "queued", reason: null },
      { status: "suppressed", reason: "no_address" },
    ])
    expect((await getRuleSet(db, ruleSet.hash))?.files["rules/a.yaml"]).toBe(RULES)
  })

  test("finds without a wake-up what was accepted while it was away", async () => {
    await accept({}, {}, {})
    await start()
    await routed(3)
    expect(await db.query("select event_id from routing_queue")).toEqual([])
  })

  test("goes on until nothing is left, batch after batch", async () => {
    await accept(...Array.from({ length: 450 }, (_, n) => ({ n })))
    await start()
    await routed(450)
    expect(telemetry.of("route_done").map((done) => done.events)).toEqual([200, 200, 50])
    const messages = news.flatMap((one) => (one.kind === "stream_message" ? [one.position] : []))
    expect(messages).toEqual(Array.from({ length: 450 }, (_, i) => i + 1))
  })

  test("a rule whose words cannot be made is a failure of its own, told and kept", async () => {
    await start()
    const stored = await insertEvents(db, [incoming({ type: "test.text" }), incoming({})], Date.now())
    pubsub.publish([{ kind: "events_accepted", count: 2, toRoute: 2 }])
    await routed(2)
    const [failed] = telemetry.of("route_failed")
    expect(failed).toMatchObject({ eventId: stored[0]?.id, rule: "say" } as never)
    expect(String(failed?.error)).toBe("inapp: templates/said/default.eta: title: it.payload.text is missing")
    expect(await db.query("select rule from notifications")).toEqual([{ rule: "the-rule" }])
    expect(await db.query("select failed from routes order by failed")).toEqual([{ failed: false }, { failed: true }])
  })

  test("keeps calm while the database is away and takes up the work when it is back", async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    let tries = 0
    const shaky: Database = {
      ...db,
      transaction: (work) => {
        tries += 1
        if (tries > 2) return db.transaction(work)
        if (tries === 2) resolve()
        return Promise.reject(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }))
      },
    }
    await accept({})
    await start({ db: shaky }, hurried)
    await promise
    await routed(1)
    expect(telemetry.of("bug_found")).toEqual([])
  })

  test("takes less at once when what follows from a batch is more than a statement has time for", async () => {
    await db.execute(
      "create function dawdle() returns trigger language plpgsql as 'begin perform pg_sleep(0.001); return new; end'",
    )
    await db.execute("create trigger slow before insert on notifications for each row execute function dawdle()")
    const hasty: Database = {
      ...db,
      transaction: (work) =>
        db.transaction(async (tx) => {
          await tx.execute("set local statement_timeout = 150")
          return work(tx)
        }),
    }
    await accept(...Array.from({ length: 200 }, (_, n) => ({ n })))
    await start({ db: hasty }, hurried)
    await routed(200)
    await db.execute("drop trigger slow on notifications")
    expect(Math.max(...telemetry.of("route_done").map((done) => Number(done.events)))).toBeLessThan(200)
  })

  test("an event from which more follows than a statement has time for is put off, is told of, and holds up nobody", async () => {
    const [vast, good] = await accept({ vast: true }, { vast: false })
    if (vast === undefined || good === undefined) throw new Error("two events were stored")
    const spoilt: string[] = []
    const hasty: Database = {
      ...db,
      transaction: (work) =>
        db.transaction((tx) =>
          work({
            ...tx,
            query: async (text, values) => {
              if (text.includes("insert into notifications") && JSON.stringify(values).includes(vast)) {
                spoilt.push(JSON.stringify(values))
                await tx.execute("set local statement_timeout = 20")
                await tx.query("select pg_sleep(1)")
              }
              return tx.query(text, values)
            },
          }),
        ),
    }
    await start({ db: hasty, tooLongMs: 15 }, hurried)
    await routed(1)
    expect((await getRoute(db, good))?.failures).toEqual([])
    expect(await getRoute(db, vast)).toBeNull()
    expect(telemetry.of("route_failed")).toEqual([
      {
        kind: "route_failed",
        eventId: vast,
        rule: null,
        error: "what follows from this event takes longer to store than it may: put off for 60 s",
      },
    ] as never)
    // It comes again behind everything else, alone.
    await tree?.stop()
    spoilt.length = 0
    await db.execute("update routing_queue set next_at = now()")
    const later = await accept({ n: 1 }, { n: 2 })
    await start({ db: hasty, tooLongMs: 15 }, hurried)
    await routed(3)
    await telemetry.waitFor("route_failed", 2)
    expect(spoilt.filter((tried) => later.some((id) => tried.includes(id)))).toEqual([])
    expect(telemetry.of("routing_stalled")).toEqual([])
    expect(await putOff(db, vast)).toEqual({ seconds: 240, times: 3 })
    // Not for ever: it ends, and says so.
    await tree?.stop()
    await db.execute("update routing_queue set attempts = 4, next_at = now()")
    await start({ db: hasty, tooLongMs: 15 }, hurried)
    await telemetry.waitFor("route_failed", 3)
    expect((await getRoute(db, vast))?.failures).toEqual([
      { rule: null, reason: "what follows from this event takes longer to store than it may: nobody is told" },
    ])
    expect(JSON.stringify(telemetry.of("route_failed"))).toContain("given up after 5 tries")
  })

  test("an operator who cancels statements puts off nothing", async () => {
    const [id] = await accept({ n: 1 })
    if (id === undefined) throw new Error("one event was stored")
    let cancels = 5
    const meddled: Database = {
      ...db,
      transaction: (work) =>
        db.transaction((tx) =>
          work({
            ...tx,
            query: async (text, values) => {
              if (text.includes("insert into notifications") && --cancels >= 0)
                await tx.query("select pg_cancel_backend(pg_backend_pid()), pg_sleep(1)")
              return tx.query(text, values)
            },
          }),
        ),
    }
    await start({ db: meddled }, hurried)
    await routed(1)
    expect(telemetry.of("route_failed")).toEqual([])
  })

  test("says that nothing is routed while somebody holds a lock that it needs, and goes on afterwards", async () => {
    const locked = Promise.withResolvers<void>()
    const release = Promise.withResolvers<void>()
    const holding = db.transaction(async (tx) => {
      await tx.execute("lock table notifications in access exclusive mode")
      locked.resolve()
      await release.promise
    })
    await locked.promise
    const impatient: Database = {
      ...db,
      transaction: (work) =>
        db.transaction(async (tx) => {
          await tx.execute("set local lock_timeout = 20")
          return work(tx)
        }),
    }
    await accept({})
    await start({ db: impatient }, hurried)
    await telemetry.waitFor("routing_stalled", 1)
    release.resolve()
    await holding
    await routed(1)
    expect(telemetry.of("routing_stalled")).toMatchObject([
      { failures: 4, error: "error: canceling statement due to lock timeout (55P03)" },
    ] as never)
  })

  test("an event whose plan cannot be stored is set aside after three tries alone, and holds up nobody", async () => {
    const [poison, good] = await accept({ poison: true }, { poison: false })
    const refusing: Database = {
      ...db,
      transaction: (work) =>
        db.transaction((tx) =>
          work({
            ...tx,
            query: (text, values) => {
              const refused =
                text.includes("insert into notifications") && JSON.stringify(values).includes(String(poison))
              return refused ? Promise.reject(new Error("a value that no column takes")) : tx.query(text, values)
            },
          }),
        ),
    }
    await start({ db: refusing }, hurried)
    await routed(2)
    if (poison === undefined || good === undefined) throw new Error("two events were stored")
    expect((await getRoute(db, poison))?.failures).toEqual([
      { rule: null, reason: "what follows from this event could not be stored" },
    ])
    expect((await getRoute(db, good))?.failures).toEqual([])
    expect(telemetry.of("bug_found").length).toBe(4)
  })

  test("keeps what a template's code says of a value for the trace, and tells the log only what kind of error it was", async () => {
    await start()
    const [stored] = await insertEvents(
      db,
      [incoming({ type: "test.parsed", payload: { text: "Salma Aziz" } })],
      Date.now(),
    )
    pubsub.publish([{ kind: "events_accepted", count: 1, toRoute: 1 }])
    await routed(1)
    if (stored === undefined) throw new Error("one event was stored")
    expect((await getRoute(db, stored.id))?.failures[0]?.reason).toContain("Salma")
    const [failed] = telemetry.of("route_failed")
    expect(String(failed?.error)).toBe("inapp: templates/parsed/default.eta: title: SyntaxError")
  })
})
