import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { Json } from "../../domain/json.ts"
import { type Clause, clauseTree } from "./clause-tree.ts"
import { explain } from "./explain.ts"
import { evaluate, type Facts, isTrue } from "./logic.ts"

const facts = (payload: Facts["payload"]): Facts => ({ event: { severity: "high", type: "a.b" }, payload })
const shape = ({ text, holds, decides, children }: Clause): unknown =>
  children.length === 0 ? [text, holds, decides] : [text, holds, decides, children.map(shape)]

const PARTS: Json[] = [
  { ">=": [{ var: "payload.n" }, 3] },
  { "==": [{ var: "payload.s" }, "x"] },
  { "!": [{ in: [{ var: "payload.s" }, ["y", "z"]] }] },
]

describe("a condition's parts", () => {
  test("have their own values, and those that decide are marked: of an `and` the first that fails", () => {
    expect(shape(clauseTree({ and: PARTS }, facts({ n: 1, s: "y" }), 0))).toEqual([
      "all of",
      false,
      true,
      [
        ["payload.n (1) >= 3", false, true],
        ['payload.s ("y") == "x"', false, false],
        ["not", false, false, [['payload.s ("y") in ["y","z"]', true, false]]],
      ],
    ])
  })

  test("of an `or` it is the first that holds; where none does, all of them", () => {
    const decides = (payload: Facts["payload"]) =>
      clauseTree({ or: PARTS.slice(0, 2) }, facts(payload), 0).children.map((child) => child.decides)
    expect(decides({ n: 3, s: "x" })).toEqual([true, false])
    expect(decides({ n: 1, s: "x" })).toEqual([false, true])
    expect(decides({ n: 1, s: "q" })).toEqual([true, true])
  })

  test("say what they looked at and what was there", () => {
    const { operands } = clauseTree(
      { ">": [{ "+": [{ var: "payload.a" }, { var: "payload.b" }] }, 5] },
      facts({ a: 2 }),
      0,
    )
    expect(operands).toEqual([
      { text: "payload.a", value: "2" },
      { text: "payload.b", value: "missing" },
    ])
  })

  test("that cannot be computed say so, and the others are shown all the same", () => {
    const huge = "x".repeat(40_000)
    const tree = clauseTree(
      { or: [PARTS[0] ?? null, { "==": [{ cat: [{ var: "payload.t" }, { var: "payload.t" }] }, "q"] }] },
      facts({ n: 5, t: huge }),
      0,
    )
    expect(tree.children.map(({ holds }) => holds)).toEqual([true, null])
    expect(tree.children[1]?.text).toContain("cannot be computed")
  })

  test("never say anything else than the evaluation and its sentence", () => {
    const leaf: fc.Arbitrary<Json> = fc.oneof(
      fc
        .record({
          op: fc.constantFrom("==", "!=", ">", "<="),
          n: fc.integer({ min: 0, max: 3 }),
          f: fc.constantFrom("a", "b"),
        })
        .map(({ op, n, f }): Json => ({ [op]: [{ var: `payload.${f}` }, n] })),
      fc.constantFrom("a", "b", "c").map((f): Json => ({ exists: [{ var: `payload.${f}` }] })),
    )
    const { condition } = fc.letrec<{ condition: Json }>((tie) => ({
      condition: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie("condition"), { minLength: 1, maxLength: 3 }).map((and): Json => ({ and })),
        fc.array(tie("condition"), { minLength: 1, maxLength: 3 }).map((or): Json => ({ or })),
        tie("condition").map((not): Json => ({ "!": [not] })),
      ),
    }))
    const payload = fc.dictionary(fc.constantFrom("a", "b", "c"), fc.integer({ min: 0, max: 3 }))
    fc.assert(
      fc.property(condition, payload, (logic, given) => {
        const seen = facts(given)
        const holds = isTrue(evaluate(logic, seen, 0))
        const tree = clauseTree(logic, seen, 0)
        expect(tree.holds).toBe(holds)
        expect(explain(logic, seen, 0)).toEndWith(` is ${holds}`)
        const walk = (clause: Clause): void => {
          if (clause.text === "all of")
            expect(clause.holds).toBe(clause.children.every((child) => child.holds === true))
          if (clause.text === "any of") expect(clause.holds).toBe(clause.children.some((child) => child.holds === true))
          if (clause.text === "not") expect(clause.holds).toBe(clause.children[0]?.holds === false)
          // Somebody below decides wherever the whole does.
          if (clause.decides && clause.children.length > 0)
            expect(clause.children.some((child) => child.decides)).toBe(true)
          if (!clause.decides) expect(clause.children.some((child) => child.decides)).toBe(false)
          clause.children.forEach(walk)
        }
        walk(tree)
      }),
      { numRuns: 300 },
    )
  })
})
