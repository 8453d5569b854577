import { expect, test } from "bun:test"
import { type Spoken, spoken } from "./logic-words.ts"

const x = { var: "payload.x" }
const flat = (part: Spoken): string =>
  part.kind === "code" ? part.code : `${part.kind}(${part.parts.map(flat).join("; ")})`

test.each<[said: string, logic: unknown]>([
  ["payload.x >= 7", { ">=": [x, 7] }],
  ["payload.x >= 7", { and: [{ exists: [x] }, { ">=": [x, 7] }] }],
  [
    'all(payload.x >= 7; event.severity is at least high; payload.y == "a")',
    {
      and: [
        { and: [{ exists: [x] }, { ">=": [x, 7] }] },
        { severity_at_least: ["high"] },
        { and: [{ exists: [{ var: "payload.y" }] }, { "==": [{ var: "payload.y" }, "a"] }] },
      ],
    },
  ],
  // The guard is of another field: it says something.
  ["all(payload.y is there; payload.x < 7)", { and: [{ exists: [{ var: "payload.y" }] }, { "<": [x, 7] }] }],
  [
    "any(payload.x == 1; all(payload.x > 5; payload.x is missing))",
    {
      or: [{ "==": [x, 1] }, { and: [{ ">": [x, 5] }, { "!": [{ exists: [x] }] }] }],
    },
  ],
  ["none(payload.x == 1; payload.x == 2)", { "!": { or: [{ "==": [x, 1] }, { "==": [x, 2] }] } }],
  ["not (payload.x == 1)", { "!": [{ "==": [x, 1] }] }],
  ["event.severity is below high", { "!": [{ severity_at_least: ["high"] }] }],
  ['lower(payload.x) is one of "a", "b"', { in: [{ lower: [x] }, ["a", "b"]] }],
  ['payload.x contains "a"', { in: ["a", x] }],
  ["1 < payload.x < 9", { "<": [1, x, 9] }],
  ["(payload.x * 2) > 10", { ">": [{ "*": [x, 2] }, 10] }],
  ['payload.x matches "^a"', { matches: [x, "^a"] }],
  ["days_since(payload.x) > 3", { ">": [{ days_since: [x] }, 3] }],
  ["true", true],
])("%s", (said, logic) => expect(flat(spoken(logic))).toBe(said))
