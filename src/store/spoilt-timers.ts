/** Timers whose firing failed, and it was their own fault. */
import type { TimerId } from "../domain/ids.ts"
import type { NewTimer } from "../domain/timer.ts"
import type { Queryable } from "./database.ts"

/** Firings of one timer that may fail. */
const MOST_ATTEMPTS = 5

// Events that come later must not be gathered into a digest that will never be told.
const SPOIL = `
with spoilt as (
  update timers set attempts = attempts + 1,
    next_at = now() + least(interval '10 minutes', interval '5 seconds' * power(4, least(attempts, 10))),
    done_at = case when attempts + 1 >= $2 then now() end,
    outcome = case when attempts + 1 >= $2 then 'failed' end
  where id = any($1) and done_at is null
  returning id, kind, attempts, done_at is not null as last, gate
), closed as (
  update gates g set state = null from spoilt s where s.last and g.key = s.gate and g.state ->> 'timer' = s.id
)
select id, kind, attempts, last from spoilt`

export interface SpoiltTimer {
  readonly id: TimerId
  readonly kind: NewTimer["kind"]
  /** Firings that failed, this one included. */
  readonly attempts: number
  /** Nothing follows from it any more. */
  readonly last: boolean
}

/** Their firing failed, and it was their own fault: later again, and after the fifth time never, or with the `most`th. */
export const spoilTimers = (
  db: Queryable,
  ids: readonly TimerId[],
  most = MOST_ATTEMPTS,
): Promise<readonly SpoiltTimer[]> =>
  ids.length === 0 ? Promise.resolve([]) : db.query<SpoiltTimer>(SPOIL, [ids, most])
