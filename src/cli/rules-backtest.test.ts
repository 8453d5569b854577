import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import type { EventId } from "../domain/ids.ts"
import { forgetBacktest, lastBacktest } from "../store/backtests.ts"
import { type Database, openDatabase } from "../store/database.ts"
import { addToList } from "../store/lists.ts"
import { upsertRecipients } from "../store/recipients.ts"
import { seal } from "../store/sealed.ts"
import { business, location, recipient } from "../testing/builders.ts"
import { type GitRepository, gitRepository } from "../testing/git-repository.ts"
import { type Ran, runCommand } from "../testing/hub-command.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { oneRule, PLAIN_TEMPLATE } from "../testing/rule-fixtures.ts"
import { eventsExport } from "./events-export.ts"
import { rulesBacktest } from "./rules-backtest.ts"

const T = Date.UTC(2026, 2, 2, 9)
const rules = (days: number, to = "roles: [r]"): string =>
  oneRule({
    conditions: `">=": [{ var: payload.days }, ${days}]`,
    action: `to: { ${to} }\nchannels: [inapp, sms]\ntemplate: plain\ncooldown: 10m`,
  })

let repository: GitRepository
let server: TestDatabase
let db: Database
beforeAll(async () => {
  repository = await gitRepository()
  await repository.commit("seven", { ...PLAIN_TEMPLATE, "rules/a.yaml": rules(7) })
  server = await testDatabase()
  db = openDatabase({ url: server.url, max: 2 })
})
afterAll(async () => {
  await db.close()
  await server.drop()
  await repository.remove()
})

interface Row {
  readonly minute: number
  readonly days: number
  /** By how much the clock of the node that made the id was ahead. */
  readonly ahead?: number
}

/** An id as a node makes it at a moment, the same every time. */
const idAt = (ms: number, n: number): EventId => {
  const digits = "0123456789abcdefghjkmnpqrstvwxyz"
  let time = ""
  for (let rest = ms, i = 0; i < 10; i += 1, rest = Math.floor(rest / 32)) time = (digits[rest % 32] ?? "") + time
  return `evt_${time}${String(n).padStart(16, "0")}` as EventId // built to the pattern
}

async function store(rows: readonly (Row & { readonly n: number })[]): Promise<void> {
  await db.execute("delete from events")
  for (const { minute, days, n, ahead = 0 } of rows) {
    const at = T + minute * 60_000
    await db.execute(
      `insert into events (id, business_id, location_id, type, source, severity, occurred_at, accepted_at, content_hash, payload)
       values ($1, 'b1', 'l1', 'test.happened', 's', 'info', to_timestamp($2::float8 / 1000), to_timestamp($2::float8 / 1000), '', $3)`,
      [idAt(at + ahead, n), at, seal({ days })],
    )
  }
}

const people = async (ids: readonly string[]): Promise<void> => {
  await db.execute("delete from recipients")
  await upsertRecipients(
    db,
    ids.map((id, i) => ({
      ...recipient(id, { phone: `+96477000000${10 + i}`, email: `${id}@x.example` }),
      memberships: [{ business: business("b1"), locations: [location("l1")], roles: ["r"] }],
    })),
    null,
  )
}

const run = (...args: readonly string[]): Promise<Ran> =>
  runCommand(
    rulesBacktest,
    ["--rules", join(repository.dir, "rules"), "--templates", join(repository.dir, "templates"), ...args],
    { DATABASE_URL: server.url },
  )
const SPAN = ["--since", "2026-03-01", "--until", "2026-03-05T00:00:00Z"] as const
const ROWS = [5, 9, 6, 8, 7, 4].map((days, n): Row & { n: number } => ({ minute: n * 4, days, n }))

