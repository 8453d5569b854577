/** How much work waits, and for how long: what an operator asks first. */
import type { Queryable } from "./database.ts"

export interface DueWork {
  /** Events that wait for the router. */
  readonly unrouted: number
  /** Deliveries that wait to be sent, due or not. */
  readonly waiting: number
  /** Deliveries that are being sent. */
  readonly sending: number
  readonly dead: number
  /** What is to happen later, due or not. */
  readonly timers: number
  /** Age of the oldest work that is due and not begun; 0 where there is none. */
  readonly oldest_due_seconds: number
}

/** Counts what is kept small: what waits, what has lately been claimed, what is dead. */
export async function dueWork(db: Queryable): Promise<DueWork> {
  const [row] = await db.query<DueWork>(`
    select (select count(*)::int from routing_queue) as unrouted,
      (select count(*)::int from timers where done_at is null) as timers,
      (select count(*)::int from due) as waiting,
      (select count(*)::int from (select distinct unnest(delivery_ids) as id from leases) l
        join deliveries d on d.id = l.id and d.status = 'sending') as sending,
      (select count(*)::int from deliveries where undelivered in ('dead', 'unknown')) as dead,
      greatest(0, coalesce(extract(epoch from now() - least(
        (select min(at) from due where at <= now()),
        (select min(next_at) from routing_queue where next_at <= now()),
        (select min(next_at) from timers where done_at is null and next_at <= now()))), 0))::float8 as oldest_due_seconds`)
  return row ?? { unrouted: 0, waiting: 0, sending: 0, dead: 0, timers: 0, oldest_due_seconds: 0 }
}
