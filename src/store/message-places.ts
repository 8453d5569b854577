/**
 * Where the messages stand that later news takes the place of. Whoever sends to a place holds it for as long as that takes,
 * so that on all nodes together one at a time does; and an older event never takes a newer one's place.
 */
import type { DeliveryId, EventId } from "../domain/ids.ts"
import type { InPlace } from "../domain/message.ts"
import type { Database, Queryable } from "./database.ts"
import { openAs, seal } from "./sealed.ts"

export type TakenPlace =
  /** `shows`: what stands there; null: nothing yet. */
  | { readonly kind: "held"; readonly shows: Shown | null }
  /** Somebody else is sending to it, for `forMs` at most. */
  | { readonly kind: "busy"; readonly forMs: number }
  /** A newer event is shown there already. */
  | { readonly kind: "superseded" }

export interface Shown {
  readonly event: EventId
  readonly delivery: DeliveryId
  readonly reference: string
}

interface Row {
  readonly event_id: EventId | null
  readonly delivery_id: DeliveryId | null
  readonly reference: Buffer | null
}

// A delivery that has it still, after a crash in the middle, is the one that goes on.
const TAKE = `
insert into message_places as p (key, held_by, held_until) values ($1, $2, now() + $4 * interval '1 millisecond')
on conflict (key) do update set held_by = excluded.held_by, held_until = excluded.held_until
where (p.held_until is null or p.held_until <= now() or p.held_by = excluded.held_by)
  and (p.event_id is null or p.event_id <= $3)
returning event_id, delivery_id, reference`

const LOOK = `
select event_id > $2 as superseded, greatest(0, extract(epoch from held_until - now()) * 1000)::float8 as ms
from message_places where key = $1`

/** Holds the place for `forMs`. */
export async function takePlace(
  db: Database,
  { key, event }: InPlace,
  delivery: DeliveryId,
  forMs: number,
): Promise<TakenPlace> {
  const [row] = await db.query<Row>(TAKE, [key, delivery, event, forMs])
  if (row === undefined) {
    const [seen] = await db.query<{ superseded: boolean | null; ms: number | null }>(LOOK, [key, event])
    return seen?.superseded === true ? { kind: "superseded" } : { kind: "busy", forMs: seen?.ms ?? 0 }
  }
  const { event_id, delivery_id, reference } = row
  if (event_id === null || delivery_id === null || reference === null) return { kind: "held", shows: null }
  return { kind: "held", shows: { event: event_id, delivery: delivery_id, reference: openAs<string>(reference) } }
}

/** Lets go of it. `shows`: what stands there now; null: what stood there before. Of whom it was taken from, nothing. */
export async function leavePlace(
  db: Database,
  { key }: InPlace,
  delivery: DeliveryId,
  shows: Shown | null,
): Promise<void> {
  await db.execute(
    `update message_places set held_by = null, held_until = null, updated_at = now(),
       event_id = coalesce($3, event_id), delivery_id = coalesce($4, delivery_id), reference = coalesce($5, reference)
     where key = $1 and held_by = $2`,
    [key, delivery, shows?.event ?? null, shows?.delivery ?? null, shows === null ? null : seal(shows.reference)],
  )
}

/** Those of the places that show a newer event than asked for. */
export async function supersededAt(db: Database, places: readonly InPlace[]): Promise<ReadonlySet<InPlace>> {
  const rows = await db.query<{ n: number }>(
    `select a.n::int as n from unnest($1::text[], $2::text[]) with ordinality as a (key, event, n)
     join message_places p on p.key = a.key and p.event_id > a.event`,
    [places.map(({ key }) => key), places.map(({ event }) => event)],
  )
  const found = new Set(rows.map(({ n }) => n - 1))
  return new Set(places.filter((_, i) => found.has(i)))
}

/** Forgets up to `limit` places that nothing came to since `before`, in milliseconds since the Unix epoch. */
export const sweepPlaces = (db: Queryable, before: number, limit: number): Promise<number> =>
  db.execute(
    `delete from message_places where key in (
       select key from message_places where updated_at < to_timestamp($1::float8 / 1000) order by updated_at limit $2)`,
    [before, limit],
  )
