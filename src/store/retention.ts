/**
 * What goes when its time is over (`HUB_RETENTION`), in batches that each are one short transaction. Age decides, also
 * for a notification that nobody has read; what is still to be routed or sent stays however old it is. Ids tell when a
 * row was made, so that the old ones are found in the primary key and no other index is needed.
 */
import { type BusinessId, idFloor, type LocationId, type RecipientId } from "../domain/ids.ts"
import { notificationStream, resourceStream, type StreamKey } from "../domain/stream.ts"
import { forgetBacktest } from "./backtests.ts"
import type { Queryable } from "./database.ts"
import { sweepGates } from "./gates.ts"
import { sweepSeen } from "./inbound.ts"
import { sweepPlaces } from "./message-places.ts"
import { sweepBuckets } from "./rate-buckets.ts"

/** How long things are kept, in milliseconds. */
export interface Retention {
  readonly eventsMs: number
  /** With their deliveries and messages. */
  readonly notificationsMs: number
  readonly attemptsMs: number
  readonly rejectedMs: number
}

export interface Batch {
  /** Where the next batch goes on; null: this was the last. */
  readonly next: string | null
  /** Rows deleted, by table. */
  readonly rows: Readonly<Record<string, number>>
}

/** One kind of thing that grows old. */
export interface PruneStep {
  readonly name: string
  /** Looks at up to `limit` rows behind `after` ("" begins). `now`: the database's clock, milliseconds since the epoch. */
  batch(db: Queryable, retention: Retention, now: number, after: string, limit: number): Promise<Batch>
}

/** In this order: what refers to a thing goes before it. */
export const PRUNE_STEPS: readonly PruneStep[] = [
  {
    name: "deliveries",
    batch: (db, keep, now, after, limit) => deliveries(db, now - keep.notificationsMs, after, limit),
  },
  {
    name: "notifications",
    batch: (db, keep, now, after, limit) => notifications(db, now - keep.notificationsMs, after, limit),
  },
  { name: "attempts", batch: (db, keep, now, after, limit) => attempts(db, now - keep.attemptsMs, after, limit) },
  { name: "events", batch: (db, keep, now, after, limit) => events(db, now - keep.eventsMs, after, limit) },
  { name: "routing_queue", batch: (db, _keep, _now, after, limit) => lostQueueRows(db, after, limit) },
  { name: "rejected", batch: (db, keep, now, after, limit) => rejected(db, now - keep.rejectedMs, after, limit) },
  { name: "rule_sets", batch: (db, keep, now) => ruleSets(db, now - Math.max(keep.eventsMs, keep.notificationsMs)) },
  { name: "backtests", batch: (db, keep, now) => backtests(db, now - keep.eventsMs) },
  { name: "gates", batch: (db, _keep, _now, _after, limit) => gates(db, limit) },
  { name: "inbound_seen", batch: (db, _keep, _now, _after, limit) => seen(db, limit) },
  {
    name: "message_places",
    batch: (db, keep, now, _after, limit) => messagePlaces(db, now - keep.notificationsMs, limit),
  },
  { name: "rate_buckets", batch: (db, _keep, _now, after, limit) => buckets(db, after, limit) },
]

/** Ids carry their node's clock, the rows the database's: rows are looked at this much beyond their time. */
const CLOCK_SKEW_MS = 10_000
/** A timer of the event, or of a digest that it went into, is still to come. */
const isAwaited = (event: string): string => `
  exists (select from timers t where t.event_id = ${event} and t.done_at is null)
    or exists (select from digest_events g join timers t on t.id = g.timer_id
      where g.event_id = ${event} and t.done_at is null)`
/** Statuses of a delivery with which the hub is not done. */
const OPEN = "('scheduled', 'queued', 'sending', 'retrying')"
const isOpen = (row: string): string => `${row}.status in ${OPEN}`

/** Old rows in the primary key's order; the age that counts is then asked of each row where it is deleted. */
async function oldRows<Row extends { readonly id: string }>(
  db: Queryable,
  text: string,
  page: { readonly after: string; readonly floor: string; readonly limit: number },
): Promise<{ readonly rows: readonly Row[]; readonly next: string | null }> {
  const rows = await db.query<Row>(text, [page.after, page.floor, page.limit])
  return { rows, next: rows.length < page.limit ? null : (rows.at(-1)?.id ?? null) }
}

type Counts = Readonly<Record<string, number>>
const NOTHING: Counts = {}
const idsOf = (rows: readonly { readonly id: string }[]): readonly string[] => rows.map(({ id }) => id)

