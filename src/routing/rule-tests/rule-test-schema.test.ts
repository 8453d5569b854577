import { expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Ajv2020 } from "ajv/dist/2020.js"
import { parse } from "yaml"
import { rulesSchema } from "../../cli/rules-schema.ts"
import { runCommand } from "../../testing/hub-command.ts"
import { TEST_SCHEMA } from "./rule-test-schema.ts"

const RULES = join(import.meta.dirname, "../../../rules")
const fits = new Ajv2020({ strict: true, strictRequired: false, strictTypes: false }).compile(TEST_SCHEMA)

const WHOLE = `
tests:
  - name: a week overdue tells the accountants, by mail too
    at: 2026-01-05T09:00:00Z
    recipients:
      - { id: u1, roles: [accountant], business_id: b1, email: u1@example.com, prefs: { severity_min: { sms: high } } }
    events: [{ type: invoice.overdue, source: invoicing, business_id: b1, payload: { days_overdue: 7 } }]
    expect: [{ rule: invoice-overdue, to: u1, channels: [inapp, email], title: Invoice INV-1 is overdue }]
    expect_not: [{ to: u2 }]
    steps:
      - advance: 15m
      - acknowledge: { rule: invoice-overdue, by: u1 }
      - expect: [{ to: u1, reason: cooldown }]
`

test("the schema of rules' tests takes a test in full", () => {
  expect(fits(parse(WHOLE)) ? [] : fits.errors).toEqual([])
})

test.each(["name", "email", "severity_min", "payload", "title", "advance", "by", "reason", "tests"])(
  "the schema of rules' tests refuses a misspelt %s",
  (word) => {
    expect(fits(parse(WHOLE.replace(`${word}:`, `${word}x:`)))).toBe(false)
  },
)

const shipped = readdirSync(RULES).filter((name) => name.endsWith(".test.yaml"))
test("the schema of rules' tests takes those that are shipped", () => {
  const refused = shipped.filter((name) => !fits(parse(readFileSync(join(RULES, name), "utf8"))))
  expect(refused).toEqual([])
})

test("the schema of rules' tests is what `hub rules schema --tests` prints", async () => {
  const { out } = await runCommand(rulesSchema, ["--tests"], {})
  expect(JSON.parse(out)).toEqual(TEST_SCHEMA)
})
