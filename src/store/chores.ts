/**
 * Work that one node does for all, every so often: who holds it, and when it was last finished, stand in a row. A lease
 * and no advisory lock, because those of a session are lost behind a connection pooler.
 */
import type { Queryable } from "./database.ts"

export type Chore = "prune" | "history" | "telegram_updates"

export type ChoreClaim =
  /** Ours until the lease runs out. `now`: the database's clock, milliseconds since the Unix epoch. */
  | { readonly kind: "claimed"; readonly now: number }
  /** Somebody else is at it. */
  | { readonly kind: "held" }
  /** It was finished not long enough ago. */
  | { readonly kind: "done" }

const CLAIM = `
with claimed as (
  update chores set holder = $2, lease_until = now() + make_interval(secs => $3::float8 / 1000)
  where name = $1 and (lease_until is null or lease_until < now())
    and (finished_at is null or finished_at < now() - make_interval(secs => $4::float8 / 1000))
  returning 1
)
select exists (select from claimed) as mine, c.lease_until is not null and c.lease_until >= now() as held,
  (extract(epoch from now()) * 1000)::float8 as now
from chores c where c.name = $1`

/** Takes the chore unless somebody holds it or it was finished within `restMs`. `holder`: random for each claim. */
export async function claimChore(
  db: Queryable,
  chore: Chore,
  holder: string,
  times: { readonly leaseMs: number; readonly restMs: number },
): Promise<ChoreClaim> {
  const [row] = await db.query<{ mine: boolean; held: boolean; now: number }>(CLAIM, [
    chore,
    holder,
    times.leaseMs,
    times.restMs,
  ])
  if (row === undefined) throw new Error(`the chore ${chore} has no row`)
  if (row.mine) return { kind: "claimed", now: row.now }
  return { kind: row.held ? "held" : "done" }
}

/** False: the lease had run out, and somebody else may be at it. */
export async function renewChore(db: Queryable, chore: Chore, holder: string, leaseMs: number): Promise<boolean> {
  const rows = await db.execute(
    `update chores set lease_until = now() + make_interval(secs => $3::float8 / 1000)
     where name = $1 and holder = $2 and lease_until >= now()`,
    [chore, holder, leaseMs],
  )
  return rows > 0
}

/** Gives the chore back, finished or not. */
export async function leaveChore(db: Queryable, chore: Chore, holder: string, finished: boolean): Promise<void> {
  await db.execute(
    `update chores set holder = null, lease_until = null, finished_at = case when $3 then now() else finished_at end
     where name = $1 and holder = $2`,
    [chore, holder, finished],
  )
}
