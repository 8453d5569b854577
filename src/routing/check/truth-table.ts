/**
 * Whether clauses can be true and can be false at all. Every part that is compared with literals is tried with a value
 * from each region that those literals part its values into (each literal, between two, below, above, missing, of another
 * kind), by the evaluator itself. Parts that cannot be seen through are both true and false. So a verdict is certain.
 */

import { SEVERITY_RANK } from "../../domain/event.ts"
import { isJsonObject, type Json } from "../../domain/json.ts"
import { evaluate, isTrue, LogicFailed } from "../conditions/logic.ts"

export const SEVERITIES = Object.keys(SEVERITY_RANK)
/** So many combinations of values are tried. */
const MAX_TRIED = 4_096
export const COMPARES = ["==", "===", "!=", "!==", "<", "<=", ">", ">="]
export const JOINS = ["and", "or", "!", "!!", "if", "?:"]

/** What clauses are tried under. The rules of one hub repeat each other's clauses, so what was found is kept. */
export interface Trials {
  /** Those that the rule listens to; null: a wildcard, so any. */
  readonly eventTypes: readonly string[] | null
  /** Shared by the rules of one check. */
  readonly found: Map<string, boolean | null>
}

/** True or false where the clauses together are so for all values; null where they are both, or too many to try. */
export function tried(clauses: readonly Json[], join: "and" | "or", trials: Trials): boolean | null {
  const words = JSON.stringify(clauses)
  const key = `${join} ${words} ${words.includes('"event.type"') ? JSON.stringify(trials.eventTypes) : ""}`
  const known = trials.found.get(key)
  if (known !== undefined) return known
  const verdict = triedAnew(clauses, join, trials)
  trials.found.set(key, verdict)
  return verdict
}

function triedAnew(clauses: readonly Json[], join: "and" | "or", trials: Trials): boolean | null {
  const [only] = clauses
  const inner = clauses.length === 1 && only !== undefined ? operation(only) : null
  if (inner !== null && (inner.operator === "and" || inner.operator === "or"))
    return tried(inner.args, inner.operator, trials)
  const apart = independent(clauses, trials.eventTypes)
  if (apart.length < 2) return triedTogether(clauses, join, trials.eventTypes)
  const decisive = join === "or"
  const verdicts = apart.map((group) => tried(group, join, trials))
  if (verdicts.includes(decisive)) return decisive
  return verdicts.includes(null) ? null : !decisive
}

/** The clauses in groups that have nothing in common, so that each can be tried alone. */
function independent(clauses: readonly Json[], eventTypes: readonly string[] | null): readonly (readonly Json[])[] {
  let groups: { readonly clauses: readonly Json[]; readonly keys: ReadonlySet<string> }[] = []
  for (const clause of clauses) {
    const keys = new Set(new Abstraction(eventTypes).whole(clause).terms.map(({ key }) => key))
    const near = groups.filter((group) => !group.keys.isDisjointFrom(keys))
    const merged = {
      clauses: [...near.flatMap((group) => group.clauses), clause],
      keys: new Set([...near.flatMap((group) => [...group.keys]), ...keys]),
    }
    groups = [...groups.filter((group) => !near.includes(group)), merged]
  }
  return groups.map((group) => group.clauses)
}

function triedTogether(
  clauses: readonly Json[],
  join: "and" | "or",
  eventTypes: readonly string[] | null,
): boolean | null {
  const abstraction = new Abstraction(eventTypes)
  const { logic, terms } = abstraction.whole(clauses.length === 1 ? (clauses[0] ?? null) : { [join]: clauses })
  const candidates = terms.map((term) => term.values())
  const total = candidates.reduce((product, { length }) => product * length, 1)
  if (terms.length === 0 || total > MAX_TRIED) return null
  let seen: boolean | null = null
  for (let number = 0; number < total; number++) {
    let rest = number
    const values = candidates.map((of) => {
      const value = of[rest % of.length]
      rest = Math.floor(rest / of.length)
      return value
    })
    const verdict = verdictOf(logic, values)
    if (verdict === null || (seen !== null && seen !== verdict)) return null
    seen = verdict
  }
  return seen
}

function verdictOf(logic: Json, values: readonly unknown[]): boolean | null {
  try {
    return isTrue(evaluate(logic, { event: {}, payload: { v: values as Json } }, 0)) // only NaN is no JSON, and can be compared
  } catch (error) {
    if (error instanceof LogicFailed) return null
    throw error
  }
}

/** Something that is compared with literals, by its logic; or, without literals, something that is true or false. */
class Term {
  readonly key: string
  readonly place: number
  readonly #eventTypes: readonly string[] | null
  readonly #literals = new Set<Json>()
  #compared = false

  constructor(key: string, place: number, eventTypes: readonly string[] | null) {
    this.key = key
    this.place = place
    this.#eventTypes = eventTypes
  }

