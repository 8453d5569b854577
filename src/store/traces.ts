/** What followed from an event or belongs to a notification, as it stands in the rows: for whoever explains it. */
import type { SendingChannel } from "../domain/channel.ts"
import type { RoutingFailure } from "../domain/decision.ts"
import type { DeliveryStatus } from "../domain/delivery.ts"
import type { TimerOutcome } from "../domain/firing.ts"
import type { DeliveryId, EventId, NotificationId, RecipientId, RuleName, TimerId } from "../domain/ids.ts"
import type { Notification } from "../domain/notification.ts"
import type { Preferences } from "../domain/preferences.ts"
import type { Round, TimerKind } from "../domain/timer.ts"
import type { Queryable } from "./database.ts"
import { NOTIFICATION_COLUMNS, type NotificationRow, notificationFromRow } from "./notification-rows.ts"
import { openAs } from "./sealed.ts"

export interface TracedDelivery {
  readonly id: DeliveryId
  readonly rule: RuleName
  /** Empty: to a system. */
  readonly notifications: readonly NotificationId[]
  readonly channel: SendingChannel
  readonly status: DeliveryStatus
  readonly reason: string | null
  readonly maybeDuplicate: boolean
  /** Which telling it belongs to; null: the first. */
  readonly round: Round
  /** Null where it is not to be tried any more. */
  readonly nextAttemptAt: Date | null
}

export interface TracedTimer {
  readonly id: TimerId
  readonly kind: TimerKind
  readonly rule: RuleName
  readonly rulesRevision: string
  readonly action: number
  readonly step: number
  readonly dueAt: Date
  /** Null: it still waits. */
  readonly doneAt: Date | null
  readonly outcome: TimerOutcome | null
  /** Of an escalation: what ends it. */
  readonly until: "acknowledged" | "read" | null
  /** What of it could not be carried out. */
  readonly failures: readonly RoutingFailure[]
}

type Raw<T extends TracedTimer> = Omit<T, "failures"> & { readonly failures: Buffer | null }

const opened = <T extends TracedTimer>(
  rows: readonly Raw<T>[],
): readonly (Omit<T, "failures"> & Pick<TracedTimer, "failures">)[] =>
  rows.map((row) => ({
    ...row,
    failures: row.failures === null ? [] : openAs<readonly RoutingFailure[]>(row.failures),
  }))

/** A digest, with how many events it holds. */
export interface TracedDigest extends TracedTimer {
  /** The event that opened it: what it tells goes by that event's id. */
  readonly openedBy: EventId
  readonly events: number
}

const DELIVERY = `d.id, d.rule, d.notification_ids as notifications, d.channel, d.status, d.reason,
  d.maybe_duplicate as "maybeDuplicate", d.round,
  case when d.status in ('queued', 'retrying', 'scheduled') then d.next_attempt_at end as "nextAttemptAt"`

const TIMER = `t.id, t.kind, t.rule, t.rules_revision as "rulesRevision", t.action, t.step, t.due_at as "dueAt",
  t.done_at as "doneAt", t.outcome, t.until, t.failures`

/** At most `limit` of them, oldest first. */
export const deliveriesOfEvent = (db: Queryable, event: EventId, limit: number): Promise<readonly TracedDelivery[]> =>
  db.query<TracedDelivery>(`select ${DELIVERY} from deliveries d where d.event_id = $1 order by d.id limit $2`, [
    event,
    limit,
  ])

/** All that carry a notification, oldest first. */
export const deliveriesOfNotification = (
  db: Queryable,
  { event, id }: Pick<Notification, "event" | "id">,
): Promise<readonly TracedDelivery[]> =>
  db.query<TracedDelivery>(
    `select ${DELIVERY} from deliveries d where d.event_id = $1 and $2 = any (d.notification_ids) order by d.id`,
    [event, id],
  )

/** What was to happen later because of an event, and what became of it. */
export const timersOfEvent = async (db: Queryable, event: EventId): Promise<readonly TracedTimer[]> =>
  opened(
    await db.query<Raw<TracedTimer>>(`select ${TIMER} from timers t where t.event_id = $1 order by t.due_at, t.id`, [
      event,
    ]),
  )

/** The digests that an event went into, whoever opened them. */
export const digestsOfEvent = async (db: Queryable, event: EventId): Promise<readonly TracedDigest[]> =>
  opened(
    await db.query<Raw<TracedDigest>>(
      `select ${TIMER}, t.event_id as "openedBy",
         (select count(*)::int from digest_events g where g.timer_id = t.id) as events
       from timers t where t.id in (select timer_id from digest_events where event_id = $1) order by t.due_at, t.id`,
      [event],
    ),
  )

/** The notification of this id, in the inbox or not, taken out of it or not; null where there is none. */
export async function getNotification(db: Queryable, id: NotificationId): Promise<Notification | null> {
  const [row] = await db.query<NotificationRow>(`select ${NOTIFICATION_COLUMNS} from notifications n where n.id = $1`, [
    id,
  ])
  return row === undefined ? null : notificationFromRow(row)
}

/** What a digest of these rules has told, by the event that opened it: the first thousand. */
export async function notificationsOfDigests(
  db: Queryable,
  digests: readonly TracedDigest[],
): Promise<readonly Pick<Notification, "id" | "event" | "rule" | "recipient" | "reason">[]> {
  if (digests.length === 0) return []
  return db.query(
    `select n.id, n.event_id as event, n.rule, n.recipient_id as recipient, n.reason
     from (select distinct * from unnest($1::text[], $2::text[])) as k (event_id, rule)
     join notifications n on n.event_id = k.event_id and n.rule = k.rule order by n.rule, n.recipient_id limit 1000`,
    [digests.map(({ openedBy }) => openedBy), digests.map(({ rule }) => rule)],
  )
}

/** The zone that a person's waiting messages are told in: of the quiet hours, else their own; null: neither is known. */
export async function zoneOf(db: Queryable, recipient: RecipientId): Promise<string | null> {
  const [row] = await db.query<{ timezone: string | null; wishes: Buffer | null }>(
    "select r.timezone, p.wishes from recipients r left join preferences p on p.recipient_id = r.id where r.id = $1",
    [recipient],
  )
  const quiet = row?.wishes === null || row === undefined ? null : openAs<Preferences>(row.wishes).quietHours
  return quiet?.timezone ?? row?.timezone ?? null
}
