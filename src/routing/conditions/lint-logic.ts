/**
 * Reads JSONLogic from YAML and judges it. The library takes a misspelt operator in an object of two keys for data that
 * is always true, and a missing value for null: whatever can be seen before an event comes is refused here.
 */
import { isMap, isScalar, isSeq } from "yaml"
import type { Json } from "../../domain/json.ts"
import { EVENT_FIELDS } from "../facts.ts"
import { describe, isOtherwiseBoolean, type Node, scalarOf, UNQUOTED, type YamlFile } from "../language/yaml-file.ts"
import { oneOf, rightWord, shown } from "../rule-error.ts"
import { OPERATORS } from "./operators.ts"
import { pathProblem } from "./own-path.ts"
import { STANDARD } from "./standard-operators.ts"

const MAX_DEPTH = 32
const MAX_NODES = 1_000
/** One list within another is a join; a third level has no use and multiplies the cost. */
const MAX_ITERATIONS = 2

const ITERATORS = ["map", "filter", "reduce", "all", "none", "some"]
const OWN = new Map(OPERATORS.map((operator) => [operator.name, operator]))
const NAMES = [...Object.keys(STANDARD), ...OWN.keys()]

/** How others spell them; symbols have no neighbours by letters. */
const OLD_SPELLINGS: Readonly<Record<string, string>> = {
  "=": "==",
  "<>": "!=",
  "=>": ">=",
  "=<": "<=",
  "&&": "and",
  "||": "or",
  not: "!",
  eq: "==",
  ne: "!=",
  gt: ">",
  gte: ">=",
  lt: "<",
  lte: "<=",
  regex: "matches",
  contains: "in",
}

/** What `var` reads from where it stands: the facts, an item of a list, or a reduction's two values. */
type Scope = "facts" | "item" | "reduction"

interface Place {
  readonly scope: Scope
  readonly depth: number
  readonly iterations: number
}

/** Where a part of a condition stands: `hub rules check` speaks of parts long after they were read. */
export interface LogicPlace {
  readonly line: number
  readonly column: number
}

const places = new WeakMap<object, LogicPlace>()

/** Remembers where the logic was read. */
export function placed(logic: Json, yaml: YamlFile, node: Node): Json {
  if (typeof logic === "object" && logic !== null) places.set(logic, yaml.position(node))
  return logic
}

/** Null where it is a literal, or was not read from a file. */
export const placeOfLogic = (logic: Json): LogicPlace | null =>
  typeof logic === "object" && logic !== null ? (places.get(logic) ?? null) : null

/** The logic, or null where something in it was refused. */
export function readLogic(yaml: YamlFile, node: Node): Json | null {
  const reader = new LogicReader(yaml)
  const logic = reader.read(node, { scope: "facts", depth: 1, iterations: 0 })
  return reader.sound ? logic : null
}

/** What is wrong with a path that starts at the facts, or null: it must lead into the event or its payload. */
export function factProblem(path: string): { problem: string; expected: string; suggestion: string | null } | null {
  const wrong = pathProblem(path)
  if (wrong !== null) return { problem: wrong, expected: "a path such as payload.customer.name", suggestion: null }
  const [root, field, ...deeper] = path.split(".")
  if (root === "payload") return null
  if (root !== "event") {
    const known = EVENT_FIELDS.find((name) => name === path)
    const suggestion = known === undefined ? `payload.${path}` : `event.${known}`
    return { problem: `the variable ${shown(path)}`, expected: "event.… or payload.…", suggestion }
  }
  if (field === undefined || (EVENT_FIELDS.includes(field) && deeper.length === 0)) return null
  const near = rightWord(field, EVENT_FIELDS)
  return {
    problem: `the variable ${shown(path)}`,
    expected: `event. and ${oneOf(EVENT_FIELDS)}`,
    suggestion: near === null ? null : `event.${near}`,
  }
}

class LogicReader {
  sound = true
  readonly #yaml: YamlFile
  #nodes = 0

  constructor(yaml: YamlFile) {
    this.#yaml = yaml
  }

