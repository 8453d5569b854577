/** JsonLogic's published table and the library's own answers, held against our evaluator; and where we differ on purpose. */
import { describe, expect, test } from "bun:test"
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import fc from "fast-check"
import type { Json } from "../../domain/json.ts"
import { oneRule, PLAIN_TEMPLATE, refusals } from "../../testing/rule-fixtures.ts"
import { evaluate, type Facts, LogicFailed } from "./logic.ts"

type Case = readonly [logic: Json, data: Json, result: Json]

const table: readonly (string | Case)[] = JSON.parse(
  readFileSync(new URL("../../testing/json-logic/tests.json", import.meta.url), "utf8"),
)
const cases = table.filter((entry): entry is Case => typeof entry !== "string")

/** The table's data are of any kind; a rule's are always an event and its payload. */
const ours = (logic: Json, data: Json): unknown => evaluate(logic, data as unknown as Facts, 0)

/** The library as it is published: the hub's own copy has been changed by `logic.ts`. */
const theirs = ((): ((logic: Json, data: Json) => unknown) => {
  const source = readFileSync(createRequire(import.meta.url).resolve("json-logic-js"), "utf8")
  const module = { exports: { apply: (): unknown => undefined } as { apply(logic: Json, data: Json): unknown } }
  new Function("module", "exports", source)(module, module.exports)
  return (logic, data) => module.exports.apply(logic, data)
})()

/** What JavaScript cannot compute is an error on both sides, whatever it is called. */
function outcome(side: typeof ours, logic: Json, data: Json): { readonly value: unknown } | "no value" {
  try {
    return { value: side(logic, data) }
  } catch {
    return "no value"
  }
}

describe("JsonLogic's published table", () => {
  test("is whole", () => expect(cases).toHaveLength(277))

  test.each(
    cases.map(([logic, data, result]) => [JSON.stringify(logic), JSON.stringify(data), logic, data, result] as const),
  )("%s of %s", (_, __, logic, data, result) => expect(ours(logic, data)).toEqual(result))

  test("and the library agree with us on logic and data of any kind", () => {
    const scalar = fc.oneof(
      fc.integer({ min: -3, max: 3 }),
      fc.constantFrom("", "0", "1", "a", "ab", "b", "a.b"),
      fc.boolean(),
      fc.constant(null),
    )
    const plain = { noNullPrototype: true }
    const inner = fc.dictionary(fc.constantFrom("a", "b"), scalar, plain)
    const value = fc.oneof(scalar, fc.array(scalar, { maxLength: 3 }), inner)
    const data = fc.dictionary(fc.constantFrom("a", "b", "c"), value, plain)
    const text = fc.constantFrom("", "a", "ab", "b.a", "c")
    const { logic } = fc.letrec<{ logic: Json }>((tie) => {
      const part = tie("logic")
      const two = fc.constantFrom("==", "===", "!=", "!==", "<", "<=", ">", ">=", "-", "/", "%")
      const many = fc.constantFrom("and", "or", "if", "?:", "+", "*", "min", "max", "cat", "merge")
      const listed = fc.constantFrom("map", "filter", "all", "some", "none", "reduce")
      const body = fc.constantFrom<Json>(
        { var: "" },
        { var: "a" },
        { "==": [{ var: "" }, 1] },
        { "+": [{ var: "current" }, { var: "accumulator" }] },
        true,
      )
      return {
        logic: fc.oneof(
          { maxDepth: 4 },
          scalar,
          text.map((path) => ({ var: path })),
          fc.tuple(text, scalar).map(([path, fallback]) => ({ var: [path, fallback] })),
          fc.array(text, { maxLength: 3 }).map((paths) => ({ missing: paths })),
          fc.array(text, { maxLength: 3 }).map((paths) => ({ missing_some: [1, paths] })),
          fc.tuple(two, part, part).map(([name, a, b]) => ({ [name]: [a, b] })),
          fc.tuple(many, fc.array(part, { minLength: 1, maxLength: 3 })).map(([name, args]) => ({ [name]: args })),
          fc.tuple(listed, part, body).map(([name, list, each]) => ({ [name]: [list, each, 0] })),
          fc.tuple(text, part).map(([needle, hay]) => ({ in: [needle, hay] })),
          part.map((arg) => ({ "!": [arg] })),
          fc.array(part, { maxLength: 2 }),
        ),
      }
    })
    fc.assert(
      fc.property(logic, data, (rule, given) => {
        expect(outcome(ours, rule, given)).toEqual(outcome(theirs, rule, given))
      }),
      { numRuns: 2_000 },
    )
  })
})

/** The same list stands in the room's `README.md`. */
describe("where we differ on purpose", () => {
  const differences: readonly (readonly [string, Json, Json, unknown, unknown])[] = [
    [
      "var sees own properties only: an event must not lead to functions",
      { var: "constructor.name" },
      {},
      "Object",
      null,
    ],
    [
      "var sees nothing inside of a text: its length is no data of the event",
      { var: "a.length" },
      { a: "abc" },
      3,
      null,
    ],
    [
      "missing takes its keys as they are: a key that comes from the event is data, not logic",
      { missing: [{ var: "keys" }] },
      { keys: [{ cat: "a" }], a: 1 },
      [],
      [{ cat: "a" }],
    ],
    [
      "in finds only texts, numbers and truths in a text: null is not the word null",
      { in: [null, "nullify"] },
      {},
      true,
      false,
    ],
    ["in never calls what the event brings", { in: ["a", { var: "a" }] }, { a: { indexOf: 1 } }, TypeError, false],
    [
      "cat makes at most 65,536 characters",
      { cat: [{ var: "a" }, { var: "a" }] },
      { a: "x".repeat(40_000) },
      "x".repeat(80_000),
      LogicFailed,
    ],
    ["log is not there: it prints what events hold", { log: "a" }, {}, "a", Error],
  ]
  test.each(differences)("%s", (_, logic, data, library, hub) => {
    const print = console.log
    console.log = () => undefined // the library's `log`
    try {
      if (typeof library === "function") expect(() => theirs(logic, data)).toThrow()
      else expect(theirs(logic, data)).toEqual(library)
    } finally {
      console.log = print
    }
    if (typeof hub === "function")
      expect(() => ours(logic, data)).toThrow(hub as new () => Error) // the list has error classes
    else expect(ours(logic, data)).toEqual(hub)
  })

  const refused: readonly (readonly [string, string, string])[] = [
    ["log", "log: [{ var: payload.x }]", 'unknown operator "log"'],
    ["method", 'method: [{ var: payload.x }, "toString"]', 'unknown operator "method"'],
    [
      "an object of several keys, which the library takes for true",
      '{ "==": [1, 1], ">": [1, 2] }',
      "a second operator",
    ],
    ["an object of no key, which it takes for true", '"==": [{}, 1]', "an empty operation"],
    ["a path that is computed", "var: [{ cat: [payload, x] }]", "a computed path"],
    ["a path beside the event and its payload", "var: x", 'the variable "x"'],
    ["if without a branch", "if: [true]", '"if" with 1 argument'],
    ["a pattern that the event chooses", "event_matches: [{ var: payload.x }]", "a pattern that is no text"],
  ]
  test.each(refused)("refuses at load what the library would run: %s", async (_, conditions, expected) => {
    const errors = await refusals({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule({ conditions }) })
    expect(errors.join("\n")).toContain(expected)
  })
})
