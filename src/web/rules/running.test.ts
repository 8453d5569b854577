import { expect, test } from "bun:test"
import { channelsOf, fits, type Rule, readRulesHealth, readRunning, wantedRules } from "./running.ts"

const rule = (name: string, more: Partial<Rule> = {}): Rule => ({
  name,
  eventTypes: ["invoice.overdue"],
  source: null,
  condition: null,
  actions: [{ type: "notify", channels: ["inapp"], escalate: [{ channels: ["sms"] }], failover: ["email"] }],
  at: "rules/a.yaml:1:1",
  lately: null,
  ...more,
})
const ALL = { search: "", eventType: "", channel: "", shadowOnly: false }

test("a rule is found by any words of it, by a type that it listens to, by a channel that it may come to", () => {
  const rules = [
    rule("one"),
    rule("two", { eventTypes: ["invoice.*"], source: "erp", actions: [{ type: "webhook", mode: "shadow" }] }),
    rule("three", { eventTypes: ["stock.low"] }),
  ]
  const names = (wanted: Partial<typeof ALL>) => wantedRules(rules, { ...ALL, ...wanted }).map(({ name }) => name)
  expect(names({})).toEqual(["one", "two", "three"])
  expect(names({ search: "ERP webhook" })).toEqual(["two"])
  expect(names({ eventType: "invoice.overdue" })).toEqual(["one", "two"])
  expect(names({ eventType: "stock.*" })).toEqual([])
  expect(names({ eventType: "invoice.*" })).toEqual(["two"])
  expect(names({ channel: "sms" })).toEqual(["one", "three"])
  expect(names({ channel: "webhook" })).toEqual(["two"])
  expect(names({ shadowOnly: true })).toEqual(["two"])
  expect(channelsOf(rule("x"))).toEqual(["inapp", "email", "sms"])
})

test.each([
  ["order.*", "order.created", true],
  ["order.*", "order.line.added", false],
  ["order.**", "order.line.added", true],
  ["order.**", "order", true],
  ["**.created", "a.b.created", true],
  ["**", "x", true],
  ["order.created", "order", false],
])("%s and %s: %p", (pattern, type, fit) => expect(fits(pattern, type)).toBe(fit))

test("a hub that says less leaves a gap and nothing breaks", () => {
  expect(readRunning({ rules: [{ name: "a" }, { no: 1 }, 7] })?.rules).toEqual([
    { name: "a", eventTypes: [], source: null, condition: null, actions: [], at: "", lately: null },
  ])
  expect([readRunning(null), readRunning({ rules: {} })]).toEqual([null, null])
  expect(readRulesHealth({ parts: { rules: { revision: "r", refused: ["rules/a.yaml:1:1 x"], errors: 9 } } })).toEqual({
    revision: "r",
    refused: ["rules/a.yaml:1:1 x"],
    errors: 9,
  })
  expect(readRulesHealth({ parts: {} })).toBeNull()
})
