// How the statements that every delivery pays for are planned: once, and by keys alone, however many wait.
import { afterAll, beforeAll, expect, test } from "bun:test"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { seedDeliveries } from "../testing/seed-deliveries.ts"
import { type Database, openDatabase } from "./database.ts"
import { claimDue, settleMany } from "./deliveries.ts"

const WAITING = 2_000
const ROUNDS = 12

let database: TestDatabase
let db: Database
beforeAll(async () => {
  database = await testDatabase()
  // One connection: its prepared statements are looked at.
  db = openDatabase({ url: database.url, max: 1 })
})
afterAll(async () => {
  await db.close()
  await database.drop()
})

/** What the connection has prepared: how often it was planned anew, and how often not. */
const planned = async (part: string) =>
  (
    await db.query<{ name: string; anew: number; once: number }>(
      `select name, custom_plans::int as anew, generic_plans::int as once from pg_prepared_statements
       where strpos(statement, $1) > 0 and strpos(statement, 'pg_prepared_statements') = 0`,
      [part],
    )
  )[0]

test("a claim and a settlement are planned once, and read no more rows than they take", async () => {
  await seedDeliveries(
    db,
    Array.from({ length: WAITING }, () => ({})),
  )
  await db.execute("analyze deliveries, messages")
  for (let round = 0; round < ROUNDS; round++) {
    const claimed = await claimDue(db, { channel: "telegram", limit: 3 + round, owner: "o", leaseMs: 15_000 })
    expect(claimed.length).toBe(3 + round)
    const outcome = { kind: "delivered", providerMessageId: null } as const
    const settlement = { status: "delivered", providerMessageId: null } as const
    const settled = await settleMany(
      db,
      "o",
      claimed.map(({ id, attempt }) => ({ id, attempt, outcome, settlement })),
    )
    expect(settled.every(({ kind }) => kind === "settled")).toBe(true)
  }
  // The server tries five plans of their own before it keeps one.
  const [claim, settle] = [await planned("claimed as"), await planned("logged as")]
  expect(claim).toMatchObject({ anew: 5, once: ROUNDS - 5 })
  expect(settle).toMatchObject({ anew: 5, once: ROUNDS - 5 })
  const plan = await db.query<{ "QUERY PLAN": string }>(`explain execute ${claim?.name}('telegram', 20, 'o', 15000)`)
  const lines = plan.map((row) => row["QUERY PLAN"])
  expect(lines.filter((line) => /Merge Join|Hash Join/.test(line))).toEqual([])
  expect(lines.filter((line) => /Seq Scan on (deliveries|messages)/.test(line))).toEqual([])
})
