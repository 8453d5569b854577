/**
 * Deliveries under a lease: claim, renew, settle, release. Every change names the state it expects, so whoever
 * has lost a lease changes nothing and is told so. Time is the database's own: callers give delays, never moments. Long, because
 * the statements that move a row from state to state are read against each other.
 */
import type { SendingChannel } from "../domain/channel.ts"
import type { ClaimedDelivery, DeliveryStatus, Outcome, Settlement } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import type { Message } from "../domain/message.ts"
import type { SuppressionReason } from "../domain/receipt.ts"
import { becauseOf } from "../domain/retry-words.ts"
import type { Database } from "./database.ts"
import { LEFT_SINCE } from "./departures.ts"
import { ENDED_COLUMNS, mayFailOver, setFailovers } from "./failover.ts"
import { openAs } from "./sealed.ts"
import { holdsFor } from "./suppressions.ts"

/** What a claim was given: the pair that every later word about it must name. */
export interface Lease {
  readonly id: DeliveryId
  readonly attempt: number
}

// As an expression, so that rows are found by their key.
const IS_WAITING = "status || '' in ('queued', 'retrying', 'scheduled')"

/** No claim takes more. */
const MOST_CLAIMED = 1_000
/** Of each priority, of which the first may be in other claims' hands. */
const MOST_LOOKED_AT = 20 * MOST_CLAIMED

// One priority after the other, each straight down its own piece of `due`: sorting by priority first and due time second
// would walk over every retry that is not due yet. Only rows that are taken are locked: the outer limit stops the inner
// ones, which are there so that the plan does not depend on how many wait, and is made once. For the same reason rows and
// messages are fetched one by one by their keys, in a way that leaves the planner no choice. What is locked is the delivery,
// by whoever takes or stops it; its entry in `due` is only the way to it.
const CLAIM = `
with taken as (
  select q.entry, d.id from (values (2::smallint), (1::smallint), (0::smallint)) as p (priority)
  cross join lateral (
    select ctid as entry, delivery_id, at from due where channel = $1 and priority = p.priority and at <= now()
    order by at limit ${MOST_LOOKED_AT}
  ) q cross join lateral (
    select id from deliveries
    where id = q.delivery_id and next_attempt_at = q.at and ${IS_WAITING}
    limit 1 for update skip locked
  ) d limit $2
), gone as (
  delete from due where ctid = any (array(select entry from taken))
), leased as (
  insert into leases (until, delivery_ids)
  select now() + $4 * interval '1 millisecond', array_agg(id) from taken having count(*) > 0
), claimed as (
  update deliveries d set
    status = case when d.expires_at <= now() then 'expired' else 'sending' end,
    reason = case when d.expires_at <= now() then 'expires_in' else d.reason end,
    attempt = case when d.expires_at <= now() then d.attempt else d.attempt + 1 end,
    owner = case when d.expires_at <= now() then null else $3 end,
    claimed_at = now(),
    lease_until = case when d.expires_at <= now() then null else now() + $4 * interval '1 millisecond' end,
    next_attempt_at = case when d.expires_at <= now() then null else d.next_attempt_at end,
    settled_at = case when d.expires_at <= now() then now() else d.settled_at end
  where d.id = any (array(select id from taken))
  returning d.id, d.priority, d.attempt, d.forgiven, d.replayed_at, d.hold_unknown, d.wishes, d.commercial,
    d.bypass_quiet_hours, d.category, d.expires_at, ${ENDED_COLUMNS}
), failovers as (${setFailovers("claimed")}
)
select c.id, c.attempt, nullif(c.attempt - c.forgiven, c.attempt) as tries,
  (extract(epoch from now() - coalesce(c.replayed_at, c.created_at)) * 1000)::float8 as age_ms, m.message,
  case when c.priority <> 1 or c.status <> 'sending' or c.maybe_duplicate or c.hold_unknown or c.wishes or s.reason is not null
      or c.expires_at is not null or ${LEFT_SINCE("c")}
    then json_build_object('priority', c.priority, 'maybeDuplicate', c.maybe_duplicate, 'holdUnknown', c.hold_unknown,
      'wishes', case when c.wishes then json_build_object('category', c.category, 'commercial', c.commercial,
        'bypassQuietHours', c.bypass_quiet_hours) end,
      'expired', c.status = 'expired', 'failover', ${mayFailOver("c")}, 'suppressed', s.reason, 'left', ${LEFT_SINCE("c")},
      'expiresInMs', extract(epoch from c.expires_at - now()) * 1000) end as special
from claimed c
cross join lateral (select message, sent_to from messages where delivery_id = c.id limit 1) m
left join lateral (select s.reason from suppressions s where s.address = m.sent_to and ${holdsFor("c.replayed_at")} limit 1) s on true`

