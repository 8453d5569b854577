/**
 * Positions and history of streams. An entry only refers to its event or notification, so what is pushed again on
 * recovery is what is stored, and nothing is kept twice.
 */
import type { JsonObject } from "../domain/json.ts"
import { notificationItem } from "../domain/notification.ts"
import type { StreamKey } from "../domain/stream.ts"
import type { Queryable } from "./database.ts"
import { NOTIFICATION_COLUMNS, type NotificationRow, notificationFromRow } from "./notification-rows.ts"
import { openAs } from "./sealed.ts"

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

/** A message as it was and will be pushed. `payload` is the encoded object with its `_offset`. */
export interface StreamMessage {
  readonly position: number
  readonly event: "resource_update" | "notification"
  readonly payload: string
}

interface Row extends NotificationRow {
  /** Null in the one row of a stream that goes further than `after` and has nothing of it left. */
  readonly position: number | null
  readonly ref: string
  readonly payload: Buffer | null
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
    `select s.position::float8 as position, s.ref, e.payload, ${NOTIFICATION_COLUMNS}
     from streams h left join lateral (
       select position, ref from stream_entries where stream = h.key and position > $2 order by position limit $3
     ) s on true left join events e on e.id = s.ref left join notifications n on n.id = s.ref
     where h.key = $1 and h.position > $2 order by s.position`,
    [stream, after, limit],
  )
  const messages: StreamMessage[] = []
  for (const [i, row] of rows.entries()) {
    if (row.position !== after + 1 + i) return "pruned"
    if (row.payload !== null) {
      const text = JSON.stringify(openAs<JsonObject>(row.payload))
      messages.push({ position: row.position, event: "resource_update", payload: withOffset(text, row.position) })
    } else if (row.ref.startsWith("ntf_") && row.content !== null) {
      const text = JSON.stringify(notificationItem(notificationFromRow(row)))
      messages.push({ position: row.position, event: "notification", payload: withOffset(text, row.position) })
    } else return "pruned"
  }
  return messages
}
