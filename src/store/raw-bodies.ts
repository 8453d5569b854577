/**
 * The bytes of a webhook as its sender signed them: what an event was made of, should its reading turn out to be wrong.
 * They are written with the event, in the statement of `events.ts`.
 */
import type { EventId } from "../domain/ids.ts"
import type { Queryable } from "./database.ts"
import { openBytes } from "./sealed.ts"

/** The bytes beside an event, or null where none were kept. */
export async function rawBodyOf(db: Queryable, id: EventId): Promise<Buffer | null> {
  const [row] = await db.query<{ body: Buffer }>("select body from raw_bodies where event_id = $1", [id])
  return row === undefined ? null : openBytes(row.body)
}
