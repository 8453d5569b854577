/** Forgets idle buckets, now and then and a page at a time, behind leases that were answered: it costs nobody a wait. */
import type { Clock } from "../runtime/clock.ts"
import type { Queryable } from "./database.ts"
import { sweepBuckets } from "./rate-buckets.ts"

const EVERY_MS = 60_000
/** After a full page it goes on so soon: ever new keys make rows faster than a page a minute takes them. */
const NEXT_PAGE_MS = 1_000
/** A bucket that nobody leased from for so long is full, or has no business here. */
const IDLE_MS = 60_000
const ROWS = 2_000

/** To be called after a lease; most calls do nothing. Never rejects. */
export function rateSweep(db: Queryable, clock: Pick<Clock, "now">): () => Promise<void> {
  let sweptAt = clock.now()
  let after = ""
  return async () => {
    const now = clock.now()
    if (now - sweptAt < (after === "" ? EVERY_MS : NEXT_PAGE_MS)) return
    sweptAt = now
    try {
      after = (await sweepBuckets(db, after, ROWS, IDLE_MS)).next ?? ""
    } catch {
      after = ""
      // It is housekeeping: the database's trouble is felt and reported by the leases.
    }
  }
}
