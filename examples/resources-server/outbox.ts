// The outbox: what the hub has yet to be told. Rows enter in the transaction of the change they tell of and leave when
// the hub has them; between the two, anything may crash.
import type { Pool, PoolClient } from "pg"
import { inTransaction } from "./database.ts"
import type { Outcome } from "./hub.ts"

/** What the hub takes at `POST /api/notifications`. */
export interface ResourceMessage {
  readonly type: "resource_created" | "resource_updated" | "resource_patched" | "resource_deleted"
  readonly resourceType: string
  readonly businessId: string
  readonly locationId: string
  readonly resourceId: string
  readonly shardId: string
  readonly timestamp: string
  readonly data: unknown
}

export interface Waiting {
  /** The idempotency key, the same on every try. */
  readonly id: string
  readonly message: string
}

export interface OutboxState {
  readonly waiting: number
  /** Age of the oldest row that waits; null where none does. */
  readonly oldest_seconds: number | null
  /** What the hub will never take, and why: the latest ten. */
  readonly parked: readonly { id: string; reason: string; at: string }[]
}

const RUN_LENGTH = 50
const RUN_MS = 5_000

/** Adds the news of a change to the transaction of the change: the last statement before its commit. */
export async function addToOutbox(tx: PoolClient, message: ResourceMessage): Promise<void> {
  // Numbers are handed out before the commit, so a later number could be seen first. Under this lock, which ends with
  // the transaction, the news of one place becomes visible in the order of its numbers.
  await tx.query("select pg_advisory_xact_lock(hashtextextended($1, 0))", [
    JSON.stringify([message.businessId, message.locationId]),
  ])
  await tx.query("insert into resources_server.outbox (business_id, location_id, message) values ($1, $2, $3)", [
    message.businessId,
    message.locationId,
    JSON.stringify(message),
  ])
}

/**
 * Sends what waits for one place, oldest first, until it is done, the hub is away or `send` says "not now"
 * with a null; false where nothing is free to send.
 * The claim is a row lock on the place's oldest row: other relays skip it, and it ends with the connection, so a killed
 * server holds nothing. Killed between the hub's 202 and the commit here, the rows are sent again under the same keys.
 */
export async function sendRun(pool: Pool, send: (row: Waiting) => Promise<Outcome | null>): Promise<boolean> {
  return inTransaction(pool, async (tx) => {
    // Fewest tries first, so that one message that the hub stumbles over does not hold up the other places.
    const heads = await tx.query<{ business_id: string; location_id: string }>(
      `select business_id, location_id from resources_server.outbox o
      where parked_at is null and not exists (
        select from resources_server.outbox earlier
        where earlier.parked_at is null and earlier.seq < o.seq
          and earlier.business_id = o.business_id and earlier.location_id = o.location_id)
      order by attempts, seq limit 1 for update skip locked`,
    )
    const place = heads.rows[0]
    if (place === undefined) return false
    const run = await tx.query<Waiting>(
      `select id, message from resources_server.outbox
      where parked_at is null and business_id = $1 and location_id = $2 order by seq limit ${RUN_LENGTH}`,
      [place.business_id, place.location_id],
    )
    const began = performance.now()
    for (const row of run.rows) {
      if (performance.now() - began > RUN_MS) break
      const outcome = await send(row)
      if (outcome === null) break
      await settle(tx, row, outcome)
      if (outcome.kind === "later") break
    }
    return true
  })
}

async function settle(tx: PoolClient, row: Waiting, outcome: Outcome): Promise<void> {
  switch (outcome.kind) {
    case "delivered":
      await tx.query("delete from resources_server.outbox where id = $1", [row.id])
      return
    case "refused":
      await tx.query(
        `update resources_server.outbox set parked_at = now(), attempts = attempts + 1, last_error = $2 where id = $1`,
        [row.id, outcome.reason],
      )
      return
    case "later":
      await tx.query("update resources_server.outbox set attempts = attempts + 1, last_error = $2 where id = $1", [
        row.id,
        outcome.reason,
      ])
  }
}

/** For `/health`. */
export async function outboxState(pool: Pool): Promise<OutboxState> {
  const waiting = await pool.query<{ count: number; oldest: number | null }>(
    `select count(*)::int as count, extract(epoch from now() - min(created_at))::int as oldest
    from resources_server.outbox where parked_at is null`,
  )
  const parked = await pool.query<{ id: string; last_error: string | null; parked_at: Date }>(
    `select id, last_error, parked_at from resources_server.outbox
    where parked_at is not null order by parked_at desc limit 10`,
  )
  return {
    waiting: waiting.rows[0]?.count ?? 0,
    oldest_seconds: waiting.rows[0]?.oldest ?? null,
    parked: parked.rows.map((row) => ({
      id: row.id,
      reason: row.last_error ?? "unknown",
      at: row.parked_at.toISOString(),
    })),
  }
}
