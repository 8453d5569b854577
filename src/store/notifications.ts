/**
 * The inbox: what a person reads, and the marks they leave. Every change is one guarded statement and reports the item
 * as it is afterwards, so that other screens can be told exactly that.
 */
import type { BusinessId, DeliveryId, EventId, NotificationId, RecipientId } from "../domain/ids.ts"
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

const MINE =
  "n.recipient_id = $1 and n.inbox and n.deleted_at is null and ($2::text[] is null or n.business_id = any($2))"

/** A person's own items, newest first. `businesses`: what the caller's token names (null: all). */
export async function listInbox(
  db: Queryable,
  recipient: RecipientId,
  businesses: readonly BusinessId[] | null,
  page: { readonly status: InboxStatus; readonly after?: NotificationId | undefined; readonly limit: number },
): Promise<{ readonly items: readonly Notification[]; readonly hasMore: boolean }> {
  const rows = await db.query<NotificationRow>(
    `select ${NOTIFICATION_COLUMNS} from notifications n
     where ${MINE} and ${STATUS[page.status]} and ($3::text is null or n.id < $3)
     order by n.id desc limit $4`,
    [recipient, businesses, page.after ?? null, page.limit + 1],
  )
  return { items: rows.slice(0, page.limit).map(notificationFromRow), hasMore: rows.length > page.limit }
}

/** One of a person's own items, or null. */
export async function getInboxItem(
  db: Queryable,
  recipient: RecipientId,
  businesses: readonly BusinessId[] | null,
  id: NotificationId,
): Promise<Notification | null> {
  const [row] = await db.query<NotificationRow>(
    `select ${NOTIFICATION_COLUMNS} from notifications n where ${MINE} and n.id = $3`,
    [recipient, businesses, id],
  )
  return row === undefined ? null : notificationFromRow(row)
}

