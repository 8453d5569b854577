/** What a killed or lost holder had in hand is taken from it when its lease has run out, which the update itself asks. */
import { SENDING_CHANNELS, type SendingChannel } from "../domain/channel.ts"
import type { DeliveryStatus, RetryPolicy } from "../domain/delivery.ts"
import type { Database } from "./database.ts"
import type { Lease } from "./deliveries.ts"

/** A claim of a node that is well has one row in `leases`, and as many deliveries as it took: what is looked at each time. */
const MOST_CLAIMS = 20_000
const MOST_LOOKED_AT = 100_000

// Claims whose time is over are looked at: most of what they took is settled, and what is still held is looked at again when
// its renewed lease is over. Whether a lost attempt was sent nobody knows. `hold` channels therefore wait for a person, the others try again: at once,
// but one a second where the try before was lost too. One of them may be what its holders die of, and its neighbours
// would otherwise be in hand each time, until they had no tries left.
const RESCUE = `
with policy as (
  select * from unnest($2::text[], $3::int[], $4::float8[], $5::bool[], $6::bool[])
    as t (channel, max_attempts, max_age_ms, hold, knows_repeats)
), looked_at as (
  delete from leases where ctid = any (array(
    select ctid from leases where ctid = any (array(
      select entry from (
        select ctid as entry, sum(cardinality(delivery_ids)) over (order by until, ctid) as many
        from (select ctid, * from leases where until < now() order by until limit ${MOST_CLAIMS}) l
      ) l where many <= ${MOST_LOOKED_AT}))
    for update skip locked))
  returning delivery_ids
), held as (
  select d.id, d.lease_until
  from (select distinct unnest(delivery_ids) as id from looked_at) l
  cross join lateral (select id, lease_until from deliveries where id = l.id and status || '' = 'sending' limit 1) d
), expired as (
  select d.id from (select id from held where lease_until < now() order by lease_until) h
  cross join lateral (
    select id from deliveries where id = h.id and status || '' = 'sending' and lease_until < now()
    limit 1 for update skip locked
  ) d limit $1
), seen as (
  select d.id, d.attempt, d.claimed_at, p.hold or (d.hold_unknown and not p.knows_repeats) as hold, d.attempt - d.forgiven >= p.max_attempts as spent,
    extract(epoch from now() - coalesce(d.replayed_at, d.created_at)) * 1000 >= p.max_age_ms as old,
    d.expires_at <= now() as over, d.priority,
    exists (select from attempts a where a.delivery_id = d.id and a.number = d.attempt - 1 and a.outcome = 'lost') as twice
  from deliveries d join policy p using (channel) where d.id = any (array(select id from expired))
), judged as (
  select id, attempt, claimed_at,
    case when hold then 'unknown' when spent or old then 'dead' when over then 'expired' else 'retrying' end as status,
    case when hold then 'lost' when spent then 'attempts_exhausted' when old then 'too_old' when over then 'expires_in'
      else 'lost' end as reason,
    case when twice then row_number() over (partition by twice order by priority desc, id) else 0 end as place
  from seen
), rescued as (
  update deliveries d set status = j.status, reason = j.reason, maybe_duplicate = true, owner = null, lease_until = null,
    next_attempt_at = case j.status when 'retrying' then now() + j.place * interval '1 second' end,
    settled_at = case j.status when 'retrying' then null else now() end
  from judged j where d.id = j.id and d.status || '' = 'sending' and d.lease_until < now()
  returning d.id, d.channel, d.status, d.reason, d.attempt, d.claimed_at, d.next_attempt_at
), again as (
  insert into leases (until, delivery_ids) select min(lease_until), array_agg(id) from held
  where id not in (select id from rescued) having count(*) > 0
), logged as (
  insert into attempts (delivery_id, number, started_at, outcome, reason, became, because, again_at)
  select id, attempt, coalesce(claimed_at, now()), 'lost', 'lease_expired', status,
    case status when 'retrying' then 'lease_lost' when 'unknown' then 'held' else reason end, next_attempt_at from rescued
)
select id, channel, status, reason, attempt from rescued`

export interface Rescued extends Lease {
  readonly channel: SendingChannel
  readonly status: Extract<DeliveryStatus, "retrying" | "dead" | "unknown" | "expired">
  readonly reason: string
}

/** Takes deliveries from holders whose lease ran out: due again at once, marked `maybe_duplicate`, or ended. */
export const rescueExpired = (
  db: Database,
  limit: number,
  policyOf: (channel: SendingChannel) => RetryPolicy,
): Promise<readonly Rescued[]> => {
  const policies = SENDING_CHANNELS.map(policyOf)
  return db.query<Rescued>(RESCUE, [
    limit,
    SENDING_CHANNELS,
    policies.map((policy) => policy.maxAttempts),
    policies.map((policy) => policy.maxAgeMs),
    policies.map((policy) => policy.onUnknown === "hold"),
    policies.map((policy) => policy.knowsRepeats),
  ])
}
