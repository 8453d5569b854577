/**
 * A stream's history is its last thousand messages: what is older is given to nobody, and its entries go here. Only the
 * entries: what they refer to has its own time. No stream's row is touched, so nobody who pushes waits for this.
 */
import { HISTORY_MESSAGES } from "../domain/stream.ts"
import type { Queryable } from "./database.ts"
import type { Batch, PruneStep } from "./retention.ts"

/** So that a batch is short whatever it finds: one page of streams may have millions of entries too many. */
const MOST_ENTRIES = 2_000

// Bounded in the streams' order, so that a page that has more is simply looked at again.
const DELETE = `
with page as (select key, position from streams where key > $1 order by key limit $2),
over as (
  select p.key, x.position from page p cross join lateral (
    select position from stream_entries
    where stream = p.key and position <= p.position - $3 order by position limit $4
  ) x where p.position > $3 order by p.key, x.position limit $4
), gone as (
  delete from stream_entries e using over o where e.stream = o.key and e.position = o.position returning 1
)
select (select max(key) from page) as last, (select count(*)::int from page) as streams,
  (select count(*)::int from gone) as gone`

/** Walks the streams in their keys' order, `limit` of them in a batch. */
export const HISTORY_STEP: PruneStep = {
  name: "history",
  async batch(db: Queryable, _keep, _now, after: string, limit: number): Promise<Batch> {
    const [row] = await db.query<{ last: string | null; streams: number; gone: number }>(DELETE, [
      after,
      limit,
      HISTORY_MESSAGES,
      MOST_ENTRIES,
    ])
    const { last = null, streams = 0, gone = 0 } = row ?? {}
    const next = gone === MOST_ENTRIES ? after : streams < limit ? null : last
    return { next, rows: { stream_entries: gone } }
  },
}
