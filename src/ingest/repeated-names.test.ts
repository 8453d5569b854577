import { expect, test } from "bun:test"
import fc from "fast-check"
import type { Json } from "../domain/json.ts"
import { repeatedIn, repeatedNames } from "./repeated-names.ts"

const parsed = (text: string): Json => JSON.parse(text) as Json // that is what JSON.parse makes

/** JSON written by hand, so that it may repeat its names: few names, any space, any escape. */
const { text: written } = fc.letrec<{ text: string; name: string; space: string; scalar: string }>((tie) => ({
  space: fc.constantFrom("", "", " ", "\n", "\t", "\r\n  "),
  name: fc.constantFrom(
    '"a"',
    '"b"',
    '"\\u0061"',
    '""',
    '"a\\"b"',
    '"a\\\\"',
    '"__proto__"',
    '"x:y"',
    '"0"',
    '"{"',
    '"é"',
  ),
  scalar: fc.oneof(
    fc.constantFrom("1", "-2.5e3", "true", "null", '"\\":"', '"a\\\\"', '"}"', '",\\"a\\":"', '"\\u0022:"'),
    fc.string({ unit: "grapheme", maxLength: 6 }).map((text) => JSON.stringify(text)),
  ),
  text: fc.oneof(
    { depthSize: "small", maxDepth: 5 },
    tie("scalar"),
    fc.array(fc.tuple(tie("space"), tie("text"), tie("space")), { maxLength: 4 }).map((items) => {
      return `[${items.map((item) => item.join("")).join(",")}]`
    }),
    fc
      .array(
        fc.tuple(tie("space"), tie("name"), tie("space"), fc.constant(":"), tie("space"), tie("text"), tie("space")),
        {
          maxLength: 4,
        },
      )
      .map((items) => `{${items.map((item) => item.join("")).join(",")}}`),
  ),
}))

test("names that stand twice are found by counting as by looking through the whole text", () => {
  let repeating = 0
  fc.assert(
    fc.property(written, fc.constantFrom(0, 1, 2), (text, depth) => {
      const found = repeatedNames(text, depth)
      if (found.length > 0) repeating += 1
      expect(repeatedIn(text, parsed(text), depth)).toEqual(found)
    }),
    { numRuns: 5_000 },
  )
  expect(repeating).toBeGreaterThan(100)
})

test.each([
  ["in the root", '{"a":1,"a":2}', [["a"]]],
  ["by another spelling", '{"a":1,"\\u0061":2}', [["a"]]],
  ["where the earlier one held as many names as the later", '{"a":{"x":1},"b":2,"a":{"y":1}}', [["a"]]],
  ["also in what an earlier one held", '{"a":{"x":1,"x":2},"a":3}', [["a", "x"], ["a"]]],
  ["named __proto__", '{"__proto__":1,"__proto__":2}', [["__proto__"]]],
  ["whose string ends with a backslash", '{"a\\\\":1,"a\\\\":2}', [["a\\"]]],
])("a repeated name %s is found", (_, text, paths) => {
  expect(repeatedIn(text, parsed(text), 2)).toEqual(paths)
})

test("a text that is deeper than any event is looked through without an end of the stack", () => {
  const deep = `{"a":1,"a":${"[".repeat(100_000)}${"]".repeat(100_000)}}`
  expect(repeatedIn(deep, parsed(deep), 1)).toEqual([["a"]])
  const names = `${'{"a":'.repeat(200)}1${"}".repeat(200)}`
  expect(repeatedIn(names, parsed(names), 1)).toEqual([])
})
