/**
 * The border between routing and delivery: events are claimed, decided and their plans stored in one transaction, so
 * that an event is either unrouted or has everything that follows from it. A process that dies in the middle leaves
 * the event in the queue, unlocked.
 */
import { createHash } from "node:crypto"
import type { SendingChannel } from "../domain/channel.ts"
import type { NewDelivery } from "../domain/delivery.ts"
import type { HubEvent } from "../domain/event.ts"
import type { EventId, NotificationId } from "../domain/ids.ts"
import type { NewNotification, Notification } from "../domain/notification.ts"
import type { Plan } from "../domain/plan.ts"
import { notificationStream } from "../domain/stream.ts"
import { audienceOf, type FindAudience } from "./audience.ts"
import type { Database, Queryable } from "./database.ts"
import { EVENT_COLUMNS, type EventRow, eventFromRow } from "./events.ts"
import { insertNamedRecipients } from "./named-recipients.ts"
import { seal } from "./sealed.ts"

/** What follows from a batch of events. One plan for each event; a plan that is missing leaves its event queued. */
export type Decide = (events: readonly HubEvent[], find: FindAudience) => Promise<readonly Plan[]>

export interface Routed {
  readonly plans: number
  /** With the position in the person's stream; null where it is not in the inbox. */
  readonly notifications: readonly (Notification & { readonly position: number | null })[]
  /** Channels on which something became due. */
  readonly due: readonly SendingChannel[]
  readonly deliveries: number
  /** Events whose columns this hub cannot open, put off for an hour: they hold up nobody, and a newer hub may read them. */
  readonly unreadable: readonly EventId[]
  /** The batch was full: ask again at once. */
  readonly hadMore: boolean
}

const NOTHING: Routed = { plans: 0, notifications: [], due: [], deliveries: 0, unreadable: [], hadMore: false }

// The queue is short and the events are many. A plain join lets the planner, while its statistics are young, walk over
// every event there is; a lateral limit leaves it nothing but one look into the key for each queued event.
const CLAIM = `
with due as (
  select event_id from routing_queue where next_at <= now() order by event_id limit $1 for update skip locked
)
select e.* from due cross join lateral (
  select ${EVENT_COLUMNS} from events e where e.id = due.event_id limit 1
) e order by e.id`

/** Routes up to `limit` events. Throws the driver's error or whatever `decide` throws; then nothing has changed. */
export function routeBatch(db: Database, limit: number, decide: Decide): Promise<Routed> {
  return db.transaction(async (tx) => {
    const rows = await tx.query<EventRow>(CLAIM, [limit])
    if (rows.length === 0) return NOTHING
    const { events, unreadable } = opened(rows)
    if (unreadable.length > 0) await tx.execute(PUT_OFF, [unreadable])
    if (events.length === 0) return { ...NOTHING, unreadable, hadMore: rows.length === limit }
    const plans = await decide(events, audienceOf(tx))
    const told = await insertNamedRecipients(tx, plans)
    const notifications = plans.flatMap((plan) => plan.notifications).filter((n) => told(n.recipient, n.business))
    const ids = new Set(notifications.map((n) => n.id))
    const deliveries = plans.flatMap((plan) => plan.deliveries).flatMap((delivery) => onlyTold(delivery, ids))
    // Sent one behind the other without waiting: none needs another's answer, and all stand or fall with the commit.
    const [stored] = await Promise.all([
      insertNotifications(tx, notifications),
      insertDeliveries(tx, deliveries),
      insertRoutes(tx, plans),
    ])
    const queued = deliveries.filter((delivery) => delivery.start.status === "queued")
    return {
      plans: plans.length,
      notifications: stored,
      due: [...new Set(queued.map((delivery) => delivery.channel))],
      deliveries: deliveries.length,
      unreadable,
      hadMore: rows.length === limit,
    }
  }, "reads_first")
}

const PUT_OFF = `
update routing_queue set attempts = attempts + 1, next_at = now() + interval '1 hour' where event_id = any($1)`

function opened(rows: readonly EventRow[]): {
  readonly events: readonly HubEvent[]
  readonly unreadable: readonly EventId[]
} {
  const events: HubEvent[] = []
  const unreadable: EventId[] = []
  for (const row of rows) {
    try {
      events.push(eventFromRow(row))
    } catch {
      // A column that was sealed in a way this hub does not know, or was damaged: this event's misfortune alone.
      unreadable.push(row.id)
    }
  }
  return { events, unreadable }
}

/** A delivery keeps only notifications that are stored with it; one that tells nobody any more is dropped. */
function onlyTold(delivery: NewDelivery, stored: ReadonlySet<NotificationId>): readonly NewDelivery[] {
  const notifications = delivery.notifications.filter((id) => stored.has(id))
  return notifications.length === 0 ? [] : [{ ...delivery, notifications }]
}

