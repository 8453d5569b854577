/**
 * The inbox: what a person reads, and the marks they leave. Every change is one guarded statement and reports the item
 * as it is afterwards, so that other screens can be told exactly that.
 */
import type { SendingChannel } from "../domain/channel.ts"
import type { EndedWaiting } from "../domain/delivery.ts"
import type { BusinessId, DeliveryId, EventId, LocationId, NotificationId, RecipientId } from "../domain/ids.ts"
import type { Notification } from "../domain/notification.ts"
import type { Queryable } from "./database.ts"
import { NOTIFICATION_COLUMNS, type NotificationRow, notificationFromRow } from "./notification-rows.ts"

export type InboxStatus = "all" | "unread" | "read" | "archived"

const STATUS: Record<InboxStatus, string> = {
  all: "n.archived_at is null",
  unread: "n.read_at is null and n.archived_at is null",
  read: "n.read_at is not null and n.archived_at is null",
  archived: "n.archived_at is not null",
}

const MINE = `n.recipient_id = $1 and n.inbox and n.deleted_at is null
  and ($2::text[] is null or n.business_id = any($2) or n.business_id || ':' || n.location_id = any($2))`

/** What the caller may see: whole businesses, and places as `business:location`; null: everything. */
export type Within = readonly string[] | null

/** A person's items, newest first. */
export async function listInbox(
  db: Queryable,
  recipient: RecipientId,
  within: Within,
  page: { readonly status: InboxStatus; readonly after?: NotificationId | undefined; readonly limit: number },
): Promise<{ readonly items: readonly Notification[]; readonly hasMore: boolean }> {
  const rows = await db.query<NotificationRow>(
    `select ${NOTIFICATION_COLUMNS} from notifications n
     where ${MINE} and ${STATUS[page.status]} and ($3::text is null or n.id < $3)
     order by n.id desc limit $4`,
    [recipient, within, page.after ?? null, page.limit + 1],
  )
  return { items: rows.slice(0, page.limit).map(notificationFromRow), hasMore: rows.length > page.limit }
}

/** One of a person's own items, or null. */
export async function getInboxItem(
  db: Queryable,
  recipient: RecipientId,
  within: Within,
  id: NotificationId,
): Promise<Notification | null> {
  const [row] = await db.query<NotificationRow>(
    `select ${NOTIFICATION_COLUMNS} from notifications n where ${MINE} and n.id = $3`,
    [recipient, within, id],
  )
  return row === undefined ? null : notificationFromRow(row)
}

/** What a person can do to an item. Acknowledging also reads it; reading and archiving also see it. */
export type Mark = "read" | "unread" | "seen" | "archive" | "unarchive" | "acknowledge"

const SET: Record<Mark, string> = {
  read: "read_at = coalesce(read_at, now()), seen_at = coalesce(seen_at, now())",
  unread: "read_at = null",
  seen: "seen_at = coalesce(seen_at, now())",
  archive: "archived_at = coalesce(archived_at, now()), seen_at = coalesce(seen_at, now())",
  unarchive: "archived_at = null",
  acknowledge:
    "acknowledged_at = coalesce(acknowledged_at, now()), read_at = coalesce(read_at, now()), seen_at = coalesce(seen_at, now())",
}

/** Which marks end an escalation, as a condition on its timer `t`: every one by its `until`. */
const ENDS: Record<Mark, string | null> = {
  read: "t.until = 'read'",
  unread: null,
  seen: null,
  archive: null,
  unarchive: null,
  acknowledge: "true",
}

