import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { SEVERITY_RANK, type Severity } from "../../domain/event.ts"
import type { Json, JsonObject } from "../../domain/json.ts"
import { hubEvent, oneRule, PLAIN_TEMPLATE, refusals, ruleSetOf } from "../../testing/rule-fixtures.ts"
import { factsOf } from "../facts.ts"
import { readTriples } from "../language/triples.ts"
import { YamlFile } from "../language/yaml-file.ts"
import { match } from "../match.ts"
import { ErrorList } from "../rule-error.ts"
import { evaluate, isTrue, LogicFailed } from "./logic.ts"
import { OPERATORS } from "./operators.ts"

const NOW = Date.UTC(2026, 0, 10, 9, 30)
const facts = (payload: JsonObject, severity: Severity = "info") =>
  factsOf(hubEvent({ payload, severity, acceptedAt: NOW }))
const value = (logic: Json, payload: JsonObject = {}): unknown => evaluate(logic, facts(payload), NOW)

const errorsOf = (conditions: string) => refusals({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule({ conditions }) })
/** Without file and line: the column and the words. */
const problems = async (conditions: string) =>
  (await errorsOf(conditions)).map((error) => error.replace(/^rules\/a\.yaml:/, ""))

const matched = async (conditions: string, payload: JsonObject, severity: Severity = "info") => {
  const set = await ruleSetOf({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule({ conditions }) })
  return match(set, hubEvent({ payload, severity, acceptedAt: NOW }))[0]?.matched
}

describe("JSONLogic means what its site says", () => {
  const published: readonly (readonly [Json, JsonObject, Json])[] = [
    [{ "==": [1, "1"] }, {}, true],
    [{ "===": [1, "1"] }, {}, false],
    [{ "!": [[]] }, {}, true],
    [{ "!!": ["0"] }, {}, true],
    [{ or: [false, "a"] }, {}, "a"],
    [{ and: [true, "", 3] }, {}, ""],
    [{ if: [false, "a", true, "b", "c"] }, {}, "b"],
    [{ "<": [1, 2, 3] }, {}, true],
    [{ "<": [{ var: "payload.x" }, 5] }, {}, true],
    [{ var: ["payload.x", 26] }, {}, 26],
    [{ var: "payload.list.1.a" }, { list: [{ a: 1 }, { a: 2 }] }, 2],
    [{ missing: ["payload.a", "payload.b"] }, { a: 1 }, ["payload.b"]],
    [{ missing_some: [1, ["payload.a", "payload.b"]] }, { a: 1 }, []],
    [{ max: [1, 3, 2] }, {}, 3],
    [{ "+": ["3.14", 1] }, {}, 4.140000000000001],
    [{ "-": [2] }, {}, -2],
    [{ "%": [101, 2] }, {}, 1],
    [{ map: [{ var: "payload.n" }, { "*": [{ var: "" }, 2] }] }, { n: [1, 2] }, [2, 4]],
    [{ filter: [{ var: "payload.n" }, { "%": [{ var: "" }, 2] }] }, { n: [1, 2, 3] }, [1, 3]],
    [{ reduce: [{ var: "payload.n" }, { "+": [{ var: "current" }, { var: "accumulator" }] }, 0] }, { n: [1, 2, 3] }, 6],
    [{ all: [{ var: "payload.n" }, { ">": [{ var: "" }, 0] }] }, { n: [] }, false],
    [{ none: [{ var: "payload.n" }, { ">": [{ var: "" }, 2] }] }, { n: [1] }, true],
    [{ some: [{ var: "payload.n" }, { "==": [{ var: "kind" }, "a"] }] }, { n: [{ kind: "a" }] }, true],
    [{ merge: [[1], 2, [3, 4]] }, {}, [1, 2, 3, 4]],
    [{ in: ["Spring", "Springfield"] }, {}, true],
    [{ in: [1, [1, 2]] }, {}, true],
    [{ cat: ["I love ", "pie"] }, {}, "I love pie"],
    [{ substr: ["jsonlogic", -5] }, {}, "logic"],
  ]
  test.each(published)("%j of %j is %j", (logic, payload, expected) => {
    expect(value(logic, payload)).toEqual(expected)
  })
})