  #refuse(node: Node, problem: string, expected: string | null = null, suggestion: string | null = null): null {
    this.sound = false
    this.#yaml.refuse(node, problem, expected, suggestion)
    return null
  }

  read(node: Node, place: Place): Json {
    this.#nodes += 1
    if (this.#nodes === MAX_NODES)
      return this.#refuse(node, "conditions that are too long", `at most ${MAX_NODES} parts`)
    if (this.#nodes > MAX_NODES) return null
    if (place.depth > MAX_DEPTH)
      return this.#refuse(node, "conditions that are too deep", `at most ${MAX_DEPTH} levels`)
    if (isSeq(node)) return this.#list(node, place)
    if (isMap(node)) return placed(this.#operation(node, place), this.#yaml, node)
    return this.#literal(node)
  }

  #literal(node: Node): Json {
    const value = scalarOf(node)
    if (isOtherwiseBoolean(node)) return this.#refuse(node, `the text ${describe(node)} without quotes`, UNQUOTED)
    if (value === null || typeof value === "string" || typeof value === "boolean") return value
    if (typeof value !== "number") return this.#refuse(node, describe(node), "a value or an operation")
    const exact = Number.isFinite(value) && (!Number.isInteger(value) || Number.isSafeInteger(value))
    return exact
      ? value
      : this.#refuse(node, `the number ${describe(node)}`, "a number that is exact, or a text in quotes")
  }

  #list(node: Node, place: Place): readonly Json[] {
    const items = isSeq(node) ? node.items : []
    return items.map((item) => this.read(item as Node, { ...place, depth: place.depth + 1 })) // a parsed list holds nodes
  }

  #operation(node: Node, place: Place): Json {
    const entries = this.#yaml.entries(node, "an operation") ?? []
    const [first, second] = entries
    if (first === undefined) return this.#refuse(node, "an empty operation", "one operator and its arguments")
    if (second !== undefined) {
      return this.#refuse(
        second.key,
        `a second operator ${shown(second.name)} in one operation`,
        'one; join two with "and"',
      )
    }
    const { name, key, value } = first
    const arity = (Object.hasOwn(STANDARD, name) ? STANDARD[name] : OWN.get(name))?.arity
    if (arity === undefined) {
      return this.#refuse(key, `unknown operator ${shown(name)}`, oneOf(NAMES), rightWord(name, NAMES, OLD_SPELLINGS))
    }
    const args: readonly Node[] = isSeq(value) ? value.items.map((item) => item as Node) : [value] // a parsed list holds nodes
    if (args.length < arity[0] || args.length > arity[1]) {
      const wanted = arity[0] === arity[1] ? `${arity[0]}` : `${arity[0]} to ${arity[1]}`
      const own = OWN.get(name)
      const such = own === undefined ? "" : `, as in ${JSON.stringify(own.example.logic)}`
      const given = `${args.length} ${args.length === 1 ? "argument" : "arguments"}`
      return this.#refuse(key, `${shown(name)} with ${given}`, `${wanted}${such}`)
    }
    const inner = { ...place, depth: place.depth + 1 }
    if (name === "var") return this.#variable(args, inner)
    if (name === "missing") return { missing: this.#paths(args.flatMap(itemsOrSelf), inner) }
    if (name === "missing_some") return this.#missingSome(args, inner)
    if (name === "exists") return this.#exists(args, inner)
    if (ITERATORS.includes(name)) return this.#iteration(name, key, args, inner)
    const read = args.map((arg) => this.read(arg, inner))
    this.#checkLiterals(name, args, read)
    return { [name]: read }
  }

  #checkLiterals(name: string, args: readonly Node[], read: readonly Json[]): void {
    const wrong = this.sound ? (OWN.get(name)?.check?.(read) ?? null) : null
    const node = wrong === null ? undefined : args[wrong.argument]
    if (wrong === null || node === undefined) return
    const given = scalarOf(node)
    const suggestion = wrong.words && typeof given === "string" ? rightWord(given, wrong.words) : null
    this.#refuse(node, wrong.problem, wrong.expected, suggestion)
  }

  #variable(args: readonly Node[], place: Place): Json {
    const [node, fallback] = args
    if (node === undefined) return null
    const path = this.#path(node, place)
    return { var: fallback === undefined ? path : [path, this.read(fallback, place)] }
  }

  #paths(nodes: readonly Node[], place: Place): readonly Json[] {
    return nodes.map((node) => this.#path(node, place))
  }

  /** A path as it is written: one that is computed could lead anywhere. */
  #path(node: Node, { scope }: Place): string {
    const value = scalarOf(node)
    const path = typeof value === "number" && Number.isInteger(value) && value >= 0 ? String(value) : value
    if (typeof path !== "string") {
      this.#refuse(node, isScalar(node) ? describe(node) : "a computed path", "a path such as payload.amount")
      return ""
    }
    if (scope === "facts") {
      const wrong = factProblem(path)
      if (wrong !== null) this.#refuse(node, wrong.problem, wrong.expected, wrong.suggestion)
    } else if (path !== "") {
      this.#checkInner(node, path, scope)
    }
    return path
  }

  #checkInner(node: Node, path: string, scope: "item" | "reduction"): void {
    const wrong = pathProblem(path)
    const root = path.split(".")[0] ?? ""
    if (wrong !== null) this.#refuse(node, wrong, "a path within the item")
    else if (scope === "reduction" && root !== "current" && root !== "accumulator") {
      this.#refuse(
        node,
        `the variable ${shown(path)} in a reduce`,
        "current or accumulator",
        rightWord(root, ["current", "accumulator"]),
      )
    } else if (scope === "item" && (root === "payload" || root === "event")) {
      this.#refuse(
        node,
        `the variable ${shown(path)} inside of a list`,
        'a path within the item ("" is the item itself)',
      )
    }
  }

  #missingSome(args: readonly Node[], place: Place): Json {
    const [count, keys] = args
    if (count === undefined || keys === undefined) return null
    const least = scalarOf(count)
    if (typeof least !== "number" || !Number.isInteger(least))
      return this.#refuse(count, describe(count), "a whole number")
    if (!isSeq(keys)) return this.#refuse(keys, describe(keys), "a list of paths")
    return { missing_some: [least, this.#paths(itemsOrSelf(keys), place)] }
  }

  /** Takes the path itself or a `var`, and becomes the one form that the operator knows. */
  #exists(args: readonly Node[], place: Place): Json {
    const [node] = args
    if (node === undefined) return null
    if (isMap(node)) return { exists: [this.read(node, place)] }
    return { exists: [{ var: this.#path(node, place) }] }
  }

  #iteration(name: string, key: Node, args: readonly Node[], place: Place): Json {
    const [list, body, initial] = args
    if (list === undefined || body === undefined) return null
    if (place.iterations >= MAX_ITERATIONS) {
      return this.#refuse(key, `${shown(name)} within two others`, `at most ${MAX_ITERATIONS} inside each other`)
    }
    const deeper = { ...place, iterations: place.iterations + 1 }
    const read = [
      this.read(list, deeper),
      this.read(body, { ...deeper, scope: name === "reduce" ? "reduction" : "item" }),
    ]
    return { [name]: initial === undefined ? read : [...read, this.read(initial, place)] }
  }
}

const itemsOrSelf = (node: Node): readonly Node[] => (isSeq(node) ? node.items.map((item) => item as Node) : [node]) // a parsed list holds nodes
