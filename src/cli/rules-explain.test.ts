import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { loadRuleSet } from "../routing/load.ts"
import { explainRuleError } from "../routing/rule-error.ts"
import { type Database, openDatabase } from "../store/database.ts"
import { incoming, location, recipient } from "../testing/builders.ts"
import { hubCommand, runCommand } from "../testing/hub-command.ts"
import { testDatabase } from "../testing/postgres.ts"
import { routedWorld } from "../testing/routed-world.ts"
import { type Folders, PLAIN_TEMPLATE, ruleFolders } from "../testing/rule-fixtures.ts"
import { rulesExplain } from "./rules-explain.ts"

const RULES = `rules:
  - name: overdue
    event_type: invoice.overdue
    conditions:
      - { field: days_overdue, operator: gte, value: 7 }
      - { field: amount, operator: gt, value: 100 }
    actions:
      - { type: notify, to: { roles: [accountant] }, channels: [inapp, email], template: plain, cooldown: 1h }
  - name: any-invoice
    event_type: invoice.*
    actions:
      - { type: notify, to: { roles: [owner] }, channels: [inapp], template: plain, delay: 1h }
  - name: broken
    event_type: invoice.broken
    actions:
      - { type: notify, to: { users: [{ var: payload.who }] }, channels: [inapp], template: plain }
`
const PEOPLE = [
  { id: "ann", business_id: "b1", roles: ["accountant"], email: "ann@example.com" },
  {
    id: "bob",
    business_id: "b1",
    roles: ["accountant"],
    preferences: { channels: { email: false } },
    email: "b@example.com",
  },
  { id: "cook", business_id: "b1", roles: ["cook"] },
]

let folders: Folders
let db: Database
let url: string
let drop: () => Promise<void>
const files = mkdtempSync(join(tmpdir(), "hub-explain-"))
const file = (name: string, text: string): string => {
  writeFileSync(join(files, name), text)
  return join(files, name)
}
const event = (amount: number, type = "invoice.overdue"): string =>
  JSON.stringify({ type, source: "erp", business_id: "b1", payload: { days_overdue: 9, amount } })
const people = file("people.jsonl", PEOPLE.map((one) => JSON.stringify({ recipient: one })).join("\n"))

beforeAll(async () => {
  folders = await ruleFolders({ ...PLAIN_TEMPLATE, "rules/a.yaml": RULES })
  const made = await testDatabase()
  url = made.url
  drop = made.drop
  db = openDatabase({ url })
})
afterAll(async () => {
  await db.close()
  await drop()
  await folders.remove()
  rmSync(files, { recursive: true })
})

const explain = (...args: readonly string[]) =>
  runCommand(rulesExplain, [...args, "--rules", folders.rulesDir, "--templates", folders.templatesDir], {
    NODE_ENV: "test",
    HUB_DATA_DIR: files,
    DATABASE_URL: url,
  })

