import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { randomBytes } from "node:crypto"
import { idFloor } from "../domain/ids.ts"
import { type Clock, systemClock } from "../runtime/clock.ts"
import { startTree, supervisor, type Tree } from "../runtime/supervisor.ts"
import { eventually } from "../testing/eventually.ts"
import { type FakeClock, fakeClock } from "../testing/fake-clock.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { claimChore, leaveChore, renewChore } from "./chores.ts"
import { type Database, openDatabase } from "./database.ts"
import { HISTORY_ROUND, type PrunerOptions, pruner } from "./pruner.ts"

let database: TestDatabase
let db: Database
const trees: Tree[] = []
beforeAll(async () => {
  database = await testDatabase()
  db = openDatabase({ url: database.url })
})
afterAll(async () => {
  await db.close()
  await database.drop()
})
afterEach(async () => {
  await Promise.all(trees.splice(0).map((tree) => tree.stop()))
  await db.execute("truncate rejected")
  await db.execute("update chores set holder = null, lease_until = null, finished_at = null")
})

const DAY = 86_400_000
const RETENTION = { eventsMs: 90 * DAY, notificationsMs: 180 * DAY, attemptsMs: 90 * DAY, rejectedMs: 30 * DAY }

interface Pruned {
  readonly table: string
  readonly count: number
}

interface Node {
  readonly tree: Tree
  readonly pruned: readonly Pruned[]
}

async function start(clock: Clock, options: Partial<PrunerOptions> = {}): Promise<Node> {
  const pruned: Pruned[] = []
  const child = pruner({
    db,
    retention: RETENTION,
    random: () => 0.5,
    firstLookMs: 0,
    restMs: 0,
    pruned: (table, count) => pruned.push({ table, count }),
    ...options,
  })
  const tree = await startTree(supervisor({ id: "root", strategy: "one_for_one", children: [child] }), {
    clock,
    emit: () => undefined,
    onGiveUp: () => undefined,
  })
  trees.push(tree)
  return { tree, pruned }
}

/** Rejected input of 31 days ago, which is the simplest thing that grows old. */
async function grown(count: number): Promise<void> {
  const rows = Array.from({ length: count }, (_, n) => n)
  await db.execute(
    `insert into rejected (id, received_at, via, code, origin, fingerprint, last_at, content)
     select id, now() - interval '31 days', 'http', 'invalid', 'x', decode(md5(id), 'hex'), now() - interval '31 days', ''
     from unnest($1::text[]) as t (id)`,
    [rows.map((n) => `${idFloor("rej_", Date.now() - 31 * DAY)}${randomBytes(6).toString("hex")}${n}`)],
  )
}
const left = async (): Promise<number> =>
  (await db.query<{ n: number }>("select count(*)::int as n from rejected"))[0]?.n ?? -1
const finished = async (): Promise<boolean> =>
  (await db.query<{ done: boolean }>("select finished_at is not null as done from chores where name = 'prune'"))[0]
    ?.done ?? false
const holder = async (): Promise<string | null> =>
  (await db.query<{ holder: string | null }>("select holder from chores where name = 'prune'"))[0]?.holder ?? null
const untilFinished = () => eventually(finished, (done) => done, { withinMs: 20_000, what: "a run is finished" })
/** The database, and how often it has answered who may prune and that it was done. */
function counted(): { readonly db: Database; readonly claims: () => number; readonly ends: () => number } {
  let claims = 0
  let ends = 0
  return {
    claims: () => claims,
    ends: () => ends,
    db: {
      ...db,
      async query<Row>(text: string, values: Parameters<Database["query"]>[1] = []) {
        const rows = await db.query<Row>(text, values)
        if (text.includes("chores")) claims += 1
        return rows
      },
      async execute(text, values) {
        const rows = await db.execute(text, values)
        if (text.includes("update chores") && text.includes("finished_at")) ends += 1
        return rows
      },
    },
  }
}
/** Lets the pruner get as far as it can without time passing. */
const settle = async (clock: FakeClock, done: () => Promise<boolean>): Promise<void> => {
  await eventually(
    async () => {
      await clock.advance(0)
      return done()
    },
    (is) => is,
    { withinMs: 20_000, everyMs: 5, what: "the pruner is through" },
  )
}
const agoFinished = (hours: number) =>
  db.execute("update chores set finished_at = now() - make_interval(hours => $1)", [hours])

