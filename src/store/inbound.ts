/** What an answer is about, and that it has its effect once. */
import { type AnsweringChannel, sameSpelling } from "../domain/address.ts"
import type { SendingChannel } from "../domain/channel.ts"
import type {
  BusinessId,
  DeliveryId,
  EventId,
  LocationId,
  NotificationId,
  RecipientId,
  RuleName,
} from "../domain/ids.ts"
import type { Message } from "../domain/message.ts"
import { hashOfAddress } from "./address-hash.ts"
import type { Queryable } from "./database.ts"
import { openAs } from "./sealed.ts"

/** Longer than any provider tries again, and than its signature is good for where that ends. */
const SEEN_DAYS = 30

/** Whether an answer is new; from this transaction's commit on it is not. `key`: door and the provider's own id. */
export async function isFirst(tx: Queryable, key: string): Promise<boolean> {
  return (await tx.execute("insert into inbound_seen (key) values ($1) on conflict do nothing", [key])) > 0
}

/** Forgets up to `limit` answers whose time is over; answers how many. */
export const sweepSeen = (db: Queryable, limit: number): Promise<number> =>
  db.execute(
    `delete from inbound_seen where key = any(array(
       select key from inbound_seen where seen_at < now() - interval '${SEEN_DAYS} days' order by seen_at limit $1))`,
    [limit],
  )

/** The last message that went to an address; null: none that is kept. */
export async function lastSentTo(
  db: Queryable,
  channel: AnsweringChannel,
  address: string,
): Promise<DeliveryId | null> {
  const [row] = await db.query<{ id: DeliveryId }>(
    `select d.id from messages m join deliveries d on d.id = m.delivery_id
     where m.sent_to = ${hashOfAddress("$1", "$2")} and d.status in ('delivered', 'unknown', 'sending', 'retrying', 'captured')
     order by m.delivery_id desc limit 1`,
    [channel, sameSpelling(channel, address)],
  )
  return row?.id ?? null
}

/** Who was told at an address lately, by id; nobody whose messages are not kept any more. */
export async function toldAt(
  db: Queryable,
  channel: AnsweringChannel,
  address: string,
): Promise<readonly RecipientId[]> {
  const rows = await db.query<{ recipient_id: RecipientId }>(
    `select distinct n.recipient_id from (
       select m.delivery_id from messages m where m.sent_to = ${hashOfAddress("$1", "$2")}
       order by m.delivery_id desc limit ${LATELY}
     ) sent join deliveries d on d.id = sent.delivery_id cross join lateral unnest(d.notification_ids) as told (id)
     join notifications n on n.id = told.id order by n.recipient_id limit ${LATELY}`,
    [channel, sameSpelling(channel, address)],
  )
  return rows.map((row) => row.recipient_id)
}

/** Messages, and people who share an address. */
const LATELY = 100

/** The message that a provider calls so; on a channel whose ids are the address's own, at that address. */
export async function sentAs(
  db: Queryable,
  channel: SendingChannel,
  providerMessageId: string,
  address: string | null,
): Promise<DeliveryId | null> {
  const [row] = await db.query<{ id: DeliveryId }>(
    `select d.id from attempts a join deliveries d on d.id = a.delivery_id
       left join messages m on m.delivery_id = d.id
     where a.provider_message_id = $2 and d.channel = $1
       and ($3::text is null or m.sent_to = ${hashOfAddress("$1", "$3")})
     order by a.finished_at desc limit 1`,
    [channel, providerMessageId, address],
  )
  return row?.id ?? null
}

/** Null: it is gone, or has none. */
export async function messageOf(db: Queryable, delivery: DeliveryId): Promise<Message | null> {
  const [row] = await db.query<{ message: Buffer }>("select message from messages where delivery_id = $1", [delivery])
  return row === undefined ? null : openAs<Message>(row.message)
}

/** What a delivery told, and whom. */
export interface Told {
  readonly delivery: DeliveryId
  readonly event: EventId
  readonly rule: RuleName
  readonly business: BusinessId
  /** Null: of the whole business, or of several places. */
  readonly location: LocationId | null
  readonly correlationId: string | null
  readonly notifications: readonly NotificationId[]
  readonly recipients: readonly RecipientId[]
}

interface ToldRow {
  readonly event_id: EventId
  readonly rule: RuleName
  readonly business_id: BusinessId
  readonly correlation_id: string | null
  readonly notification_id: NotificationId
  readonly recipient_id: RecipientId
  readonly location_id: LocationId | null
}

/** Null: nobody who is still known. */
export async function toldBy(db: Queryable, delivery: DeliveryId): Promise<Told | null> {
  const rows = await db.query<ToldRow>(
    `select d.event_id, d.rule, d.business_id, e.correlation_id, n.id as notification_id, n.recipient_id, n.location_id
     from deliveries d cross join lateral unnest(d.notification_ids) as told (id)
     join notifications n on n.id = told.id left join events e on e.id = d.event_id
     where d.id = $1 order by n.id`,
    [delivery],
  )
  const [first] = rows
  if (first === undefined) return null
  const onePlace = rows.every(({ location_id }) => location_id === first.location_id)
  return {
    delivery,
    event: first.event_id,
    rule: first.rule,
    business: first.business_id,
    location: onePlace ? first.location_id : null,
    correlationId: first.correlation_id,
    notifications: rows.map((row) => row.notification_id),
    recipients: rows.map((row) => row.recipient_id),
  }
}