const INSERT_NOTIFICATIONS = `
with inserted as (
  insert into notifications (id, event_id, rule, rules_revision, recipient_id, business_id, location_id, severity,
    category, priority, inbox, content)
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::bool[], $12::bytea[])
  on conflict (event_id, rule, recipient_id) do nothing
  returning id, created_at
), wanted as (
  select s.stream, s.id, row_number() over (partition by s.stream order by s.n) as nth,
    count(*) over (partition by s.stream) as total
  from unnest($13::text[], $1::text[]) with ordinality as s (stream, id, n) join inserted using (id)
  where s.stream is not null
), moved as (
  insert into streams (key, position) select stream, count(*) from wanted group by stream order by stream
  on conflict (key) do update set position = streams.position + excluded.position
  returning key, position
), placed as (
  insert into stream_entries (stream, position, ref)
  select w.stream, m.position - w.total + w.nth, w.id from wanted w join moved m on m.key = w.stream
  returning position, ref
)
select i.id, (extract(epoch from i.created_at) * 1000)::float8 as created_at, p.position::float8 as position
from inserted i left join placed p on p.ref = i.id`

async function insertNotifications(
  tx: Queryable,
  all: readonly NewNotification[],
): Promise<readonly (Notification & { readonly position: number | null })[]> {
  if (all.length === 0) return []
  const rows = await tx.query<{ id: NotificationId; created_at: number; position: number | null }>(
    INSERT_NOTIFICATIONS,
    [
      all.map((n) => n.id),
      all.map((n) => n.event),
      all.map((n) => n.rule),
      all.map((n) => n.rulesRevision),
      all.map((n) => n.recipient),
      all.map((n) => n.business),
      all.map((n) => n.location),
      all.map((n) => n.severity),
      all.map((n) => n.category),
      all.map((n) => n.priority),
      all.map((n) => n.inbox),
      all.map((n) => seal(n.content)),
      all.map((n) => (n.inbox ? notificationStream(n.recipient) : null)),
    ],
  )
  const stored = new Map(rows.map((row) => [row.id, row]))
  return all.flatMap((n) => {
    const row = stored.get(n.id)
    if (row === undefined) return []
    const marks = { createdAt: row.created_at, readAt: null, seenAt: null, archivedAt: null, acknowledgedAt: null }
    return [{ ...n, ...marks, position: row.position }]
  })
}

const INSERT_DELIVERIES = `
with inserted as (
  insert into deliveries (id, event_id, notification_ids, rule, rules_revision, business_id, channel, address_hash,
    priority, status, reason, next_attempt_at, settled_at)
  select id, event_id, string_to_array(notification_ids, ','), rule, rules_revision, business_id, channel, address_hash,
    priority, status, reason, case status when 'queued' then now() end, case status when 'suppressed' then now() end
  from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bytea[],
    $9::int[], $10::text[], $11::text[])
    as t (id, event_id, notification_ids, rule, rules_revision, business_id, channel, address_hash, priority, status, reason)
  on conflict (event_id, address_hash) do nothing
  returning id
)
insert into messages (delivery_id, message)
select m.id, m.message from unnest($1::text[], $12::bytea[]) as m (id, message) join inserted using (id)
where m.message is not null`

const PRIORITY = { low: 0, normal: 1, high: 2 } as const

async function insertDeliveries(tx: Queryable, all: readonly NewDelivery[]): Promise<void> {
  if (all.length === 0) return
  await tx.execute(INSERT_DELIVERIES, [
    all.map((d) => d.id),
    all.map((d) => d.event),
    all.map((d) => d.notifications.join(",")),
    all.map((d) => d.rule),
    all.map((d) => d.rulesRevision),
    all.map((d) => d.business),
    all.map((d) => d.channel),
    all.map(addressHash),
    all.map((d) => PRIORITY[d.priority]),
    all.map((d) => d.start.status),
    all.map((d) => (d.start.status === "suppressed" ? d.start.reason : null)),
    all.map((d) => (d.start.status === "queued" ? seal(d.start.message) : null)),
  ])
}

/** Salted with the event and the rule, which is as far as addresses are compared: hashes say nothing beyond that. */
const addressHash = (d: NewDelivery): Buffer =>
  createHash("sha256").update(`${d.event}\n${d.rule}\n${d.channel}\n${d.addressKey}`).digest().subarray(0, 16)

const INSERT_ROUTES = `
with done as (
  insert into routes (event_id, rules_revision, failed, decisions)
  select * from unnest($1::text[], $2::text[], $3::bool[], $4::bytea[])
  on conflict (event_id) do nothing
)
delete from routing_queue where event_id = any($1)`

async function insertRoutes(tx: Queryable, plans: readonly Plan[]): Promise<void> {
  await tx.execute(INSERT_ROUTES, [
    plans.map((plan) => plan.event.id),
    plans.map((plan) => plan.rulesRevision),
    plans.map((plan) => plan.failures.length > 0),
    plans.map((plan) => seal({ decisions: plan.decisions, failures: plan.failures })),
  ])
}
