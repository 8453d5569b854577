/** Notifications as they are stored with what made them: once for each event, rule and person. */
import type { NotificationId } from "../domain/ids.ts"
import type { NewNotification, Notification } from "../domain/notification.ts"
import { notificationStream } from "../domain/stream.ts"
import type { Queryable } from "./database.ts"
import { NOTIFICATION_COLUMNS, type NotificationRow, notificationFromRow } from "./notification-rows.ts"
import { breath, eachInTurns, inPieces, isLong } from "./pieces.ts"
import { seal } from "./sealed.ts"

export interface StoredNotifications {
  /** Those that are new, or new in their inbox. With the position in the person's stream; null: not in the inbox. */
  readonly told: readonly (Notification & { readonly position: number | null })[]
  /** Items that left their inbox for one of these, as they now are. */
  readonly replaced: readonly Notification[]
  /** Under which id each was stored: a person who was told of it before keeps the first. */
  readonly ids: ReadonlyMap<NotificationId, NotificationId>
  /** Some were stored under other ids than they came with. */
  readonly renamed: boolean
}

// Whoever locks several notifications does so in the order of event, rule and person.
// A conflict is answered by the row that is there, which no snapshot might show yet. It changes only where the person
// was told outside the inbox and now is in it; that its time is this transaction's says so.
// Where the streams end now is one object to look into: a join of so many steps is expected to find one row, and
// compares every row with every other.
const INSERT = `
with given as (
  select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[], $10::text[], $11::bool[], $12::bytea[], $13::text[], $14::text[], $15::text[]) with ordinality
    as t (id, event_id, rule, rules_revision, recipient_id, business_id, location_id, severity, category, priority,
      inbox, content, reason, update_key, stream, n)
), inserted as (
  insert into notifications as old (id, event_id, rule, rules_revision, recipient_id, business_id, location_id, severity,
    category, priority, inbox, content, reason, update_key)
  select id, event_id, rule, rules_revision, recipient_id, business_id, location_id, severity, category, priority, inbox,
    content, reason, update_key
  from given order by event_id collate "C", rule collate "C", recipient_id collate "C"
  on conflict (event_id, rule, recipient_id) do update set
    inbox = old.inbox or excluded.inbox,
    content = case when excluded.inbox and not old.inbox then excluded.content else old.content end,
    rules_revision = case when excluded.inbox and not old.inbox then excluded.rules_revision else old.rules_revision end,
    severity = case when excluded.inbox and not old.inbox then excluded.severity else old.severity end,
    category = case when excluded.inbox and not old.inbox then excluded.category else old.category end,
    priority = case when excluded.inbox and not old.inbox then excluded.priority else old.priority end,
    reason = case when excluded.inbox and not old.inbox then excluded.reason else old.reason end,
    update_key = case when excluded.inbox and not old.inbox then excluded.update_key else old.update_key end,
    created_at = case when excluded.inbox and not old.inbox then now() else old.created_at end
  returning id, event_id, rule, recipient_id, created_at, created_at = now() as fresh, acknowledged_at
), kept as (
  select g.id as given, i.id, i.created_at, i.fresh, i.acknowledged_at, g.stream, g.stream is not null and i.fresh as entered,
    row_number() over (partition by g.stream, i.fresh order by g.n) as nth,
    count(*) over (partition by g.stream, i.fresh) as total
  from given g join inserted i on i.event_id = g.event_id and i.rule = g.rule and i.recipient_id = g.recipient_id
), moved as (
  insert into streams (key, position) select stream, count(*) from kept where entered group by stream order by stream
  on conflict (key) do update set position = streams.position + excluded.position
  returning key, position
), ends as (
  select jsonb_object_agg(key, position) as of from moved
), placed as (
  insert into stream_entries (stream, position, ref)
  select stream, (ends.of ->> stream)::bigint - total + nth, id from kept, ends where entered
)
select given, id, fresh, (extract(epoch from created_at) * 1000)::float8 as created_at,
  (extract(epoch from acknowledged_at) * 1000)::float8 as acknowledged_at,
  case when entered then (ends.of ->> stream)::float8 - total + nth end as position
from kept, ends`

