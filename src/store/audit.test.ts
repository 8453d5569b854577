// Each way of tampering is done as somebody who may do anything in the database, triggers off.
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { appendAudit, auditHead, firstBrokenEntry, listAudit } from "./audit.ts"
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
    [
      "one that was written while the clock was set back, whatever its hash",
      6,
      [
        `with made as (
           select 6::bigint as seq, at - interval '1 day' as at, actor, action, businesses, 'later'::text as key, detail, hash as previous
           from audit_log where seq = 5
         ), entry as (
           insert into audit_log select seq, at, actor, action, businesses, key, detail, previous,
             sha256(previous || convert_to(jsonb_build_array(seq, extract(epoch from at), actor, action, businesses, key, detail)::text, 'utf8'))
           from made returning seq, hash
         ) update audit_head set seq = entry.seq, hash = entry.hash from entry`,
      ],
    ],
    [
      "one that was put in between, the others moved",
      3,
      [
        "update audit_log set seq = 6 where seq = 5",
        "update audit_log set seq = 5 where seq = 4",
        "update audit_log set seq = 4 where seq = 3",
        "insert into audit_log select 3, at, actor, action, businesses, 'other', detail, previous, hash from audit_log where seq = 4",
        "update audit_head set seq = 6",
      ],
    ],
    ["another order of all", 1, ["update audit_log set seq = seq + 100", "update audit_log set seq = 106 - seq"]],
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

  test("whose tail and end were cut off together is found by an end that was kept elsewhere", async () => {
    const anchor = await auditHead(db)
    expect(await firstBrokenEntry(db, anchor)).toBeNull()
    await tamper(
      "delete from audit_log where seq = 5",
      "update audit_head set seq = 4, hash = (select hash from audit_log where seq = 4)",
    )
    expect(await firstBrokenEntry(db)).toBeNull()
    expect(await firstBrokenEntry(db, anchor)).toBe(5)
  })
})