describe("each operator of ours", () => {
  const example = factsOf(
    hubEvent({
      type: "invoice.paid",
      severity: "error",
      payload: { due_date: "2026-01-01", expires_at: "2026-01-15T00:00:00Z", reason: "Theft" },
    }),
  )
  test.each(OPERATORS.map((operator) => [operator.name, operator] as const))(
    "%s does what its example says",
    (_, operator) => {
      expect(evaluate(operator.example.logic, example, NOW)).toEqual(operator.example.gives)
      expect(operator.doc).toEndWith(".")
    },
  )

  test("a time that is none makes every comparison false, and never the clock's now", () => {
    for (const operator of ["<", "<=", ">", ">=", "=="]) {
      expect(value({ [operator]: [{ days_since: [{ var: "payload.no" }] }, 0] })).toBe(false)
    }
    expect(value({ days_since: ["2026-01-03T09:30:00"] })).toBe(7)
    expect(value({ days_until: ["2026-01-12"] })).toBe(1)
    expect(value({ hour_in: ["UTC", "2026-01-12T23:10:00+03:00"] })).toBe(20)
  })

  test("severity_at_least takes another severity as first argument", () => {
    expect(value({ severity_at_least: [{ var: "payload.was" }, "medium"] }, { was: "warning" })).toBe(true)
    expect(value({ severity_at_least: [{ var: "payload.was" }, "medium"] }, {})).toBe(false)
  })

  test("matches takes time that grows with the text alone", () => {
    const began = performance.now()
    expect(value({ matches: [{ var: "payload.x" }, "^(a+)+$"] }, { x: `${"a".repeat(5_000)}!` })).toBe(false)
    expect(performance.now() - began).toBeLessThan(2_000)
  })
})

describe("an event is data and nothing else", () => {
  test.each([
    ["constructor"],
    ["__proto__"],
    ["constructor.constructor"],
    ["toString"],
    ["list.map"],
    ["__proto__.polluted"],
  ])("payload.%s is missing", (path) => {
    expect(value({ var: `payload.${path}` }, { list: [] })).toBeNull()
    expect(value({ exists: [{ var: `payload.${path}` }] }, { list: [] })).toBe(false)
  })

  test("a property that only looks dangerous is a value like any other", () => {
    expect(value({ var: "payload.toString" }, JSON.parse('{"toString": 5}'))).toBe(5)
  })

  test("logic inside of an event is never run", () => {
    const hostile = { keys: [{ reduce: [[1, 2], { "+": [1, 1] }, 0] }], op: { log: "x" } }
    expect(value({ missing: [{ var: "payload.keys" }] }, hostile)).toEqual([{ reduce: [[1, 2], { "+": [1, 1] }, 0] }])
    expect(value({ "==": [{ var: "payload.op" }, "x"] }, hostile)).toBe(false)
  })

  test("what cannot be compared, and what would take too long, is a failure of this rule alone", () => {
    expect(() => value({ ">": [{ var: "payload.x" }, 2] }, JSON.parse('{"x": {"toString": 1, "valueOf": 1}}'))).toThrow(
      LogicFailed,
    )
    const many = Array.from({ length: 2_000 }, (_, i) => i)
    const nested: Json = { reduce: [{ var: "payload.n" }, { map: [{ var: "current" }, { var: "" }] }, 0] }
    expect(() => value(nested, { n: many.map(() => many) })).toThrow(LogicFailed)
    const doubling: Json = {
      reduce: [{ var: "payload.n" }, { merge: [{ var: "accumulator" }, { var: "accumulator" }] }, [1]],
    }
    expect(() => value(doubling, { n: many })).toThrow(LogicFailed)
    const text: Json = {
      reduce: [{ var: "payload.n" }, { cat: [{ var: "accumulator" }, { var: "accumulator" }] }, "a"],
    }
    expect(() => value(text, { n: many })).toThrow(LogicFailed)
  })
})

