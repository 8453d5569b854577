import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
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
  test("is rolled back when its work throws, and the connection is sound afterwards", async () => {
    await db.execute("create table if not exists t (n int)")
    const failed = db.transaction(async (tx) => {
      await tx.execute("insert into t values (1)")
      throw new Error("changed my mind")
    })
    expect(await failed.catch((error: Error) => error.message)).toBe("changed my mind")
    expect(await db.query("select n from t")).toEqual([])
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
})

describe("problems", () => {
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