describe("the pruner", () => {
  test("prunes at its start what has never been pruned, batch by batch, and tells how much of what", async () => {
    await grown(2_500)
    const { pruned } = await start(systemClock)
    await untilFinished()
    expect(await left()).toBe(0)
    expect(pruned).toEqual([{ table: "rejected", count: 2_500 }])
    expect(await holder()).toBeNull()
  })

  test("rests at its start where the last run is less than a day ago, and looks again at night", async () => {
    await agoFinished(21)
    await grown(1)
    const clock = fakeClock(new Date("2026-01-05T12:00:00"))
    const watched = counted()
    await start(clock, watched)
    await settle(clock, async () => watched.claims() === 1)
    await clock.flush()
    expect(await left()).toBe(1)
    // At half past two: half of three hours after one.
    await clock.advance(14.5 * 3_600_000 - 1)
    expect(watched.claims()).toBe(1)
    await clock.advance(1)
    await settle(clock, async () => watched.ends() === 1)
    expect(await left()).toBe(0)
  }, 20_000)

  test("prunes every night from then on", async () => {
    const clock = fakeClock(new Date("2026-01-05T12:00:00"))
    const watched = counted()
    await start(clock, watched)
    await settle(clock, async () => watched.ends() === 1)
    for (let night = 1; night <= 3; night++) {
      await clock.flush()
      await agoFinished(24)
      await grown(1)
      // No further than to the look itself: the database's answer comes in real time.
      await clock.advance((night === 1 ? 14.5 : 24) * 3_600_000)
      await settle(clock, async () => watched.ends() === 1 + night)
      expect(await left()).toBe(0)
    }
  }, 30_000)

  test("runs on one node at a time: the other one finds the work held, and later done", async () => {
    await grown(3_000)
    const watched = counted()
    const nodes = await Promise.all([1, 2, 3].map(() => start(systemClock, watched)))
    await untilFinished()
    await eventually(
      async () => watched.claims(),
      (claims) => claims === 3,
      { withinMs: 10_000, what: "all have looked" },
    )
    expect(nodes.filter(({ pruned }) => pruned.length > 0)).toHaveLength(1)
    expect(nodes.flatMap(({ pruned }) => pruned)).toEqual([{ table: "rejected", count: 3_000 }])
  })

  test("stops with the batch in hand, gives the work back at once, and the next start goes on", async () => {
    await grown(6_000)
    // A rest that never ends: one batch, then nothing until the stop.
    const { tree, pruned } = await start(systemClock, { restMs: 100 })
    await eventually(left, (rows) => rows < 6_000, { withinMs: 20_000, everyMs: 5, what: "a batch is gone" })
    const began = performance.now()
    await tree.stop()
    expect(performance.now() - began).toBeLessThan(2_000)
    const rest = await left()
    expect(rest).toBeGreaterThan(0)
    expect(pruned.reduce((sum, { count }) => sum + count, 0)).toBe(6_000 - rest)
    expect(await holder()).toBeNull()
    expect(await finished()).toBe(false)
    await start(systemClock)
    await untilFinished()
    expect(await left()).toBe(0)
  })

  test("waits out a database that is away, without a restart, and goes on with smaller batches", async () => {
    await grown(300)
    let broken = 2
    const limits: unknown[] = []
    const shaky: Database = {
      ...db,
      query: (text, values) => {
        if (!text.includes("from deliveries")) return db.query(text, values)
        limits.push(values?.[2])
        broken -= 1
        return broken >= 0
          ? Promise.reject(Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" }))
          : db.query(text, values)
      },
    }
    const clock = fakeClock(new Date("2026-01-05T12:00:00"))
    const { tree } = await start(clock, { db: shaky })
    for (let tries = 1; tries <= 2; tries++) {
      await settle(clock, async () => limits.length === tries)
      // The lease of the run that failed runs out meanwhile.
      await db.execute("update chores set lease_until = now() - interval '1 second'")
      await clock.flush()
      await clock.advance(10 * 60_000)
    }
    await settle(clock, finished)
    expect(await left()).toBe(0)
    expect(limits.slice(0, 2)).toEqual([1_000, 250])
    expect(tree.whereis("pruner")).toMatchObject({ restarts: 0 })
  }, 20_000)
})

describe("a chore", () => {
  const lease = { leaseMs: 60_000, restMs: 3_600_000 }

  test("is one holder's until its lease runs out, and then the next one's", async () => {
    expect(await claimChore(db, "prune", "a", lease)).toMatchObject({ kind: "claimed" })
    expect(await claimChore(db, "prune", "b", lease)).toEqual({ kind: "held" })
    expect(await renewChore(db, "prune", "a", 60_000)).toBe(true)
    await db.execute("update chores set lease_until = now() - interval '1 second'")
    expect(await renewChore(db, "prune", "a", 60_000)).toBe(false)
    expect(await claimChore(db, "prune", "b", lease)).toMatchObject({ kind: "claimed" })
    await leaveChore(db, "prune", "a", true)
    expect(await claimChore(db, "prune", "c", lease)).toEqual({ kind: "held" })
  })

  test("that was finished rests", async () => {
    await claimChore(db, "prune", "a", lease)
    await leaveChore(db, "prune", "a", true)
    expect(await claimChore(db, "prune", "b", lease)).toEqual({ kind: "done" })
    expect(await claimChore(db, "prune", "b", { ...lease, restMs: 0 })).toMatchObject({ kind: "claimed" })
  })

  test("that was left unfinished may be taken at once", async () => {
    await claimChore(db, "prune", "a", lease)
    await leaveChore(db, "prune", "a", false)
    expect(await claimChore(db, "prune", "b", lease)).toMatchObject({ kind: "claimed" })
  })

  test("is taken by one of those who ask at the same moment", async () => {
    const claims = await Promise.all(Array.from({ length: 10 }, (_, n) => claimChore(db, "prune", `n${n}`, lease)))
    expect(claims.filter(({ kind }) => kind === "claimed")).toHaveLength(1)
  })
})

test("the history of streams has a round of its own: every ten minutes, by one node for all", async () => {
  const entries = async (): Promise<number> =>
    (await db.query<{ n: number }>("select count(*)::int as n from stream_entries"))[0]?.n ?? -1
  const push = async (count: number): Promise<void> => {
    await db.execute(
      `with moved as (
         insert into streams (key, position) values ('resources:b1', $1)
         on conflict (key) do update set position = streams.position + $1 returning position
       ) insert into stream_entries (stream, position, ref)
       select 'resources:b1', m.position - $1 + n, 'evt_' || n from moved m, generate_series(1, $1::int) as n`,
      [count],
    )
  }
  await push(1_300)
  const clock = fakeClock()
  const watched = counted()
  const first = await start(clock, { db: watched.db, round: HISTORY_ROUND })
  const second = await start(clock, { db: watched.db, round: HISTORY_ROUND })
  await settle(clock, async () => watched.ends() === 1)
  expect(await entries()).toBe(1_000)
  expect([...first.pruned, ...second.pruned]).toEqual([{ table: "stream_entries", count: 300 }])
  await push(50)
  // The database's clock says when it was last done.
  await db.execute("update chores set finished_at = now() - interval '11 minutes' where name = 'history'")
  await clock.advance(10 * 60_000 - 1_000)
  expect(await entries()).toBe(1_050)
  // In steps, because what is asked of the database has a deadline on this clock.
  const look = async (): Promise<number> => {
    await clock.advance(1_000)
    return entries()
  }
  await eventually(look, (left) => left === 1_000, { withinMs: 20_000, everyMs: 5, what: "the second round" })
})
