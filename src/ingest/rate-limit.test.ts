import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import type { Principal } from "../domain/principal.ts"
import { systemClock } from "../runtime/clock.ts"
import { type Database, openDatabase, type Queryable } from "../store/database.ts"
import { leaseTokens, sweepBuckets } from "../store/rate-buckets.ts"
import { business, newEvent, recipientId } from "../testing/builders.ts"
import { eventually } from "../testing/eventually.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { createRateLimits, type RateLimitOptions, type RateLimits } from "./rate-limit.ts"
import { callerOf, chargesOf, type Limits } from "./rate-limit-keys.ts"

let database: TestDatabase
let db: Database
beforeAll(async () => {
  database = await testDatabase()
  db = openDatabase({ url: database.url })
})
afterAll(async () => {
  await db.close()
  await database.drop()
})
afterEach(async () => {
  await db.execute("truncate rate_buckets")
})

const NONE: Limits = { caller: null, business: null, type: null }
function node(limits: Partial<Limits>, options: Partial<RateLimitOptions> = {}): RateLimits {
  const made = createRateLimits({ limits: { ...NONE, ...limits }, db, clock: systemClock, ...options })
  if (made === null) throw new Error("no limit was set")
  return made
}
const one = (caller: string | null, type = "t", of = "b1") => ({
  caller,
  events: [newEvent({ type, business: business(of) })],
})
/** How many of so many, all asked at once, are admitted. */
async function admitted(limits: RateLimits, load: Parameters<RateLimits["admit"]>[0], times: number): Promise<number> {
  const answers = await Promise.all(Array.from({ length: times }, () => limits.admit(load)))
  return answers.filter(({ kind }) => kind === "admitted").length
}

