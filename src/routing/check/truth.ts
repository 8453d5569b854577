/**
 * What can be said of a condition before any event comes: that it is always true, never true, or true of nothing at all.
 * What it says is certain (see `truth-table.ts`), and silence says nothing.
 */
import { isSeverity } from "../../domain/event.ts"
import { isJsonObject, type Json } from "../../domain/json.ts"
import { explain } from "../conditions/explain.ts"
import { evaluate, type Facts, isTrue, LogicFailed } from "../conditions/logic.ts"
import { isWildcard } from "../event-pattern.ts"
import { rightWord, shown } from "../rule-error.ts"
import { Abstraction, COMPARES, JOINS, operation, pathOf, SEVERITIES, type Trials, tried } from "./truth-table.ts"

/** `clause` is the part of the condition that it is about, for its place. */
export interface Doubt {
  readonly clause: Json
  readonly problem: string
  readonly expected: string | null
  readonly suggestion: string | null
}

const OLD_SEVERITIES = {
  warn: "warning",
  crit: "critical",
  err: "error",
  urgent: "critical",
  fatal: "critical",
  debug: "info",
}

/** What is doubtful about a rule's condition, the most certain first; empty where nothing can be said against it. */
export function doubtsAbout(
  condition: Json,
  eventTypes: readonly string[],
  found: Trials["found"] = new Map(),
): readonly Doubt[] {
  const words = unknownSeverities(condition)
  if (words.length > 0) return words
  const fixed = fixedClauses(condition)
  if (fixed.length > 0) return fixed
  const trials: Trials = { eventTypes: eventTypes.some(isWildcard) ? null : eventTypes, found }
  const settled = settledParts(condition, trials)
  if (settled.length > 0) return settled
  return emptyPayload(condition, eventTypes)
}

// ── literals where a variable was meant ─────────────────────────────────────────────────────────────────────────────

/** Clauses that look at nothing. */
function fixedClauses(condition: Json): readonly Doubt[] {
  const found: Doubt[] = []
  const walk = (clause: Json): void => {
    if (looksAtNothing(clause)) {
      const value = verdictFor(clause, NOTHING) ?? "one and the same, or too costly"
      const verdict = `a condition that is always ${value}: it names no variable`
      const path = typeof clause === "string" && /^(?:event|payload)\./.test(clause) ? `{ var: ${clause} }` : null
      found.push({ clause, problem: verdict, expected: null, suggestion: path })
      return
    }
    for (const part of clausesOf(clause)) walk(part)
  }
  walk(condition)
  return found
}

const NOTHING: Facts = { event: {}, payload: {} }

/** Operators whose value depends on more than their arguments. */
const LOOKING = ["var", "missing", "missing_some", "event_matches", "days_since", "days_until"]

function looksAtNothing(logic: Json): boolean {
  if (Array.isArray(logic)) return logic.every(looksAtNothing)
  const { operator, args } = operation(logic)
  if (operator === null) return true
  if (LOOKING.includes(operator)) return false
  if ((operator === "severity_at_least" || operator === "hour_in") && args.length === 1) return false
  return args.every(looksAtNothing)
}

// ── words that no event has ─────────────────────────────────────────────────────────────────────────────────────────

function unknownSeverities(condition: Json): readonly Doubt[] {
  const found: Doubt[] = []
  const walk = (logic: Json): void => {
    if (Array.isArray(logic)) for (const item of logic) walk(item)
    const { operator, args } = operation(logic)
    if (operator === null) return
    const [left = null, right = null] = args
    if (COMPARES.includes(operator) || operator === "in") {
      const literal = isSeverityVar(left) ? right : isSeverityVar(right) ? left : null
      for (const word of Array.isArray(literal) ? literal : [literal]) {
        if (word === null || isSeverity(word) || isJsonObject(word)) continue
        const near = typeof word === "string" ? rightWord(word, SEVERITIES, OLD_SEVERITIES) : null
        const expected = `one of ${SEVERITIES.join(", ")}`
        found.push({
          clause: logic,
          problem: `${shown(word)} is no severity, so no event has it`,
          expected,
          suggestion: near,
        })
      }
    }
    for (const arg of args) walk(arg)
  }
  walk(condition)
  return found
}

const isSeverityVar = (logic: Json): boolean => pathOf(logic) === "event.severity"

// ── never and always ────────────────────────────────────────────────────────────────────────────────────────────────

function settledParts(condition: Json, trials: Trials): readonly Doubt[] {
  const verdict = tried([condition], "and", trials)
  if (verdict !== null) return [{ ...settledBy(condition, verdict, trials), suggestion: null }]
  const found: Doubt[] = []
  const walk = (clause: Json): void => {
    const { operator, args } = operation(clause)
    if (operator === "and" || operator === "or") {
      const group = settledGroup(args, operator, trials)
      if (group !== null) {
        found.push({
          clause: group.clauses[0] ?? clause,
          ...saying(group.clauses, operator, operator === "or"),
          suggestion: null,
        })
        return
      }
    }
    for (const part of clausesOf(clause)) {
      const settled = isGuard(part) ? null : tried([part], "and", trials)
      if (settled === null) walk(part)
      else found.push({ ...settledBy(part, settled, trials), suggestion: null })
    }
  }
  walk(condition)
  return found
}