interface ClaimedRow {
  readonly id: DeliveryId
  readonly attempt: number
  /** Null: as many as attempts. */
  readonly tries: number | null
  readonly age_ms: number
  readonly message: Buffer
  /** Null of most: reading a column of each row costs as much as a good part of the claim. */
  readonly special: Special | null
}

interface Special {
  readonly priority: ClaimedDelivery["priority"]
  readonly maybeDuplicate: boolean
  readonly holdUnknown: boolean
  readonly wishes: Exclude<ClaimedDelivery["wishes"], false> | null
  readonly expired: boolean
  readonly failover: boolean
  readonly suppressed: SuppressionReason | null
  readonly left: boolean
  readonly expiresInMs: number | null
}

const NOTHING_SPECIAL: Special = {
  priority: 1,
  maybeDuplicate: false,
  holdUnknown: false,
  wishes: null,
  expired: false,
  failover: false,
  suppressed: null,
  left: false,
  expiresInMs: null,
}

/** A delivery that has ended without a try. */
export interface Unsent {
  readonly id: DeliveryId
  readonly status: Extract<DeliveryStatus, "expired" | "suppressed" | "cancelled" | "scheduled">
  readonly reason: string
  /** The next channel's timer was set with it. */
  readonly failover: boolean
}

/**
 * Takes up to `limit` due deliveries of a channel under a lease of `leaseMs`, highest priority first. The attempt is
 * counted here, before the work, so that a message that kills its sender cannot do so for ever.
 */
export async function claimDue(
  db: Database,
  ask: {
    readonly channel: SendingChannel
    readonly limit: number
    readonly owner: string
    readonly leaseMs: number
    /** Hears of a message that cannot be opened: it is left to its lease, and holds up none of its neighbours. */
    readonly onUnreadable?: (id: DeliveryId, error: unknown) => void
    /** Hears of those whose time was over: they count towards the limit, and are not given out. */
    readonly onUnsent?: (unsent: readonly Unsent[]) => void
  },
): Promise<readonly ClaimedDelivery[]> {
  const limit = Math.min(MOST_CLAIMED, ask.limit)
  const rows = (await db.query<ClaimedRow>(CLAIM, [ask.channel, limit, ask.owner, ask.leaseMs])).toSorted(urgentFirst)
  const expired = rows.filter((row) => row.special?.expired)
  if (expired.length > 0) ask.onUnsent?.(expired.map(expiredFromRow))
  return rows.flatMap((row) => {
    if (row.special?.expired) return []
    try {
      return [claimedFromRow(ask.channel, row)]
    } catch (error) {
      ask.onUnreadable?.(row.id, error)
      return []
    }
  })
}

const priorityOf = ({ special }: ClaimedRow): number => (special ?? NOTHING_SPECIAL).priority
const urgentFirst = (one: ClaimedRow, other: ClaimedRow): number => priorityOf(other) - priorityOf(one)

function claimedFromRow(channel: SendingChannel, row: ClaimedRow): ClaimedDelivery {
  const { priority, maybeDuplicate, holdUnknown, wishes, suppressed, left, expiresInMs } =
    row.special ?? NOTHING_SPECIAL
  const claimed: ClaimedDelivery = {
    id: row.id,
    channel,
    priority,
    attempt: row.attempt,
    tries: row.tries ?? row.attempt,
    maybeDuplicate,
    ageMs: row.age_ms,
    holdUnknown,
    wishes: wishes ?? false,
    message: openAs<Message>(row.message),
  }
  if (row.special === null) return claimed
  return {
    ...claimed,
    ...(suppressed === null ? {} : { suppressed }),
    ...(left ? { left } : {}),
    ...(expiresInMs === null ? {} : { expiresInMs }),
  }
}

const expiredFromRow = ({ id, special }: ClaimedRow): Unsent => ({
  id,
  status: "expired",
  reason: "expires_in",
  failover: special?.failover ?? false,
})

/** What one attempt saw and what the delivery becomes. */
export interface Settling extends Lease {
  readonly outcome: Outcome
  readonly settlement: Settlement
  /** With what it was tried, where that is known: what dead letters are grouped by. */
  readonly account?: string
}