describe("rate limits on one database", () => {
  test("hold over two nodes and callers that come 50 times too often; another caller is not touched", async () => {
    const limit = 200
    const nodes = [node({ caller: limit }), node({ caller: limit })]
    const seconds = 4
    const began = performance.now()
    let taken = 0
    let asked = 0
    let refused = 0
    const open: Promise<void>[] = []
    const count = async (limits: RateLimits): Promise<void> => {
      if ((await limits.admit(one("key:flood"))).kind === "admitted") taken += 1
    }
    const other = async (limits: RateLimits): Promise<void> => {
      if ((await limits.admit(one("key:other"))).kind !== "admitted") refused += 1
    }
    // Open loop: what is owed by the clock is asked, however the answers come.
    let others = 0
    for (let ms = 0; ms < seconds * 1_000; ms = performance.now() - began) {
      for (; asked < (ms / 1_000) * limit * 50; asked++) open.push(count(nodes[asked % 2] ?? node({ caller: 1 })))
      for (; others < (ms / 1_000) * limit * 0.75; others++) open.push(other(nodes[others % 2] ?? node({ caller: 1 })))
      await Bun.sleep(2)
    }
    await Promise.all(open)
    const elapsed = (performance.now() - began) / 1_000
    expect(asked).toBeGreaterThan(limit * 45 * seconds)
    expect(taken).toBeLessThanOrEqual(limit * (elapsed + 1) * 1.01)
    expect(taken).toBeGreaterThanOrEqual(limit * (seconds + 1) * 0.9)
    expect(refused).toBe(0)
  }, 20_000)

  test("those who ask in one turn of the loop share one lease", async () => {
    let statements = 0
    const counting: Queryable = {
      query(text, values) {
        statements += 1
        return db.query(text, values)
      },
      execute: db.execute,
    }
    const limits = node({ caller: 100, business: 100, type: 100 }, { db: counting })
    expect(await admitted(limits, one("key:1"), 100)).toBe(100)
    expect(statements).toBe(1)
    expect(await admitted(limits, one("key:1"), 100)).toBeLessThan(20)
    expect(statements).toBeLessThanOrEqual(4)
  })

  test("nodes whose leases name the same keys in opposite orders never deadlock", async () => {
    const keys = Array.from({ length: 40 }, (_, n) => ({ key: `caller:${n}`, perSecond: 1e6, least: 1, want: 1 }))
    const rounds = Array.from({ length: 60 }, (_, n) => leaseTokens(db, n % 2 === 0 ? keys : keys.toReversed()))
    for (const leases of await Promise.all(rounds)) expect(leases.every(({ granted }) => granted === 1)).toBe(true)
  })

  test("a load is taken as a whole or not at all", async () => {
    const limits = node({ business: 5, type: 50 })
    const mixed = { caller: null, events: [...one(null, "t", "b1").events, ...one(null, "t", "b2").events] }
    expect(await admitted(limits, mixed, 50)).toBe(5)
    expect(await admitted(limits, one(null, "t", "b3"), 5)).toBe(5)
  })

  test("a batch costs its number of events, read or not; unread ones cost their caller alone", async () => {
    const limits = node({ caller: 10, business: 100 })
    const batch = { caller: "key:1", events: one("key:1").events, unread: 9 }
    expect(await admitted(limits, batch, 2)).toBe(1)
    expect(await admitted(limits, one("key:2"), 10)).toBe(10)
  })

  test("no caller comes around its limit by the case or the composition of its types, no tenant uses up another's", async () => {
    const limits = node({ type: 3 })
    const spellings = ["café.open", "CAFÉ.OPEN", "cafe\u0301.open", "Ｃafé.open"]
    let passed = 0
    for (const type of spellings) passed += await admitted(limits, one(null, type), 3)
    expect(passed).toBe(3)
    expect(await admitted(limits, one(null, "café.open", "B1"), 3)).toBe(3)
  })

  test("nor by many keys: the business that they all serve has its own limit", async () => {
    const limits = node({ caller: 10, business: 20 })
    const keys = Array.from({ length: 30 }, (_, n) => one(`key:${n}`))
    const answers = await Promise.all(keys.map((load) => limits.admit(load)))
    expect(answers.filter(({ kind }) => kind === "admitted")).toHaveLength(20)
    expect(answers.find(({ kind }) => kind === "limited")).toMatchObject({ by: "business", standing: { remaining: 0 } })
  })

  test("a caller is its key or its token's subject; no bucket holds a person's address", () => {
    const principal: Principal = {
      kind: "key",
      label: "key:abc",
      recipient: null,
      service: true,
      admin: false,
      tenancy: "*",
      expiresAt: null,
    }
    expect(callerOf(principal)).toBe("key:abc")
    const person = (id: string) =>
      callerOf({ ...principal, kind: "person", label: "person", recipient: recipientId(id) })
    expect(person("ann@example.com")).not.toContain("ann")
    expect(person("ann@example.com")).not.toBe(person("bob@example.com"))
  })

  test("a type of any length fits into a bucket's key", async () => {
    const limits = node({ type: 1 })
    const long = "ﷺ".repeat(256)
    expect(await admitted(limits, one(null, long), 2)).toBe(1)
    const [charge] = chargesOf({ ...NONE, type: 1 }, one(null, long))
    expect(charge?.key.length).toBeLessThan(100)
  })

  test("a caller that is known to be over its limit is refused without a query, until there may be more", async () => {
    const limits = node({ caller: 5 })
    expect(limits.refusesCaller("key:1")).toBeNull()
    expect(await admitted(limits, one("key:1"), 20)).toBe(5)
    expect(limits.refusesCaller("key:1")).toMatchObject({ kind: "limited", by: "caller" })
    expect(limits.refusesCaller("key:2")).toBeNull()
    await eventually(
      async () => limits.refusesCaller("key:1"),
      (refusal) => refusal === null,
      { withinMs: 2_000, what: "the caller is let in again" },
    )
  })

  test("without the setting there is nothing to ask", () => {
    expect(createRateLimits({ limits: NONE, db, clock: systemClock })).toBeNull()
  })

  test("while the database is away nobody is let in: whoever waits hears the database's error", async () => {
    const away: Queryable = { query: () => Promise.reject(new Error("Connection terminated")), execute: db.execute }
    const limits = node({ caller: 5 }, { db: away })
    const asked = await Promise.allSettled([limits.admit(one("key:1")), limits.admit(one("key:1"))])
    for (const { status } of asked) expect(status).toBe("rejected")
    await expect(limits.admit(one("key:1"))).rejects.toThrow("Connection terminated")
  })

  test("more than may wait for a lease are told that the hub is overloaded", async () => {
    const limits = node({ caller: 100 }, { maxWaiting: 2 })
    const answers = await Promise.all(Array.from({ length: 4 }, () => limits.admit(one("key:1"))))
    expect(answers.map(({ kind }) => kind)).toEqual(["admitted", "admitted", "overloaded", "overloaded"])
  })
})

const age = (seconds: number, key: string): Promise<number> =>
  db.execute("update rate_buckets set filled_at = now() - make_interval(secs => $1) where key = $2", [seconds, key])

