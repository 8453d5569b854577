import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { listAudit } from "../store/audit.ts"
import { type Database, openDatabase } from "../store/database.ts"
import { runCommand } from "../testing/hub-command.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { seedDeliveries } from "../testing/seed-deliveries.ts"
import { testEnvironment } from "../testing/start-hub.ts"
import { dlqList, dlqReplay } from "./dlq.ts"

let server: TestDatabase
let db: Database
let env: Readonly<Record<string, string>>
let ids: readonly string[]
const folder = mkdtempSync(join(tmpdir(), "hub-dlq-"))
beforeAll(async () => {
  server = await testDatabase()
  db = openDatabase({ url: server.url, max: 2 })
  env = testEnvironment(server.url, folder)
})
beforeEach(async () => {
  await db.execute("truncate deliveries, messages, attempts, replay_pace")
  ids = await seedDeliveries(db, [{}, {}, { channel: "sms" }])
  await db.execute(
    "update deliveries set status = 'dead', reason = 'attempts_exhausted', settled_at = now(), account = 'own'",
  )
})
afterAll(async () => {
  await db.close()
  await server.drop()
  rmSync(folder, { recursive: true, force: true })
})

const statuses = async () =>
  (await db.query<{ status: string }>("select status from deliveries order by id")).map(({ status }) => status)

describe("hub dlq", () => {
  test("list counts by cause and names each; finding some is exit code 1, none is 0", async () => {
    const all = await runCommand(dlqList, [], env)
    expect(all.code).toBe(1)
    expect(all.out).toContain("2  telegram (own)  dead  attempts_exhausted  a-rule")
    for (const id of ids) expect(all.out).toContain(id)
    const some = await runCommand(dlqList, ["--channel", "sms", "--json"], env)
    expect(JSON.parse(some.out)).toMatchObject({ data: [{ id: ids[2] }], groups: [{ count: 1 }], has_more: false })
    expect(await runCommand(dlqList, ["--channel", "voice"], env)).toMatchObject({ code: 0, out: "No dead letters." })
  })

  test("replay says what it would do, does it once for each id, and is in the audit log", async () => {
    const dry = await runCommand(dlqReplay, ["--channel", "telegram", "--dry-run"], env)
    expect(dry.out).toContain("2 would be sent again.")
    expect(await statuses()).toEqual(["dead", "dead", "dead"])
    const args = ["--channel", "telegram", "--per-second", "1000", "--replay-id", "monday"]
    expect((await runCommand(dlqReplay, args, env)).out).toContain("2 are sent again")
    const again = await runCommand(dlqReplay, args, env)
    expect([again.code, again.err]).toEqual([0, "That was done before, under this replay id."])
    expect((await statuses())[2]).toBe("dead")
    expect((await listAudit(db, { businesses: null, after: null, limit: 50 })).entries).toMatchObject([
      { actor: "cli", detail: { replayed: 2 } },
    ])
  })

  test("replay of one sends that one, and says why not another", async () => {
    const [id = ""] = ids
    expect((await runCommand(dlqReplay, [id], env)).out).toBe("1 is sent again.")
    expect(await runCommand(dlqReplay, [id], env)).toMatchObject({ code: 1, err: "It is queued, not a dead letter." })
  })

  test.each([
    ["replay", [], "which?"],
    ["replay", ["--all", "--channel", "sms"], "which?"],
    ["replay", ["dlv_1"], "<dlv_…>: expected a delivery's id"],
    ["replay", ["--channel", "pigeon"], "--channel: expected"],
    ["replay", ["--all", "--per-second", "many"], "--per-second: expected"],
    ["list", ["--since", "monday"], "--since: expected"],
    ["list", ["--limit", "0"], "--limit: expected"],
  ])("%s %j is a misuse that says what was expected", async (verb, args, message) => {
    const { code, err } = await runCommand(verb === "list" ? dlqList : dlqReplay, args, env)
    expect(code).toBe(2)
    expect(err).toContain(message)
  })
})
