/** What sources have promised, when they were last heard, and which of them are silent. Times are ms since the Unix epoch. */
import type { BusinessId, EventId } from "../domain/ids.ts"
import type { Queryable } from "./database.ts"

/** `business` null: each business of the source. */
export interface PromiseKey {
  readonly source: string
  readonly business: BusinessId | null
}

const ALL = ""

export interface KnownPromise extends PromiseKey {
  readonly expected: string
  /** Since when the one who asks knows it: what holds where the database knows of no promise, or of another one. */
  readonly since: number
}

/** Remembers the promises and answers with when each was first known, in their order. */
export async function knowPromises(
  db: Queryable,
  promises: readonly KnownPromise[],
  now: number,
): Promise<readonly number[]> {
  const sources = promises.map(({ source }) => source)
  const businesses = promises.map(({ business }) => business ?? ALL)
  await db.execute(
    `insert into source_promises as known (source, business_id, expected, first_seen_at, confirmed_at)
     select source, business_id, expected, to_timestamp(since / 1000), to_timestamp($5::float8 / 1000)
     from unnest($1::text[], $2::text[], $3::text[], $4::float8[]) as t (source, business_id, expected, since) order by 1, 2
     on conflict (source, business_id) do update set expected = excluded.expected, confirmed_at = excluded.confirmed_at,
       first_seen_at = case when known.expected = excluded.expected then known.first_seen_at else excluded.first_seen_at end
     where known.expected <> excluded.expected or known.confirmed_at < excluded.confirmed_at - interval '1 hour'`,
    [sources, businesses, promises.map(({ expected }) => expected), promises.map(({ since }) => since), now],
  )
  const rows = await db.query<{ n: number; first_seen: number }>(
    `select t.n::int as n, (extract(epoch from first_seen_at) * 1000)::float8 as first_seen
     from unnest($1::text[], $2::text[], $3::text[]) with ordinality as t (source, business_id, expected, n)
     join source_promises using (source, business_id, expected)`,
    [sources, businesses, promises.map(({ expected }) => expected)],
  )
  const found = new Map(rows.map((row) => [row.n - 1, Math.floor(row.first_seen)]))
  // Another node, whose rules say otherwise, may have forgotten or replaced it between the two.
  return promises.map(({ since }, index) => found.get(index) ?? since)
}

/** Forgets what no node's rules have said for a day, and the alarms about it, whose end nobody would notice. */
export async function forgetPromises(db: Queryable, now: number): Promise<void> {
  await db.execute(
    "delete from source_promises where confirmed_at < to_timestamp($1::float8 / 1000) - interval '1 day'",
    [now],
  )
  await db.execute(
    `delete from silent_sources s where not exists (
       select from source_promises p where p.source = s.source and p.business_id in (s.business_id, '${ALL}'))`,
  )
}

/** The businesses for which events of the source are kept, at most `limit`. One probe of the index for each. */
export async function businessesOf(db: Queryable, source: string, limit: number): Promise<readonly BusinessId[]> {
  const rows = await db.query<{ business_id: BusinessId }>(
    `with recursive found as (
       (select business_id from events where source = $1 order by business_id limit 1)
       union all
       select (select e.business_id from events e where e.source = $1 and e.business_id > found.business_id
               order by e.business_id limit 1)
       from found where found.business_id is not null
     )
     select business_id from found where business_id is not null limit $2`,
    [source, limit],
  )
  return rows.map((row) => row.business_id)
}

export interface Ask {
  readonly source: string
  readonly business: BusinessId
  /** So many of its last events. */
  readonly atMost: number
}

/** What time it is where moments of acceptance come from. */
export async function databaseNow(db: Queryable): Promise<number> {
  const [row] = await db.query<{ now: number }>("select (extract(epoch from clock_timestamp()) * 1000)::float8 as now")
  if (row === undefined) throw new Error("the database did not say what time it is")
  return Math.floor(row.now)
}