/** `lost`: the lease was no longer ours and nothing was written. */
export type Settled =
  | {
      readonly kind: "settled"
      /** It was to be tried again when its time is over, and has ended instead. */
      readonly expired: boolean
      /** The next channel's timer was set with it. */
      readonly failover: boolean
    }
  | { readonly kind: "lost" }

// The status is compared as an expression so that rows are found by their key: the index of all that is leased looks
// small to the planner, and is full of the dead entries of everything that was sent since the last vacuum.
// How many items there are is kept from the planner as well, or it would plan each batch of less than ten anew.
const SETTLE = `
with arrays as materialized (
  select $2::text[] as a, $3::int[] as b, $4::text[] as c, $5::text[] as d, $6::float8[] as e, $7::bool[] as f, $8::int[] as g,
    $9::text[] as h, $10::text[] as i, $11::text[] as j, $12::text[] as k, $13::text[] as l, $14::text[] as m
), input as (
  select t.*, now() + t.delay_ms * interval '1 millisecond' as again_at
  from arrays, unnest(a, b, c, d, e, f, g, h, i, j, k, l, m) with ordinality
    as t (id, attempt, status, reason, delay_ms, maybe_duplicate, forgiven, outcome, outcome_reason, detail,
      provider_message_id, because, account, place)
), settled as (
  update deliveries d set
    status = case when d.expires_at <= i.again_at then 'expired' else i.status end,
    reason = case when d.expires_at <= i.again_at then 'expires_in' else i.reason end,
    owner = null, lease_until = null, account = i.account,
    maybe_duplicate = d.maybe_duplicate or coalesce(i.maybe_duplicate, false), forgiven = d.forgiven + coalesce(i.forgiven, 0),
    next_attempt_at = case when d.expires_at <= i.again_at then null else i.again_at end,
    settled_at = case when i.again_at is null or d.expires_at <= i.again_at then now() end
  from input i
  where d.id = i.id and d.attempt = i.attempt and d.status || '' = 'sending' and d.owner = $1
  returning d.id, d.attempt, d.claimed_at, d.next_attempt_at, i.place::int as place, ${ENDED_COLUMNS}
), failovers as (${setFailovers("settled")}
), logged as (
  insert into attempts (delivery_id, number, started_at, outcome, reason, detail, provider_message_id, became, because,
    again_at)
  select s.id, s.attempt, s.claimed_at, i.outcome, i.outcome_reason, i.detail, i.provider_message_id, s.status,
    case when s.status = 'expired' then 'expires_in' else i.because end, s.next_attempt_at
  from settled s join input i on i.place = s.place
)
select case when count(*) < cardinality($2::text[]) then coalesce(array_agg(place), '{}') end as written,
  array_agg(place) filter (where status = 'expired') as expired,
  array_agg(place) filter (where ${mayFailOver("settled")}) as failover
from settled`

/**
 * Writes what became of attempts, and their history, in one statement; answers in the order of the items. A delivery
 * that `owner` no longer holds at that attempt is left alone: that is a normal answer, not an error.
 */
export async function settleMany(db: Database, owner: string, items: readonly Settling[]): Promise<readonly Settled[]> {
  const [answer] = await db.query<SettledRow>(SETTLE, [
    owner,
    items.map((item) => item.id),
    items.map((item) => item.attempt),
    items.map((item) => item.settlement.status),
    mostlyNull(items, (item) => reasonOf(item.settlement)),
    mostlyNull(items, (item) => ("delayMs" in item.settlement ? item.settlement.delayMs : null)),
    mostlyNull(items, (item) => mayHaveBeenSent(item) || null),
    mostlyNull(items, (item) => (costsNoTry(item.settlement) ? 1 : null)),
    items.map((item) => item.outcome.kind),
    mostlyNull(items, (item) => reasonOf(item.outcome)),
    mostlyNull(items, (item) => ("detail" in item.outcome ? item.outcome.detail : null)),
    mostlyNull(items, (item) => (item.outcome.kind === "delivered" ? item.outcome.providerMessageId : null)),
    mostlyNull(items, (item) => becauseOf(item.settlement)),
    mostlyNull(items, (item) => item.account ?? null),
  ])
  const { written = [], expired = null, failover = null } = answer ?? {}
  return items.map((_, i) => {
    const place = i + 1
    if (written !== null && !written.includes(place)) return LOST
    if (expired === null && failover === null) return WRITTEN
    return {
      kind: "settled",
      expired: expired?.includes(place) ?? false,
      failover: failover?.includes(place) ?? false,
    }
  })
}