describe("conditions that cannot be meant are refused", () => {
  const cases: readonly (readonly [string, string, string])[] = [
    ["an operator that does not exist", '"=>": [{ var: payload.x }, 7]', '5:7 unknown operator "=>"'],
    ["its nearest word", "startswith: [{ var: payload.x }, a]", 'did you mean "starts_with"?'],
    ["log, which prints", "log: [{ var: payload.x }]", '5:7 unknown operator "log"'],
    [
      "two operators in one object",
      '">=": [{ var: payload.x }, 7]\n"<=": [{ var: payload.x }, 9]',
      '6:7 a second operator "<=" in one operation, expected one; join two with "and"',
    ],
    ["an empty operation", '">=": [{}, 7]', "5:14 an empty operation"],
    ["too few arguments", '">=": 7', '5:7 ">=" with 1 argument, expected 2'],
    [
      "too many arguments of an operator of ours, with an example of it",
      'hour_in: ["08:00", "23:00", UTC]',
      '5:7 "hour_in" with 3 arguments, expected 1 to 2, as in {"hour_in":["Asia/Baghdad"]}',
    ],
    [
      "a variable that starts nowhere",
      '">=": [{ var: days_overdue }, 7]',
      '5:21 the variable "days_overdue", expected event.… or payload.…; did you mean "payload.days_overdue"?',
    ],
    ["an event's field without its event", '"==": [{ var: severity }, high]', 'did you mean "event.severity"?'],
    ["an event's field that is misspelt", '"==": [{ var: event.severty }, high]', 'did you mean "event.severity"?'],
    ["a path to the prototype", '"==": [{ var: payload.constructor.name }, x]', '5:21 a path through "constructor"'],
    ["a computed path", '"==": [{ var: { cat: [payload, x] } }, x]', "5:21 a computed path"],
    ["a missing with computed keys", "missing: [{ var: payload.x }]", "5:17 a computed path"],
    [
      "the event seen from inside of a list",
      'some: [{ var: payload.items }, { "==": [{ var: payload.x }, 1] }]',
      '5:54 the variable "payload.x" inside of a list',
    ],
    [
      "another name in a reduce",
      'reduce: [{ var: payload.n }, { "+": [{ var: acumulator }, 1] }, 0]',
      'did you mean "accumulator"?',
    ],
    [
      "three lists inside each other",
      "map: [{ var: payload.a }, { map: [{ var: b }, { map: [{ var: c }, 1] }] }]",
      '"map" within two others',
    ],
    [
      "a level that is no severity",
      "severity_at_least: [hgh]",
      '5:27 "hgh", expected one of info, low, medium, warning, high, error, critical; did you mean "high"?',
    ],
    ["a time zone that is none", '"<": [{ hour_in: [Asia/Bagdad] }, 8]', '5:25 the time zone "Asia/Bagdad"'],
    ["a pattern that is none", 'matches: [{ var: payload.x }, "("]', '5:37 the pattern "("'],
    ["a pattern from the event", "matches: [{ var: payload.x }, { var: payload.y }]", "5:37 a pattern that is no text"],
    ["a number that is not exact", '"==": [{ var: payload.x }, 12345678901234567890]', "5:34 the number "],
    [
      "too many levels",
      `${'"!": ['.repeat(1)}${'{ "!": ['.repeat(40)}1${"] }".repeat(40)}]`,
      "conditions that are too deep",
    ],
    ["too many parts", `in: [1, [${"1,".repeat(1_100)}1]]`, "conditions that are too long"],
    ["a bare word", "soon", '5:7 "soon", expected JSONLogic'],
  ]
  test.each(cases)("%s", async (_, conditions, expected) => {
    const found = await problems(conditions)
    expect(found.find((problem) => problem.includes(expected)) ?? found).toContain(expected)
  })
})

