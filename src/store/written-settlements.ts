/** Settlements that were offered again, because the answer to their commit was lost: those that it had written. */
import type { Database } from "./database.ts"
import type { Lease, Settled } from "./deliveries.ts"

// A number is given out once: who settled it is who had it, unless it was written down as lost.
const WRITTEN = `
select t.place::int as place, coalesce(a.became = 'expired', false) as expired
from unnest($1::text[], $2::int[]) with ordinality as t (id, attempt, place)
join attempts a on a.delivery_id = t.id and a.number = t.attempt and a.outcome <> 'lost'`

/** In the order of the leases. A timer that was set with one is not told of again: it is found without. */
export async function writtenBefore(db: Database, leases: readonly Lease[]): Promise<readonly Settled[]> {
  const rows = await db.query<{ place: number; expired: boolean }>(WRITTEN, [
    leases.map(({ id }) => id),
    leases.map(({ attempt }) => attempt),
  ])
  const all = leases.map((): Settled => ({ kind: "lost" }))
  for (const { place, ...row } of rows) all[place - 1] = { kind: "settled", ...row, failover: false }
  return all
}
