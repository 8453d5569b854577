/** What a world in memory keeps of one event and one rule, or of the digest that the event opened. */
import type { DeliveryStatus, NewDelivery } from "../../domain/delivery.ts"
import type { HubEvent } from "../../domain/event.ts"
import type { DueTimer, TimerOutcome } from "../../domain/firing.ts"
import type { NotificationId, RecipientId } from "../../domain/ids.ts"
import type { NewNotification } from "../../domain/notification.ts"
import type { NewTimer } from "../../domain/timer.ts"

/** Moments are milliseconds since the Unix epoch. */
export interface WorldNotification {
  readonly notification: NewNotification
  readonly at: number
  readonly readAt: number | null
  readonly acknowledgedAt: number | null
  /** Later news of the same thing has taken its place in the inbox. */
  readonly replaced: boolean
}

export interface WorldDelivery {
  readonly delivery: NewDelivery
  /** When it was planned. */
  readonly at: number
  readonly status: DeliveryStatus
  readonly reason: string | null
  /** When it was sent, or it was clear that it would not be. Null: it waits. */
  readonly settledAt: number | null
}

export interface WorldTimer {
  readonly timer: NewTimer
  /** Null: it is open. */
  readonly outcome: TimerOutcome | null
}

/** The world's own hands on what others only read. */
export type Mutable<T> = { -readonly [K in keyof T]: T[K] }

export class Matter {
  readonly event: HubEvent
  readonly notifications = new Map<RecipientId, Mutable<WorldNotification>>()
  /** Whose each of them is. */
  readonly people = new Map<NotificationId, RecipientId>()
  readonly deliveries: Mutable<WorldDelivery>[] = []
  /** By the action's place. */
  readonly digests = new Map<number, HubEvent[]>()
  readonly timers: Mutable<WorldTimer>[] = []

  constructor(event: HubEvent) {
    this.event = event
  }

  /** Nothing is to come of it. */
  get isOver(): boolean {
    return (
      this.timers.every(({ outcome }) => outcome !== null) && this.deliveries.every((one) => one.settledAt !== null)
    )
  }

  due({ timer }: WorldTimer): DueTimer {
    const { kind, action } = timer
    const deliveries = kind === "failover" ? this.deliveries.filter(({ delivery }) => delivery.action === action) : []
    return {
      timer,
      events: kind === "digest" ? [] : (this.digests.get(action) ?? [this.event]),
      told: [...this.notifications.values()].map(
        ({ notification: { id, recipient, inbox }, readAt, acknowledgedAt }) => ({
          id,
          recipient,
          inbox,
          readAt,
          acknowledgedAt,
        }),
      ),
      deliveries: deliveries.map(({ delivery: { channel, notifications, round, failover }, status, reason }) => ({
        channel,
        notifications,
        round,
        failover,
        status,
        reason,
        maybeDuplicate: false,
      })),
    }
  }
}
