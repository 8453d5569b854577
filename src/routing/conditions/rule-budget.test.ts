/** Logic that an event, or its author, has made too costly ends by its steps, wherever the time would go. */
import { describe, expect, test } from "bun:test"
import type { RuleDecision } from "../../domain/decision.ts"
import type { Json, JsonObject } from "../../domain/json.ts"
import { hubEvent, oneRule, PLAIN_TEMPLATE, refusals, ruleSetOf } from "../../testing/rule-fixtures.ts"
import { factsOf } from "../facts.ts"
import { matches } from "../match.ts"
import { Budget, evaluate, LogicFailed, MAX_STEPS } from "./logic.ts"

/** What ended the evaluation, and what it had cost until then. */
function spent(logic: Json, payload: JsonObject): { readonly code: string; readonly steps: number } {
  const budget = new Budget(10 * MAX_STEPS)
  try {
    evaluate(logic, factsOf(hubEvent({ payload })), 0, budget)
    return { code: "done", steps: 10 * MAX_STEPS - budget.left }
  } catch (error) {
    if (!(error instanceof LogicFailed)) throw error
    return { code: error.code, steps: 10 * MAX_STEPS - budget.left }
  }
}

/** The object graph that 27 lines of aliases give. */
function doubling(operator: string, leaf: Json, levels = 27): Json {
  let logic = leaf
  for (let level = 0; level < levels; level++) logic = { [operator]: [logic, logic] }
  return logic
}

const numbers = Array.from({ length: 2_000 }, (_, i) => i)
const lists = numbers.map(() => numbers)
const long = "ab".repeat(60_000)
const again = (body: Json, initial: Json): Json => ({ reduce: [{ var: "payload.n" }, body, initial] })

describe("a bomb ends in rule_budget", () => {
  test.each<[string, Json, JsonObject]>([
    ["27 levels of cat, each of the one below twice", doubling("cat", "x"), {}],
    ["the same of nothing, which makes no text", doubling("cat", ""), {}],
    ["the same of and", doubling("and", true), {}],
    ["the same of merge", doubling("merge", []), {}],
    [
      "a reduce within a reduce over 2,000 times 2,000",
      again({ reduce: [{ var: "current" }, { "+": [{ var: "current" }, { var: "accumulator" }] }, 0] }, 0),
      { n: lists },
    ],
    [
      "a list within a list that does nothing",
      { map: [{ var: "payload.n" }, { map: [{ var: "" }, 1] }] },
      { n: lists },
    ],
    ["a text that doubles", again({ cat: [{ var: "accumulator" }, { var: "accumulator" }] }, "a"), { n: numbers }],
    [
      "a long text looked through for each item",
      again({ if: [{ in: ["x", { var: "accumulator" }] }, 1, { var: "accumulator" }] }, { var: "payload.t" }),
      { n: numbers, t: long },
    ],
    [
      "a long text compared with a number for each item",
      again({ if: [{ "==": [{ var: "accumulator" }, 1] }, 1, { var: "accumulator" }] }, { var: "payload.t" }),
      { n: numbers, t: "1".repeat(120_000) },
    ],
    [
      "a long text looked for in a long text",
      { in: [{ var: "payload.needle" }, { var: "payload.t" }] },
      { needle: `${"a".repeat(50_000)}b`, t: "a".repeat(120_000) },
    ],
    [
      "lists within lists that are compared as texts, for each item",
      again({ if: [{ "==": [{ var: "accumulator" }, "x"] }, 1, { var: "accumulator" }] }, { var: "payload.deep" }),
      { n: numbers, deep: [[numbers], [numbers]] },
    ],
    [
      "a pattern with many states over a long text",
      { matches: [{ var: "payload.t" }, "a.{100}b.{100}c"] },
      { t: long },
    ],
    [
      "a pattern over each text of a list",
      { all: [{ var: "payload.n" }, { matches: [{ var: "" }, "^(a+)+$"] }] },
      { n: numbers.map(() => "a".repeat(100)) },
    ],
    [
      "a time zone for each item",
      { map: [{ var: "payload.n" }, { hour_in: [{ var: "" }] }] },
      { n: numbers.map((i) => `Nowhere/${i}`) },
    ],
  ])("%s", (_, logic, payload) => {
    const { code, steps } = spent(logic, payload)
    expect(code).toBe("rule_budget")
    expect(steps).toBeLessThanOrEqual(MAX_STEPS)
  })

  test("and what a rule is for stays far from it", () => {
    const items = numbers.map((i) => ({ sku: `sku-${i}`, quantity: i }))
    const some: Json = {
      some: [
        { var: "payload.items" },
        { and: [{ "==": [{ var: "sku" }, "sku-1999"] }, { ">": [{ var: "quantity" }, 5] }] },
      ],
    }
    const { code, steps } = spent(some, { items })
    expect(code).toBe("done")
    expect(steps).toBeLessThan(MAX_STEPS / 2)
    expect(spent({ ">=": [{ var: "payload.x" }, 7] }, { x: 7 })).toEqual({ code: "done", steps: 4 })
  })
})

describe("an event that a rule cannot afford", () => {
  const costly = (name: string): string =>
    oneRule({ conditions: "some: [{ var: payload.n }, { some: [{ var: '' }, { '<': [{ var: '' }, 0] }] }]" }).replace(
      "the-rule",
      name,
    )
  const plain = oneRule({ conditions: '">=": [{ var: payload.x }, 7]' }).replace("the-rule", "plain")
  const decided = async (
    count: number,
  ): Promise<{ readonly decisions: readonly RuleDecision[]; readonly failures: number }> => {
    const many = Array.from({ length: count }, (_, i) => [`rules/a${i}.yaml`, costly(`costly ${i}`)])
    const set = await ruleSetOf({ ...PLAIN_TEMPLATE, ...Object.fromEntries(many), "rules/z.yaml": plain })
    const event = hubEvent({ payload: { x: 8, n: lists } })
    const { decisions, failures } = matches(set, event, factsOf(event))
    return { decisions, failures: failures.length }
  }

  test("fails that rule with the word rule_budget, and the others go on", async () => {
    const { decisions, failures } = await decided(2)
    expect(failures).toBe(2)
    expect(decisions.map(({ matched }) => matched)).toEqual([false, false, true])
    expect(decisions[0]?.reason).toStartWith("conditions: rule_budget:")
    expect(decisions[2]?.reason).toBe("payload.x (8) >= 7 is true")
  })

  test("costs no more than so much in all, however many rules it concerns; each one says so", async () => {
    const { decisions, failures } = await decided(10)
    expect(failures).toBe(11)
    for (const { matched, reason } of decisions)
      expect([matched, reason.includes("rule_budget")]).toEqual([false, true])
  })
})

test("a hub in production had four rules whose unknown operators made them always true: here they are refused at load", async () => {
  const always = [
    "{ field: payload.total, operator: greater_than, value: 100 }",
    '{ ">=": [{ var: payload.total }, 100], currency: USD }',
    "{ contains_any: [{ var: payload.tags }, [vip]] }",
    "{ and: [{ is_set: { var: payload.total } }] }",
  ]
  const expected = [
    'a second operator "operator"',
    'a second operator "currency"',
    'unknown operator "contains_any"',
    'unknown operator "is_set"',
  ]
  for (const [i, conditions] of always.entries()) {
    const errors = await refusals({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule({ conditions }) })
    expect(errors.join("\n")).toContain(expected[i] ?? "nothing")
  }
})
