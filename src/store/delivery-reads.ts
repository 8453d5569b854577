/** Deliveries as people look at them: contract §9's JSON, newest first, with every attempt. */
import type { SendingChannel } from "../domain/channel.ts"
import type { DeliveryStatus } from "../domain/delivery.ts"
import type { BusinessId, DeliveryId, EventId, NotificationId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { Message, MessageOf } from "../domain/message.ts"
import { type Because, nextAfterTry, nextOf } from "../domain/retry-words.ts"
import type { Queryable, SqlValue } from "./database.ts"
import { openAs } from "./sealed.ts"

export interface DeliveryFilter {
  /** Null: every business. */
  readonly businesses: readonly BusinessId[] | null
  readonly status?: DeliveryStatus | undefined
  readonly channel?: SendingChannel | undefined
  readonly notification?: NotificationId | undefined
  readonly event?: EventId | undefined
  /** The last id of the page before. */
  readonly after?: DeliveryId | undefined
  readonly limit: number
}

export interface DeliveryPage {
  readonly deliveries: readonly JsonObject[]
  readonly hasMore: boolean
}

export interface DeliveryRow {
  readonly id: DeliveryId
  readonly event_id: string
  readonly notification_ids: string[]
  readonly rule: string
  readonly rules_revision: string
  readonly channel: SendingChannel
  readonly status: DeliveryStatus
  readonly reason: string | null
  readonly receipt: string | null
  readonly maybe_duplicate: boolean
  readonly next_attempt_at: Date | null
  readonly created_at: Date
  readonly settled_at: Date | null
  readonly expires_at: Date | null
  readonly replayed_at: Date | null
}

/** Columns of a delivery `d` as `deliveryJson` reads them. A moment that has passed its use is not shown. */
const DELIVERY_COLUMNS = `d.id, d.event_id, d.notification_ids, d.rule, d.rules_revision, d.channel, d.status,
  d.reason, d.receipt, d.maybe_duplicate, d.created_at, d.settled_at, d.expires_at, d.replayed_at,
  case when d.status in ('queued', 'retrying', 'scheduled') then d.next_attempt_at end as next_attempt_at`

/** One delivery as JSON, or null where there is none for these businesses. */
export async function getDelivery(
  db: Queryable,
  id: DeliveryId,
  businesses: readonly BusinessId[] | null,
): Promise<JsonObject | null> {
  const rows = await db.query<DeliveryRow>(
    `select ${DELIVERY_COLUMNS} from deliveries d where d.id = $1 and ($2::text[] is null or d.business_id = any ($2))`,
    [id, businesses],
  )
  return (await withAttempts(db, rows))[0] ?? null
}

/** A page of deliveries, newest first. */
export async function listDeliveries(db: Queryable, filter: DeliveryFilter): Promise<DeliveryPage> {
  const values: SqlValue[] = []
  const bind = (value: SqlValue): string => `$${values.push(value)}`
  const clauses: string[] = []
  if (filter.businesses !== null) clauses.push(`d.business_id = any (${bind(filter.businesses)}::text[])`)
  if (filter.status !== undefined) clauses.push(await ofStatus(db, filter.status))
  if (filter.channel !== undefined) clauses.push(`d.channel = ${bind(filter.channel)}`)
  if (filter.event !== undefined) clauses.push(`d.event_id = ${bind(filter.event)}`)
  if (filter.notification !== undefined) {
    const id = bind(filter.notification)
    clauses.push(
      `d.event_id = (select n.event_id from notifications n where n.id = ${id}) and ${id} = any (d.notification_ids)`,
    )
  }
  return pageOf(db, clauses, values, filter)
}

/** Of those that wait: beyond it the newest deliveries are walked, since many of them fit. */
const FEW = 5_000

// A status is a word of a closed union. No index names it, since it changes several times: what is open is found beside the
// deliveries, what ended as it should not in a column that is written once, and of the others there are many.
async function ofStatus(db: Queryable, status: DeliveryStatus): Promise<string> {
  const is = `d.status = '${status}'`
  switch (status) {
    case "dead":
    case "unknown":
    case "suppressed":
    case "expired":
    case "cancelled":
      return `d.undelivered = '${status}'`
    case "sending":
      return `${is} and d.id = any (array(select unnest(delivery_ids) from leases))`
    case "scheduled":
    case "queued":
    case "retrying": {
      const [row] = await db.query<{ n: number }>(`select count(*)::int as n from (select from due limit ${FEW + 1}) d`)
      return (row?.n ?? 0) > FEW ? is : `${is} and d.id = any (array(select delivery_id from due))`
    }
    case "delivered":
    case "captured":
      return is
  }
}

/** Runs a filtered page: asks for one row more than wanted to know whether there is a next page. */
export async function pageOf(
  db: Queryable,
  clauses: readonly string[],
  values: readonly SqlValue[],
  page: { readonly after?: DeliveryId | undefined; readonly limit: number },
): Promise<DeliveryPage> {
  const all = [...values]
  const where = [...clauses]
  if (page.after !== undefined) where.push(`d.id < $${all.push(page.after)}`)
  const rows = await db.query<DeliveryRow>(
    `select ${DELIVERY_COLUMNS} from deliveries d ${where.length === 0 ? "" : `where ${where.join(" and ")}`}
    order by d.id desc limit $${all.push(page.limit + 1)}`,
    all,
  )
  return { deliveries: await withAttempts(db, rows.slice(0, page.limit)), hasMore: rows.length > page.limit }
}

interface AttemptRow {
  readonly delivery_id: DeliveryId
  readonly number: number
  readonly started_at: Date
  readonly finished_at: Date
  readonly outcome: string
  readonly reason: string | null
  readonly detail: string | null
  readonly provider_message_id: string | null
  readonly because: Because | null
  readonly again_at: Date | null
}

async function withAttempts(db: Queryable, rows: readonly DeliveryRow[]): Promise<readonly JsonObject[]> {
  if (rows.length === 0) return []
  const attempts = await db.query<AttemptRow>(
    `select delivery_id, number, started_at, finished_at, outcome, reason, detail, provider_message_id,
      because, again_at
    from attempts where delivery_id = any ($1::text[]) order by delivery_id, finished_at, number`,
    [rows.map((row) => row.id)],
  )
  const byDelivery = Map.groupBy(attempts, (attempt) => attempt.delivery_id)
  return rows.map((row) => deliveryJson(row, byDelivery.get(row.id) ?? []))
}

const deliveryJson = (row: DeliveryRow, attempts: readonly AttemptRow[]): JsonObject => ({
  id: row.id,
  event_id: row.event_id,
  notification_ids: row.notification_ids,
  rule: row.rule,
  rules_revision: row.rules_revision,
  channel: row.channel,
  status: row.status,
  reason: row.reason,
  receipt: row.receipt,
  maybe_duplicate: row.maybe_duplicate,
  next_attempt_at: timeOf(row.next_attempt_at),
  next: { ...nextOf(row, attempts.at(-1)?.because ?? null), at: timeOf(row.next_attempt_at) },
  created_at: row.created_at.toISOString(),
  settled_at: timeOf(row.settled_at),
  expires_at: timeOf(row.expires_at),
  replayed_at: timeOf(row.replayed_at),
  attempts: attempts.map((attempt) => ({
    number: attempt.number,
    started_at: attempt.started_at.toISOString(),
    finished_at: attempt.finished_at.toISOString(),
    outcome: attempt.outcome,
    reason: attempt.reason,
    detail: attempt.detail,
    provider_message_id: attempt.provider_message_id,
    next: attempt.because === null ? null : { ...nextAfterTry(attempt.because), at: timeOf(attempt.again_at) },
  })),
})

const timeOf = (at: Date | null): string | null => at?.toISOString() ?? null

/** The rendered message of a delivery, or null where it has none (a suppressed one) or does not exist. */
export async function deliveryMessage(db: Queryable, id: DeliveryId): Promise<Message | null> {
  const rows = await db.query<{ message: Buffer }>("select message from messages where delivery_id = $1", [id])
  const row = rows[0]
  return row === undefined ? null : openAs<Message>(row.message)
}

/** A message in the contract's spelling: `to` is where it would have gone (of a webhook its host alone, null for the hub's
 * own of Slack). */
export function messageJson(message: Message): JsonObject {
  // Which secret signs it is nothing for the eye, and may be the secret itself.
  if (message.channel === "webhook")
    return { to: withoutPath(message.url), body: message.body, signed: message.secret !== null }
  const link = { action_url: message.actionUrl, action_label: message.actionLabel }
  switch (message.channel) {
    case "email": {
      const { to, subject, html, text, unsubscribeUrl } = message
      const unsubscribe = unsubscribeUrl === undefined ? {} : { unsubscribe_url: unsubscribeUrl }
      return { to, subject, html, text, ...unsubscribe, ...link }
    }
    case "sms":
      return { to: message.to, text: message.text, ...link }
    case "voice":
      return { to: message.to, text: message.text, language: message.language, ...link }
    case "push": {
      const { device, title, text, priority } = message
      // A device's token lets whoever has it and an account write to it.
      return { to: null, platform: device.platform, title, text, priority, ...link }
    }
    case "telegram":
      return { to: message.chatId, html: message.html, ...asking(message), ...link }
    case "slack":
      return { to: slackTo(message), text: message.text, ...asking(message), ...link }
  }
}

/** Its reader is asked to press a button. */
const asking = ({ acknowledge }: { readonly acknowledge?: boolean }): JsonObject =>
  acknowledge === true ? { acknowledge: true } : {}

const slackTo = ({ botTo, webhookUrl }: MessageOf<"slack">): string | null =>
  botTo ?? (webhookUrl === null ? null : withoutPath(webhookUrl))

/** Whoever has the whole of a webhook's URL can post to it. */
const withoutPath = (url: string): string => `${URL.parse(url)?.origin ?? ""}/…`