describe("hub rules explain, of an event in a file", () => {
  test("says of each rule of its type whether it matches, by which clause, and whom it would tell", async () => {
    const { code, out, err } = await explain(file("small.json", event(80)))
    expect([code, err]).toEqual([0, ""])
    expect(out.split("\n")).toEqual([
      "invoice.overdue of erp, severity info, in b1",
      expect.stringMatching(/^2 rules listen to this type of event, 1 matched\. Revision [0-9a-f]+\.$/),
      "",
      "overdue did not match (rules/a.yaml:2:5)",
      "  payload.amount (80) > 100 is false",
      "  * false all of",
      "      true  payload.days_overdue (9) >= 7",
      "    * false payload.amount (80) > 100",
      "",
      "any-invoice matched (rules/a.yaml:9:5)",
      expect.stringMatching(/^ {2}the event type fits, no conditions; delayed until /),
      "  would tell role owner: inapp",
      expect.stringMatching(/^ {2}later: delay at /),
    ])
  })

  test("does not say that nobody is found where nobody was looked up, and names whom an event names", async () => {
    const owned = await explain(file("owned.json", event(800, "invoice.broken")))
    expect(owned.out).toContain("\n  the event type fits, no conditions; nobody is told: the event names no user\n")
    expect(owned.out).toContain("\n  would tell the user in payload.who: inapp")
    const big = await explain(file("nobody.json", event(800)), "--rule", "overdue")
    expect(big.out).toContain("\n  would tell role accountant: inapp, email")
    expect(big.out).not.toContain("nobody is told")
  })

  test("with recipients says who is told on which channel, and who is not and why", async () => {
    const given = file("big.json", event(800))
    const all = await explain(given, "--recipients", people, "--rule", "overdue")
    expect(all.out).toContain("  tells ann: inapp, email\n  tells bob: inapp, email (suppressed: preference_channel)")
    expect(all.out).not.toContain("any-invoice")
    const cook = await explain(given, "--recipients", people, "--rule", "overdue", "--recipient", "cook")
    expect(cook.out).toContain("  does not tell cook: cook is not accountant in business b1, but cook")
    expect(cook.out).not.toContain("tells ann")
  })

  test("needs no database, reads standard input, and gives the whole as JSON", async () => {
    const { code, out } = await hubCommand(
      ["rules", "explain", "-", "--json", "--rules", folders.rulesDir, "--templates", folders.templatesDir],
      { stdin: event(800), cwd: files, env: { DATABASE_URL: "postgres://127.0.0.1:9/none" } },
    )
    expect(code).toBe(0)
    expect(JSON.parse(out)).toMatchObject({
      event: { type: "invoice.overdue" },
      rules: [
        { rule: "overdue", matched: true, clauses: { holds: true, children: [{}, {}] } },
        { rule: "any-invoice" },
      ],
      recorded: null,
    })
  })

  test("finds something where a rule cannot be carried out, or the rules do not load", async () => {
    const given = file("broken.json", JSON.stringify({ type: "invoice.broken", source: "s", payload: { who: [[]] } }))
    const broken = await explain(given)
    expect(broken.code).toBe(1)
    expect(broken.out).toContain("  failed: to.users: a value that is no recipient id")
    const bad = await ruleFolders({ "rules/a.yaml": "rules: [{ name: a }]" })
    const unloaded = await runCommand(rulesExplain, [given, "--rules", bad.rulesDir], {})
    await bad.remove()
    expect(unloaded.code).toBe(1)
    expect(unloaded.err).toMatch(/^rules\/a\.yaml:1:/)
  })

  test("called wrongly says how, in one line", async () => {
    const given = file("good.json", event(1))
    for (const [args, words] of [
      [[], "which event?"],
      [["nothing.json"], "nothing.json cannot be read"],
      [[file("no.json", "{")], "is not JSON"],
      [[file("half.json", '{"type":"a.b"}')], "half.json/source:"],
      [[given, "--rule", "overdu"], 'there is no rule "overdu"; did you mean overdue?'],
      [[given, "--recipient", "a b"], "--recipient: expected a recipient's id"],
      [[given, "--recipient", "ann"], "give --recipients file.jsonl"],
      [["evt_01jqz3v5k8e2m4n6p8r0s2t4v6"], "there is no event evt_01jqz3v5k8e2m4n6p8r0s2t4v6"],
      [["evt_01jqz3v5k8e2m4n6p8r0s2t4v6", "--recipients", people], "those of the database"],
    ] as const) {
      const { code, err } = await explain(...args)
      expect([code, err]).toEqual([2, expect.stringContaining(words)])
    }
  })
})

test("of a recorded event it shows what really followed, beside what the rules make of it", async () => {
  const loaded = await loadRuleSet(folders, 0)
  if ("errors" in loaded) throw new Error(loaded.errors.map(explainRuleError).join("\n"))
  const world = routedWorld(db, loaded.ok)
  const ann = recipient("ann", { email: "ann@example.com" })
  await world.people([{ ...ann, memberships: ann.memberships.map((one) => ({ ...one, roles: ["accountant"] })) }])
  const invoice = () =>
    incoming({ type: "invoice.overdue", location: location("l1"), payload: { days_overdue: 9, amount: 800 } })
  const [, second] = await world.come(invoice(), invoice())
  const { code, out } = await explain(second?.id ?? "")
  expect(code).toBe(0)
  expect(out).toContain("  tells ann: inapp, email")
  const followed = out.slice(out.indexOf("What followed: "))
  expect(followed).toContain("2 rules listen to this type of event, 2 matched.")
  expect(followed).toMatch(
    /overdue matched: .*; cooldown \(at most 1 in 1h\): ann\n {4}ntf_\w+ ann \(cooldown\): email suppressed \(cooldown\)/,
  )
  expect(followed).toMatch(/delay of any-invoice at .*: waits$/)
  const json = JSON.parse((await explain(second?.id ?? "", "--json")).out)
  expect(json.recorded).toMatchObject({ notifications: [{ recipient: "ann", reason: "cooldown" }] })
})
