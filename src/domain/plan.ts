/** Everything that follows from one event, ready to be stored in one transaction. */
import type { RoutingFailure, RuleDecision } from "./decision.ts"
import type { NewDelivery } from "./delivery.ts"
import type { HubEvent } from "./event.ts"
import type { NewNotification } from "./notification.ts"
import type { Recipient } from "./recipient.ts"

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
}
