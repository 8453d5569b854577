/** An event that was given up, or of which a rule could not be carried out, is routed once more by an operator's wish. */
import type { BusinessId, EventId } from "../domain/ids.ts"
import { appendAudit } from "./audit.ts"
import type { Database, Queryable } from "./database.ts"

/** `fine`: nothing of it failed, or it waits for the router. */
export type RoutedAgain = { readonly kind: "queued"; readonly audit: number } | { readonly kind: "absent" | "fine" }

// Whoever was told of it by then has his notification and his deliveries, and gets no others: they are unique. As one that
// was tried before it is routed alone, where it is asked which digests it is in already.
const AGAIN = `
with failed as (
  delete from routes r using events e where r.event_id = $1 and r.failed and e.id = r.event_id
    and ($2::text[] is null or e.business_id = any($2))
  returning r.event_id
)
insert into routing_queue (event_id, attempts) select event_id, 1 from failed returning event_id`

/** Puts it back into the router's queue, with what it may have done forgotten. `businesses` null: of all. */
export const routeAgain = (
  db: Database,
  event: EventId,
  by: { readonly actor: string; readonly businesses: readonly BusinessId[] | null },
): Promise<RoutedAgain> =>
  db.transaction(async (tx) => {
    const { actor, businesses } = by
    const queued = await tx.execute(AGAIN, [event, businesses])
    if (queued > 0) {
      const detail = { event_id: event }
      return {
        kind: "queued",
        audit: await appendAudit(tx, { actor, action: "event.route", businesses, key: null, detail }),
      }
    }
    const known = await tx.query("select from events where id = $1 and ($2::text[] is null or business_id = any($2))", [
      event,
      businesses,
    ])
    return { kind: known.length === 0 ? "absent" : "fine" }
  })

/** Whether it may be routed again; null: there is no such event of these businesses. */
export async function hasFailed(
  db: Queryable,
  event: EventId,
  businesses: readonly BusinessId[] | null,
): Promise<boolean | null> {
  const [row] = await db.query<{ failed: boolean }>(
    `select exists (select from routes r where r.event_id = e.id and r.failed) as failed from events e
     where e.id = $1 and ($2::text[] is null or e.business_id = any($2))`,
    [event, businesses],
  )
  return row?.failed ?? null
}