// Who is firing a timer right now has it locked, and waits for the notification that is marked here or has gone before:
// waiting for him would be a circle. He looks at the marks himself. What a channel has taken up is not called back, but
// it is not tried again either: its time is over with this try.
const ended = (by: string, ends: string): string => `, escalations as (
  select t.id, t.event_id, t.rule, t.action, t.done_at from marked m
  join timers t on t.event_id = m.event_id and t.rule = m.rule and t.kind = 'escalate' and ${ends}
), open as (
  select t.id from timers t join escalations e on e.id = t.id where t.done_at is null for update of t skip locked
), stopped as (
  update timers t set done_at = now(), outcome = '${by}' from open where t.id = open.id
), waiting as (
  select d.id from deliveries d
  join (select distinct event_id, rule, action from escalations) e
    on e.event_id = d.event_id and e.rule = d.rule and e.action = d.action
  where d.status in ('scheduled', 'queued', 'retrying') for update of d skip locked
), cancelled as (
  update deliveries d set status = 'cancelled', reason = '${by}', next_attempt_at = null, settled_at = now()
  from waiting where d.id = waiting.id returning d.id, d.channel
), sending as (
  select d.id from deliveries d
  join (select distinct event_id, rule, action from escalations) e
    on e.event_id = d.event_id and e.rule = d.rule and e.action = d.action
  where d.status = 'sending' for update of d skip locked
), last_try as (
  update deliveries d set expires_at = least(d.expires_at, now()) from sending where d.id = sending.id
)`

const reasonOf = (mark: Mark): string => (mark === "acknowledge" ? "acknowledged" : "read")

/** What a mark does beside marking; nothing where it ends no escalation. */
function endedBy(mark: Mark): string {
  const ends = ENDS[mark]
  return ends === null ? "" : ended(reasonOf(mark), ends)
}

/** The end of a statement that marks: the items, and with the first of them what was called off. */
const selected = (mark: Mark): string =>
  ENDS[mark] === null
    ? "select * from marked"
    : `select *, case when row_number() over () = 1 then
        (select json_agg(json_build_object('id', id, 'channel', channel)) from cancelled) end as called_off from marked`

interface CalledOff {
  readonly id: DeliveryId
  readonly channel: SendingChannel
}

interface MarkedRow extends NotificationRow {
  readonly called_off?: readonly CalledOff[] | null
}

/** What a mark has done. */
export interface Marked {
  /** Those that there are, as they now are. */
  readonly items: readonly Notification[]
  /** Deliveries that waited and are cancelled by it. */
  readonly calledOff: readonly EndedWaiting[]
}

/**
 * Again, for what somebody who was firing has stored while the mark waited for him: its statement cannot see that. Until
 * then a step that he has set ends itself when it is due, but what he has put off for the morning would be sent.
 */
async function endWhatCame(db: Queryable, mark: Mark, marked: readonly MarkedRow[]): Promise<readonly EndedWaiting[]> {
  if (ENDS[mark] === null || marked.length === 0) return []
  const late = await db.query<CalledOff>(
    `with marked as (select distinct * from unnest($1::text[], $2::text[]) as m (event_id, rule))${endedBy(mark)}
     select id, channel from cancelled`,
    [marked.map((row) => row.event_id), marked.map((row) => row.rule)],
  )
  const all = [...marked.flatMap((row) => row.called_off ?? []), ...late]
  return all.map((one) => ({ ...one, status: "cancelled", reason: reasonOf(mark) }))
}

/** Sets a mark (repeating it changes nothing) on those of the items that are theirs. */
export async function markInboxItems(
  db: Queryable,
  recipient: RecipientId,
  within: Within,
  ids: readonly NotificationId[],
  mark: Mark,
): Promise<Marked> {
  // In the order in which all do who lock several.
  const rows = await db.query<MarkedRow>(
    `with mine as (
       select n.id from notifications n where ${MINE} and n.id = any($3)
       order by n.event_id, n.rule collate "C", n.recipient_id for update
     ), marked as (
       update notifications n set ${SET[mark]} from mine where n.id = mine.id returning ${NOTIFICATION_COLUMNS}
     )${endedBy(mark)} ${selected(mark)}`,
    [recipient, within, ids],
  )
  const calledOff = await endWhatCame(db, mark, rows)
  return { items: rows.map(notificationFromRow), calledOff }
}

/** The same for one; null where it is not theirs. */
export async function markInboxItem(
  db: Queryable,
  recipient: RecipientId,
  within: Within,
  id: NotificationId,
  mark: Mark,
): Promise<Notification | null> {
  return (await markInboxItems(db, recipient, within, [id], mark)).items[0] ?? null
}

/**
 * Acknowledges for all whom a delivery told, or for the one whose notification it is, in the inbox or not. No items: it
 * is gone, or never was.
 */
