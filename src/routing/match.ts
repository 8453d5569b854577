/** Which rules an event concerns, and why: pure, so that it can be asked again for any stored event. */
import type { RoutingFailure, RuleDecision } from "../domain/decision.ts"
import type { HubEvent } from "../domain/event.ts"
import { explain } from "./explain.ts"
import { factsOf } from "./facts.ts"
import { evaluate, type Facts, isTrue, LogicFailed } from "./logic.ts"
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
  for (const rule of ruleSet.rulesFor(event.type)) {
    try {
      const decision = decide(rule, event, facts)
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

function decide(rule: LoadedRule, event: HubEvent, facts: Facts): RuleDecision {
  if (rule.source !== null && rule.source !== event.source) {
    const reason = `event.source (${JSON.stringify(event.source)}) is not ${JSON.stringify(rule.source)}`
    return { rule: rule.name, matched: false, reason }
  }
  if (rule.condition === null) return { rule: rule.name, matched: true, reason: "the event type fits, no conditions" }
  return {
    rule: rule.name,
    matched: isTrue(evaluate(rule.condition, facts, event.acceptedAt)),
    reason: explain(rule.condition, facts, event.acceptedAt),
  }
}
