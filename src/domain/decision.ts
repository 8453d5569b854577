/** What was decided for an event, and why. Kept sealed: a reason holds operands, which are payload data. */
import type { RuleName } from "./ids.ts"

/** Of one rule whose event type fits. `reason` is a sentence naming the deciding clause with its operands. */
export interface RuleDecision {
  readonly rule: RuleName
  readonly matched: boolean
  readonly reason: string
  /** The deciding clause alone, where the reason goes on about what followed. That may name people. */
  readonly clause?: string
}

/** Why an event has no plan although it was stored. */
export interface RoutingFailure {
  readonly rule: RuleName | null
  readonly reason: string
  /** The reason without any value of the event, where the reason may hold one: what the log is told. */
  readonly unquoted?: string
}
