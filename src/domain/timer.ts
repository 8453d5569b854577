/**
 * What is to happen later, as a row: it survives whoever made it, and whoever fires it does so once. A timer keeps the
 * rules that it was made under.
 */
import type { BusinessId, EventId, RuleName, TimerId } from "./ids.ts"

/**
 * `delay`: tell now what was delayed. `digest`: tell all that was gathered. `escalate`: tell the next step, unless
 * somebody reacted. `failover`: try the next channel for whom every one before was definitely not sent.
 */
export type TimerKind = "delay" | "digest" | "escalate" | "failover"

export interface NewTimer {
  readonly id: TimerId
  readonly kind: TimerKind
  /** Of a digest: the event that opened it. */
  readonly event: EventId
  readonly business: BusinessId
  readonly rule: RuleName
  /** The action's place in its rule, from 0. */
  readonly action: number
  /** Place in `escalate` or `failover`, from 0. Of the others: 1 where it tells so many that it is fired alone, else 0. */
  readonly step: number
  /** When it was first told or would have been: what `after` counts from. Milliseconds since the Unix epoch. */
  readonly beganAt: number
  readonly dueAt: number
  /** Of an escalation: whose mark on a notification ends it. Null for the others. */
  readonly until: "acknowledged" | "read" | null
  /**
   * Of a digest: the key of the gate that events go in by. Whoever fires it holds the gate before he reads the events, or
   * one that is just being gathered would be told of by nobody. Null for the others.
   */
  readonly gate: string | null
  readonly rulesHash: string
  readonly rulesRevision: string
}

/**
 * Which telling of a rule's message it is: null is the first, when the event came. Sets deliveries of one address apart.
 * `digest:0:0` has `digest:0:0:<hash>` beside it, where people are told of some of one digest's events: of which, the hash says.
 */
export type Round = string | null

export const roundOf = ({ kind, action, step }: Pick<NewTimer, "kind" | "action" | "step">): Round =>
  `${kind}:${action}:${step}`