describe("the list form", () => {
  const refused: readonly (readonly [string, string, string])[] = [
    [
      "an operator that does not exist",
      "- { field: x, operator: atleast, value: 1 }",
      '5:31 unknown operator "atleast"',
    ],
    ["an operator's symbol", '- { field: x, operator: ">=", value: 1 }', 'did you mean "gte"?'],
    [
      "a misspelt key",
      "- { field: x, op: gte, value: 1 }",
      '5:21 unknown key "op" in a condition, expected one of field, operator, value; did you mean "operator"?',
    ],
    ["a missing value", "- { field: x, operator: gte }", '5:9 a condition without "value"'],
    [
      "a value that is null",
      "- { field: x, operator: eq, value: null }",
      'nothing, expected a value; for a missing field use "operator: exists"',
    ],
    ["in without a list", "- { field: x, operator: in, value: a }", '5:42 "a", expected a list of values'],
    ["a severity that is none", "- { field: severity, operator: gte, value: hihg }", '5:50 the severity "hihg"'],
    ["JSONLogic in a list", '- { ">=": [{ var: payload.x }, 7] }', '5:11 the operator ">=" in the list form'],
    ["an empty list", "[]", "5:7 an empty list"],
    [
      "an event's field that does not exist",
      "- { field: event.sorce, operator: eq, value: a }",
      'did you mean "event.source"?',
    ],
    ["a pattern that is none", '- { field: x, operator: matches, value: "(" }', '5:47 the pattern "("'],
  ]
  test.each(refused)("refuses %s", async (_, conditions, expected) => {
    const found = await problems(conditions)
    expect(found.find((problem) => problem.includes(expected)) ?? found).toContain(expected)
  })

  test("severity compares by rank, whatever the word", async () => {
    const at = async (operator: string, level: string, severity: Severity) =>
      matched(`- { field: severity, operator: ${operator}, value: ${level} }`, {}, severity)
    expect(await at("gte", "high", "error")).toBe(true)
    expect(await at("gt", "high", "error")).toBe(false)
    expect(await at("eq", "warning", "medium")).toBe(true)
    expect(await at("gt", "critical", "critical")).toBe(false)
    expect(await matched("- { field: severity, operator: in, value: [warning, critical] }", {}, "medium")).toBe(true)
    expect(await matched("- { field: severity, operator: not_in, value: [warning, critical] }", {}, "info")).toBe(true)
  })

  test("fields are found in the payload, in the event where they are its own, and by their full path", async () => {
    expect(
      await matched("- { field: customer.city, operator: eq, value: Basra }", { customer: { city: "Basra" } }),
    ).toBe(true)
    expect(await matched("- { field: source, operator: eq, value: tests }", { source: "other" })).toBe(true)
    expect(await matched("- { field: payload.source, operator: eq, value: other }", { source: "other" })).toBe(true)
    expect(await matched('- { field: occurred_at, operator: lte, value: "2026-03-02T10:00:00+01:00" }', {})).toBe(true)
  })

  test("all triples must hold", async () => {
    const both = "- { field: a, operator: eq, value: 1 }\n- { field: b, operator: eq, value: 2 }"
    expect(await matched(both, { a: 1, b: 2 })).toBe(true)
    expect(await matched(both, { a: 1, b: 3 })).toBe(false)
  })

  test("agrees with the meaning of its words, for any field and value", () => {
    const scalar = fc.oneof(fc.integer({ min: -5, max: 5 }), fc.constantFrom("a", "b", "ab", "5"))
    const given = fc.oneof(scalar, fc.constant(null), fc.constant(undefined), fc.array(scalar, { maxLength: 3 }))
    const operator = fc.constantFrom("eq", "ne", "gt", "gte", "lt", "lte", "contains", "exists")
    fc.assert(
      fc.property(operator, given, scalar, (op, field, wanted) => {
        const errors = new ErrorList()
        const condition = JSON.stringify([{ field: "x", operator: op, value: op === "exists" ? true : wanted }])
        const yaml = new YamlFile("a.yaml", condition, errors)
        const logic = yaml.root === null ? null : readTriples(yaml, yaml.root)
        expect(errors.count).toBe(0)
        const payload = (field === undefined ? {} : { x: field }) as JsonObject // made of JSON above
        expect(isTrue(value(logic, payload))).toBe(byHand(op, field, wanted))
      }),
      { numRuns: 500 },
    )
  })

  test("a severity compares as its rank does, for any two", () => {
    const word = fc.constantFrom(...(Object.keys(SEVERITY_RANK) as Severity[])) // the keys are the words
    fc.assert(
      fc.property(fc.constantFrom("eq", "ne", "gt", "gte", "lt", "lte"), word, word, (op, has, wanted) => {
        const yaml = new YamlFile(
          "a.yaml",
          JSON.stringify([{ field: "severity", operator: op, value: wanted }]),
          new ErrorList(),
        )
        const logic = yaml.root === null ? null : readTriples(yaml, yaml.root)
        const result = isTrue(evaluate(logic, facts({}, has), NOW))
        expect(result).toBe(byHand(op, SEVERITY_RANK[has], SEVERITY_RANK[wanted]))
      }),
    )
  })
})

/** The list form's meaning, written a second time: a missing field fits nothing but `ne`. */
function byHand(operator: string, field: unknown, wanted: string | number): boolean {
  const there = field !== undefined && field !== null
  switch (operator) {
    case "exists":
      return there
    case "ne":
      // biome-ignore lint/suspicious/noDoubleEquals: JSONLogic's == is this one
      return !there || field != wanted
    case "contains":
      if (typeof field === "string") return field.includes(String(wanted))
      return Array.isArray(field) && field.includes(wanted)
    case "eq":
      // biome-ignore lint/suspicious/noDoubleEquals: JSONLogic's == is this one
      return there && field == wanted
    case "gt":
      return there && (field as number) > (wanted as number) // JavaScript compares whatever they are
    case "gte":
      return there && (field as number) >= (wanted as number) // as above
    case "lt":
      return there && (field as number) < (wanted as number) // as above
    case "lte":
      return there && (field as number) <= (wanted as number) // as above
  }
  throw new Error(`no such operator: ${operator}`)
}
