/** Messages of captured channels, as their readers would see them; and whose a delivery is, for those who watch. */
import type { SendingChannel } from "../domain/channel.ts"
import type { BusinessId, DeliveryId } from "../domain/ids.ts"
import type { Message } from "../domain/message.ts"
import type { Queryable, SqlValue } from "./database.ts"
import { type DeliveryPage, messageJson, pageOf } from "./delivery-reads.ts"
import { openAs } from "./sealed.ts"

export interface OutboxFilter {
  /** Null: every business. */
  readonly businesses: readonly BusinessId[] | null
  readonly channel?: SendingChannel | undefined
  /** Of these channels also what is on its way, was given up, or went to a browser or this machine. */
  readonly alsoOf: readonly SendingChannel[]
  readonly after?: DeliveryId | undefined
  readonly limit: number
}

/** Newest first: the delivery's JSON with `message`; null where that is no longer kept. */
export async function listOutbox(db: Queryable, filter: OutboxFilter): Promise<DeliveryPage> {
  const values: SqlValue[] = []
  const bind = (value: SqlValue): string => `$${values.push(value)}`
  // Where anything is captured nearly all of the latest is: they are walked.
  const clauses = [
    filter.alsoOf.length === 0
      ? "d.status = 'captured'"
      : `(d.status = 'captured' or d.channel = any (${bind(filter.alsoOf)}::text[])
          and d.status in ('queued', 'sending', 'retrying', 'unknown', 'dead', 'delivered'))`,
  ]
  if (filter.businesses !== null) clauses.push(`d.business_id = any (${bind(filter.businesses)}::text[])`)
  if (filter.channel !== undefined) clauses.push(`d.channel = ${bind(filter.channel)}`)
  const page = await pageOf(db, clauses, values, filter)
  const rows = await db.query<{ delivery_id: string; message: Buffer }>(
    "select delivery_id, message from messages where delivery_id = any ($1::text[])",
    [page.deliveries.map((delivery) => String(delivery["id"]))],
  )
  const messages = new Map(rows.map((row) => [row.delivery_id, messageJson(openAs<Message>(row.message))]))
  const deliveries = page.deliveries.map((delivery) => ({
    ...delivery,
    message: messages.get(String(delivery["id"])) ?? null,
  }))
  return { deliveries, hasMore: page.hasMore }
}

/** The business of each delivery that there is. */
export async function businessesOf(db: Queryable, ids: readonly string[]): Promise<ReadonlyMap<string, BusinessId>> {
  const rows = await db.query<{ id: string; business_id: BusinessId }>(
    "select id, business_id from deliveries where id = any ($1::text[])",
    [ids],
  )
  return new Map(rows.map((row) => [row.id, row.business_id]))
}
