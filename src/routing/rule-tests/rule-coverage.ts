/**
 * What of the rules some tests have tried. A branch is something that a rule says and that can go two ways: it matches or
 * not; each part of its condition holds or not; what it does is done, and where the rule itself can hold it back it is held
 * back; each step of an escalation comes, and somebody ends it; each further channel is tried.
 */
import { isJsonObject, type Json } from "../../domain/json.ts"
import type { Plan } from "../../domain/plan.ts"
import { placeOfRule } from "../check/check-words.ts"
import { placeOfLogic } from "../conditions/lint-logic.ts"
import { evaluate, type Facts, isTrue, LogicFailed } from "../conditions/logic.ts"
import { factsOf } from "../facts.ts"
import { shown } from "../rule-error.ts"
import type { LoadedRule, RuleSet } from "../rule-set.ts"
import type { World } from "../world/world.ts"

export interface Coverage {
  readonly branches: number
  readonly covered: number
  /** Rounded down: 100 is all of it. */
  readonly percent: number
  readonly rules: number
  /** Rules of which every branch was tried. */
  readonly rulesCovered: number
  /** In the order of the rules. */
  readonly uncovered: readonly Branch[]
}

export interface Branch {
  readonly rule: string
  readonly file: string
  readonly line: number
  readonly column: number
  /** What no test tried: `never matched`. */
  readonly missing: string
}

interface Ways extends Branch {
  seen: boolean
}

export class CoverageCount {
  readonly #ruleSet: RuleSet
  /** By rule and what it is. */
  readonly #branches = new Map<string, Ways>()
  readonly #clauses = new Map<LoadedRule, ReadonlySet<Json>>()

  constructor(ruleSet: RuleSet) {
    this.#ruleSet = ruleSet
    for (const rule of ruleSet.rules) this.#expect(rule)
  }

  /** What a test has done, when it is over. */
  see(world: World, plans: readonly Plan[]): void {
    for (const plan of plans) this.#decided(plan)
    for (const { notification } of world.notifications) {
      for (const [place, action] of this.#rule(notification.rule)?.actions.entries() ?? []) {
        if (action.type !== "notify") continue
        const { reason, inbox, rule } = notification
        if (isHeldBack(reason)) this.#saw(rule, `${place} held back`, action.limits.length > 0)
        else if (inbox || reason === "shadow") this.#saw(rule, `${place} told`, action.channels.includes("inapp"))
      }
    }
    for (const { delivery, reason, status } of world.deliveries) {
      const { rule, action: place, channel, start } = delivery
      const told = start.status === "queued" || start.status === "scheduled" || reason === "shadow"
      this.#saw(rule, `${place} told`, told)
      this.#saw(rule, `${place} held back`, isHeldBack(reason))
      this.#saw(rule, `${place} expired`, status === "expired")
      this.#saw(rule, `${place} over ${channel}`, told)
    }
    for (const { timer, outcome } of world.timers) {
      if (timer.kind !== "escalate") continue
      this.#saw(timer.rule, `${timer.action} step ${timer.step}`, outcome === "fired")
      this.#saw(timer.rule, `${timer.action} ended`, outcome === "acknowledged" || outcome === "read")
    }
  }

  get coverage(): Coverage {
    const all = [...this.#branches.values()]
    const covered = all.filter(({ seen }) => seen).length
    const uncovered = all.filter(({ seen }) => !seen)
    const lacking = new Set(uncovered.map(({ rule }) => rule))
    return {
      branches: all.length,
      covered,
      percent: all.length === 0 ? 100 : Math.floor((100 * covered) / all.length),
      rules: this.#ruleSet.rules.length,
      rulesCovered: this.#ruleSet.rules.length - lacking.size,
      uncovered: uncovered.map(({ rule, file, line, column, missing }) => ({ rule, file, line, column, missing })),
    }
  }

  #rule(name: string): LoadedRule | undefined {
    return this.#ruleSet.rules.find((rule) => rule.name === name)
  }

