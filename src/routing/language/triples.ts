/**
 * The list form of conditions: `{ field, operator, value }`, all of which must hold, compiled to JSONLogic.
 *
 * A field that is missing (or null) fits no comparison. `ne` and `not_in` are the opposites of `eq` and `in`, so they
 * fit a missing field; write `exists` beside them where that is not meant. `severity` compares by rank, whatever the
 * operator: `eq warning` also fits `medium`.
 */
import { isSeq } from "yaml"
import { isSeverity, SEVERITY_RANK } from "../../domain/event.ts"
import type { Json } from "../../domain/json.ts"
import { placed } from "../conditions/lint-logic.ts"
import { OPERATORS } from "../conditions/operators.ts"
import { oneOf, rightWord, shown } from "../rule-error.ts"
import { keysOf, MAX_TRIPLES, TRIPLE, TRIPLE_OPERATORS } from "./language.ts"
import { readPath } from "./read-key.ts"
import {
  describe,
  type Explanation,
  type Field,
  isOtherwiseBoolean,
  type Node,
  scalarOf,
  UNQUOTED,
  type YamlFile,
} from "./yaml-file.ts"

type TripleOperator = (typeof TRIPLE_OPERATORS)[number]
type Ordering = "eq" | "ne" | "gt" | "gte" | "lt" | "lte"

const OLD_OPERATORS: Readonly<Record<string, string>> = {
  "=": "eq",
  "==": "eq",
  "===": "eq",
  equals: "eq",
  is: "eq",
  "!=": "ne",
  "!==": "ne",
  neq: "ne",
  not_equals: "ne",
  ">": "gt",
  greater: "gt",
  greater_than: "gt",
  ">=": "gte",
  ge: "gte",
  at_least: "gte",
  "<": "lt",
  less: "lt",
  less_than: "lt",
  "<=": "lte",
  le: "lte",
  at_most: "lte",
  nin: "not_in",
  includes: "contains",
  regex: "matches",
  "=~": "matches",
}

/** Words of severity by rank, for the step above a level. */
const RANK_WORDS = ["info", "medium", "high", "critical"] as const

/** The logic of a list of triples, or null where something in it was refused. */
export function readTriples(yaml: YamlFile, node: Node): Json | null {
  const items = yaml.items(node, "a list of { field, operator, value }", MAX_TRIPLES)
  if (items === null) return null
  const compiled = items.map((item) => placed(readTriple(yaml, item), yaml, item))
  const sound = compiled.filter((logic) => logic !== null)
  if (sound.length < compiled.length) return null
  return sound.length === 1 ? (sound[0] ?? null) : { and: sound }
}

function readTriple(yaml: YamlFile, node: Node): Json | null {
  const fields = yaml.fields(node, keysOf(TRIPLE, logicInstead))
  const field = fields?.get("field")
  const operator = fields?.get("operator")
  if (field === undefined || operator === undefined) return null
  const path = readPath(yaml, field.value)
  const word = readOperator(yaml, operator.value)
  const value = fields?.get("value")
  if (value === undefined && word !== null && word !== "exists")
    yaml.refuse(node, 'a condition without "value"', '"value:"')
  if (path === null || word === null) return null
  return compile(yaml, path, word, value)
}

/** Who writes JSONLogic's own operators here has the other form in mind. */
function logicInstead(name: string): Explanation | null {
  if (name !== "and" && name !== "or" && name !== "!" && !/^[<>=!]+$/.test(name)) return null
  return {
    problem: `the operator ${shown(name)} in the list form`,
    expected: "{ field, operator, value }; JSONLogic is a map, not a list",
    suggestion: null,
  }
}

function readOperator(yaml: YamlFile, node: Node): TripleOperator | null {
  const word = scalarOf(node)
  const known = TRIPLE_OPERATORS.find((name) => name === word)
  if (known !== undefined) return known
  const suggestion = typeof word === "string" ? rightWord(word, TRIPLE_OPERATORS, OLD_OPERATORS) : null
  yaml.refuse(node, `unknown operator ${describe(node)}`, oneOf(TRIPLE_OPERATORS), suggestion)
  return null
}