describe("a bucket", () => {
  const lease = async (least: number, want: number, perSecond = 10): Promise<number> => {
    const [given] = await leaseTokens(db, [{ key: "a", perSecond, least, want }])
    return given?.granted ?? -1
  }

  test("holds one second's worth, however long nobody has asked", async () => {
    expect(await lease(1, 100)).toBe(10)
    await age(30, "a")
    expect(await lease(1, 100)).toBe(10)
  })

  test("fills by the database's clock", async () => {
    expect(await lease(1, 1_000, 1_000)).toBe(1_000)
    await age(0.3, "a")
    const given = await lease(1, 10_000, 1_000)
    expect(given).toBeGreaterThanOrEqual(300)
    expect(given).toBeLessThan(1_000)
  })

  test("gives nothing where it holds less than the least that is of use, and then still has it for others", async () => {
    expect(await lease(1, 8)).toBe(8)
    await age(-3, "a") // so that nothing comes in meanwhile
    expect(await lease(5, 5)).toBe(0)
    expect(await lease(1, 5)).toBe(2)
  })

  test("that is full lends what is larger than itself, and gives nothing until that is paid back", async () => {
    expect(await lease(250, 250)).toBe(250)
    await age(12, "a")
    expect(await lease(1, 1)).toBe(0)
    await age(14, "a")
    expect(await lease(1, 1)).toBe(1)
    await age(-3, "a")
    expect(await lease(25, 25)).toBe(0)
  })
})

describe("buckets that nobody uses", () => {
  const keys = async (): Promise<readonly string[]> =>
    (await db.query<{ key: string }>("select key from rate_buckets order by key")).map(({ key }) => key)

  test("are forgotten after a minute, a page at a time; one that still owes keeps its row", async () => {
    const request = { perSecond: 10, least: 1, want: 1 }
    await leaseTokens(
      db,
      ["a", "b", "c"].map((key) => ({ ...request, key })),
    )
    await leaseTokens(db, [{ key: "owes", perSecond: 10, least: 900, want: 900 }])
    for (const key of ["a", "b", "owes"]) await age(61, key)
    const first = await sweepBuckets(db, "", 1, 60_000)
    expect(first).toEqual({ gone: 1, next: "a" })
    expect(await sweepBuckets(db, "a", 10, 60_000)).toEqual({ gone: 1, next: null })
    expect(await keys()).toEqual(["c", "owes"])
    await age(3_601, "owes")
    await sweepBuckets(db, "", 10, 60_000)
    expect(await keys()).toEqual(["c"])
  })

  test("the limiter sweeps by itself while it leases", async () => {
    const clock = fakeClock()
    const limits = node({ caller: 5 }, { clock })
    await limits.admit(one("key:old"))
    await age(61, "caller:key:old")
    await clock.advance(60_000)
    await limits.admit(one("key:new"))
    await eventually(keys, (found) => found.length === 1, { withinMs: 2_000, what: "the old bucket is gone" })
    expect(await keys()).toEqual(["caller:key:new"])
  })

  test("many of them are swept page after page, without a minute between", async () => {
    const clock = fakeClock()
    const limits = node({ caller: 5 }, { clock })
    await db.execute(
      `insert into rate_buckets (key, tokens, filled_at, least, granted)
       select 'type:b1:' || n, 5, now() - interval '2 minutes', 1, 1 from generate_series(1, 5000) n`,
    )
    await clock.advance(60_000)
    const count = async (): Promise<number> => (await keys()).length
    // Those that ask stand in the pages too.
    for (const left of [3_010, 1_010, 10]) {
      await limits.admit(one(`key:${left}`))
      await eventually(count, (found) => found <= left, { withinMs: 2_000, what: "buckets" })
      await clock.advance(1_000)
    }
  })

  test("are left alone for a minute by a sweep that failed", async () => {
    const clock = fakeClock()
    let sweptPages = 0
    let failed = 0
    let works = true
    const failing: Queryable = {
      ...db,
      async query(text, values) {
        if (!text.includes("looked")) return db.query(text, values)
        if (works) return db.query<never>(text, values).finally(() => sweptPages++)
        failed += 1
        throw new Error("away")
      },
    }
    const limits = node({ caller: 5 }, { clock, db: failing })
    await db.execute(
      `insert into rate_buckets (key, tokens, filled_at, least, granted)
       select 'type:b1:' || n, 5, now() - interval '2 minutes', 1, 1 from generate_series(1, 5000) n`,
    )
    await clock.advance(60_000)
    await limits.admit(one("key:1"))
    await eventually(
      async () => sweptPages,
      (pages) => pages === 1,
      { withinMs: 2_000, what: "swept pages" },
    )
    works = false
    for (let n = 2; n < 6; n++) {
      await clock.advance(1_000)
      await limits.admit(one(`key:${n}`))
      await eventually(
        async () => failed,
        (found) => found === 1,
        { withinMs: 2_000, what: "failed sweeps" },
      )
    }
  })

  test("a bucket whose database clock was set back counts from now on instead of staying dry", async () => {
    const request = { key: "a", perSecond: 10, least: 1, want: 10 }
    expect(await leaseTokens(db, [request])).toMatchObject([{ granted: 10 }])
    await age(-3_600, "a")
    await leaseTokens(db, [request])
    const [row] = await db.query<{ ahead: number }>(
      "select extract(epoch from filled_at - now())::float8 as ahead from rate_buckets",
    )
    expect(row?.ahead).toBeLessThan(1)
  })
})
