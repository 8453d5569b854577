import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { Json, JsonObject } from "../../domain/json.ts"
import { hubEvent } from "../../testing/rule-fixtures.ts"
import { evaluate, isTrue } from "../conditions/logic.ts"
import { factsOf } from "../facts.ts"
import { doubtsAbout } from "./truth.ts"

const x: Json = { var: "payload.x" }
const severity: Json = { var: "event.severity" }
const problems = (condition: Json, types: readonly string[] = ["a.b"]): string =>
  doubtsAbout(condition, types)
    .map(({ problem, suggestion }) => (suggestion === null ? problem : `${problem}; ${suggestion}`))
    .join("\n")

describe("a condition that can never be true", () => {
  test.each<[string, Json, string]>([
    ["two values at once", { and: [{ "==": [x, "a"] }, { "==": [x, "b"] }] }, 'payload.x == "a" and payload.x == "b"'],
    ["more than the most", { and: [{ ">": [x, 5] }, { "<": [x, 3] }] }, "payload.x > 5 and payload.x < 3"],
    [
      "behind the guards of the list form",
      { and: [{ and: [{ exists: [x] }, { ">": [x, 5] }] }, { and: [{ exists: [x] }, { "<": [x, 3] }] }] },
      "payload.x > 5 and payload.x < 3",
    ],
    [
      "in one branch of several",
      { or: [{ "==": [{ var: "payload.y" }, 1] }, { and: [{ "==": [x, 1] }, { "==": [x, 2] }] }] },
      "payload.x == 1 and payload.x == 2",
    ],
    [
      "among more fields than could be tried together",
      {
        and: [..."abcdefg"]
          .map((name): Json => ({ "==": [{ var: `payload.${name}` }, 1] }))
          .concat([{ "==": [{ var: "payload.a" }, 2] }]),
      },
      "payload.a == 1 and payload.a == 2",
    ],
    [
      "a clause and its opposite, whatever it asks",
      { and: [{ starts_with: [x, "a"] }, { "!": [{ starts_with: [x, "a"] }] }] },
      "starts_with",
    ],
    [
      "hours before eight and after twenty",
      { and: [{ "<": [{ hour_in: ["UTC"] }, 8] }, { ">=": [{ hour_in: ["UTC"] }, 20] }] },
      "hour_in",
    ],
    ["another type than the rule's", { "==": [{ var: "event.type" }, "a.c"] }, 'event.type == "a.c"'],
  ])("%s", (_, condition, words) => {
    expect(problems(condition)).toStartWith("a condition that can never be true: ")
    expect(problems(condition)).toContain(words)
  })
})

describe("a condition that is always true", () => {
  test.each<[string, Json, string]>([
    [
      "a value or another",
      { or: [{ "==": [x, 1] }, { "!=": [x, 1] }] },
      "a condition that is always true: payload.x == 1 or payload.x != 1",
    ],
    ["the least severity", { severity_at_least: ["info"] }, "a condition that is always true: "],
    [
      "a path that was meant as a variable",
      { and: ["payload.x", { "==": [x, 1] }] },
      "a condition that is always true: it names no variable; { var: payload.x }",
    ],
    [
      "two literals",
      { and: [{ "==": [1, 1] }, { "==": [x, 1] }] },
      "a condition that is always true: it names no variable",
    ],
  ])("%s", (_, condition, words) => expect(problems(condition)).toContain(words))
})

test("a condition of literals that is too costly to compute is doubted, and not tried to its end", () => {
  const list = Array.from({ length: 400 }, (_, i) => i)
  const costly: Json = { some: [list, { none: [list, { "==": [{ merge: [[1], [2]] }, 3] }] }] }
  const bomb: Json = { "==": [{ reduce: [list, { cat: ["a", "b"] }, ""] }, "ab"] }
  for (const condition of [costly, bomb, { map: [list, { map: [list, 1] }] }] satisfies readonly Json[])
    expect(problems(condition)).toContain("it names no variable")
})

describe("a severity that no event has", () => {
  test.each<[Json, string]>([
    [{ "==": [severity, "urgent"] }, '"urgent" is no severity, so no event has it; critical'],
    [{ in: [severity, ["high", "warn"]] }, '"warn" is no severity, so no event has it; warning'],
  ])("%j", (condition, words) => expect(problems(condition)).toBe(words))
})

