/**
 * Nothing more is sent to who has left. Looking for everybody before each try would cost each message; so the moment of the
 * last departure is kept, and only what was made before it is looked at again.
 */
import type { DeliveryId } from "../domain/ids.ts"
import type { Queryable } from "./database.ts"

/** What was being planned while somebody left is made after it: for as long as a plan may take, and more. */
const MARGIN = "interval '2 minutes'"

/** In the transaction that takes somebody out of a business, as its last statement. */
export const noteDeparture = (tx: Queryable): Promise<number> =>
  tx.execute(
    `insert into departures (at) values (clock_timestamp() + ${MARGIN})
     on conflict (one) do update set at = greatest(departures.at, excluded.at)`,
  )

/** Whether somebody has left since a delivery with the columns of `d` was made. */
export const LEFT_SINCE = (d: string): string =>
  `coalesce(${d}.created_at <= (select at from departures where one), false)`

/** Of these deliveries those that were for people, of whom nobody is left. */
export async function forNobody(db: Queryable, ids: readonly DeliveryId[]): Promise<ReadonlySet<DeliveryId>> {
  if (ids.length === 0) return new Set()
  const rows = await db.query<{ id: DeliveryId }>(
    `select d.id from deliveries d where d.id = any($1) and cardinality(d.notification_ids) > 0 and not exists (
       select from unnest(d.notification_ids) as told (id) join notifications n on n.id = told.id
       join memberships m on m.recipient_id = n.recipient_id and m.business_id = n.business_id)`,
    [ids],
  )
  return new Set(rows.map(({ id }) => id))
}
