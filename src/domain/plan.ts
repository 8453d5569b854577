/** Everything that follows from one event, ready to be stored in one transaction. */
import type { RoutingFailure, RuleDecision } from "./decision.ts"
import type { NewDelivery } from "./delivery.ts"
import type { HubEvent } from "./event.ts"
import type { RuleName, TimerId } from "./ids.ts"
import type { JsonObject } from "./json.ts"
import type { NewNotification } from "./notification.ts"
import type { Recipient } from "./recipient.ts"
import type { StreamKey } from "./stream.ts"
import type { NewTimer } from "./timer.ts"

export interface Plan {
  readonly event: HubEvent
  readonly rulesRevision: string
  readonly decisions: readonly RuleDecision[]
  /** Rules that could not be carried out: kept, counted, shown in the trace. The other rules' work goes on. */
  readonly failures: readonly RoutingFailure[]
  readonly notifications: readonly NewNotification[]
  readonly deliveries: readonly NewDelivery[]
  /** Recipients that were only named and do not exist yet. */
  readonly newRecipients: readonly Recipient[]
  /** What is to happen later. A digest that is open already has its timer. */
  readonly timers: readonly NewTimer[]
  /** The digests that this event went into: one for each rule's action that gathers. */
  readonly gathered: readonly Gathered[]
  /** Pushed to open screens once the plan is stored. */
  readonly broadcasts: readonly Broadcast[]
}

export interface Gathered {
  readonly rule: RuleName
  readonly action: number
  readonly timer: TimerId
  /** The digest is full with it: it is due then, not when it was to be. Milliseconds since the Unix epoch. */
  readonly fullAt: number | null
}

export interface Broadcast {
  readonly rule: RuleName
  readonly stream: StreamKey
  readonly event: string
  readonly payload: JsonObject
}
