/** What will not be tried again by itself: dead deliveries, and those of which nobody knows whether they were sent. */
import type { SendingChannel } from "../domain/channel.ts"
import type { BusinessId, DeliveryId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { Queryable } from "./database.ts"
import { type DeliveryPage, pageOf } from "./delivery-reads.ts"

const DEAD = "d.status in ('dead', 'unknown')"
const MINE = "($1::text[] is null or d.business_id = any ($1))"

export interface DeadLetters extends DeliveryPage {
  /** Counts by cause over all pages, largest first: `{channel, status, reason, count}`. */
  readonly groups: readonly JsonObject[]
}

/** A page of dead letters, newest first, with the counts of all. `businesses` null: every business. */
export async function listDeadLetters(
  db: Queryable,
  filter: {
    readonly businesses: readonly BusinessId[] | null
    readonly after?: DeliveryId | undefined
    readonly limit: number
  },
): Promise<DeadLetters> {
  const [page, groups] = await Promise.all([
    pageOf(db, [DEAD, MINE], [filter.businesses], filter),
    db.query<{ channel: string; status: string; reason: string | null; count: number }>(
      `select d.channel, d.status, d.reason, count(*)::int as count from deliveries d where ${DEAD} and ${MINE}
      group by d.channel, d.status, d.reason order by count(*) desc, d.channel, d.reason limit 200`,
      [filter.businesses],
    ),
  ])
  return { ...page, groups: groups.map((group) => ({ ...group })) }
}

export type Replayed =
  /** Queued and due now: wake this channel. */
  | { readonly kind: "replayed"; readonly channel: SendingChannel }
  /** It exists, and is no dead letter (any more). */
  | { readonly kind: "not_dead"; readonly status: string }
  | { readonly kind: "absent" }

/**
 * Sends a dead letter again. Its history stays and its attempts count on, but the retry budget and the age start anew.
 * What may have been sent before says so: a replay beyond a provider's memory for idempotency keys is a second send.
 */
export async function replayDead(
  db: Queryable,
  id: DeliveryId,
  businesses: readonly BusinessId[] | null,
): Promise<Replayed> {
  const replayed = await db.query<{ channel: SendingChannel }>(
    `update deliveries d set status = 'queued', reason = 'replayed', forgiven = d.attempt, replayed_at = now(),
      next_attempt_at = now(), settled_at = null, maybe_duplicate = d.maybe_duplicate or d.status = 'unknown'
    where d.id = $2 and ${DEAD} and ${MINE} returning d.channel`,
    [businesses, id],
  )
  const row = replayed[0]
  if (row !== undefined) return { kind: "replayed", channel: row.channel }
  const found = await db.query<{ status: string }>(`select d.status from deliveries d where d.id = $2 and ${MINE}`, [
    businesses,
    id,
  ])
  return found[0] === undefined ? { kind: "absent" } : { kind: "not_dead", status: found[0].status }
}