function compile(yaml: YamlFile, path: string, operator: TripleOperator, field: Field | undefined): Json | null {
  if (operator === "exists") return compileExists(yaml, path, field)
  if (field === undefined) return null
  const read: Json = { var: path }
  const severity = path === "event.severity"
  switch (operator) {
    case "eq":
    case "ne":
    case "gt":
    case "gte":
    case "lt":
    case "lte": {
      const value = severity ? readSeverity(yaml, field.value) : readScalar(yaml, field.value)
      if (value === null) return null
      return severity ? bySeverity(operator, value) : guarded(operator, path, timeValue(path, value))
    }
    case "in":
    case "not_in": {
      const values = readList(yaml, field.value, severity)
      if (values === null) return null
      const fits: Json = severity ? { or: values.map((value) => bySeverity("eq", value)) } : { in: [read, values] }
      return operator === "in" ? fits : { "!": [fits] }
    }
    case "contains": {
      const value = readScalar(yaml, field.value)
      return value === null ? null : { in: [value, read] }
    }
    case "matches": {
      const pattern = yaml.text(field.value, "a regular expression (RE2 syntax)", 500)
      if (pattern === null) return null
      const wrong = OPERATORS.find(({ name }) => name === "matches")?.check?.([read, pattern]) ?? null
      if (wrong === null) return { matches: [read, pattern] }
      yaml.refuse(field.value, wrong.problem, wrong.expected)
      return null
    }
  }
}

function compileExists(yaml: YamlFile, path: string, field: Field | undefined): Json | null {
  const wanted = field === undefined ? true : yaml.flag(field.value)
  if (wanted === null) return null
  const exists: Json = { exists: [{ var: path }] }
  return wanted ? exists : { "!": [exists] }
}

const SYMBOL = { eq: "==", ne: "!=", gt: ">", gte: ">=", lt: "<", lte: "<=" } as const satisfies Record<
  Ordering,
  string
>

/** null is smaller than 7 in JSONLogic: the guard keeps a missing field from fitting. */
function guarded(operator: Ordering, path: string, value: Json): Json {
  const read: Json = { var: path }
  if (operator === "ne") return { "!=": [read, value] }
  return { and: [{ exists: [read] }, { [SYMBOL[operator]]: [read, value] }] }
}

/** Times of the event are compared as text, which needs one spelling. */
function timeValue(path: string, value: Json): Json {
  if (path !== "event.occurred_at" && path !== "event.accepted_at") return value
  const time = typeof value === "string" ? Date.parse(value) : Number.NaN
  return Number.isFinite(time) ? new Date(time).toISOString() : value
}

function bySeverity(operator: Ordering, level: Json): Json {
  const atLeast: Json = { severity_at_least: [level] }
  const above = isSeverity(level) ? RANK_WORDS[SEVERITY_RANK[level] + 1] : undefined
  const higher: Json = above === undefined ? false : { severity_at_least: [above] }
  switch (operator) {
    case "gte":
      return atLeast
    case "gt":
      return higher
    case "lt":
      return { "!": [atLeast] }
    case "lte":
      return { "!": [higher] }
    case "eq":
      return above === undefined ? atLeast : { and: [atLeast, { "!": [higher] }] }
    case "ne":
      return above === undefined ? { "!": [atLeast] } : { or: [{ "!": [atLeast] }, higher] }
  }
}

function readSeverity(yaml: YamlFile, node: Node): string | null {
  const word = scalarOf(node)
  if (isSeverity(word)) return word
  const words = Object.keys(SEVERITY_RANK)
  yaml.refuse(
    node,
    `the severity ${describe(node)}`,
    oneOf(words),
    typeof word === "string" ? rightWord(word, words) : null,
  )
  return null
}

function readScalar(yaml: YamlFile, node: Node): string | number | boolean | null {
  const value = scalarOf(node)
  if (isOtherwiseBoolean(node)) {
    yaml.refuse(node, `the text ${describe(node)} without quotes`, UNQUOTED)
    return null
  }
  if (typeof value === "string" || typeof value === "boolean") return value
  const exact = typeof value === "number" && Number.isFinite(value)
  if (exact && (!Number.isInteger(value) || Number.isSafeInteger(value))) return value
  const expected =
    value === null ? 'a value; for a missing field use "operator: exists"' : "a text, a number, true or false"
  yaml.refuse(node, exact ? `the number ${describe(node)}, which is not exact` : describe(node), expected)
  return null
}

function readList(yaml: YamlFile, node: Node, severity: boolean): readonly Json[] | null {
  if (!isSeq(node)) {
    yaml.refuse(node, describe(node), "a list of values")
    return null
  }
  const items = yaml.items(node, "a list of values", 200)
  if (items === null) return null
  const values = items.map((item) => (severity ? readSeverity(yaml, item) : readScalar(yaml, item)))
  const sound = values.filter((value) => value !== null)
  return sound.length === values.length ? sound : null
}