// Every delete takes the array of ids: whatever the planner believes of the tables (that one is empty, say, in a plan
// that is kept), this is a look into the key for each.
const DELETE_DELIVERIES = `
with gone as (
  delete from deliveries d where d.id = any($1) and not ${isOpen("d")}
    and greatest(d.created_at, d.settled_at) < to_timestamp($2::float8 / 1000)
  returning d.id
), m as (
  delete from messages m using gone where m.delivery_id = any($1) and m.delivery_id = gone.id returning 1
), a as (
  delete from attempts a using gone where a.delivery_id = any($1) and a.delivery_id = gone.id returning 1
)
select (select count(*)::int from gone) as deliveries, (select count(*)::int from m) as messages,
  (select count(*)::int from a) as attempts`

async function deliveries(db: Queryable, before: number, after: string, limit: number): Promise<Batch> {
  const { rows, next } = await oldRows(
    db,
    "select id from deliveries where id > $1 and id < $2 order by id limit $3",
    page("dlv_", before, after, limit),
  )
  if (rows.length === 0) return { next, rows: NOTHING }
  const [counts = NOTHING] = await db.query<Counts>(DELETE_DELIVERIES, [idsOf(rows), before])
  return { next, rows: counts }
}

const page = (prefix: Parameters<typeof idFloor>[0], before: number, after: string, limit: number) => ({
  after,
  floor: idFloor(prefix, before + CLOCK_SKEW_MS),
  limit,
})

// History is a stream's end: of what is old its beginning goes, and a client that was there is told that it must load
// anew. A stream's own row stays for ever: positions that began again would mean other messages under the same epoch.
const DELETE_ENTRIES = (streams: number, floor: number) => `
  delete from stream_entries e using (
    select s.stream, p.position
    from unnest($${streams}::text[], $${streams + 1}::int[]) as s (stream, most) cross join lateral (
      select x.position, x.ref from stream_entries x where x.stream = s.stream order by x.position limit s.most
    ) p where p.ref < $${floor}
  ) o where e.stream = o.stream and e.position = o.position returning 1`

/** More of a stream's beginning than the batch accounts for: nodes take positions in another order than ids. */
const ENTRIES_MORE = 16

/** The streams in which a batch has entries, each with how many of its first entries to look at. */
function entriesOf(streams: readonly StreamKey[]): readonly [readonly StreamKey[], readonly number[]] {
  const counts = new Map<StreamKey, number>()
  for (const stream of streams) counts.set(stream, (counts.get(stream) ?? ENTRIES_MORE) + 1)
  return [[...counts.keys()], [...counts.values()]]
}

const DELETE_NOTIFICATIONS = `
with gone as (
  delete from notifications n where n.id = any($1) and n.created_at < to_timestamp($2::float8 / 1000)
    and not exists (
      select from deliveries d where d.event_id = n.event_id and ${isOpen("d")} and n.id = any(d.notification_ids))
    and not (${isAwaited("n.event_id")})
  returning 1
), s as (${DELETE_ENTRIES(3, 5)})
select (select count(*)::int from gone) as notifications, (select count(*)::int from s) as stream_entries`

async function notifications(db: Queryable, before: number, after: string, limit: number): Promise<Batch> {
  const at = page("ntf_", before, after, limit)
  const { rows, next } = await oldRows<{ id: string; recipient_id: RecipientId; inbox: boolean }>(
    db,
    "select id, recipient_id, inbox from notifications where id > $1 and id < $2 order by id limit $3",
    at,
  )
  if (rows.length === 0) return { next, rows: NOTHING }
  const entries = entriesOf(rows.filter(({ inbox }) => inbox).map((row) => notificationStream(row.recipient_id)))
  const [counts = NOTHING] = await db.query<Counts>(DELETE_NOTIFICATIONS, [
    idsOf(rows),
    before,
    ...entries,
    idFloor("ntf_", before),
  ])
  return { next, rows: counts }
}

const DELETE_ATTEMPTS = `
with gone as (
  delete from attempts a where a.delivery_id = any($1) and a.finished_at < to_timestamp($2::float8 / 1000)
    and not exists (select from deliveries d where d.id = a.delivery_id and ${isOpen("d")})
  returning 1
) select count(*)::int as attempts from gone`

async function attempts(db: Queryable, before: number, after: string, limit: number): Promise<Batch> {
  const { rows, next } = await oldRows(
    db,
    "select delivery_id as id from attempts where delivery_id > $1 and delivery_id < $2 order by delivery_id limit $3",
    page("dlv_", before, after, limit),
  )
  if (rows.length === 0) return { next, rows: NOTHING }
  // A delivery whose tries are on both sides of the batch's end goes with all of them.
  const [counts = NOTHING] = await db.query<Counts>(DELETE_ATTEMPTS, [[...new Set(idsOf(rows))], before])
  return { next, rows: counts }
}