const LOST: Settled = { kind: "lost" }
const WRITTEN: Settled = { kind: "settled", expired: false, failover: false }

/** A column in which most batches have nothing: null for all of it costs neither side anything. */
function mostlyNull<T extends string | number | boolean>(
  items: readonly Settling[],
  of: (item: Settling) => T | null,
): readonly (T | null)[] | null {
  const values = items.map(of)
  return values.some((value) => value !== null) ? values : null
}

/** Places of items, from 1: a row for each of them would cost more to send and read than the rest of it. */
interface SettledRow {
  /** Null: all. */
  readonly written: readonly number[] | null
  readonly expired: readonly number[] | null
  readonly failover: readonly number[] | null
}

const reasonOf = (of: Settlement | Outcome): string | null => ("reason" in of ? of.reason : null)
const costsNoTry = (settlement: Settlement): boolean =>
  settlement.status === "queued" || (settlement.status === "retrying" && settlement.because === "throttled")
// Whatever follows: the last try of a dead letter too, or another channel would say it again.
const mayHaveBeenSent = ({ outcome }: Settling): boolean => outcome.kind === "unknown"

// A row that somebody has locked is being settled or rescued right now, and waiting for it could deadlock with a
// settlement: it is passed over, and counts as ours for as long as the snapshot says so.
const RENEW = `
with asked as (select * from unnest($2::text[], $3::int[]) as t (id, attempt)),
held as (
  select d.id, d.attempt from deliveries d join asked a on a.id = d.id and a.attempt = d.attempt
  where d.owner = $1 and d.status = 'sending'
), free as (
  select d.id from deliveries d join asked a on a.id = d.id and a.attempt = d.attempt
  where d.owner = $1 and d.status = 'sending' for update of d skip locked
), renewed as (
  update deliveries d set lease_until = now() + $4 * interval '1 millisecond' from free where d.id = free.id
)
select id, attempt from held`

/** Holds on to leases for another `leaseMs`; answers those that are still ours. The others are lost. */
export const renewLeases = (
  db: Database,
  owner: string,
  leases: readonly Lease[],
  leaseMs: number,
): Promise<readonly Lease[]> =>
  db.query<Lease>(RENEW, [owner, leases.map((lease) => lease.id), leases.map((lease) => lease.attempt), leaseMs])

/**
 * When what is given back at once is due: as before, but told apart. A claim that began before would else take it by its
 * entry in `due` that is gone since, and leave the new one behind for ever.
 */
export const AS_DUE_AS_BEFORE = "d.next_attempt_at + interval '1 microsecond'"

const RELEASE = `
update deliveries d set status = case when d.attempt > d.forgiven + 1 then 'retrying' else 'queued' end,
  next_attempt_at = ${AS_DUE_AS_BEFORE}, forgiven = d.forgiven + 1, owner = null, lease_until = null, claimed_at = null
from unnest($2::text[], $3::int[]) as a (id, attempt)
where d.id = a.id and d.attempt = a.attempt and d.owner = $1 and d.status || '' = 'sending'`

/** Gives back deliveries whose sending has not begun; answers how many. Their attempt is forgiven, as its number is a fence. */
export const releaseClaimed = (db: Database, owner: string, leases: readonly Lease[]): Promise<number> =>
  leases.length === 0
    ? Promise.resolve(0)
    : db.execute(RELEASE, [owner, leases.map(({ id }) => id), leases.map(({ attempt }) => attempt)])

const NEXT_DUE = `
select c.channel, (extract(epoch from min(d.at) - now()) * 1000)::float8 as ms
from unnest($1::text[]) as c (channel)
cross join (values (2::smallint), (1::smallint), (0::smallint)) as p (priority)
cross join lateral (
  select at from due where channel = c.channel and priority = p.priority order by at limit 1
) d group by c.channel`

/** Milliseconds until each channel's next delivery is due (0: now); those of which none waits are left out. */
export async function nextDue(
  db: Database,
  channels: readonly SendingChannel[],
): Promise<ReadonlyMap<SendingChannel, number>> {
  const rows = await db.query<{ channel: SendingChannel; ms: number }>(NEXT_DUE, [channels])
  return new Map(rows.map(({ channel, ms }) => [channel, Math.max(0, Math.ceil(ms))]))
}
