import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import { eventually } from "../testing/eventually.ts"
import { testDatabase } from "../testing/postgres.ts"
import { type Database, databaseProblem, openDatabase } from "./database.ts"

let db: Database
let url: string
let drop: () => Promise<void>
const health: string[] = []
beforeAll(async () => {
  const made = await testDatabase()
  drop = made.drop
  url = made.url
  db = openDatabase({ url, onHealth: (error) => health.push(error === null ? "up" : "down") })
})
afterAll(async () => {
  await db.close()
  await drop()
})

/** Ends every other connection to this database, as a restart would. */
const cutOthers = async (): Promise<void> => {
  const other = openDatabase({ url, max: 1 })
  await other.query(
    "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
  )
  await other.close()
}

describe("values", () => {
  test("arrays arrive as they were given, whatever is in them", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.option(fc.string({ unit: "binary" }).filter((text) => !text.includes("\0") && text.isWellFormed())),
        ),
        fc.array(fc.option(fc.uint8Array())),
        fc.array(fc.option(fc.double({ noNaN: true }))),
        async (texts, bytes, numbers) => {
          const buffers = bytes.map((one) => (one === null ? null : Buffer.from(one)))
          const [row] = await db.query<{ t: unknown; b: unknown; n: readonly (number | null)[] }>(
            "select $1::text[] as t, $2::bytea[] as b, $3::float8[] as n",
            [texts, buffers, numbers],
          )
          expect(row?.t).toEqual(texts)
          expect(row?.b).toEqual(buffers)
          expect(row?.n.map(String)).toEqual(numbers.map((n) => String(n === 0 ? 0 : n)))
        },
      ),
      { numRuns: 100 },
    )
  })
})

describe("a transaction", () => {
  test("says why it failed, also where a statement sent behind the one that failed is heard of first", async () => {
    const failed = db.transaction(async (tx) => {
      const first = tx.query("select 1 / 0")
      const behind = tx.query("select 1")
      const late = first.finally(() => behind.catch(() => []))
      await Promise.all([late, behind])
    })
    await expect(failed).rejects.toThrow("division by zero")
  })

  test("is rolled back when its work throws, and the connection is sound afterwards", async () => {
    await db.execute("create table if not exists t (n int)")
    const failed = db.transaction(async (tx) => {
      await tx.execute("insert into t values (1)")
      throw new Error("changed my mind")
    })
    expect(await failed.catch((error: Error) => error.message)).toBe("changed my mind")
    expect(await db.query("select n from t")).toEqual([])
  })

  test("keeps its connection and lets its locks go when its work throws", async () => {
    const single = openDatabase({ url, max: 1 })
    const pid = () => single.query<{ pid: number }>("select pg_backend_pid() as pid")
    const before = await pid()
    const failed = single.transaction(async (tx) => {
      await tx.execute("create table held (n int)")
      throw new Error("changed my mind")
    })
    await expect(failed).rejects.toThrow("changed my mind")
    expect(
      await db.query("select from pg_locks where pid = $1 and locktype = 'relation'", [before[0]?.pid ?? 0]),
    ).toEqual([])
    expect(await pid()).toEqual(before)
    await single.close()
  })

  test("whose connection is cut in the middle fails as away, and the next one works", async () => {
    const failed = db.transaction(async (tx) => {
      await tx.query("select 1")
      await cutOthers()
      await tx.query("select 2")
    })
    expect(databaseProblem(await failed.catch((error: unknown) => error))).toBe("away")
    expect(await db.transaction((tx) => tx.query<{ n: number }>("select 3 as n"))).toEqual([{ n: 3 }])
    expect(health.at(-1)).toBe("up")
  })

  test("that failed left nothing behind, whichever of its statements was cancelled", async () => {
    await db.execute("create table pairs (key int, half int)")
    const cancelling = openDatabase({ url, max: 1, applicationName: "cancelling" })
    const failed: number[] = []
    let key = 0
    // Bounded by what is tried: how many of these a cancel meets depends on how busy the machine is.
    const store = async (): Promise<void> => {
      while (key < 6_000) {
        const mine = ++key
        await db
          .transaction(async (tx) => {
            await tx.execute("insert into pairs values ($1, 1)", [mine])
            await tx.execute("insert into pairs values ($1, 2)", [mine])
          })
          .catch(() => failed.push(mine))
      }
    }
    const cancel = async (): Promise<void> => {
      while (key < 6_000) {
        await cancelling.query(
          "select pg_cancel_backend(pid) from pg_stat_activity where datname = current_database() and application_name = 'hubbub'",
        )
      }
    }
    await Promise.all([...Array.from({ length: 8 }, store), cancel()])
    expect(failed).not.toEqual([])
    expect(await cancelling.query("select key from pairs where key = any($1::int[])", [failed])).toEqual([])
    await cancelling.close()
  }, 30_000)

  test("says that it is still there while it works out what to say, and is not given up for its silence", async () => {
    const silent = openDatabase({ url, max: 1, silentMs: 600 })
    const word = await silent.transaction(async (tx) => {
      const [me] = await tx.query<{ pid: number }>("select pg_backend_pid() as pid")
      const heard = new Set<string | undefined>()
      const last = () =>
        db.query<{ at: string }>("select query_start::text as at from pg_stat_activity where pid = $1", [me?.pid ?? 0])
      // Four words, each a third of the time after which it would be gone.
      await eventually(last, ([row]) => heard.add(row?.at).size > 4, {
        withinMs: 10_000,
        what: "words of a transaction",
      })
      const [row] = await tx.query<{ word: string }>("select 'there' as word")
      return row?.word
    })
    expect(word).toBe("there")
    await silent.close()
  })

  test("fails when its work hides that a statement failed: nothing of it was committed", async () => {
    await db.execute("create table hidden (n int)")
    const hiding = db.transaction(async (tx) => {
      await tx.execute("insert into hidden values (1)")
      await tx.query("select 1/0").catch(() => {})
    })
    await expect(hiding).rejects.toThrow("hid that one of its statements failed")
    expect(await db.query("select n from hidden")).toEqual([])
  })
})