/** When the last events of each were accepted, newest first, in the order of the asks. Reads no more than is asked for. */
export async function lastHeard(db: Queryable, asks: readonly Ask[]): Promise<readonly (readonly number[])[]> {
  const rows = await db.query<{ n: number; moments: readonly number[] }>(
    `select t.n::int as n, last.moments
     from unnest($1::text[], $2::text[], $3::int[]) with ordinality as t (source, business_id, at_most, n)
     cross join lateral (
       select array_agg((extract(epoch from accepted_at) * 1000)::float8) as moments from (
         select e.accepted_at from events e where e.source = t.source and e.business_id = t.business_id
         order by e.id desc limit t.at_most) as newest
     ) as last
     where last.moments is not null`,
    [asks.map((ask) => ask.source), asks.map((ask) => ask.business), asks.map((ask) => ask.atMost)],
  )
  // Ids are the nodes' clocks and moments the database's: their orders may differ by a little.
  const found = new Map(rows.map(({ n, moments }) => [n - 1, moments.map(Math.floor).sort((a, b) => b - a)]))
  return asks.map((_, index) => found.get(index) ?? [])
}

export interface SilentSource {
  readonly source: string
  readonly business: BusinessId
  /** Names this silence: the same on every node that notices it. */
  readonly key: string
  readonly expected: string
  readonly since: number
  readonly noticedAt: number
  readonly lastEventAt: number | null
  readonly seen: number
  /** Null: its first event is still to be accepted. */
  readonly eventId: EventId | null
  /** Not null: it is over, and its last event still to be accepted. */
  readonly resumedAt: number | null
}

const ms = (column: string): string => `round(extract(epoch from ${column}) * 1000)::float8`
const time = (parameter: number): string => `to_timestamp($${parameter}::float8 / 1000)`

/** Every alarm that is open. */
export async function silentSources(db: Queryable): Promise<readonly SilentSource[]> {
  const rows = await db.query<{
    source: string
    business_id: BusinessId
    key: string
    expected: string
    since: number
    noticed_at: number
    last_event_at: number | null
    seen: number
    event_id: EventId | null
    resumed_at: number | null
  }>(
    `select source, business_id, key, expected, ${ms("since")} as since, ${ms("noticed_at")} as noticed_at,
       ${ms("last_event_at")} as last_event_at, seen, event_id, ${ms("resumed_at")} as resumed_at
     from silent_sources order by source, business_id`,
  )
  return rows.map((row) => ({
    source: row.source,
    business: row.business_id,
    key: row.key,
    expected: row.expected,
    since: row.since,
    noticedAt: row.noticed_at,
    lastEventAt: row.last_event_at,
    seen: row.seen,
    eventId: row.event_id,
    resumedAt: row.resumed_at,
  }))
}

/** Opens an alarm; does nothing where the source has one, whoever was first. */
export async function openSilence(db: Queryable, silence: Omit<SilentSource, "eventId" | "resumedAt">): Promise<void> {
  await db.execute(
    `insert into silent_sources (source, business_id, key, expected, since, noticed_at, last_event_at, seen)
     values ($1, $2, $3, $4, ${time(5)}, ${time(6)}, ${time(7)}, $8) on conflict do nothing`,
    [
      silence.source,
      silence.business,
      silence.key,
      silence.expected,
      silence.since,
      silence.noticedAt,
      silence.lastEventAt,
      silence.seen,
    ],
  )
}

/** Its first event is accepted. */
export async function silenceTold(db: Queryable, key: string, event: EventId): Promise<void> {
  await db.execute("update silent_sources set event_id = $2 where key = $1", [key, event])
}

/** It is over; the first to say so settles since when. */
export async function endSilence(db: Queryable, key: string, resumedAt: number): Promise<void> {
  await db.execute(`update silent_sources set resumed_at = ${time(2)} where key = $1 and resumed_at is null`, [
    key,
    resumedAt,
  ])
}

/** Its last event is accepted: nothing of it is left to do. */
export async function silenceOver(db: Queryable, key: string): Promise<void> {
  await db.execute("delete from silent_sources where key = $1 and resumed_at is not null", [key])
}