  compare(literals: readonly Json[]): void {
    this.#compared = true
    for (const literal of literals) this.#literals.add(literal)
  }

  /** A value of each region. */
  values(): readonly unknown[] {
    if (!this.#compared) return [false, true]
    if (this.key === "event.severity") return SEVERITIES
    if (this.key === "event.type" && this.#eventTypes !== null) return this.#eventTypes
    const numbers = [...this.#literals]
      .map(Number)
      .filter(Number.isFinite)
      .sort((a, b) => a - b)
    const texts = [...this.#literals].filter((literal) => typeof literal === "string")
    const around = numbers.flatMap((at, i) => [at, (at + (numbers[i + 1] ?? at + 2)) / 2])
    const all: readonly unknown[] = [
      null,
      OTHER_TEXT,
      ...texts,
      ...around,
      ...(numbers[0] === undefined ? [] : [numbers[0] - 1]),
      ...texts.map((text) => `${text}\u0000`),
      ...around.map(String),
      0,
      1,
      "",
      true,
      false,
      Number.NaN,
      [],
      ["x"],
    ]
    return [...new Set(all)].filter((value) => this.#possible(value))
  }

  /** The event's own fields are texts, and few may be missing. */
  #possible(value: unknown): boolean {
    if (!this.key.startsWith("event.")) return true
    return typeof value === "string" || (value === null && MAY_BE_MISSING.includes(this.key))
  }
}

const OTHER_TEXT = "\u{10ffff} a text like none"
const MAY_BE_MISSING = ["event.location_id", "event.correlation_id", "event.idempotency_key"]

/** Puts a variable in the place of everything that is compared with literals, and of every clause it cannot see into. */
export class Abstraction {
  readonly #terms = new Map<string, Term>()
  readonly #eventTypes: readonly string[] | null

  constructor(eventTypes: readonly string[] | null) {
    this.#eventTypes = eventTypes
  }

  whole(condition: Json): { readonly logic: Json; readonly terms: readonly Term[] } {
    const logic = this.#clause(condition)
    return { logic, terms: [...this.#terms.values()] }
  }

  #clause(clause: Json): Json {
    const { operator, args } = operation(clause)
    if (operator === null) return clause
    if (JOINS.includes(operator)) return { [operator]: args.map((arg) => this.#clause(arg)) }
    if (COMPARES.includes(operator)) return this.#comparison(operator, args, clause)
    const [first = null, second = null] = args
    if (operator === "in" && isLiteralList(second) && !isLiteral(first))
      return { in: [this.#compared(first, second), second] }
    if (operator === "exists") return { exists: [this.#compared(first, [])] }
    if (operator === "severity_at_least" && isLiteral(args.at(-1) ?? null)) {
      const severity: Json = args.length === 1 ? { var: "event.severity" } : first
      return { severity_at_least: [this.#compared(severity, SEVERITIES), args.at(-1) ?? null] }
    }
    if (operator === "var") return this.#compared(clause, [])
    return this.#term(clause)
  }

  #comparison(operator: string, args: readonly Json[], clause: Json): Json {
    const literals = args.filter(isLiteral)
    const terms = [...new Set(args.filter((arg) => !isLiteral(arg)).map((arg) => JSON.stringify(arg)))]
    if (terms.length !== 1 || literals.length === 0) return this.#term(clause)
    return { [operator]: args.map((arg) => (isLiteral(arg) ? arg : this.#compared(arg, literals))) }
  }

  #compared(logic: Json, literals: readonly Json[]): Json {
    return this.#term(logic, literals)
  }

  #term(logic: Json, literals: readonly Json[] | null = null): Json {
    const key = pathOf(logic) ?? JSON.stringify(logic)
    const term = this.#terms.get(key) ?? new Term(key, this.#terms.size, this.#eventTypes)
    this.#terms.set(key, term)
    if (literals !== null) term.compare(literals)
    return { var: `payload.v.${term.place}` }
  }
}

/** The operator and its arguments; a null operator: a literal. */
export function operation(logic: Json): { readonly operator: string | null; readonly args: readonly Json[] } {
  const [entry] = isJsonObject(logic) ? Object.entries(logic) : []
  if (entry === undefined) return { operator: null, args: [] }
  const [operator, args] = entry
  return { operator, args: Array.isArray(args) ? args : [args] }
}

/** The path of a `var` without a fallback; null: it is something else. */
export function pathOf(logic: Json): string | null {
  const { operator, args } = operation(logic)
  return operator === "var" && args.length === 1 && typeof args[0] === "string" ? args[0] : null
}

const isLiteral = (logic: Json): boolean => typeof logic !== "object" || logic === null
const isLiteralList = (logic: Json): logic is readonly Json[] => Array.isArray(logic) && logic.every(isLiteral)
