/**
 * Events: stored once per key, with their positions and their place in the router's queue, in one statement and one
 * commit; those of a type that no rule names are routed by the same statement. After `insertEvents` returns, what it calls accepted survives a power cut.
 */
import type { HubEvent, NewEvent, Severity } from "../domain/event.ts"
import { type BusinessId, type EventId, type LocationId, newEventId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { StreamKey } from "../domain/stream.ts"
import { type Database, interfered, type Queryable } from "./database.ts"
import { type Insertion, insertion } from "./event-insertion.ts"
import { openAs, seal, sealBytes, sealText } from "./sealed.ts"

/** An event on its way in, with the streams on which it is to be pushed. */
export interface Incoming {
  readonly event: NewEvent
  /** SHA-256 of type, severity, location and payload: tells a repeat from another event under the same key. */
  readonly contentHash: Buffer
  readonly streams: readonly StreamKey[]
  /** The payload as JSON, where somebody has written it already. */
  readonly payloadText?: string
  /** The bytes as a webhook's sender signed them, where they are to be kept beside the event (`raw-bodies.ts`). */
  readonly rawBody?: Uint8Array
}

/** A message's place in a stream; positions of a stream rise by one in commit order. */
export interface Position {
  readonly stream: StreamKey
  readonly position: number
}

export type Stored =
  | {
      readonly kind: "accepted"
      readonly id: EventId
      readonly acceptedAt: number
      readonly positions: readonly Position[]
    }
  | { readonly kind: "duplicate"; readonly id: EventId }
  /** The same key with other content. */
  | { readonly kind: "reused"; readonly id: EventId }

/** Event types that no rule of a set names: what follows from their events is known to be nothing. */
export interface Unheard {
  /** Of the set. It is kept, so that a trace can show it. */
  readonly revision: string
  includes(type: string): boolean
}

// Until the first analyze, three plain equations look as cheap on `events_by_source`, and each then reads all events of
// its source: seconds for a batch. Rows in order have only the key's index to themselves, whatever is known of the table.
const FIND_BY_KEY = `
select t.n::int as n, e.id, e.content_hash
from unnest($1::text[], $2::text[], $3::text[]) with ordinality as t (business_id, source, idempotency_key, n)
cross join lateral (
  select id, content_hash from events
  where business_id = t.business_id and idempotency_key = t.idempotency_key
    and (source, idempotency_key) >= (t.source, t.idempotency_key)
    and (source, idempotency_key) <= (t.source, t.idempotency_key)
  limit 1
) e`

/** More would need as many holders of one key, each pruned between two statements. */
const MOST_ROUNDS = 10

/**
 * Stores events; results stand in the order of the items. `wallMillis` (since the Unix epoch) goes into the ids.
 * `unheard`: types that need no router; null: all go to it. Throws the driver's error, and then nothing of the batch is stored.
 */
export async function insertEvents(
  db: Database,
  items: readonly Incoming[],
  wallMillis: number,
  unheard: Unheard | null = null,
): Promise<readonly Stored[]> {
  const results: (Stored | null)[] = items.map(() => null)
  let open = items.map((item, index) => ({ item, index }))
  // A key that was taken may be pruned before its holder is read: then the insert is simply tried again.
  for (let round = 0; open.length > 0; round++) {
    if (round === MOST_ROUNDS) throw interfered("a key was taken and let go again, over and over")
    const ids = open.map(() => newEventId(wallMillis))
    const accepted = await insertOnce(
      db,
      open.map(({ item }) => item),
      ids,
      unheard,
    )
    const taken: typeof open = []
    open.forEach((entry, i) => {
      const id = ids[i]
      const stored = id === undefined ? undefined : accepted.get(id)
      if (stored === undefined) taken.push(entry)
      else results[entry.index] = stored
    })
    open = taken.length === 0 ? [] : await resolveTaken(db, taken, results)
  }
  return results.map((result) => {
    if (result === null) throw new Error("an event was neither stored nor found")
    return result
  })
}

interface Accepted {
  readonly kind: "accepted"
  readonly id: EventId
  readonly acceptedAt: number
  readonly positions: Position[]
}

async function insertOnce(
  db: Queryable,
  items: readonly Incoming[],
  ids: readonly EventId[],
  unheard: Unheard | null,
): Promise<ReadonlyMap<EventId, Stored>> {
  const events = items.map((item) => item.event)
  const streams: StreamKey[] = []
  const streamIds: EventId[] = []
  const bodies: Buffer[] = []
  const bodyIds: EventId[] = []
  const routed: EventId[] = []
  const waiting: EventId[] = []
  items.forEach((item, i) => {
    const id = ids[i] as EventId // ids has one entry for each item
    if (unheard?.includes(item.event.type)) routed.push(id)
    else waiting.push(id)
    for (const stream of item.streams) {
      streams.push(stream)
      streamIds.push(id)
    }
    if (item.rawBody === undefined) return
    bodies.push(sealBytes(item.rawBody))
    bodyIds.push(id)
  })
  const columns = [
    ids,
    events.map((e) => e.business),
    events.map((e) => e.location),
    events.map((e) => e.type),
    events.map((e) => e.source),
    events.map((e) => e.severity),
    events.map((e) => e.occurredAt),
    events.map((e) => e.idempotencyKey),
    items.map((item) => item.contentHash),
    events.map((e) => e.correlationId),
    items.map(({ payloadText, event }) => sealText(payloadText ?? JSON.stringify(event.payload))),
    events.map((e) => (Object.keys(e.extensions).length === 0 ? null : seal(e.extensions))),
  ]
  const revision = unheard?.revision ?? null
  const { text, values } = insertion({ columns, waiting, routed, revision, bodyIds, bodies, streamIds, streams })
  const [answer] = await db.query<Insertion>(text, values)
  const { accepted_at: acceptedAt = null, fresh = null, moved = null } = answer ?? {}
  const stored = new Map<EventId, Accepted>()
  if (acceptedAt === null) return stored
  const isFresh = fresh === null ? null : new Set(fresh.split(","))
  for (const id of ids)
    if (isFresh === null || isFresh.has(id)) stored.set(id, { kind: "accepted", id, acceptedAt, positions: [] })
  // The last places of each stream are this batch's, in its order: back by one for each of them, and forth again.
  const next = new Map<StreamKey, number>()
  const places = streams.flatMap((stream, i) => {
    const positions = stored.get(streamIds[i] as EventId)?.positions // as many as streams
    return positions === undefined ? [] : [{ stream, positions }]
  })
  for (const { stream } of places) {
    const last = moved?.[stream]
    if (last === undefined) throw new Error("a stream that an event was put on did not move")
    next.set(stream, (next.get(stream) ?? last + 1) - 1)
  }
  for (const { stream, positions } of places) {
    const position = next.get(stream) ?? 0
    positions.push({ stream, position })
    next.set(stream, position + 1)
  }
  return stored
}

/** Looks up who holds the keys that were taken; returns what must be inserted again. */
async function resolveTaken(
  db: Queryable,
  taken: readonly { item: Incoming; index: number }[],
  results: (Stored | null)[],
): Promise<{ item: Incoming; index: number }[]> {
  const events = taken.map(({ item }) => item.event)
  const rows = await db.query<{ n: number; id: EventId; content_hash: Buffer }>(FIND_BY_KEY, [
    events.map((e) => e.business),
    events.map((e) => e.source),
    events.map((e) => e.idempotencyKey),
  ])
  const holders = new Map(rows.map((row) => [row.n - 1, row]))
  return taken.filter(({ item, index }, i) => {
    const holder = holders.get(i)
    if (holder === undefined) return true
    const same = holder.content_hash.equals(item.contentHash)
    results[index] = { kind: same ? "duplicate" : "reused", id: holder.id }
    return false
  })
}

export interface EventRow {
  readonly id: EventId
  readonly business_id: BusinessId
  readonly location_id: LocationId | null
  readonly type: string
  readonly source: string
  readonly severity: Severity
  readonly occurred_at: number
  readonly accepted_at: number
  readonly idempotency_key: string | null
  readonly correlation_id: string | null
  readonly payload: Buffer
  readonly extensions: Buffer | null
}

/** Columns of an event `e` as `eventFromRow` reads them. */
export const EVENT_COLUMNS = `e.id, e.business_id, e.location_id, e.type, e.source, e.severity,
  (extract(epoch from e.occurred_at) * 1000)::float8 as occurred_at,
  (extract(epoch from e.accepted_at) * 1000)::float8 as accepted_at,
  e.idempotency_key, e.correlation_id, e.payload, e.extensions`

export const eventFromRow = (row: EventRow): HubEvent => ({
  id: row.id,
  type: row.type,
  source: row.source,
  severity: row.severity,
  business: row.business_id,
  location: row.location_id,
  occurredAt: row.occurred_at,
  acceptedAt: row.accepted_at,
  idempotencyKey: row.idempotency_key,
  correlationId: row.correlation_id,
  payload: openAs<JsonObject>(row.payload),
  extensions: row.extensions === null ? {} : openAs<JsonObject>(row.extensions),
})

/** The event, or null where there is none. Whose it is must be asked of the result. */
export async function getEvent(db: Queryable, id: EventId): Promise<HubEvent | null> {
  const [row] = await db.query<EventRow>(`select ${EVENT_COLUMNS} from events e where e.id = $1`, [id])
  return row === undefined ? null : eventFromRow(row)
}

export interface EventFilter {
  /** Null: of every business. */
  readonly businesses: readonly BusinessId[] | null
  readonly type?: string | undefined
  readonly source?: string | undefined
  /** Accepted at or after; milliseconds since the Unix epoch. */
  readonly since?: number | undefined
  /** Accepted before. */
  readonly until?: number | undefined
  /** Go on after this id (older events). */
  readonly after?: EventId | undefined
  readonly limit: number
}

/** Newest first. */
export async function listEvents(
  db: Queryable,
  filter: EventFilter,
): Promise<{ readonly events: readonly HubEvent[]; readonly hasMore: boolean }> {
  const rows = await db.query<EventRow>(
    `select ${EVENT_COLUMNS} from events e
     where ($1::text[] is null or e.business_id = any($1)) and ($2::text is null or e.type = $2)
       and ($3::text is null or e.source = $3)
       and ($4::float8 is null or e.accepted_at >= to_timestamp($4 / 1000))
       and ($5::float8 is null or e.accepted_at < to_timestamp($5 / 1000))
       and ($6::text is null or e.id < $6)
     order by e.id desc limit $7`,
    [
      filter.businesses,
      filter.type ?? null,
      filter.source ?? null,
      filter.since ?? null,
      filter.until ?? null,
      filter.after ?? null,
      filter.limit + 1,
    ],
  )
  return { events: rows.slice(0, filter.limit).map(eventFromRow), hasMore: rows.length > filter.limit }
}