export async function acknowledgeTold(db: Queryable, told: DeliveryId | NotificationId): Promise<Marked> {
  // In the order in which all do who lock several.
  const rows = await db.query<MarkedRow & { readonly deleted: boolean }>(
    `with told as (
       select n.id from notifications n
       where n.id = $1 or n.id = any((select notification_ids from deliveries where id = $1)::text[])
       order by n.event_id, n.rule collate "C", n.recipient_id for update
     ), marked as (
       update notifications n set ${SET.acknowledge} from told where n.id = told.id
       returning ${NOTIFICATION_COLUMNS}, n.deleted_at is not null as deleted
     )${endedBy("acknowledge")} ${selected("acknowledge")}`,
    [told],
  )
  const calledOff = await endWhatCame(db, "acknowledge", rows)
  return { items: rows.map((row) => notificationFromRow({ ...row, inbox: row.inbox && !row.deleted })), calledOff }
}

/** Reads everything that is unread: the items are those that changed by it. */
export async function markAllRead(db: Queryable, recipient: RecipientId, within: Within): Promise<Marked> {
  // In the order in which all do who lock several.
  const rows = await db.query<MarkedRow>(
    `with unread as (
       select n.id from notifications n where ${MINE} and n.read_at is null and n.archived_at is null
       order by n.event_id, n.rule collate "C", n.recipient_id for update
     ), marked as (
       update notifications n set ${SET.read} from unread where n.id = unread.id returning ${NOTIFICATION_COLUMNS}
     )${endedBy("read")} ${selected("read")}`,
    [recipient, within],
  )
  const calledOff = await endWhatCame(db, "read", rows)
  return { items: rows.map(notificationFromRow), calledOff }
}

/** Takes an item out of the inbox for good; its explanation stays. */
export async function deleteInboxItem(
  db: Queryable,
  recipient: RecipientId,
  within: Within,
  id: NotificationId,
): Promise<"deleted" | "absent"> {
  const n = await db.execute(`update notifications n set deleted_at = now() where ${MINE} and n.id = $3`, [
    recipient,
    within,
    id,
  ])
  return n === 0 ? "absent" : "deleted"
}

export interface InboxCounts {
  readonly unread: number
  readonly unseen: number
}

/** A person's counts, as the list beside them is confined. */
export type CountsWithin = (within: Within) => InboxCounts

interface CountsRow extends InboxCounts {
  readonly recipient_id: RecipientId
  readonly business_id: BusinessId
  readonly location_id: LocationId | null
}

/** Counted from the rows each time, so that they cannot drift; both counts run on the index of what is unread. */
export async function inboxCounts(
  db: Queryable,
  recipients: readonly RecipientId[],
): Promise<ReadonlyMap<RecipientId, CountsWithin>> {
  const rows = await db.query<CountsRow>(
    `select recipient_id, business_id, location_id, count(*)::int as unread, count(*) filter (where seen_at is null)::int as unseen
     from notifications
     where recipient_id = any($1) and inbox and read_at is null and archived_at is null and deleted_at is null
     group by recipient_id, business_id, location_id`,
    [recipients],
  )
  const own = Map.groupBy(rows, (row) => row.recipient_id)
  return new Map(recipients.map((id) => [id, sumOf(own.get(id) ?? [])]))
}

const sumOf =
  (rows: readonly CountsRow[]): CountsWithin =>
  (within) =>
    rows
      .filter(
        ({ business_id: business, location_id: location }) =>
          within === null ||
          within.includes(business) ||
          (location !== null && within.includes(`${business}:${location}`)),
      )
      .reduce((sum, row) => ({ unread: sum.unread + row.unread, unseen: sum.unseen + row.unseen }), {
        unread: 0,
        unseen: 0,
      })

/** What an event made, in the inbox or not, whoever it is for: at most `limit`, for the trace. */
export async function notificationsOfEvent(
  db: Queryable,
  event: EventId,
  limit = 1_000,
): Promise<readonly Notification[]> {
  const rows = await db.query<NotificationRow>(
    `select ${NOTIFICATION_COLUMNS} from notifications n where n.event_id = $1 order by n.rule, n.recipient_id limit $2`,
    [event, limit],
  )
  return rows.map(notificationFromRow)
}
