/** Which rules an event concerns, and why: pure, so that it can be asked again for any stored event. */
import type { RoutingFailure, RuleDecision } from "../domain/decision.ts"
import type { HubEvent } from "../domain/event.ts"
import type { Json } from "../domain/json.ts"
import { explain } from "./conditions/explain.ts"
import { Budget, evaluate, type Facts, isTrue, LogicFailed, MAX_STEPS_PER_EVENT } from "./conditions/logic.ts"
import { factsOf } from "./facts.ts"
import type { LoadedRule, RuleSet } from "./rule-set.ts"

export interface Matches {
  /** Of every rule whose event type fits, in the set's order. */
  readonly decisions: readonly RuleDecision[]
  readonly matched: readonly LoadedRule[]
  /** Rules whose conditions could not be computed for this event. */
  readonly failures: readonly RoutingFailure[]
}

/** What is decided about an event. */
export const match = (ruleSet: RuleSet, event: HubEvent): readonly RuleDecision[] =>
  matches(ruleSet, event, factsOf(event)).decisions

/** The same with what follows from it; `facts` are those of the event. */
export function matches(ruleSet: RuleSet, event: HubEvent, facts: Facts): Matches {
  const decisions: RuleDecision[] = []
  const matched: LoadedRule[] = []
  const failures: RoutingFailure[] = []
  const budget = new Budget(MAX_STEPS_PER_EVENT)
  for (const rule of ruleSet.rulesFor(event.type)) {
    try {
      const decision = decide(rule, event, facts, budget)
      decisions.push(decision)
      if (decision.matched) matched.push(rule)
    } catch (error) {
      if (!(error instanceof LogicFailed)) throw error
      const reason = `conditions: ${error.message}`
      failures.push({ rule: rule.name, reason })
      decisions.push({ rule: rule.name, matched: false, reason })
    }
  }
  return { decisions, matched, failures }
}

function decide(rule: LoadedRule, event: HubEvent, facts: Facts, budget: Budget): RuleDecision {
  const { name, source, condition } = rule
  if (source !== null && source !== event.source) {
    const reason = `event.source (${JSON.stringify(event.source)}) is not ${JSON.stringify(source)}`
    return { rule: name, matched: false, reason }
  }
  if (condition === null) return { rule: name, matched: true, reason: "the event type fits, no conditions" }
  const matched = isTrue(evaluate(condition, facts, event.acceptedAt, budget))
  let reason: string | null = null
  // The sentence costs several times what the decision does, and whoever only counts never reads it.
  return {
    rule: name,
    matched,
    get reason() {
      reason ??= explained(condition, facts, event.acceptedAt, matched)
      return reason
    },
  }
}

/** The decision stands, also where its parts cost more to show than it did. */
function explained(condition: Json, facts: Facts, now: number, verdict: boolean): string {
  try {
    return explain(condition, facts, now, verdict)
  } catch (error) {
    if (!(error instanceof LogicFailed)) throw error
    return `cannot be shown: ${error.message}`
  }
}