// An idempotency key lives in its event's row, so it is free again when the event goes and not before.
const DELETE_EVENTS = `
with gone as (
  delete from events e where e.id = any($1) and e.accepted_at < to_timestamp($2::float8 / 1000)
    and not exists (select from routing_queue q where q.event_id = e.id)
    and not exists (select from deliveries d where d.event_id = e.id and ${isOpen("d")})
    and not (${isAwaited("e.id")})
  returning e.id
), t as (
  delete from timers t using gone where t.event_id = any($1) and t.event_id = gone.id returning 1
), g as (
  delete from digest_events g using gone where g.event_id = any($1) and g.event_id = gone.id returning 1
), r as (
  delete from routes r using gone where r.event_id = any($1) and r.event_id = gone.id returning 1
), b as (
  delete from raw_bodies b using gone where b.event_id = any($1) and b.event_id = gone.id returning 1
), s as (${DELETE_ENTRIES(3, 5)})
select (select count(*)::int from gone) as events, (select count(*)::int from t) as timers,
  (select count(*)::int from g) as digest_events, (select count(*)::int from r) as routes, (select count(*)::int from b) as raw_bodies, (select count(*)::int from s) as stream_entries`

async function events(db: Queryable, before: number, after: string, limit: number): Promise<Batch> {
  const at = page("evt_", before, after, limit)
  const { rows, next } = await oldRows<{ id: string; business_id: BusinessId; location_id: LocationId | null }>(
    db,
    "select id, business_id, location_id from events where id > $1 and id < $2 order by id limit $3",
    at,
  )
  if (rows.length === 0) return { next, rows: NOTHING }
  const streams = rows.flatMap(({ business_id, location_id }) => {
    const whole = resourceStream(business_id, null)
    return location_id === null ? [whole] : [whole, resourceStream(business_id, location_id)]
  })
  const [counts = NOTHING] = await db.query<Counts>(DELETE_EVENTS, [
    idsOf(rows),
    before,
    ...entriesOf(streams),
    idFloor("evt_", before),
  ])
  return { next, rows: counts }
}

/** Rows whose event is gone (by hand, or blanked): the router would look at them for ever. */
async function lostQueueRows(db: Queryable, after: string, limit: number): Promise<Batch> {
  const { rows, next } = await oldRows(
    db,
    `select event_id as id from routing_queue where event_id > $1 and event_id < $2 order by event_id limit $3`,
    { after, floor: "~", limit },
  )
  if (rows.length === 0) return { next, rows: NOTHING }
  const gone = await db.execute(
    `delete from routing_queue q where q.event_id = any($1) and not exists (select from events e where e.id = q.event_id)`,
    [idsOf(rows)],
  )
  return { next, rows: { routing_queue: gone } }
}

async function rejected(db: Queryable, before: number, after: string, limit: number): Promise<Batch> {
  const { rows, next } = await oldRows(
    db,
    "select id from rejected where id > $1 and id < $2 order by id limit $3",
    page("rej_", before, after, limit),
  )
  if (rows.length === 0) return { next, rows: NOTHING }
  // A row into which a flood is folded is as old as the last that came.
  const gone = await db.execute(
    "delete from rejected where id = any($1) and greatest(received_at, last_at) < to_timestamp($2::float8 / 1000)",
    [idsOf(rows), before],
  )
  return { next, rows: { rejected: gone } }
}

/** The router marks the set that it uses every few hours, so a day more is enough for what was decided after a mark. */
const USE_MARKED_WITHIN_MS = 86_400_000

/** Sets under which nothing was decided that is still kept, and nothing is still to happen. There are few: one for each change of the rules. */
async function ruleSets(db: Queryable, before: number): Promise<Batch> {
  const gone = await db.execute(
    `delete from rule_sets s where s.used_at < to_timestamp($1::float8 / 1000)
       and not exists (select from timers t where t.rules_hash = s.hash and t.done_at is null)`,
    [before - USE_MARKED_WITHIN_MS],
  )
  return { next: null, rows: { rule_sets: gone } }
}

/** It quotes events. */
async function backtests(db: Queryable, before: number): Promise<Batch> {
  return { next: null, rows: { backtests: await forgetBacktest(db, before) } }
}

/** What is stale is found by its own index: no place in the table has to be kept. */
async function messagePlaces(db: Queryable, before: number, limit: number): Promise<Batch> {
  const gone = await sweepPlaces(db, before, limit)
  return { next: gone < limit ? null : "more", rows: { message_places: gone } }
}

async function gates(db: Queryable, limit: number): Promise<Batch> {
  const gone = await sweepGates(db, limit)
  return { next: gone < limit ? null : "more", rows: { gates: gone } }
}

async function seen(db: Queryable, limit: number): Promise<Batch> {
  const gone = await sweepSeen(db, limit)
  return { next: gone < limit ? null : "more", rows: { inbound_seen: gone } }
}

/** The limiter sweeps what it uses; this is for limits that were taken out of the settings. */
const BUCKET_IDLE_MS = 86_400_000

async function buckets(db: Queryable, after: string, limit: number): Promise<Batch> {
  const { gone, next } = await sweepBuckets(db, after, limit, BUCKET_IDLE_MS)
  return { next, rows: { rate_buckets: gone } }
}
