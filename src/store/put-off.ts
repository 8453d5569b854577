/** Claimed deliveries that a limit does not let out now: given back unsent, for a later moment. */
import type { Database } from "./database.ts"
import { AS_DUE_AS_BEFORE, type Lease } from "./deliveries.ts"

export interface PutOff extends Lease {
  readonly reason: "account_limit" | "address_limit"
  /** From now; null: it stays as due as it was, and so before what came after it. */
  readonly delayMs: number | null
}

// No try was made: none is written down, and the one that was counted is forgiven. What expires meanwhile is due then,
// to be ended by the claim.
const PUT_OFF = `
update deliveries d set status = 'scheduled', reason = i.reason,
  next_attempt_at = case when i.delay_ms is null then ${AS_DUE_AS_BEFORE}
    else least(now() + i.delay_ms * interval '1 millisecond', d.expires_at) end,
  forgiven = d.forgiven + 1, owner = null, lease_until = null, claimed_at = null
from unnest($2::text[], $3::int[], $4::text[], $5::float8[]) as i (id, attempt, reason, delay_ms)
where d.id = i.id and d.attempt = i.attempt and d.status || '' = 'sending' and d.owner = $1`

/** Only those that are still `owner`'s are touched; the others are somebody else's by now. */
export const putOff = (db: Database, owner: string, all: readonly PutOff[]): Promise<number> =>
  db.execute(PUT_OFF, [
    owner,
    all.map((one) => one.id),
    all.map((one) => one.attempt),
    all.map((one) => one.reason),
    all.map((one) => one.delayMs),
  ])
