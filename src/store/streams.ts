/**
 * Positions and history of streams. An entry only refers to its event or notification, so what is pushed again on
 * recovery is what is stored, and nothing is kept twice.
 */
import { notificationItem } from "../domain/notification.ts"
import type { StreamKey } from "../domain/stream.ts"
import type { Queryable } from "./database.ts"
import { NOTIFICATION_COLUMNS, type NotificationRow, notificationFromRow } from "./notification-rows.ts"
import { openText } from "./sealed.ts"

/** Puts `_offset` at the end of an encoded JSON object. */
export const withOffset = (payload: string, position: number): string =>
  payload === "{}" ? `{"_offset":${position}}` : `${payload.slice(0, -1)},"_offset":${position}}`

/** The epoch of this database and the last position of each stream (absent: nothing was ever pushed, position 0). */
export async function streamHeads(
  db: Queryable,
  streams: readonly StreamKey[],
): Promise<{ readonly epoch: string; readonly positions: ReadonlyMap<StreamKey, number> }> {
  const rows = await db.query<{ epoch: string; key: StreamKey | null; position: number | null }>(
    `select m.epoch, s.key, s.position::float8 as position
     from hub_meta m left join streams s on s.key = any($1)`,
    [streams],
  )
  const positions = new Map<StreamKey, number>()
  for (const row of rows) if (row.key !== null && row.position !== null) positions.set(row.key, row.position)
  return { epoch: rows[0]?.epoch ?? "", positions }
}

/**
 * A message as it is pushed again: a notification with the marks that it has by now, one that was deleted as that change
 * alone. `payload` is the encoded object with its `_offset`.
 */
export interface StreamMessage {
  readonly position: number
  readonly event: "resource_update" | "notification" | "notification_changed"
  readonly payload: string
}

interface Row extends NotificationRow {
  /** Null in the one row of a stream that goes further than `after` and has nothing of it left. */
  readonly position: number | null
  readonly ref: string
  readonly payload: Buffer | null
  readonly deleted: boolean
}

/** Null: what it refers to is gone. */
function messageOf(row: Row, position: number): StreamMessage | null {
  if (row.payload !== null) {
    return { position, event: "resource_update", payload: withOffset(openText(row.payload), position) }
  }
  if (!row.ref.startsWith("ntf_") || row.content === null) return null
  if (row.deleted) {
    const text = JSON.stringify({ id: row.id, deleted: true, business_id: row.business_id })
    return { position, event: "notification_changed", payload: withOffset(text, position) }
  }
  const text = JSON.stringify(notificationItem(notificationFromRow(row)))
  return { position, event: "notification", payload: withOffset(text, position) }
}

/**
 * What came after `after`, in order, at most `limit` messages. `pruned`: the history no longer reaches back that far,
 * or a message in it is gone; a part is never given.
 */
export async function streamHistory(
  db: Queryable,
  stream: StreamKey,
  after: number,
  limit: number,
): Promise<readonly StreamMessage[] | "pruned"> {
  const rows = await db.query<Row>(
    `select s.position::float8 as position, s.ref, e.payload, n.deleted_at is not null as deleted, ${NOTIFICATION_COLUMNS}
     from streams h left join lateral (
       select position, ref from stream_entries where stream = h.key and position > $2 order by position limit $3
     ) s on true left join events e on e.id = s.ref left join notifications n on n.id = s.ref
     where h.key = $1 and h.position > $2 order by s.position`,
    [stream, after, limit],
  )
  const messages: StreamMessage[] = []
  for (const [i, row] of rows.entries()) {
    if (row.position === null || row.position !== after + 1 + i) return "pruned"
    const message = messageOf(row, row.position)
    if (message === null) return "pruned"
    messages.push(message)
  }
  return messages
}

/** The end of a stream, as somebody who comes back is given it. */
export interface StreamTail {
  readonly epoch: string
  /** The last position; 0: nothing was ever pushed. */
  readonly head: number
  /** `messages` is everything after this position, up to the head. */
  readonly since: number
  readonly messages: readonly StreamMessage[]
}

/** What stands around the words of a notification `o` on the wire: its names, and the rest of an item with all its marks. */
const AROUND = `octet_length(o.rule) + octet_length(o.rules_revision) + octet_length(o.business_id)
    + octet_length(coalesce(o.location_id, '')) + octet_length(coalesce(o.category, '')) + 472`

// Newest first, so that it ends where the history does: at a position that is gone, or when enough has been read.
const TAILS = `
select m.epoch, a.key, h.position::float8 as head, s.position::float8 as position, s.ref, s.payload,
  n.deleted_at is not null as deleted, ${NOTIFICATION_COLUMNS}
from hub_meta m cross join unnest($1::text[], $2::bigint[]) as a (key, after)
left join streams h on h.key = a.key left join lateral (
  select x.position, x.ref, e.payload,
    sum(coalesce(octet_length(e.payload) + 64, octet_length(o.content) + ${AROUND}, 0)) over (order by x.position desc) as bytes
  from (
    select position, ref from stream_entries
    where stream = h.key and position > greatest(a.after, h.position - $3) order by position desc limit $3
  ) x left join events e on e.id = x.ref left join notifications o on o.id = x.ref
) s on s.bytes <= $4 left join notifications n on n.id = s.ref
order by a.key, s.position desc`

/**
 * Of each stream what came after a position, or the newest part of it where the history does not reach back that far,
 * holds more than `messages`, or is larger than about `bytes` on the wire: `since` says which. One statement, with the
 * epoch. Each stream is to be named once.
 */
export async function streamTails(
  db: Queryable,
  asks: readonly { readonly stream: StreamKey; readonly after: number }[],
  most: { readonly messages: number; readonly bytes: number },
): Promise<ReadonlyMap<StreamKey, StreamTail>> {
  const rows = await db.query<TailRow>(TAILS, [
    asks.map(({ stream }) => stream),
    asks.map(({ after }) => after),
    most.messages,
    most.bytes,
  ])
  return new Map([...Map.groupBy(rows, ({ key }) => key)].map(([key, own]) => [key, tailOf(own)]))
}

interface TailRow extends Row {
  readonly epoch: string
  readonly key: StreamKey
  readonly head: number | null
}

/** Of one stream's rows, newest first. */
function tailOf(rows: readonly TailRow[]): StreamTail {
  const head = rows[0]?.head ?? 0
  const messages: StreamMessage[] = []
  for (const [i, row] of rows.entries()) {
    const message = row.position === head - i ? messageOf(row, head - i) : null
    if (message === null) break
    messages.push(message)
  }
  return { epoch: rows[0]?.epoch ?? "", head, since: head - messages.length, messages: messages.reverse() }
}
