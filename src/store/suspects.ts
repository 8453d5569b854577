/**
 * Events and timers that may be what a hub dies of. A claim is a row lock, and a lock leaves the number of its transaction in
 * the row, also when its holder was killed: so it is known what was claimed before, at no cost to what was not. Such a
 * suspect is worked on alone, and counted before the work in a commit of its own.
 */
import type { EventId, TimerId } from "../domain/ids.ts"
import type { Queryable } from "./database.ts"

/**
 * Rows that nobody has had in hand yet. Whoever has one in hand now shows in the same column, and so does who wrote this
 * version of the row under a lock of his own.
 */
export const UNHELD = "crashes = 0 and (xmax = '0'::xid or xmax = xmin)"
/** Of the queue; what was put off is worked on alone too. */
export const UNTOUCHED = `attempts = 0 and ${UNHELD}`

/**
 * How often an event may have been in hand when its hub died, alone. Before the first of these it was so once more, among
 * others and uncounted: three deaths in all.
 */
export const MOST_CRASHES = 2
/** In which nobody else takes it, until the row is locked again; and after a death, time for the hub to do other things. */
const APART_MS = 2_000
/** The oldest so many are looked at: whoever has a long queue does not walk over it to find nobody. */
const LOOK = 512

const SUSPECT = `
update routing_queue set crashes = crashes + 1, next_at = now() + ${APART_MS} * interval '1 millisecond'
where event_id = (
  select event_id from routing_queue
  where next_at <= now() and not (${UNTOUCHED})
    and event_id <= (select max(event_id) from (select event_id from routing_queue order by event_id limit ${LOOK}) oldest)
  order by crashes, next_at, event_id limit 1 for update skip locked
)
returning event_id as id, crashes - 1 as crashes`

export interface Suspect {
  readonly id: EventId
  /** How often a hub has died with it alone in hand. */
  readonly crashes: number
}

/** The next event that was in hand before, as far as one is due; it is counted as another death until that is taken back. */
export async function nextSuspect(db: Queryable): Promise<Suspect | null> {
  const [suspect] = await db.query<Suspect>(SUSPECT)
  return suspect ?? null
}

/** Nobody has died of these; what is still in the queue is due now. */
export const acquit = (db: Queryable, events: readonly EventId[]): Promise<number> =>
  db.execute(
    `update routing_queue set crashes = crashes - 1, next_at = case when attempts = 0 then now() else next_at end
     where event_id = any($1) and crashes > 0`,
    [events],
  )

const SUSPECT_TIMER = `
update timers set crashes = crashes + 1, next_at = now() + ${APART_MS} * interval '1 millisecond'
where id = (
  select id from timers
  where done_at is null and next_at <= now() and not (${UNHELD}) and next_at <= (
    select max(next_at) from (select next_at from timers where done_at is null order by next_at limit ${LOOK}) oldest)
  order by crashes, next_at, id limit 1 for update skip locked
)
returning id, crashes - 1 as crashes,
  case when kind in ('escalate', 'failover') then 'following' when step = 0 then 'first' else 'crowd' end as which`

export interface SuspectTimer {
  readonly id: TimerId
  readonly crashes: number
  readonly which: "first" | "crowd" | "following"
}

/** As `nextSuspect`. */
export async function nextSuspectTimer(db: Queryable): Promise<SuspectTimer | null> {
  const [suspect] = await db.query<SuspectTimer>(SUSPECT_TIMER)
  return suspect ?? null
}

/** As `acquit`; one that was put off meanwhile stays so. */
export const acquitTimers = (db: Queryable, timers: readonly TimerId[]): Promise<number> =>
  db.execute(
    `update timers set crashes = crashes - 1, next_at = case when attempts = 0 then now() else next_at end
     where id = any($1) and crashes > 0 and done_at is null`,
    [timers],
  )
