/**
 * Says in a sentence why a condition holds or does not: the clause that decided, with the values it saw. Computed from
 * the same logic and the same facts as the decision, so it cannot tell another story.
 */
import { isJsonObject, type Json } from "../domain/json.ts"
import { evaluate, type Facts, isTrue } from "./logic.ts"

const MAX_REASON = 300
const MAX_OPERAND = 60

/** `payload.days_overdue (3) >= 7 is false`. At most 300 characters. Throws LogicFailed where the logic does. */
export function explain(condition: Json, facts: Facts, now: number): string {
  const sentence = new Explainer(facts, now).clause(condition)
  return sentence.length > MAX_REASON ? `${sentence.slice(0, MAX_REASON - 1)}…` : sentence
}

/** Operators that stand between their operands, and how they are read. */
const BETWEEN: Readonly<Record<string, string>> = {
  "==": "==",
  "===": "===",
  "!=": "!=",
  "!==": "!==",
  ">": ">",
  ">=": ">=",
  "<": "<",
  "<=": "<=",
  "+": "+",
  "-": "-",
  "*": "*",
  "/": "/",
  "%": "%",
  in: "in",
  starts_with: "starts with",
  ends_with: "ends with",
  matches: "matches",
}

class Explainer {
  readonly #facts: Facts
  readonly #now: number

  constructor(facts: Facts, now: number) {
    this.#facts = facts
    this.#now = now
  }

  #value(logic: Json): unknown {
    return evaluate(logic, this.#facts, this.#now)
  }

  /** The part of a condition that decides, and that it is true or false. */
  clause(logic: Json): string {
    const { operator, args } = operation(logic)
    const holds = isTrue(this.#value(logic))
    if (operator === "and" || operator === "or") {
      const decides = operator === "and" ? !holds : holds
      const telling = args.length > 1 ? args.filter((arg) => decides || !isGuard(arg)) : args
      const deciding = decides ? telling.filter((arg) => isTrue(this.#value(arg)) === holds).slice(0, 1) : telling
      return this.#joined(deciding)
    }
    if (operator === "!" && args[0] !== undefined) return `not (${this.#phrase(args[0])}) is ${holds}`
    return `${this.#phrase(logic)} is ${holds}`
  }

  /** Stops when the sentence is long enough: what is cut off need not be computed. */
  #joined(clauses: readonly Json[]): string {
    let sentence = ""
    for (const clause of clauses) {
      sentence += sentence === "" ? this.clause(clause) : ` and ${this.clause(clause)}`
      if (sentence.length > MAX_REASON) break
    }
    return sentence
  }

  /** A clause without its verdict. */
  #phrase(logic: Json): string {
    const { operator, args } = operation(logic)
    if (operator === null || operator === "var") return this.#operand(logic)
    if (operator === "and" || operator === "or") {
      return args.map((arg) => this.#phrase(arg)).join(` ${operator} `)
    }
    if (operator === "severity_at_least") {
      const [first, second] = args
      const severity: Json = second === undefined ? { var: "event.severity" } : (first ?? null)
      return `${this.#operand(severity)} is at least ${this.#operand(second ?? first ?? null)}`
    }
    if (operator === "event_matches")
      return `${this.#operand({ var: "event.type" })} fits ${this.#operand(args[0] ?? null)}`
    if (operator === "exists") return `${this.#operand(args[0] ?? null)} exists`
    if (operator === "!") return `not (${this.#phrase(args[0] ?? null)})`
    const between = BETWEEN[operator]
    if (between !== undefined && args.length > 1) return args.map((arg) => this.#operand(arg)).join(` ${between} `)
    return this.#call(operator, args)
  }

  /** A list's own logic speaks of its items, which have no names here. */
  #call(operator: string, args: readonly Json[]): string {
    const shown = ["map", "filter", "reduce", "all", "none", "some"].includes(operator) ? args.slice(0, 1) : args
    const rest = shown.length < args.length ? ", …" : ""
    return `${operator}(${shown.map((arg) => this.#operand(arg)).join(", ")}${rest})`
  }

  /** A literal as it is; anything computed with its value behind it. */
  #operand(logic: Json): string {
    const { operator, args } = operation(logic)
    if (operator === null) return display(logic)
    const value = display(this.#value(logic))
    if (operator !== "var") return `${this.#phrase(logic)} (${value})`
    const path = Array.isArray(args[0]) ? args[0][0] : args[0]
    return `${path === "" ? "the item" : String(path)} (${value === "null" ? "missing" : value})`
  }
}

/** The operator and its arguments; a null operator: a literal. */
function operation(logic: Json): { readonly operator: string | null; readonly args: readonly Json[] } {
  if (!isJsonObject(logic)) return { operator: null, args: [] }
  const [entry] = Object.entries(logic)
  if (entry === undefined) return { operator: null, args: [] }
  const [operator, args] = entry
  return { operator, args: Array.isArray(args) ? args : [args] }
}

/** A clause that only keeps a missing value out; where it holds there is nothing to say of it. */
const isGuard = (logic: Json): boolean => operation(logic).operator === "exists"

const MAX_SHOWN_ITEMS = 10

/** A value in a few words. What is long is cut before it is written out: an event may be 256 KB. */
function display(value: unknown): string {
  if (typeof value === "string") return cut(JSON.stringify(value.slice(0, MAX_OPERAND)))
  if (Array.isArray(value)) {
    if (value.length > MAX_SHOWN_ITEMS) return `${value.length} items`
    return cut(`[${value.map((item) => display(item)).join(",")}]`)
  }
  if (typeof value === "object" && value !== null) return "an object"
  return cut(String(value ?? null))
}

const cut = (text: string): string => (text.length > MAX_OPERAND ? `${text.slice(0, MAX_OPERAND - 1)}…` : text)
