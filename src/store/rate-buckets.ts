/**
 * Token buckets that all nodes share. A node leases tokens for many keys in one statement and spends them by itself; a
 * bucket fills by the database's clock, so that no node's clock can open it.
 */
import type { Queryable } from "./database.ts"

export interface LeaseRequest {
  readonly key: string
  /** Tokens that come in a second; the bucket holds one second's worth. At least 1. */
  readonly perSecond: number
  /** With fewer than this nothing is given. More than the bucket holds is lent to a full bucket, which then owes it. */
  readonly least: number
  /** At most this many are given. Whole, and not less than `least`. */
  readonly want: number
}

export interface Lease {
  readonly key: string
  /** Whole; 0 where the bucket has too few. */
  readonly granted: number
  /** What is in the bucket after it; below 0 while it owes. */
  readonly left: number
}

// Rows go in sorted by key, so that nodes whose leases share keys wait for each other in one direction only. A new
// row is a full bucket less what is given; in `excluded`, tokens and granted together are therefore one second's worth.
// A clock of the database that was set back would leave a bucket dry until then: such a bucket counts from now on.
const LEASE = `
insert into rate_buckets as b (key, tokens, filled_at, least, granted)
select key, per_second - given, now(), least, given
from (
  select key, per_second, least, greatest(least(want, floor(per_second)), least) as given
  from unnest($1::text[], $2::float8[], $3::float8[], $4::float8[]) as t (key, per_second, least, want)
) r
order by key
on conflict (key) do update set (tokens, filled_at, least, granted) = (
  select f.tokens - g.granted, f.filled_at, excluded.least, g.granted
  from (
    select least(p.per_second, b.tokens + p.per_second * greatest(0, extract(epoch from now() - b.filled_at)))::float8
        as tokens, p.per_second,
      case when b.filled_at > now() + interval '5 seconds' then now() else greatest(b.filled_at, now()) end as filled_at
    from (select excluded.tokens + excluded.granted as per_second) p
  ) f cross join lateral (
    select case when f.tokens >= least(excluded.least, f.per_second)
      then greatest(least(excluded.granted, floor(f.tokens)), excluded.least) else 0 end as granted
  ) g
)
returning key, granted, tokens as left`

/** One answer for each key; keys must differ. Throws the driver's error, and then nothing was leased. */
export function leaseTokens(db: Queryable, requests: readonly LeaseRequest[]): Promise<readonly Lease[]> {
  return db.query<Lease>(LEASE, [
    requests.map((r) => r.key),
    requests.map((r) => r.perSecond),
    requests.map((r) => r.least),
    requests.map((r) => r.want),
  ])
}

// Read by key in the index's order, from where the last look ended: each costs the same however many buckets there are.
const SWEEP = `
with looked as (
  select key, filled_at from rate_buckets where key > $1 order by key limit $2
), gone as (
  delete from rate_buckets b using (
    select r.key from rate_buckets r join looked using (key)
    where r.filled_at < now() - make_interval(secs => $3::float8 / 1000)
      and (r.tokens >= 0 or r.filled_at < now() - interval '1 hour')
    order by r.key for update of r skip locked
  ) idle where b.key = idle.key returning 1
)
select (select count(*)::int from gone) as gone, (select count(*)::int from looked) as looked,
  (select max(key) from looked) as last`

/**
 * Forgets buckets that nobody has leased from for `idleMs` (an hour where one owes): they are full, and so is a bucket
 * without a row. Looks at `limit` of them after the key `after` ("" begins); `next` is where to go on, null at the end.
 */
export async function sweepBuckets(
  db: Queryable,
  after: string,
  limit: number,
  idleMs: number,
): Promise<{ readonly gone: number; readonly next: string | null }> {
  const [row] = await db.query<{ gone: number; looked: number; last: string | null }>(SWEEP, [after, limit, idleMs])
  return { gone: row?.gone ?? 0, next: row !== undefined && row.looked === limit ? row.last : null }
}