describe("a condition that is true for an empty payload", () => {
  test.each<[string, Json, string]>([
    ["unequal", { "!=": [x, "paid"] }, 'payload.x (missing) != "paid" is true'],
    ["less than a number", { "<": [x, 5] }, "payload.x (missing) < 5 is true"],
    [
      "beside a severity",
      { and: [{ severity_at_least: ["high"] }, { "!=": [x, 1] }] },
      "payload.x (missing) != 1 is true",
    ],
    ["not in a list", { "!": [{ in: [x, ["a"]] }] }, "is true"],
  ])("%s", (_, condition, words) => {
    expect(problems(condition)).toStartWith("a condition that is true for an empty payload: ")
    expect(problems(condition)).toContain(words)
  })
})

test.each<[string, Json]>([
  ["a plain comparison", { ">=": [x, 7] }],
  ["a range", { and: [{ ">": [x, 3] }, { "<": [x, 5] }] }],
  ["a text that is a number, too", { and: [{ "==": [x, "5"] }, { ">": [x, 4] }] }],
  ["a guarded comparison", { and: [{ exists: [x] }, { "!=": [x, "paid"] }] }],
  ["a condition of the event alone", { "!": [{ severity_at_least: ["high"] }] }],
  ["one that asks for what is missing", { "!": [{ exists: [x] }] }],
  ["one that asks for null", { and: [{ "==": [x, null] }, { severity_at_least: ["high"] }] }],
  ["a type that the pattern may be", { "==": [{ var: "event.type" }, "a.b"] }],
])("nothing is said against %s", (_, condition) => {
  expect(doubtsAbout(condition, ["a.b", "a.c"])).toEqual([])
  expect(doubtsAbout(condition, ["a.*"])).toEqual([])
})

test("never and always are certain: no event of any kind shows otherwise", () => {
  const literal = fc.oneof(fc.integer({ min: -2, max: 3 }), fc.constantFrom("a", "b", "2", ""), fc.boolean())
  const field = fc.constantFrom<Json>(x, { var: "payload.y" })
  const { clause } = fc.letrec<{ clause: Json }>((tie) => ({
    clause: fc.oneof(
      { maxDepth: 3 },
      fc
        .tuple(fc.constantFrom("==", "===", "!=", "!==", "<", "<=", ">", ">="), field, literal, fc.boolean())
        .map(([name, a, b, turned]) => ({ [name]: turned ? [b, a] : [a, b] })),
      fc.tuple(field, fc.array(literal, { maxLength: 3 })).map(([a, list]) => ({ in: [a, list] })),
      fc.constantFrom<Json>({ exists: [x] }, x, { starts_with: [x, "a"] }, { severity_at_least: ["high"] }),
      tie("clause").map((part) => ({ "!": [part] })),
      fc
        .tuple(fc.constantFrom("and", "or"), fc.array(tie("clause"), { minLength: 1, maxLength: 3 }))
        .map(([name, parts]) => ({ [name]: parts })),
    ),
  }))
  const value = fc.oneof(
    literal,
    fc.constant(null),
    fc.constantFrom("ab", "z", "0", "1.5"),
    fc.double({ noNaN: true }),
    fc.array(literal, { maxLength: 2 }),
  )
  const payload = fc.record({ x: value, y: value }, { requiredKeys: [], noNullPrototype: true })
  fc.assert(
    fc.property(clause, fc.array(payload, { minLength: 20, maxLength: 20 }), (condition, payloads) => {
      const whole = doubtsAbout(condition, ["a.b"]).find((doubt) => doubt.clause === condition)
      const claim = /never|always true/.exec(whole?.problem ?? "")?.[0]
      if (claim === undefined) return
      for (const given of payloads) {
        const facts = factsOf(hubEvent({ type: "a.b", payload: given as JsonObject })) // made of JSON above
        expect(isTrue(evaluate(condition, facts, 0))).toBe(claim !== "never")
      }
    }),
    { numRuns: 1_000 },
  )
})
