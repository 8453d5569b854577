/**
 * Says whether a hub kept its word: compares what producers were answered and what providers took with what is in the
 * database. It believes nobody's counters. Each list names keys (or ids) that broke one promise; all empty is "ok".
 */
import { HISTORY_MESSAGES } from "../domain/stream.ts"
import type { Queryable } from "../store/database.ts"

/** What is known from outside. */
export interface Ledgers {
  /** Idempotency key → the id that the producer was given. */
  readonly acked: ReadonlyMap<string, string>
  /** Idempotency key → how often a provider took its message. Absent: nothing is sent for these events. */
  readonly sent?: ReadonlyMap<string, number>
  /** Deliveries that came from no event, by the key of what they send: they are asked by themselves whether they may have repeated. */
  readonly seeded?: ReadonlyMap<string, string>
}

export interface Verdict {
  /** Acknowledged, and there is no event of that key and id. */
  readonly lost: readonly string[]
  /** Keys of which there is more than one event. */
  readonly twice: readonly string[]
  /** Half of something: events neither queued nor decided, messages without words, positions without entries. */
  readonly torn: readonly string[]
  /** Acknowledged and due to be told, and nobody was told, or twice. */
  readonly untold: readonly string[]
  /** Told, and no provider took it. */
  readonly unsent: readonly string[]
  /** Work that nobody will do: leases older than twice their length, and what is overdue by as much. */
  readonly stuck: readonly string[]
  /** Attempts that ended well twice, or deliveries that say so without an attempt that did. */
  readonly miscounted: readonly string[]
  /** Sent more than once, and the delivery does not say that it may have been. */
  readonly unmarked: readonly string[]
  /** How often something was sent again. No broken promise by itself: each fault has its bound. */
  readonly sentAgain: number
}

/** Of a delivery (`LEASE_MS` in delivery/dispatcher.ts). */
const LEASE_SECONDS = 15

export async function check(db: Queryable, { acked, sent, seeded = new Map() }: Ledgers): Promise<Verdict> {
  const events = await db.query<{ key: string; ids: string[] }>(
    "select idempotency_key as key, array_agg(id) as ids from events where idempotency_key is not null group by 1",
  )
  const ids = new Map(events.map((row) => [row.key, row.ids]))
  const marked = await db.query<{ key: string }>(
    "select e.idempotency_key as key from deliveries d join events e on e.id = d.event_id where d.maybe_duplicate",
  )
  const mayRepeat = new Set(marked.map(({ key }) => key))
  const repeated = await db.query<{ id: string }>("select id from deliveries where maybe_duplicate and id = any($1)", [
    [...seeded.values()],
  ])
  const repeatedIds = new Set(repeated.map(({ id }) => id))
  for (const [key, id] of seeded) if (repeatedIds.has(id)) mayRepeat.add(key)
  const told = await db.query<{ key: string; n: number }>(
    "select e.idempotency_key as key, count(*)::int as n from notifications n join events e on e.id = n.event_id group by 1",
  )
  const tellings = new Map(told.map(({ key, n }) => [key, n]))
  // Where nobody reacts for minutes the same is told again, by a delivery of its own.
  const rounds = await db.query<{ key: string; n: number }>(
    `select e.idempotency_key as key, count(*)::int as n from deliveries d join events e on e.id = d.event_id
     where d.attempt > d.forgiven and d.status <> 'captured' group by 1 having count(*) > 1`,
  )
  const due = new Map(rounds.map(({ key, n }) => [key, n]))
  const keys = [...acked.keys()]
  const again = [...(sent ?? [])].flatMap(([key, n]): [string, number][] => {
    const more = n - (due.get(key) ?? 1)
    return more > 0 ? [[key, more]] : []
  })
  return {
    lost: keys.filter((key) => ids.get(key)?.includes(acked.get(key) ?? "") !== true),
    twice: events.filter((row) => row.ids.length > 1).map(({ key }) => key),
    torn: await listed(db, TORN),
    untold: sent === undefined ? [] : keys.filter((key) => tellings.get(key) !== 1),
    unsent: sent === undefined ? [] : keys.filter((key) => !sent.has(key)),
    stuck: await listed(db, STUCK),
    miscounted: await listed(db, MISCOUNTED),
    unmarked: again.map(([key]) => key).filter((key) => !mayRepeat.has(key)),
    sentAgain: again.reduce((sum, [, more]) => sum + more, 0),
  }
}

const listed = async (db: Queryable, sql: string): Promise<readonly string[]> =>
  (await db.query<{ what: string }>(sql)).map(({ what }) => what)

const TORN = `
select 'event ' || id as what from events e
where not exists (select from routing_queue q where q.event_id = e.id)
  and not exists (select from routes r where r.event_id = e.id)
union all
select 'delivery ' || id from deliveries d
where status <> 'suppressed' and not exists (select from messages m where m.delivery_id = d.id)
union all
select 'notification ' || id from notifications n where not exists (select from routes r where r.event_id = n.event_id)
union all
select 'stream ' || key from streams s cross join lateral (
  select count(*) as n, coalesce(min(position), 1) as first, coalesce(max(position), 0) as last
  from stream_entries where stream = s.key
) e
where e.last <> s.position or e.n <> e.last - e.first + 1 or e.first > 1 and e.n < ${HISTORY_MESSAGES}`

const STUCK = `
select 'lease of ' || id as what from deliveries
where status = 'sending' and lease_until < now() - interval '${LEASE_SECONDS} seconds'
union all
select status || ' ' || id from deliveries
where status in ('queued', 'retrying', 'scheduled')
  and coalesce(next_attempt_at, '-infinity') < now() - interval '${2 * LEASE_SECONDS} seconds'
union all
select 'unrouted ' || event_id from routing_queue where next_at < now() - interval '${2 * LEASE_SECONDS} seconds'`

const MISCOUNTED = `
select d.id as what from deliveries d left join attempts a on a.delivery_id = d.id and a.outcome = 'delivered'
group by d.id, d.status having count(a) <> (case when d.status = 'delivered' then 1 else 0 end)`
