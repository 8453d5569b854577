import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { nothingFrom } from "../domain/firing.ts"
import { newEventId, newTimerId, type RuleName, type TimerId } from "../domain/ids.ts"
import type { NewTimer } from "../domain/timer.ts"
import { localPubSub, type PubSub } from "../pubsub/pubsub.ts"
import { type Clock, systemClock } from "../runtime/clock.ts"
import { startTree, supervisor, type Tree } from "../runtime/supervisor.ts"
import { type Database, openDatabase } from "../store/database.ts"
import { insertTimers } from "../store/new-timers.ts"
import { saveRuleSet } from "../store/rule-sets.ts"
import { nextSuspectTimer } from "../store/suspects.ts"
import { fireTimers } from "../store/timers.ts"
import { business } from "../testing/builders.ts"
import { type Heard, heard } from "../testing/heard.ts"
import { testDatabase } from "../testing/postgres.ts"
import { oneRule, PLAIN_TEMPLATE, ruleSetOf } from "../testing/rule-fixtures.ts"
import type { RuleSet } from "./rule-set.ts"
import { type TimersOptions, timers } from "./timers.ts"

let url: string
let drop: () => Promise<void>
let db: Database
let ruleSet: RuleSet
let telemetry: Heard
let pubsub: PubSub
let trees: Tree[] = []

beforeAll(async () => {
  const made = await testDatabase()
  url = made.url
  drop = made.drop
  db = openDatabase({ url })
  ruleSet = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule() })
})
afterAll(async () => {
  await db.close()
  await drop()
})
beforeEach(() => {
  telemetry = heard()
  pubsub = localPubSub((error) => {
    throw error
  })
})
afterEach(async () => {
  await Promise.all(trees.map((tree) => tree.stop()))
  trees = []
  await db.execute("truncate timers, rule_sets, gates")
})

type Fire = NonNullable<TimersOptions["fire"]>

/** Every timer is fired, and nothing follows. */
const fireAll: Fire = (due) => Promise.resolve(due.map(({ timer }) => nothingFrom(timer, "fired")))

async function start(fire: Fire, node: Database = db, clock: Clock = systemClock): Promise<void> {
  const settings = { publicUrl: "https://hub.example", defaultSlack: false }
  const spec = timers({ db: node, rules: () => ruleSet, settings, pubsub, telemetry, random: () => 0.5, fire })
  const root = supervisor({ id: "hub", strategy: "one_for_one", children: [spec] })
  trees.push(await startTree(root, { clock, emit: () => {}, onGiveUp: () => {} }))
}

const timer = (inMs: number, changes: Partial<NewTimer> = {}): NewTimer => ({
  id: newTimerId(Date.now()),
  kind: "delay",
  event: newEventId(Date.now()),
  business: business("b1"),
  rule: "the-rule" as RuleName, // rule names need no check in a test
  action: 0,
  step: 0,
  beganAt: Date.now(),
  dueAt: Date.now() + inMs,
  until: null,
  gate: null,
  rulesHash: ruleSet.hash,
  rulesRevision: ruleSet.revision,
  ...changes,
})

async function set(...all: readonly NewTimer[]): Promise<void> {
  await insertTimers(db, all)
  pubsub.publish([{ kind: "timers_set", at: Math.min(...all.map(({ dueAt }) => dueAt)) }])
}

const fired = (n: number): Promise<unknown> => {
  const total = () => telemetry.of("timers_fired").reduce((sum, one) => sum + (one.outcomes.fired ?? 0), 0)
  const more = async (seen: number): Promise<void> => {
    if (total() >= n) return
    await telemetry.waitFor("timers_fired", seen + 1)
    return more(telemetry.of("timers_fired").length)
  }
  return more(0)
}

