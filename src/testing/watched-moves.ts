/** Has PostgreSQL itself note every move that a delivery makes, whoever makes it, in a test's own database. */
import type { DeliveryStatus } from "../domain/delivery.ts"
import { movesBetween } from "../domain/delivery-states.ts"
import type { Queryable } from "../store/database.ts"

// A delivery that stays where it is and is held by another is a move too: the fence must have grown with it.
const WATCH = [
  `create unlogged table moves_seen (before text, after text, attempt_before int, attempt_after int, handed_over boolean)`,
  `create function note_move() returns trigger language plpgsql as $$
  begin
    insert into moves_seen values (old.status, new.status, old.attempt, new.attempt, old.owner is distinct from new.owner);
    return null;
  end $$`,
  `create trigger deliveries_are_watched after update on deliveries for each row
  when (old.status is distinct from new.status or old.attempt is distinct from new.attempt or old.owner is distinct from new.owner)
  execute function note_move()`,
]

export const watchMoves = async (db: Queryable): Promise<void> => {
  for (const statement of WATCH) await db.execute(statement)
}

export interface SeenMoves {
  /** `queued → sending`, how often. */
  readonly counts: ReadonlyMap<string, number>
  readonly illegal: readonly string[]
}

/** What was noted so far, held against the table of moves. */
export async function seenMoves(db: Queryable): Promise<SeenMoves> {
  const rows = await db.query<{ before: DeliveryStatus; after: DeliveryStatus; grown: number; n: number }>(
    `select before, after, attempt_after - attempt_before as grown, count(*)::int as n from moves_seen group by 1, 2, 3`,
  )
  const counts = new Map<string, number>()
  const illegal: string[] = []
  for (const { before, after, grown, n } of rows) {
    const name = `${before} → ${after}`
    counts.set(name, (counts.get(name) ?? 0) + n)
    // Only a claim counts an attempt, and it always does.
    if (movesBetween(before, after).length === 0 || grown !== (after === "sending" ? 1 : 0))
      illegal.push(`${name}, attempt ${grown < 0 ? "" : "+"}${grown}, ${n} times`)
  }
  return { counts, illegal }
}
