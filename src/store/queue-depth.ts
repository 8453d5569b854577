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

/** Counts on the small partial indexes; cheap while queues are short. */
export async function dueWork(db: Queryable): Promise<DueWork> {
  const [row] = await db.query<DueWork>(`
    select (select count(*)::int from routing_queue) as unrouted,
      (select count(*)::int from timers where done_at is null) as timers,
      count(*) filter (where status in ('queued', 'retrying', 'scheduled'))::int as waiting,
      count(*) filter (where status = 'sending')::int as sending,
      count(*) filter (where status in ('dead', 'unknown'))::int as dead,
      greatest(0, coalesce(extract(epoch from now() - least(
        min(next_attempt_at) filter (where status in ('queued', 'retrying', 'scheduled') and next_attempt_at <= now()),
        (select min(next_at) from routing_queue where next_at <= now()),
        (select min(next_at) from timers where done_at is null and next_at <= now()))), 0))::float8 as oldest_due_seconds
    from deliveries where status in ('queued', 'retrying', 'scheduled', 'sending', 'dead', 'unknown')`)
  return row ?? { unrouted: 0, waiting: 0, sending: 0, dead: 0, timers: 0, oldest_due_seconds: 0 }
}
