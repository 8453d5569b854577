/** A timer that is due, with all that deciding about it needs, and what follows from it. */
import type { RoutingFailure } from "./decision.ts"
import type { DeliveryStatus, NewDelivery } from "./delivery.ts"
import type { HubEvent } from "./event.ts"
import type { NotificationId, RecipientId } from "./ids.ts"
import type { NewNotification } from "./notification.ts"
import type { Recipient } from "./recipient.ts"
import type { NewTimer, Round } from "./timer.ts"

/** A stored notification of the timer's event and rule, as locked by whoever fires. Times in ms since the Unix epoch. */
export interface Told {
  readonly id: NotificationId
  readonly recipient: RecipientId
  /** False: told outside of it, or not at all. A later step may still put it there. */
  readonly inbox: boolean
  readonly readAt: number | null
  readonly acknowledgedAt: number | null
}

/** What became, so far, of a delivery of the timer's event, rule and action. */
export interface EarlierDelivery {
  readonly channel: NewDelivery["channel"]
  readonly notifications: readonly NotificationId[]
  readonly round: Round
  readonly failover: boolean
  readonly status: DeliveryStatus
  readonly reason: string | null
  readonly maybeDuplicate: boolean
}

export interface DueTimer {
  readonly timer: NewTimer
  /**
   * The timer's event alone; but of an `escalate` or `failover` whose action gathered it, all events of the digest that it
   * opened, in order of acceptance. Empty for a `digest`: its events are read when its gate is held. Events that are gone or
   * cannot be read are left out.
   */
  readonly events: readonly HubEvent[]
  /** All of the timer's event and rule. Locked, so that nobody acknowledges between the decision and its commit. */
  readonly told: readonly Told[]
  /** All of the timer's event, rule and action. Only of a `failover` timer; empty for the others. */
  readonly deliveries: readonly EarlierDelivery[]
}

/**
 * What became of a timer, in a word. `sent`: no failover, since nobody's message definitely failed, or there is no channel
 * left. `events_gone`: erased meanwhile. `rule_gone`: the rules no longer hold its action. `apart`: it tells very many, so its
 * next firing does, which holds nobody else up; a digest is closed with it and takes no more events.
 */
export type TimerOutcome =
  | "fired"
  | "acknowledged"
  | "read"
  | "expired"
  | "sent"
  | "events_gone"
  | "rule_gone"
  | "apart"
  | "failed"

/**
 * Everything that follows from a timer, ready to be stored in the transaction that marks it done. Where another
 * transaction has meanwhile stored a notification for the same event, rule and person, its id takes the new one's place in
 * the deliveries.
 */
export interface Fired {
  readonly timer: NewTimer
  readonly outcome: TimerOutcome
  readonly notifications: readonly NewNotification[]
  readonly deliveries: readonly NewDelivery[]
  readonly newRecipients: readonly Recipient[]
  readonly timers: readonly NewTimer[]
  readonly failures: readonly RoutingFailure[]
}

/** A timer from which nothing follows. */
export const nothingFrom = (timer: NewTimer, outcome: TimerOutcome): Fired => ({
  timer,
  outcome,
  notifications: [],
  deliveries: [],
  newRecipients: [],
  timers: [],
  failures: [],
})
