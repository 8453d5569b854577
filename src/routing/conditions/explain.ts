/**
 * Says in a sentence why a condition holds or does not: the clause that decided, with the values it saw. Computed from
 * the same logic and the same facts as the decision, so it cannot tell another story.
 */
import { isJsonObject, type Json } from "../../domain/json.ts"
import { Budget, evaluate, type Facts, isTrue, MAX_STEPS_PER_EVENT } from "./logic.ts"
import { ownValue } from "./own-path.ts"

const MAX_REASON = 300
const MAX_OPERAND = 60

/**
 * `payload.days_overdue (3) >= 7 is false`. At most 300 characters. `verdict`: what the condition came to, where that is
 * known. Throws LogicFailed where the logic does.
 */
export function explain(condition: Json, facts: Facts, now: number, verdict?: boolean): string {
  const explainer = new Explainer(facts, now)
  const sentence = explainer.clause(condition, verdict ?? explainer.holds(condition))
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

/** Puts the parts of a condition into words, with the values that they see in these facts. */
export class Explainer {
  readonly #facts: Facts
  readonly #now: number
  /** Parts are evaluated once for each level that they stand below. */
  readonly #budget: Budget

  constructor(facts: Facts, now: number, budget = new Budget(MAX_STEPS_PER_EVENT)) {
    this.#facts = facts
    this.#now = now
    this.#budget = budget
  }

  /** Throws LogicFailed. */
  value(logic: Json): unknown {
    return evaluate(logic, this.#facts, this.#now, this.#budget)
  }

  holds(logic: Json): boolean {
    return isTrue(this.value(logic))
  }

  /** The part of a condition that decides, and that it is true or false: as the whole is, but behind a `!`. */
  clause(logic: Json, holds: boolean): string {
    const { operator, args } = operation(logic)
    if (operator === "and" || operator === "or") {
      const decides = operator === "and" ? !holds : holds
      if (decides) {
        const deciding = args.find((arg, i) => i === args.length - 1 || this.holds(arg) === holds)
        return deciding === undefined ? "" : this.clause(deciding, holds)
      }
      const telling = args.filter((arg) => !isGuard(arg))
      return this.#joined(telling.length > 0 ? telling : args, holds)
    }
    if (operator === "!" && args[0] !== undefined) return `not (${this.phrase(args[0])}) is ${holds}`
    return `${this.phrase(logic)} is ${holds}`
  }

  /** Stops when the sentence is long enough: what is cut off need not be computed. */
  #joined(clauses: readonly Json[], holds: boolean): string {
    let sentence = ""
    for (const clause of clauses) {
      sentence += sentence === "" ? this.clause(clause, holds) : ` and ${this.clause(clause, holds)}`
      if (sentence.length > MAX_REASON) break
    }
    return sentence
  }

  /** A clause without its verdict. */
  phrase(logic: Json): string {
    const { operator, args } = operation(logic)
    if (operator === null || operator === "var") return this.#operand(logic)
    if (operator === "and" || operator === "or") {
      return args.map((arg) => this.phrase(arg)).join(` ${operator} `)
    }
    if (operator === "severity_at_least") {
      const [first, second] = args
      const severity: Json = second === undefined ? { var: "event.severity" } : (first ?? null)
      return `${this.#operand(severity)} is at least ${this.#operand(second ?? first ?? null)}`
    }
    if (operator === "event_matches")
      return `${this.#operand({ var: "event.type" })} fits ${this.#operand(args[0] ?? null)}`
    if (operator === "exists") return `${this.#operand(args[0] ?? null)} exists`
    if (operator === "!") return `not (${this.phrase(args[0] ?? null)})`
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
    if (operator !== "var") return `${this.phrase(logic)} (${display(this.value(logic))})`
    const [path] = args
    const plain = typeof path === "string" && args.length === 1
    const value = display(plain ? ownValue(this.#facts, path) : this.value(logic))
    return `${path === "" ? "the item" : String(path)} (${value === "null" ? "missing" : value})`
  }
}

/** The operator and its arguments; a null operator: a literal. */
export function operation(logic: Json): { readonly operator: string | null; readonly args: readonly Json[] } {
  if (!isJsonObject(logic)) return { operator: null, args: [] }
  const [entry] = Object.entries(logic)
  if (entry === undefined) return { operator: null, args: [] }
  const [operator, args] = entry
  return { operator, args: Array.isArray(args) ? args : [args] }
}

/** A clause that only keeps a missing value out; where it holds there is nothing to say of it. */
export const isGuard = (logic: Json): boolean => operation(logic).operator === "exists"

const MAX_SHOWN_ITEMS = 10

/** A value in a few words. What is long is cut before it is written out: an event may be 256 KB. */
export function display(value: unknown): string {
  if (typeof value === "string") return cut(JSON.stringify(value.slice(0, MAX_OPERAND)))
  if (Array.isArray(value)) {
    if (value.length > MAX_SHOWN_ITEMS) return `${value.length} items`
    return cut(`[${value.map((item) => display(item)).join(",")}]`)
  }
  if (typeof value === "object" && value !== null) return "an object"
  return cut(String(value ?? null))
}

const cut = (text: string): string => (text.length > MAX_OPERAND ? `${text.slice(0, MAX_OPERAND - 1)}…` : text)