describe("hub rules backtest", () => {
  test("replays the database's events under a revision and the working folder: the same bytes each time, however they were stored", async () => {
    await people(["u1", "u2"])
    await store(ROWS)
    await repository.write({ "rules/a.yaml": rules(5) })
    const first = await run("--base", "main", ...SPAN, "--markdown")
    expect([first.code, first.err]).toEqual([1, ""])
    expect(first.out).toContain("| `the-rule` | 3 → 5 (+2) | 2 | inapp 4, sms 4 | cooldown 4 → 12 |")
    expect(first.out).toContain("`payload.days (5) >= 7 is false`")
    expect(await run("--base", "main", ...SPAN, "--markdown")).toEqual(first)
    await store(ROWS.toReversed())
    expect(await run("--base", "main", ...SPAN, "--markdown")).toEqual(first)
    expect(await db.query("select id from notifications union all select id from deliveries")).toEqual([])
  })

  test("keeps its report for the page, the last one alone; where it cannot be kept the answer is the same", async () => {
    await people(["u1"])
    await store(ROWS)
    await repository.write({ "rules/a.yaml": rules(5) })
    await run("--base", "main", ...SPAN, "--limit", "1")
    const { out } = await run("--base", "main", ...SPAN, "--json")
    expect((await lastBacktest(db))?.report).toEqual(JSON.parse(out))
    await forgetBacktest(db, null)
    await db.execute("alter table backtests rename to elsewhere")
    try {
      const reader = await run("--base", "main", ...SPAN, "--json")
      expect(reader).toEqual({ code: 1, out, err: expect.stringContaining("not kept for the page /rules") })
    } finally {
      await db.execute("alter table elsewhere rename to backtests")
    }
    expect(await lastBacktest(db)).toBeNull()
  })

  test("takes two revisions, and finds nothing between a commit and itself", async () => {
    const head = await repository.commit("five", { "rules/a.yaml": rules(5) })
    await store(ROWS)
    const both = await run("--base", "HEAD~1", "--head", head, ...SPAN, "--json")
    const report = JSON.parse(both.out)
    expect([both.code, report.base.revision, report.head.revision]).toEqual([
      1,
      await repository.git("rev-parse", "HEAD~1"),
      head,
    ])
    const none = await run("--base", head, ...SPAN)
    expect([none.code, none.out.split("\n")[0]]).toEqual([0, "Nothing would be different."])
  })

  test("replays in the order of acceptance, where a node's clock was ahead of the database's", async () => {
    await people(["u1"])
    await repository.write({ "rules/a.yaml": rules(5) })
    // By ids the second comes last: then its cooldown would hold back nobody, and end in the past.
    await store([
      { minute: 0, days: 5, n: 0 },
      { minute: 1, days: 9, n: 1, ahead: 90_000 },
      { minute: 2, days: 9, n: 2 },
    ])
    const { out } = await run("--base", "HEAD~1", ...SPAN, "--json")
    expect(JSON.parse(out).events).toMatchObject({ replayed: 3, out_of_order: 0 })
    expect(JSON.parse(out).rules[0].messages.sms).toEqual({ before: 1, after: 1 })
  })

  test("counts events whose payload is gone, and leaves out what lies before and after the span or in another business", async () => {
    await store(ROWS)
    await db.execute("update events set payload = $1 where id like '%1'", [seal(null)])
    await db.execute("update events set payload = $1 where id like '%3'", [Buffer.from([99])])
    const { out } = await run("--base", "main", ...SPAN, "--json")
    expect(JSON.parse(out).events).toMatchObject({ replayed: 4, unreadable: 2 })
    const until = ["--since", "2026-03-02T09:04:00Z", "--until", "2026-03-02T09:16:00Z"]
    expect(JSON.parse((await run("--base", "main", ...until, "--json")).out).events).toMatchObject({
      replayed: 1,
      unreadable: 2,
    })
    const other = await run("--base", "main", ...SPAN, "--business", "b2", "--json")
    expect(JSON.parse(other.out).events).toMatchObject({ replayed: 0, unreadable: 0 })
  })

  test("takes people as they are now: roles, lists and who belongs to another business", async () => {
    await people(["u1", "u2"])
    await store([{ minute: 0, days: 9, n: 0 }])
    await addToList(db, business("b1"), "vip", recipient("u2").id)
    await repository.write({ "rules/a.yaml": rules(5, "lists: [vip]") })
    const { out } = await run("--base", "HEAD", ...SPAN, "--json")
    expect(JSON.parse(out).rules[0].recipients).toEqual({ before: 2, after: 1, gained: 0, lost: 1 })
    expect(JSON.parse(out).rules[0].examples.lost[0].recipient).toBe("u1")
  })

  test("finds the same in what was exported, which holds no address", async () => {
    await people(["u1", "u2"])
    await store(ROWS)
    await repository.write({ "rules/a.yaml": rules(5) })
    const exported = await runCommand(eventsExport, [...SPAN], { DATABASE_URL: server.url })
    expect(exported.code).toBe(0)
    expect(exported.out).not.toContain("x.example")
    expect(exported.out).not.toContain("9647700")
    const file = join(repository.dir, "events.ndjson")
    await writeFile(file, exported.out)
    const over = await run("--base", "HEAD~1", "--events", file, "--json")
    expect(over.out).toBe((await run("--base", "HEAD~1", ...SPAN, "--json")).out)
  })

  test("needs no more of the database than to read it", async () => {
    await people(["u1"])
    await store(ROWS)
    const reader = `hub_reader_${crypto.randomUUID().slice(0, 8)}`
    await db.execute(`create role ${reader} login in role pg_read_all_data`)
    try {
      const url = new URL(server.url)
      url.username = reader
      const args = ["--rules", join(repository.dir, "rules"), "--templates", join(repository.dir, "templates")]
      const ran = await runCommand(rulesBacktest, [...args, "--base", "main", ...SPAN, "--json"], {
        DATABASE_URL: url.href,
      })
      expect([ran.code, JSON.parse(ran.out).events.replayed]).toEqual([0, ROWS.length])
    } finally {
      await db.execute(`drop role ${reader}`)
    }
  })

  test("says why a database cannot be used", async () => {
    const url = server.url.replace(/\/[^/]*$/, "/there_is_none")
    const { code, err } = await runCommand(rulesBacktest, ["--base", "HEAD"], { DATABASE_URL: url })
    expect([code, err]).toEqual([2, expect.stringContaining("hub: the database cannot be used: ")])
  })

  test("shows how far it is where somebody is looking on, and takes that away in the end", async () => {
    await store(ROWS)
    const shown: (string | null)[] = []
    await rulesBacktest.run({
      args: [
        "--base",
        "main",
        ...SPAN,
        "--rules",
        join(repository.dir, "rules"),
        "--templates",
        join(repository.dir, "templates"),
      ],
      env: { DATABASE_URL: server.url },
      out: () => {},
      err: () => {},
      progress: (line) => shown.push(line),
    })
    expect(shown).toEqual(["██████████░░░░░░░░░░░░░░░░░░░░ 35 %  6 events", null])
  })

  test.each([
    [["--base", "mian"], 'no revision "mian" in this repository; did you mean "main"?'],
    [["--base", "--output=x"], "--base"],
    [[], "--base: expected a revision to compare with"],
    [["--base", "main", "--since", "soon"], "--since: expected a duration such as 7d"],
    [["--base", "main", "--since", "1d", "--until", "2d"], "--since: expected a time before --until"],
    [["--base", "main", "--limit", "0"], "--limit: expected a whole number from 1"],
    [["--base", "main", "--business", "b 1"], "--business: expected"],
    [["--base", "main", "--markdown", "--json"], "expected one of them"],
    [["--base", "main", "--events", "/nowhere.ndjson"], "/nowhere.ndjson cannot be read (ENOENT)"],
  ])("%j is misuse: it says what was expected", async (args, words) => {
    const { code, out, err } = await run(...args)
    expect([code, out]).toEqual([2, ""])
    expect(err).toContain(words)
  })

  test("says why the rules of a revision do not load, and that a folder is in no repository", async () => {
    await repository.commit("broken", { "rules/a.yaml": oneRule().replace("notify", "shout") })
    await repository.write({ "rules/a.yaml": rules(5) })
    const broken = await run("--base", "HEAD", ...SPAN)
    expect(broken.code).toBe(2)
    expect(broken.err).toContain("the rules of HEAD do not load:")
    expect(broken.err).toContain('rules/a.yaml:5:15 unknown action type "shout"')
    const nowhere = await runCommand(rulesBacktest, ["--base", "main", "--rules", "/tmp", "--templates", "/tmp"], {})
    expect(nowhere.code).toBe(2)
    expect(nowhere.err).toStartWith("hub: /tmp is in no git repository that can be read: ")
  })
})

describe("a file of recorded events", () => {
  test.each([
    ["nonsense", ":1 is no JSON object"],
    ["{}", ':1 has neither "event" nor "recipient"'],
    ['\n{"event":{"id":"x"}}', ":2 event.id: expected evt_…"],
    ['{"recipient":{"id":"u1","emial":"x"}}', ":1 /recipient/emial: unknown field"],
  ])("%j is refused with its line", async (text, words) => {
    const file = join(repository.dir, "bad.ndjson")
    await writeFile(file, text)
    await repository.write({ "rules/a.yaml": rules(5) })
    const { code, err } = await run("--base", "HEAD~1", "--events", file)
    expect(code).toBe(2)
    expect(err).toContain(`${file}${words}`)
  })
})