describe("the pool", () => {
  test("is kept while all its connections are busy: callers that waited too long do not make more of them", async () => {
    const busy = openDatabase({ url, max: 2, applicationName: "busy" })
    const waitedLongEnough = Promise.withResolvers<void>()
    const slow = Promise.all([1, 2].map(() => busy.transaction(() => waitedLongEnough.promise)))
    const waited = await Promise.allSettled(Array.from({ length: 9 }, () => busy.query("select 1")))
    expect(waited.map(({ status }) => status)).toEqual(Array.from({ length: 9 }, () => "rejected"))
    const connections = () => db.query("select pid from pg_stat_activity where application_name = 'busy' order by pid")
    const before = await connections()
    expect(before).toHaveLength(2)
    waitedLongEnough.resolve()
    await slow
    await busy.query("select 1")
    expect(await connections()).toEqual(before)
    await busy.close()
  }, 10_000)

  test("plans no compiling: a small table that has no index is read in no time", async () => {
    const plan = await db.query<Record<string, string>>("explain (analyze) select epoch from hub_meta")
    expect(plan.flatMap((row) => Object.values(row)).filter((line) => line.includes("JIT"))).toEqual([])
  })
})

describe("problems", () => {
  test("of one statement do not say that the database is down", async () => {
    await db.query("select 1")
    const before = health.length
    await expect(db.query("select pg_cancel_backend(pg_backend_pid())")).rejects.toThrow("canceling statement")
    expect(health.slice(before)).toEqual([])
  })

  test("are sorted into away and refused, and what is no problem of the database is neither", async () => {
    const problemOf = async (text: string) => databaseProblem(await db.query(text).catch((error: unknown) => error))
    expect(await problemOf("select 1/0")).toBe("refused")
    expect(await problemOf("select pg_cancel_backend(pg_backend_pid())")).toBe("away")
    expect(databaseProblem(new Error("a bug"))).toBeNull()
    const nobody = openDatabase({ url: "postgres://hub@127.0.0.1:1/none" })
    expect(databaseProblem(await nobody.query("select 1").catch((error: unknown) => error))).toBe("away")
    await nobody.close()
  })
})