/** The smallest part of a settled clause that settles it. */
function settledBy(clause: Json, verdict: boolean, trials: Trials): Omit<Doubt, "suggestion"> {
  const { operator, args } = operation(clause)
  const decisive = operator === "and" ? !verdict : operator === "or" ? verdict : null
  if (decisive === null || args.length < 2) return { clause, ...saying([clause], "and", verdict) }
  for (const part of args) if (tried([part], "and", trials) === verdict) return settledBy(part, verdict, trials)
  const join = operator === "or" ? "or" : "and"
  const group = settledGroup(args, join, trials)
  return { clause: group?.clauses[0] ?? clause, ...saying(group?.clauses ?? [clause], join, verdict) }
}

/** Clauses about one and the same thing that settle the whole: an `and` that is never, an `or` that is always. */
function settledGroup(
  clauses: readonly Json[],
  join: "and" | "or",
  trials: Trials,
): { readonly clauses: readonly Json[] } | null {
  const byTerm = Map.groupBy(
    clauses.flatMap((clause) => {
      const { terms } = new Abstraction(trials.eventTypes).whole(clause)
      return terms.length === 1 ? [{ clause, term: terms[0]?.key }] : []
    }),
    ({ term }) => term,
  )
  for (const group of byTerm.values()) {
    const own = group.map(({ clause }) => clause)
    if (own.length > 1 && tried(own, join, trials) === (join === "or")) return { clauses: own }
  }
  return null
}

function saying(clauses: readonly Json[], join: "and" | "or", verdict: boolean): Pick<Doubt, "problem" | "expected"> {
  const words = [...new Set(clauses.map(wording))].join(` ${join} `)
  return verdict
    ? { problem: `a condition that is always true: ${words}`, expected: "leave it out where every event is meant" }
    : { problem: `a condition that can never be true: ${words}`, expected: null }
}

// ── true of nothing ─────────────────────────────────────────────────────────────────────────────────────────────────

/** The condition holds although the event says nothing, and does not ask for that. */
function emptyPayload(condition: Json, eventTypes: readonly string[]): readonly Doubt[] {
  const words = JSON.stringify(condition)
  if (!words.includes('"payload')) return []
  const asking = withoutAbsence(condition)
  for (const severity of words.includes("severity") ? ["info", "medium", "high", "critical"] : ["info"]) {
    for (const location of words.includes("location_id") ? [null, "a-location"] : [null]) {
      const type = (eventTypes[0] ?? "").replaceAll(/\*+/g, "x")
      const event = { type, severity, source: "a-source", business_id: "a-business", location_id: location }
      const facts: Facts = { event, payload: {} }
      if (verdictFor(asking, facts) !== true || verdictFor(condition, facts) !== true) continue
      const problem = `a condition that is true for an empty payload: ${explainedOr(condition, facts)}`
      return [
        {
          clause: condition,
          problem,
          expected: '"exists" beside it, unless a missing value is meant',
          suggestion: null,
        },
      ]
    }
  }
  return []
}

/** Some parts may cost more to show than the whole did to decide. */
function explainedOr(condition: Json, facts: Facts): string {
  try {
    return explain(condition, facts, 0)
  } catch (error) {
    if (error instanceof LogicFailed) return wording(condition)
    throw error
  }
}

function verdictFor(logic: Json, facts: Facts): boolean | null {
  try {
    return isTrue(evaluate(logic, facts, 0))
  } catch (error) {
    if (error instanceof LogicFailed) return null
    throw error
  }
}

/** The condition with every clause that asks for a missing value taken for false. */
function withoutAbsence(clause: Json): Json {
  const { operator, args } = operation(clause)
  if (operator === null) return clause
  const [first = null, second = null] = args
  if (operator === "!" && operation(first).operator === "exists") return false
  if (operator === "missing" || operator === "missing_some") return false
  if ((operator === "==" || operator === "===") && (first === null || second === null)) return false
  return JOINS.includes(operator) ? { [operator]: args.map(withoutAbsence) } : clause
}

// ── words ───────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A clause as its author would say it; what is long is cut. */
function wording(clause: Json): string {
  const { operator, args } = operation(clause)
  if (operator === "and") {
    const telling = args.filter((arg) => !isGuard(arg))
    if (telling.length > 0) return telling.map(wording).join(" and ")
  }
  if (operator !== null && COMPARES.includes(operator)) return args.map(naming).join(` ${operator} `)
  return cut(naming(clause))
}

function naming(logic: Json): string {
  return pathOf(logic) ?? cut(JSON.stringify(logic))
}

const cut = (text: string): string => (text.length > 80 ? `${text.slice(0, 79)}…` : text)

/** Only keeps a missing value out: the list form puts one before each comparison. */
const isGuard = (clause: Json): boolean => operation(clause).operator === "exists"

/** Parts of a clause that are clauses themselves. */
function clausesOf(clause: Json): readonly Json[] {
  const { operator, args } = operation(clause)
  if (operator === null) return []
  if (operator === "if" || operator === "?:") return args.filter((_, i) => i % 2 === 0 && i < args.length - 1)
  return JOINS.includes(operator) ? args : []
}
