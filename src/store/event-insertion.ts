/** How a batch of events becomes durable: with its places, its bodies and what is to be decided of it, in one statement. */
import type { EventId } from "../domain/ids.ts"
import type { StreamKey } from "../domain/stream.ts"
import type { SqlValue } from "./database.ts"
import { seal } from "./sealed.ts"

/** What is decided of an event that no rule names. */
const NOTHING_DECIDED = seal({ decisions: [], failures: [] })

/** A batch as columns; rows of `bodies` and `streams` name their events. */
export interface Batch {
  readonly columns: readonly SqlValue[]
  readonly waiting: readonly EventId[]
  readonly routed: readonly EventId[]
  readonly revision: string | null
  readonly bodyIds: readonly EventId[]
  readonly bodies: readonly Buffer[]
  readonly streamIds: readonly EventId[]
  readonly streams: readonly StreamKey[]
}

/**
 * The statement that stores a batch, with its values; its one row says which events are new, and how far their streams go by
 * then. Rows go in sorted by key and streams are moved in sorted order: two
 * batches that share keys or streams then wait for each other in one direction only, and cannot deadlock. A part that no
 * row of the batch needs would cost it some 5 % of the statement, so it is not in the text: a dozen texts come of that.
 */
export function insertion(batch: Batch): { readonly text: string; readonly values: readonly SqlValue[] } {
  const values = [...batch.columns]
  const given = (value: SqlValue): string => `$${values.push(value)}`
  const among = (ids: readonly EventId[], others: readonly EventId[]): string =>
    others.length === 0 ? "inserted" : `unnest(${given(ids)}::text[]) as part (id) join inserted using (id)`
  const parts: string[] = []
  if (batch.waiting.length > 0)
    parts.push(`queued as (
  insert into routing_queue (event_id) select id from ${among(batch.waiting, batch.routed)}
)`)
  if (batch.routed.length > 0)
    parts.push(`decided as (
  insert into routes (event_id, rules_revision, decisions)
  select id, ${given(batch.revision)}::text, ${given(NOTHING_DECIDED)}::bytea from ${among(batch.routed, batch.waiting)}
)`)
  if (batch.bodies.length > 0)
    parts.push(`kept as (
  insert into raw_bodies (event_id, body)
  select r.id, r.body from unnest(${given(batch.bodyIds)}::text[], ${given(batch.bodies)}::bytea[]) as r (id, body)
  join inserted using (id)
)`)
  if (batch.streams.length > 0)
    parts.push(`wanted as (
  select s.stream, s.id, row_number() over (partition by s.stream order by s.n) as nth,
    count(*) over (partition by s.stream) as total
  from unnest(${given(batch.streams)}::text[], ${given(batch.streamIds)}::text[]) with ordinality as s (stream, id, n)
  join inserted using (id)
), moved as (
  insert into streams (key, position) select stream, count(*) from wanted group by stream order by stream
  on conflict (key) do update set position = streams.position + excluded.position
  returning key, position
), placed as (
  insert into stream_entries (stream, position, ref)
  select w.stream, m.position - w.total + w.nth, w.id from wanted w join moved m on m.key = w.stream
)`)
  const text = `
with input as (
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::float8[],
    $8::text[], $9::bytea[], $10::text[], $11::bytea[], $12::bytea[]) with ordinality
    as t (id, business_id, location_id, type, source, severity, occurred_at, idempotency_key, content_hash,
      correlation_id, payload, extensions, n)
), inserted as (
  insert into events (id, business_id, location_id, type, source, severity, occurred_at, idempotency_key, content_hash,
    correlation_id, payload, extensions)
  select id, business_id, location_id, type, source, severity, to_timestamp(occurred_at / 1000), idempotency_key,
    content_hash, correlation_id, payload, extensions
  from input order by business_id, source, idempotency_key, n
  on conflict (business_id, source, idempotency_key) where idempotency_key is not null do nothing
  returning id, accepted_at
), ${parts.join(", ")}
select (extract(epoch from min(accepted_at)) * 1000)::float8 as accepted_at,
  case when count(*) < cardinality($1::text[]) then coalesce(string_agg(id, ','), '') end as fresh,
  ${batch.streams.length > 0 ? "(select json_object_agg(key, position) from moved)" : "null::json"} as moved
from inserted`
  return { text, values }
}

/** What the statement answers: a row for each event and each of its places would cost more to read than the rest of it. */
export interface Insertion {
  /** Milliseconds since the Unix epoch, of all that are new; null: none is. */
  readonly accepted_at: number | null
  /** The ids of those that are new, by commas; null: all are. */
  readonly fresh: string | null
  /** The last position of each stream that moved. */
  readonly moved: Readonly<Record<StreamKey, number>> | null
}