/** What a person can do to an item. Acknowledging and archiving also read it; reading also sees it. */
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
  from waiting where d.id = waiting.id
), sending as (
  select d.id from deliveries d
  join (select distinct event_id, rule, action from escalations) e
    on e.event_id = d.event_id and e.rule = d.rule and e.action = d.action
  where d.status = 'sending' for update of d skip locked
), last_try as (
  update deliveries d set expires_at = least(d.expires_at, now()) from sending where d.id = sending.id
)`

/** What a mark does beside marking; nothing where it ends no escalation. */
function endedBy(mark: Mark): string {
  const ends = ENDS[mark]
  return ends === null ? "" : ended(mark === "acknowledge" ? "acknowledged" : "read", ends)
}

/**
 * Again, for what somebody who was firing has stored while the mark waited for him: its statement cannot see that. Until
 * then a step that he has set ends itself when it is due, but what he has put off for the morning would be sent.
 */
async function endWhatCame(db: Queryable, mark: Mark, marked: readonly NotificationRow[]): Promise<void> {
  if (ENDS[mark] === null || marked.length === 0) return
  await db.execute(
    `with marked as (select distinct * from unnest($1::text[], $2::text[]) as m (event_id, rule))${endedBy(mark)} select 1`,
    [marked.map((row) => row.event_id), marked.map((row) => row.rule)],
  )
}

/** Sets a mark (repeating it changes nothing) and returns the items as they now are, without those that are not theirs. */
export async function markInboxItems(
  db: Queryable,
  recipient: RecipientId,
  businesses: readonly BusinessId[] | null,
  ids: readonly NotificationId[],
  mark: Mark,
): Promise<readonly Notification[]> {
  // In the order in which all do who lock several.
  const rows = await db.query<NotificationRow>(
    `with mine as (
       select n.id from notifications n where ${MINE} and n.id = any($3)
       order by n.event_id, n.rule collate "C", n.recipient_id for update
     ), marked as (
       update notifications n set ${SET[mark]} from mine where n.id = mine.id returning ${NOTIFICATION_COLUMNS}
     )${endedBy(mark)} select * from marked`,
    [recipient, businesses, ids],
  )
  await endWhatCame(db, mark, rows)
  return rows.map(notificationFromRow)
}

/** The same for one; null where it is not theirs. */
export async function markInboxItem(
  db: Queryable,
  recipient: RecipientId,
  businesses: readonly BusinessId[] | null,
  id: NotificationId,
  mark: Mark,
): Promise<Notification | null> {
  return (await markInboxItems(db, recipient, businesses, [id], mark))[0] ?? null
}

/**
 * Acknowledges for all whom a delivery told, or for the one whose notification it is, in the inbox or not. Answers them
 * as they now are; empty: it is gone, or never was.
 */
export async function acknowledgeTold(
  db: Queryable,
  told: DeliveryId | NotificationId,
): Promise<readonly Notification[]> {
  // In the order in which all do who lock several.
  const rows = await db.query<NotificationRow & { readonly deleted: boolean }>(
    `with told as (
       select n.id from notifications n
       where n.id = $1 or n.id = any((select notification_ids from deliveries where id = $1)::text[])
       order by n.event_id, n.rule collate "C", n.recipient_id for update
     ), marked as (
       update notifications n set ${SET.acknowledge} from told where n.id = told.id
       returning ${NOTIFICATION_COLUMNS}, n.deleted_at is not null as deleted
     )${endedBy("acknowledge")} select * from marked`,
    [told],
  )
  await endWhatCame(db, "acknowledge", rows)
  return rows.map((row) => notificationFromRow({ ...row, inbox: row.inbox && !row.deleted }))
}

/** Reads everything that is unread; returns the items that changed by it, as they now are. */
export async function markAllRead(
  db: Queryable,
  recipient: RecipientId,
  businesses: readonly BusinessId[] | null,
): Promise<readonly Notification[]> {
  // In the order in which all do who lock several.
  const rows = await db.query<NotificationRow>(
    `with unread as (
       select n.id from notifications n where ${MINE} and n.read_at is null and n.archived_at is null
       order by n.event_id, n.rule collate "C", n.recipient_id for update
     ), marked as (
       update notifications n set ${SET.read} from unread where n.id = unread.id returning ${NOTIFICATION_COLUMNS}
     )${endedBy("read")} select * from marked`,
    [recipient, businesses],
  )
  await endWhatCame(db, "read", rows)
  return rows.map(notificationFromRow)
}

/** Takes an item out of the inbox for good; its explanation stays. */
export async function deleteInboxItem(
  db: Queryable,
  recipient: RecipientId,
  businesses: readonly BusinessId[] | null,
  id: NotificationId,
): Promise<"deleted" | "absent"> {
  const n = await db.execute(`update notifications n set deleted_at = now() where ${MINE} and n.id = $3`, [
    recipient,
    businesses,
    id,
  ])
  return n === 0 ? "absent" : "deleted"
}

export interface InboxCounts {
  readonly unread: number
  readonly unseen: number
}

/** A person's counts within some of their businesses (null: all), as the list beside them is confined to. */
export type CountsWithin = (businesses: readonly BusinessId[] | null) => InboxCounts

/** Counted from the rows each time, so that they cannot drift; both counts run on the index of what is unread. */
export async function inboxCounts(
  db: Queryable,
  recipients: readonly RecipientId[],
): Promise<ReadonlyMap<RecipientId, CountsWithin>> {
  const rows = await db.query<{ recipient_id: RecipientId; business_id: BusinessId } & InboxCounts>(
    `select recipient_id, business_id, count(*)::int as unread, count(*) filter (where seen_at is null)::int as unseen
     from notifications
     where recipient_id = any($1) and inbox and read_at is null and archived_at is null and deleted_at is null
     group by recipient_id, business_id`,
    [recipients],
  )
  const own = Map.groupBy(rows, (row) => row.recipient_id)
  return new Map(recipients.map((id) => [id, within(own.get(id) ?? [])]))
}

const within =
  (rows: readonly ({ readonly business_id: BusinessId } & InboxCounts)[]): CountsWithin =>
  (businesses) =>
    rows
      .filter((row) => businesses === null || businesses.includes(row.business_id))
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