describe("timers", () => {
  test("on two nodes fire each once, none before its moment, and forget none", async () => {
    const other = openDatabase({ url })
    const seen: TimerId[] = []
    const count: Fire = (due, ...rest) => {
      seen.push(...due.map(({ timer: { id } }) => id))
      return fireAll(due, ...rest)
    }
    await start(count)
    await start(count, other)
    const kinds = ["delay", "digest", "escalate", "failover"] as const
    const all = Array.from({ length: 2_000 }, (_, i) => timer(i % 1_500, { kind: kinds[i % 4] ?? "delay" }))
    await set(...all)
    await fired(2_000)
    expect(seen.sort()).toEqual(all.map(({ id }) => id).sort())
    expect(await db.query("select id from timers where done_at is null or done_at < due_at")).toEqual([])
    expect(telemetry.of("bug_found")).toEqual([])
    await other.close()
  })

  test("are not waited for by a clock once news of an earlier one came", async () => {
    // Every wait is a hundred times as long: only news can be in time.
    const slow: Clock = { ...systemClock, after: (ms, run) => systemClock.after(ms * 100, run) }
    await start(fireAll, db, slow)
    await set(timer(60_000))
    await set(timer(-1))
    await fired(1)
  })

  test("that another node is firing are left to it, without asking again and again, and are seen when it lets go", async () => {
    const other = openDatabase({ url })
    const [held, letGo] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    await insertTimers(db, [timer(-1)])
    const firing = other.transaction(async (tx) => {
      await tx.query("select 1 from timers for update")
      held.resolve()
      await letGo.promise
    })
    await held.promise
    // Its waits take no time at all: whoever asks again at once is seen by how short they were to be.
    const waits: number[] = []
    const enough = Promise.withResolvers<void>()
    let hasAsked = false
    const node: Database = {
      ...db,
      async query<Row>(...statement: Parameters<Database["query"]>) {
        const rows = await db.query<Row>(...statement)
        hasAsked = true
        return rows
      },
    }
    const quick: Clock = {
      ...systemClock,
      after(ms, run) {
        if (!hasAsked) return systemClock.after(ms, run)
        hasAsked = false
        if (waits.push(ms) === 5) enough.resolve()
        return systemClock.after(0, run)
      },
    }
    await start(fireAll, node, quick)
    await enough.promise
    for (const ms of waits) expect(ms).toBeGreaterThanOrEqual(50)
    letGo.resolve()
    await firing
    await fired(1)
    await other.close()
  })

  test("are found without any news", async () => {
    await start(fireAll)
    await insertTimers(db, [timer(20)])
    await fired(1)
  })

  test("that cannot be fired spoil only themselves, are tried five times and then told of as failed", async () => {
    const [bad, good] = [timer(-2), timer(-1)]
    const picky: Fire = (due, ...rest) => {
      if (due.some(({ timer: { id } }) => id === bad.id)) return Promise.reject(new Error("this one"))
      return fireAll(due, ...rest)
    }
    await start(picky)
    await set(bad, good)
    await fired(1)
    for (let n = 1; n <= 5; n++) {
      const told = await telemetry.waitFor("timer_failed", n)
      expect(told.at(-1)).toMatchObject({ timer: "delay", timerId: bad.id, attempts: n, last: n === 5 })
      await db.execute("update timers set next_at = now() where done_at is null")
      pubsub.publish([{ kind: "timers_set", at: 0 }])
    }
    expect(await db.query("select outcome, attempts from timers order by attempts")).toEqual([
      { outcome: "fired", attempts: 0 },
      { outcome: "failed", attempts: 5 },
    ])
  })

  test("whose decision fails are tried again later, and a digest that never will be told takes nothing more in", async () => {
    const digest = timer(-1, { kind: "digest", gate: "digest:1" })
    const state = JSON.stringify({ kind: "digest", timer: digest.id, count: 1, dueAt: 0 })
    await db.execute("insert into gates (key, state) values ('digest:1', $1::text::jsonb)", [state])
    await db.execute("insert into gates (key, state) values ('digest:2', $1::text::jsonb)", [state])
    await start((due) => Promise.resolve(due.map((one) => nothingFrom(one.timer, "failed"))))
    await set(digest, timer(-1, { id: newTimerId(0) }))
    await telemetry.waitFor("timer_failed", 2)
    await db.execute("update timers set attempts = 4, next_at = now() where kind = 'digest'")
    pubsub.publish([{ kind: "timers_set", at: 0 }])
    await telemetry.waitFor("timer_failed", 3)
    const rows = await db.query("select kind, outcome, next_at > now() as later from timers order by kind")
    expect(rows).toEqual([
      { kind: "delay", outcome: null, later: true },
      { kind: "digest", outcome: "failed", later: true },
    ])
    expect(await db.query("select key, state is null as closed from gates order by key")).toEqual([
      { key: "digest:1", closed: true },
      { key: "digest:2", closed: false },
    ])
  })

  test("are fired under the rules that they were made under, or what has come of them", async () => {
    const [kept, broken] = [
      await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule({ head: "source: kept" }) }),
      { hash: "broken", revision: "r9", files: { "rules/a.yaml": "rules: 1" } },
    ]
    await saveRuleSet(db, { ...kept, revision: "r7" })
    await saveRuleSet(db, broken)
    const used = new Map<TimerId, string>()
    await start((due, rulesOf, ...rest) => {
      for (const { timer: one } of due) used.set(one.id, rulesOf(one)?.revision ?? "none")
      return fireAll(due, rulesOf, ...rest)
    })
    const all = [
      timer(-1),
      timer(-1, { rulesHash: kept.hash, rulesRevision: "r7" }),
      // A failover knows the revision alone.
      timer(-1, { rulesHash: "", rulesRevision: ruleSet.revision }),
      timer(-1, { rulesHash: "gone", rulesRevision: "r8" }),
      timer(-1, { rulesHash: "broken", rulesRevision: "r9" }),
    ]
    await set(...all)
    await fired(all.length)
    const now = ruleSet.revision
    expect(all.map(({ id }) => used.get(id))).toEqual([now, "r7", now, now, now])
    expect(telemetry.of("bug_found")).toMatchObject([{ where: "timers" }])
  })

  test("a timer that its hub dies of goes alone, and is given up after the third death; the others are fired", async () => {
    const [ill, well] = [timer(-2), timer(-1)]
    await insertTimers(db, [ill, well])
    // A node that dies with both in hand, and one that dies with each alone, and with the one again.
    const dies = () => Promise.reject(new Error("died"))
    await fireTimers(db, { which: "first", limit: 10 }, dies).catch(() => null)
    for (const one of [ill, well, ill]) {
      await db.execute("update timers set next_at = now() where id = $1 and crashes > 0", [one.id])
      const suspect = await nextSuspectTimer(db)
      expect(suspect?.id).toBe(one.id)
      await fireTimers(db, { which: "first", suspect: one.id }, dies).catch(() => null)
    }
    await db.execute("update timers set next_at = now()")
    const asked: (readonly string[])[] = []
    await start((due, ...rest) => {
      asked.push(due.map(({ timer }) => timer.id))
      return fireAll(due, ...rest)
    })
    await telemetry.waitFor("timer_failed", 1)
    await telemetry.waitFor("timers_fired", 1)
    expect(asked).toEqual([[well.id]])
    expect(telemetry.of("timer_failed")).toMatchObject([{ timerId: ill.id, last: true }] as never)
    expect(await db.query("select outcome from timers where id = $1", [ill.id])).toEqual([{ outcome: "failed" }])
  })
})