  #expect(rule: LoadedRule): void {
    const add = (what: string, missing: string, at: Partial<Branch> = {}): void => {
      this.#branches.set(`${rule.name}\n${what}`, {
        rule: rule.name,
        ...placeOfRule(rule),
        ...at,
        missing,
        seen: false,
      })
    }
    add("matched", "never matched")
    if (rule.condition !== null || rule.source !== null) add("unmatched", "always matched")
    if (rule.condition !== null && rule.source !== null) {
      add("other source", `no event of its type came from another source than ${shown(rule.source)}`)
    }
    const clauses = clausesOf(rule.condition)
    this.#clauses.set(rule, new Set(clauses))
    for (const clause of clauses) {
      const at = placeOfLogic(clause) ?? {}
      for (const value of [true, false]) add(clauseKey(clause, value), `${clauseText(clause)} was never ${value}`, at)
    }
    for (const [place, action] of rule.actions.entries()) {
      const which = rule.actions.length === 1 ? "its action" : `action ${place + 1}`
      add(`${place} told`, `${which} told nobody`)
      if (action.inhibitedBy !== null) add(`${place} inhibited`, `${which} was never silenced by inhibited_by`)
      if (action.type !== "notify") continue
      if (action.limits.length > 0) add(`${place} held back`, `${which} was never held back by its limit`)
      if (action.expiresInMs !== null && action.channels.some((channel) => channel !== "inapp")) {
        add(`${place} expired`, `${which} never expired`)
      }
      for (const [step, { afterMs }] of action.escalate.entries()) {
        add(`${place} step ${step}`, `${which} was never escalated after ${afterMs / 60_000} minutes`)
      }
      if (action.escalate.length > 0) add(`${place} ended`, `${which}: nobody ended its escalation`)
      for (const channel of action.failover) add(`${place} over ${channel}`, `${which} never failed over to ${channel}`)
    }
  }

  #decided({ event, decisions, broadcasts }: Plan): void {
    const facts = factsOf(event)
    for (const decision of decisions) {
      const rule = this.#rule(decision.rule)
      if (rule === undefined) continue
      const { name } = rule
      this.#saw(name, decision.matched ? "matched" : "unmatched")
      if (rule.source !== null && rule.source !== event.source) {
        this.#saw(name, "other source")
        continue
      }
      if (rule.condition !== null) this.#walk(rule, rule.condition, facts, event.acceptedAt)
      const inhibited = decision.matched && /; inhibited by evt_/.test(decision.reason)
      for (const [place, action] of rule.actions.entries()) {
        this.#saw(name, `${place} inhibited`, inhibited && action.inhibitedBy !== null)
        // A broadcast in shadow leaves no trace but the decision.
        const quiet = action.type === "broadcast" && action.mode === "shadow" && decision.matched && !inhibited
        this.#saw(
          name,
          `${place} told`,
          quiet || (action.type === "broadcast" && broadcasts.some((one) => one.rule === name)),
        )
      }
    }
  }

  /** In the order of the evaluation: a part that was not asked has not been tried. */
  #walk(rule: LoadedRule, logic: Json, facts: Facts, now: number): boolean {
    const [operator, args] = operation(logic)
    let value: boolean
    if (splits(logic) && (operator === "and" || operator === "or")) {
      value = operator === "and"
      for (const arg of args) {
        value = this.#walk(rule, arg, facts, now)
        if (value !== (operator === "and")) break
      }
    } else if (splits(logic) && operator === "!") value = !this.#walk(rule, args[0] ?? null, facts, now)
    else value = holds(logic, facts, now)
    if (this.#clauses.get(rule)?.has(logic)) this.#saw(rule.name, clauseKey(logic, value))
    return value
  }

  #saw(rule: string, what: string, really = true): void {
    const branch = this.#branches.get(`${rule}\n${what}`)
    if (branch !== undefined && really) branch.seen = true
  }
}

const isHeldBack = (reason: string | null): boolean => reason === "cooldown" || reason === "throttled"

/** What cannot be computed does not match. */
function holds(logic: Json, facts: Facts, now: number): boolean {
  try {
    return isTrue(evaluate(logic, facts, now))
  } catch (error) {
    if (error instanceof LogicFailed) return false
    throw error
  }
}

/** The parts of a condition that its author wrote between `and` and `or`, or as items of a list. */
function clausesOf(condition: Json | null): readonly Json[] {
  const clauses: Json[] = []
  const walk = (logic: Json, top: boolean): void => {
    const [operator, args] = operation(logic)
    if (splits(logic)) for (const arg of args) walk(arg, operator === "!" && top)
    // The whole condition is the rule's own branch.
    else if (!top && placeOfLogic(logic) !== null) clauses.push(logic)
  }
  if (condition !== null) walk(condition, true)
  return clauses
}

function clauseKey(clause: Json, value: boolean): string {
  const { line, column } = placeOfLogic(clause) ?? { line: 0, column: 0 }
  return `${line}:${column} ${value}`
}

const MAX_CLAUSE = 100

/** Without the guard that a triple is compiled to. */
function clauseText(clause: Json): string {
  const [operator, [guard = null, comparison = clause]] = operation(clause)
  const text = JSON.stringify(operator === "and" && operation(guard)[0] === "exists" ? comparison : clause)
  return text.length > MAX_CLAUSE ? `${text.slice(0, MAX_CLAUSE - 1)}…` : text
}

/** True where the author wrote the parts: what a triple is compiled to has no places of its own. */
function splits(logic: Json): boolean {
  const [operator, args] = operation(logic)
  return (operator === "and" || operator === "or" || operator === "!") && args.some((arg) => placeOfLogic(arg) !== null)
}

function operation(logic: Json): readonly [string | null, readonly Json[]] {
  const [entry] = isJsonObject(logic) ? Object.entries(logic) : []
  if (entry === undefined) return [null, []]
  const [operator, given] = entry
  return [operator, Array.isArray(given) ? given : [given]]
}
