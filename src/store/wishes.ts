/** Deliveries whose people are asked right before a try, and what becomes of those that are not to be sent now. */
import type { Severity } from "../domain/event.ts"
import type { DeliveryId } from "../domain/ids.ts"
import type { Preferences } from "../domain/preferences.ts"
import type { Database } from "./database.ts"
import type { Lease, Unsent } from "./deliveries.ts"
import { ENDED_COLUMNS, mayFailOver, setFailovers } from "./failover.ts"
import { openAs } from "./sealed.ts"

/** Somebody whom a delivery tells. */
export interface WishingPerson {
  readonly severity: Severity
  readonly timezone: string | null
  /** Null: has not said any. */
  readonly preferences: Preferences | null
}

export interface Wishes {
  /** The database's clock, milliseconds since the Unix epoch. */
  readonly now: number
  /** People who are gone, or no longer of the business, are left out. Null: a wish of theirs cannot be opened, and may be a no. */
  people(delivery: DeliveryId): readonly WishingPerson[] | null
}

const WISHES = `
select d.id, (extract(epoch from now()) * 1000)::float8 as now, n.severity, r.timezone, p.wishes
from deliveries d cross join lateral unnest(d.notification_ids) as told (id)
join notifications n on n.id = told.id join recipients r on r.id = n.recipient_id
join memberships m on m.recipient_id = r.id and m.business_id = n.business_id
left join preferences p on p.recipient_id = n.recipient_id
where d.id = any($1) order by r.id`

interface Row {
  readonly id: DeliveryId
  readonly now: number
  readonly severity: Severity
  readonly timezone: string | null
  readonly wishes: Buffer | null
}

/** What the people of these deliveries wish now: one query. `onUnreadable` hears of a wish that cannot be opened. */
export async function wishesOf(
  db: Database,
  ids: readonly DeliveryId[],
  onUnreadable: (id: DeliveryId, error: unknown) => void,
): Promise<Wishes> {
  const rows = await db.query<Row>(WISHES, [ids])
  const people = new Map<DeliveryId, readonly WishingPerson[] | null>()
  for (const [id, own] of Map.groupBy(rows, (row) => row.id)) {
    try {
      people.set(id, own.map(personFromRow))
    } catch (error) {
      onUnreadable(id, error)
      people.set(id, null)
    }
  }
  return {
    now: rows[0]?.now ?? 0,
    people(id) {
      const found = people.get(id)
      return found === undefined ? [] : found
    },
  }
}

const personFromRow = ({ severity, timezone, wishes }: Row): WishingPerson => ({
  severity,
  timezone,
  preferences: wishes === null ? null : openAs<Preferences>(wishes),
})

/** The reason where those whom it was for are gone: it is called back. */
export const GONE = "recipient_gone"

/** A claimed delivery that nobody wishes to get now: later, where there is a moment, or never. */
export interface Withholding extends Lease {
  readonly reason: string
  /** Milliseconds since the Unix epoch; null: never. */
  readonly until: number | null
}

// No try was made: none is written down, and the one that was counted is forgiven.
const WITHHOLD = `
with input as (
  select id, attempt, reason, to_timestamp(until / 1000) as until
  from unnest($2::text[], $3::int[], $4::text[], $5::float8[]) as t (id, attempt, reason, until)
), withheld as (
  update deliveries d set
    status = case when i.reason = '${GONE}' then 'cancelled' when i.until is null then 'suppressed' when d.expires_at <= i.until then 'expired' else 'scheduled' end,
    reason = case when i.until is not null and d.expires_at <= i.until then 'expires_in' else i.reason end,
    next_attempt_at = case when d.expires_at <= i.until then null else i.until end,
    settled_at = case when i.until is null or d.expires_at <= i.until then now() end,
    forgiven = d.forgiven + 1, owner = null, lease_until = null, claimed_at = null
  from input i
  where d.id = i.id and d.attempt = i.attempt and d.status || '' = 'sending' and d.owner = $1
  returning d.id, d.reason, ${ENDED_COLUMNS}
), failovers as (${setFailovers("withheld")}
)
select id, status, reason, ${mayFailOver("withheld")} as failover from withheld`

/** Gives claimed deliveries back unsent; answers those that were still `owner`'s. */
export const withhold = (db: Database, owner: string, all: readonly Withholding[]): Promise<readonly Unsent[]> =>
  db.query<Unsent>(WITHHOLD, [
    owner,
    all.map((one) => one.id),
    all.map((one) => one.attempt),
    all.map((one) => one.reason),
    all.map((one) => one.until),
  ])