const PLACE = `
with wanted as (
  select stream, id, row_number() over (partition by stream order by n) as nth, count(*) over (partition by stream) as total
  from unnest($1::text[], $2::text[]) with ordinality as t (stream, id, n)
), moved as (
  insert into streams (key, position) select stream, count(*) from wanted group by stream order by stream
  on conflict (key) do update set position = streams.position + excluded.position
  returning key, position
), ends as (
  select jsonb_object_agg(key, position) as of from moved
)
insert into stream_entries (stream, position, ref)
select stream, (ends.of ->> stream)::bigint - total + nth, id from wanted, ends
returning ref as id, position::float8 as position`

interface InsertedRow {
  readonly given: NotificationId
  readonly id: NotificationId
  readonly fresh: boolean
  readonly created_at: number
  /** By a link, a button or a word, before it came into the inbox; it counts as read by that. Null of nearly all. */
  readonly acknowledged_at: number | null
  readonly position: number | null
}

/** Stores them, and takes earlier news of the same things out of the inboxes. */
export async function insertNotifications(
  tx: Queryable,
  given: readonly NewNotification[],
): Promise<StoredNotifications> {
  if (given.length === 0) return { told: [], replaced: [], ids: new Map(), renamed: false }
  const persons = new Persons()
  const looking = eachInTurns(given, (one) => persons.add(one))
  if (looking !== null) await looking
  const [all, same] = [[...persons.all.values()], persons.same]
  const rows = await insertAll(tx, all)
  const stored = new Map<NotificationId, InsertedRow>()
  const ids = new Map<NotificationId, NotificationId>()
  let renamed = same.size > 0
  const reading = eachInTurns(rows, (row) => {
    if (row.id !== row.given) renamed = true
    stored.set(row.given, row)
    ids.set(row.given, row.id)
  })
  if (reading !== null) await reading
  for (const [id, first] of same) ids.set(id, ids.get(first) ?? first)
  const told: (Notification & { readonly position: number | null })[] = []
  const telling = eachInTurns(all, (n) => {
    const row = stored.get(n.id)
    if (row?.fresh !== true) return
    const { id, position, created_at: createdAt, acknowledged_at: at } = row
    told.push({ ...n, createdAt, readAt: at, seenAt: at, archivedAt: null, acknowledgedAt: at, id, position })
  })
  if (telling !== null) await telling
  return { told, ids, renamed, replaced: await replaceEarlier(tx, told) }
}

interface Sealed {
  readonly n: NewNotification
  readonly content: Buffer
}

function piecesOf(all: readonly NewNotification[]) {
  // A digest's words are the same for thousands, and may be long.
  let last: { readonly of: NewNotification["content"]; readonly content: Buffer } | null = null
  const sealed = all.values().map((n): Sealed => {
    if (last?.of !== n.content) last = { of: n.content, content: seal(n.content) }
    return { n, content: last.content }
  })
  return inPieces(sealed, ({ content }) => content.byteLength)
}

/** In one statement, nearly always. Else all are there before the first stream is held, or two who do so were a circle. */
async function insertAll(tx: Queryable, all: readonly NewNotification[]): Promise<readonly InsertedRow[]> {
  const [whole, more] = piecesOf(all).take(2)
  if (whole === undefined) return []
  if (more === undefined) return insertPiece(tx, whole, streamOf)
  const rows: InsertedRow[] = []
  const sorted = all.toSorted(inOrder)
  if (isLong(sorted)) await breath()
  for (const piece of piecesOf(sorted)) rows.push(...(await insertPiece(tx, piece, () => null)))
  const fresh = new Map<NotificationId, NotificationId>()
  await eachInTurns(rows, (row) => void (row.fresh && fresh.set(row.given, row.id)))
  const wanted: { readonly stream: string; readonly id: NotificationId }[] = []
  await eachInTurns(all, (n) => {
    const [stream, id] = [streamOf(n), fresh.get(n.id)]
    if (stream !== null && id !== undefined) wanted.push({ stream, id })
  })
  if (isLong(wanted)) await breath()
  wanted.sort((a, b) => compare(a.stream, b.stream))
  if (isLong(wanted)) await breath()
  const positions = new Map<NotificationId, number>()
  for (const piece of inPieces(wanted)) {
    const placed = await tx.query<{ id: NotificationId; position: number }>(PLACE, [
      piece.map(({ stream }) => stream),
      piece.map(({ id }) => id),
    ])
    for (const { id, position } of placed) positions.set(id, position)
  }
  const entered: InsertedRow[] = []
  await eachInTurns(rows, (row) => void entered.push({ ...row, position: positions.get(row.id) ?? null }))
  return entered
}

