// Each way of tampering is done as somebody who may do anything in the database, triggers off.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { appendAudit, firstBrokenEntry, listAudit } from "./audit.ts"
import { type Database, openDatabase } from "./database.ts"

let server: TestDatabase
let db: Database
beforeAll(async () => {
  server = await testDatabase()
  db = openDatabase({ url: server.url, max: 4 })
})
afterAll(async () => {
  await db.close()
  await server.drop()
})

const append = (n: number) =>
  appendAudit(db, { actor: "key:1", action: "test.done", businesses: null, key: `k${n}`, detail: { n, text: "ü\n" } })

describe("the audit log", () => {
  beforeEach(async () => {
    await tamper("delete from audit_log", "update audit_head set seq = 0, hash = '\\x00'")
    for (const n of [1, 2, 3, 4, 5]) await append(n)
  })

  /** Past the triggers, in one session. */
  const tamper = (...statements: readonly string[]): Promise<void> =>
    db.transaction(async (tx) => {
      await tx.execute("set local session_replication_role = replica")
      for (const statement of statements) await tx.execute(statement)
    })

  test("holds as it was written, newest first, page after page", async () => {
    expect(await firstBrokenEntry(db)).toBeNull()
    const first = await listAudit(db, { businesses: null, after: null, limit: 3 })
    expect(first.entries.map(({ seq, detail }) => [seq, detail["n"]])).toEqual([5, 4, 3].map((n) => [n, n]))
    expect(first.hasMore).toBe(true)
    const rest = await listAudit(db, { businesses: null, after: 3, limit: 3 })
    expect([rest.entries.map(({ seq }) => seq), rest.hasMore]).toEqual([[2, 1], false])
  })

  test("is in one order, however many append at once", async () => {
    await Promise.all([6, 7, 8, 9, 10].map(append))
    expect(await firstBrokenEntry(db)).toBeNull()
    expect((await listAudit(db, { businesses: null, after: null, limit: 1 })).entries).toMatchObject([{ seq: 10 }])
  })

  test.each([
    ["update", "update audit_log set actor = 'nobody'"],
    ["delete", "delete from audit_log"],
    ["truncate", "truncate audit_log"],
  ])("refuses an %s", async (_, statement) => {
    expect(await db.execute(statement).catch((error: unknown) => String(error))).toContain("audit_log is append-only")
  })

  test.each([
    ["an edited entry", 3, ["update audit_log set detail = '{\"n\": 30}' where seq = 3"]],
    [
      "an edited entry with a hash of its own",
      3,
      ["update audit_log set actor = 'x', hash = sha256('x') where seq = 3"],
    ],
    ["another time", 2, ["update audit_log set at = at - interval '1 hour' where seq = 2"]],
    ["an entry that is gone", 3, ["delete from audit_log where seq = 2"]],
    [
      "two that changed places",
      2,
      [
        "update audit_log set seq = 99 where seq = 2",
        "update audit_log set seq = 2 where seq = 3",
        "update audit_log set seq = 3 where seq = 99",
      ],
    ],
    ["a tail that was cut off", 5, ["delete from audit_log where seq = 5"]],
    [
      "one that was put in",
      6,
      [
        `insert into audit_log select 6, at, actor, action, businesses, 'other', detail, previous, hash from audit_log where seq = 5`,
      ],
    ],
  ] as const)("finds %s", async (_, broken, statements) => {
    await tamper(...statements)
    expect(await firstBrokenEntry(db)).toBe(broken)
  })
})
