import { describe, expect, test } from "bun:test"
import type { Json, JsonObject } from "../domain/json.ts"
import { hubEvent, oneRule, PLAIN_TEMPLATE, ruleSetOf } from "../testing/rule-fixtures.ts"
import { explain } from "./conditions/explain.ts"
import { factsOf } from "./facts.ts"
import { match } from "./match.ts"

const payload: JsonObject = { days_overdue: 3, reason: "Theft", currency: "IQD", list: [1, 2], nothing: null }
const event = hubEvent({ payload, severity: "warning", type: "invoice.overdue" })
const reason = (condition: Json): string => explain(condition, factsOf(event), event.acceptedAt)

describe("a reason names the clause that decided, with what it saw", () => {
  const late: Json = { ">=": [{ var: "payload.days_overdue" }, 7] }
  const dinars: Json = { "==": [{ var: "payload.currency" }, "IQD"] }
  const cases: readonly (readonly [Json, string])[] = [
    [late, "payload.days_overdue (3) >= 7 is false"],
    [dinars, 'payload.currency ("IQD") == "IQD" is true'],
    [{ and: [dinars, late] }, "payload.days_overdue (3) >= 7 is false"],
    [
      { and: [dinars, { "<": [{ var: "payload.days_overdue" }, 7] }] },
      'payload.currency ("IQD") == "IQD" is true and payload.days_overdue (3) < 7 is true',
    ],
    [{ or: [late, dinars] }, 'payload.currency ("IQD") == "IQD" is true'],
    [
      { or: [late, { "!": [dinars] }] },
      'payload.days_overdue (3) >= 7 is false and not (payload.currency ("IQD") == "IQD") is false',
    ],
    [{ ">": [{ var: "payload.amount" }, 5] }, "payload.amount (missing) > 5 is false"],
    [
      { and: [{ exists: [{ var: "payload.days_overdue" }] }, { "<": [{ var: "payload.days_overdue" }, 7] }] },
      "payload.days_overdue (3) < 7 is true",
    ],
    [
      { and: [{ exists: [{ var: "payload.amount" }] }, { ">": [{ var: "payload.amount" }, 7] }] },
      "payload.amount (missing) exists is false",
    ],
    [{ severity_at_least: ["high"] }, 'event.severity ("warning") is at least "high" is false'],
    [{ "!": [{ severity_at_least: ["high"] }] }, 'not (event.severity ("warning") is at least "high") is true'],
    [{ event_matches: ["order.*"] }, 'event.type ("invoice.overdue") fits "order.*" is false'],
    [
      { in: [{ lower: [{ var: "payload.reason" }] }, ["theft", "damage"]] },
      'lower(payload.reason ("Theft")) ("theft") in ["theft","damage"] is true',
    ],
    [{ starts_with: [{ var: "payload.reason" }, "x"] }, 'payload.reason ("Theft") starts with "x" is false'],
    [{ some: [{ var: "payload.list" }, { ">": [{ var: "" }, 1] }] }, "some(payload.list ([1,2]), …) is true"],
    [{ var: "payload.nothing" }, "payload.nothing (missing) is false"],
    [{ ">": [{ "*": [{ var: "payload.days_overdue" }, 2] }, 5] }, "payload.days_overdue (3) * 2 (6) > 5 is true"],
  ]
  test.each(cases)("%j", (condition, expected) => {
    expect(reason(condition)).toBe(expected)
  })

  test("without writing out what is long", () => {
    const long = {
      list: Array.from({ length: 500 }, () => "x".repeat(500)),
      customer: { name: "x" },
      text: "x".repeat(500),
    }
    const say = (path: string) =>
      explain({ "!!": [{ var: `payload.${path}` }] }, factsOf(hubEvent({ payload: long })), 0)
    expect(say("list")).toBe("!!(payload.list (500 items)) is true")
    expect(say("customer")).toBe("!!(payload.customer (an object)) is true")
    expect(say("text")).toBe(`!!(payload.text ("${"x".repeat(58)}…)) is true`)
  })

  test("in 300 characters at most, however much there is to say", () => {
    const many: Json = { and: Array.from({ length: 60 }, () => dinars) }
    expect(reason(many).length).toBe(300)
    expect(
      explain({ "==": [{ var: "payload.x" }, "y"] }, factsOf(hubEvent({ payload: { x: "x".repeat(9_999) } })), 0)
        .length,
    ).toBeLessThan(100)
  })
})

describe("matching", () => {
  const rules = [
    oneRule({ type: "invoice.overdue", conditions: '">=": [{ var: payload.days_overdue }, 7]' }).replace(
      "the-rule",
      "week",
    ),
    oneRule({ type: "invoice.*" }).replace("the-rule", "any").replace("rules:\n", ""),
    oneRule({ type: "invoice.overdue", head: "source: tills" }).replace("the-rule", "tills").replace("rules:\n", ""),
    oneRule({ type: "order.*" }).replace("the-rule", "orders").replace("rules:\n", ""),
    oneRule({ type: "invoice.overdue", conditions: '">": [{ var: payload.bad }, 1]' })
      .replace("the-rule", "bad")
      .replace("rules:\n", ""),
  ].join("")

  test("decides every rule whose type fits, in the files' order, and says why", async () => {
    const set = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": rules })
    expect(match(set, event).map(({ rule, matched, reason: why }) => [String(rule), matched, why])).toEqual([
      ["week", false, "payload.days_overdue (3) >= 7 is false"],
      ["any", true, "the event type fits, no conditions"],
      ["tills", false, 'event.source ("tests") is not "tills"'],
      ["bad", false, "payload.bad (missing) > 1 is false"],
    ])
  })

  test("gives the same decision for the same event, however often it is asked", async () => {
    const set = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": rules })
    expect(match(set, event)).toEqual(match(set, event))
  })

  test("a rule that cannot be computed for an event does not match, and the others go on", async () => {
    const set = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": rules })
    const hostile = hubEvent({ type: "invoice.overdue", payload: JSON.parse('{"bad": {"toString": 1, "valueOf": 2}}') })
    const decisions = match(set, hostile)
    expect(decisions.at(-1)).toMatchObject({ matched: false, reason: "conditions: cannot be computed for this event" })
    expect(decisions[1]).toMatchObject({ rule: "any", matched: true })
  })
})