const streamOf = ({ inbox, recipient }: NewNotification): string | null =>
  inbox ? notificationStream(recipient) : null

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** As the database has it: ids are ASCII, and a rule's name is compared by its bytes. */
const inOrder = (a: NewNotification, b: NewNotification): number =>
  compare(a.event, b.event) ||
  (a.rule === b.rule ? 0 : Buffer.compare(Buffer.from(a.rule), Buffer.from(b.rule))) ||
  compare(a.recipient, b.recipient)

function insertPiece(
  tx: Queryable,
  piece: readonly Sealed[],
  streamOf: (n: NewNotification) => string | null,
): Promise<readonly InsertedRow[]> {
  const all = piece.map(({ n }) => n)
  return tx.query<InsertedRow>(INSERT, [
    all.map((n) => n.id),
    all.map((n) => n.event),
    all.map((n) => n.rule),
    all.map((n) => n.rulesRevision),
    all.map((n) => n.recipient),
    all.map((n) => n.business),
    all.map((n) => n.location),
    all.map((n) => n.severity),
    all.map((n) => n.category),
    all.map((n) => n.priority),
    all.map((n) => n.inbox),
    piece.map(({ content }) => content),
    all.map((n) => n.reason),
    all.map((n) => n.updateKey),
    all.map(streamOf),
  ])
}

/** Several timers of one event and rule can tell the same person at once: one row, in the inbox if any of them is. */
class Persons {
  readonly all = new Map<string, NewNotification>()
  /** Which was added first for the same person. */
  readonly same = new Map<NotificationId, NotificationId>()

  add(one: NewNotification): void {
    const key = `${one.event}\n${one.rule}\n${one.recipient}`
    const first = this.all.get(key)
    if (first === undefined) this.all.set(key, one)
    else {
      this.same.set(one.id, first.id)
      if (one.inbox && !first.inbox) this.all.set(key, { ...one, id: first.id })
    }
  }
}

const EARLIER = "n.update_key is not null and n.inbox and n.deleted_at is null and n.archived_at is null"
const SAME = "n.recipient_id = k.recipient_id and n.rule = k.rule and n.update_key = k.update_key"

// Of one person's news the last in the stream stays. The stream is ours until the commit, so nobody adds another, and
// who replaces holds it before he comes to the items: to lock them earlier would be a circle with the next who replaces.
const REPLACE = `
update notifications n set archived_at = now(), seen_at = coalesce(n.seen_at, now())
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as k (recipient_id, rule, update_key, id)
where ${SAME} and ${EARLIER} and n.id <> k.id
returning ${NOTIFICATION_COLUMNS}`

const keysOf = (all: readonly NewNotification[]) => [
  all.map((n) => n.recipient),
  all.map((n) => n.rule),
  all.map((n) => n.updateKey),
]

async function replaceEarlier(tx: Queryable, told: readonly NewNotification[]): Promise<readonly Notification[]> {
  const last = new Map<string, NewNotification>()
  const looking = eachInTurns(told, (n) => {
    if (n.updateKey !== null && n.inbox) last.set(`${n.recipient}\n${n.rule}\n${n.updateKey}`, n)
  })
  if (looking !== null) await looking
  const replaced: Notification[] = []
  for (const piece of inPieces(last.values())) {
    const rows = await tx.query<NotificationRow>(REPLACE, [...keysOf(piece), piece.map((n) => n.id)])
    replaced.push(...rows.map(notificationFromRow))
  }
  return replaced
}
