/** What was recorded, for whoever decides it again: events in the order of their acceptance, people, and who reacted. */
import type { HubEvent } from "../domain/event.ts"
import { type BusinessId, type EventId, idFloor, type RecipientId, type RuleName } from "../domain/ids.ts"
import { isJsonObject } from "../domain/json.ts"
import type { Preferences } from "../domain/preferences.ts"
import type { Recipient } from "../domain/recipient.ts"
import type { Queryable } from "./database.ts"
import { EVENT_COLUMNS, type EventRow, eventFromRow } from "./events.ts"
import { listRecipients } from "./recipients.ts"
import { openAs } from "./sealed.ts"

export type Recorded =
  | { readonly event: HubEvent }
  /** `unreadable`: its payload is gone, or of a later version. */
  | { readonly id: EventId; readonly acceptedAt: number; readonly problem: "unreadable" }

export interface RecordedFilter {
  /** Null: of every business. */
  readonly business: BusinessId | null
  /** Accepted from `since` until before `until`; milliseconds since the Unix epoch. */
  readonly since: number
  readonly until: number
}

const PAGE = 2_000
/**
 * An id tells the time of the node that made it, and acceptance is by the database's clock. That far apart they may be:
 * so much is read around the span, and held back until no earlier acceptance can come.
 */
const CLOCKS_APART_MS = 120_000

/**
 * Pages of what was accepted in a span, in the order of acceptance and then of ids. There is no index of that order, so
 * the primary key is walked, and a few minutes of it are sorted at a time. What a clock has put further off comes late.
 */
export async function* recordedEvents(db: Queryable, filter: RecordedFilter): AsyncGenerator<readonly Recorded[]> {
  const { since, until, business } = filter
  let after: string = idFloor("evt_", since - CLOCKS_APART_MS)
  const end = idFloor("evt_", until + CLOCKS_APART_MS)
  let held: EventRow[] = []
  for (;;) {
    const rows = await db.query<EventRow>(
      `select ${EVENT_COLUMNS} from events e where ($1::text is null or e.business_id = $1) and e.id > $2 and e.id < $3
       order by e.id limit ${PAGE}`,
      [business, after, end],
    )
    const last = rows.at(-1)
    for (const row of rows) if (row.accepted_at >= since && row.accepted_at < until) held.push(row)
    held.sort((a, b) => a.accepted_at - b.accepted_at || (a.id < b.id ? -1 : 1))
    if (last === undefined || rows.length < PAGE) {
      if (held.length > 0) yield held.map(recorded)
      return
    }
    after = last.id
    const settled = held.findIndex((row) => idFloor("evt_", row.accepted_at + CLOCKS_APART_MS) > last.id)
    if (settled === 0) continue
    const ready = settled < 0 ? held : held.slice(0, settled)
    held = settled < 0 ? [] : held.slice(settled)
    if (ready.length > 0) yield ready.map(recorded)
  }
}

function recorded(row: EventRow): Recorded {
  try {
    const event = eventFromRow(row)
    if (isJsonObject(event.payload)) return { event }
  } catch {
    // The seal says no, in whichever way: what it holds cannot be had.
  }
  return { id: row.id, acceptedAt: row.accepted_at, problem: "unreadable" }
}

export interface RecordedPerson {
  readonly recipient: Recipient
  /** Null: nothing was said. */
  readonly preferences: Preferences | null
  readonly lists: ReadonlyMap<BusinessId, readonly string[]>
}

const PEOPLE_PAGE = 1_000

/** Everybody, as they are now, by id: also whoever is named by a business that is not theirs has to be known. */
export async function* recordedPeople(db: Queryable): AsyncGenerator<readonly RecordedPerson[]> {
  let after: RecipientId | undefined
  for (;;) {
    const page = await listRecipients(db, { businesses: null, after, limit: PEOPLE_PAGE })
    const ids = page.recipients.map(({ id }) => id)
    const wishes = await db.query<{ id: RecipientId; wishes: Buffer }>(
      "select recipient_id as id, wishes from preferences where recipient_id = any($1)",
      [ids],
    )
    const lists = await db.query<{ id: RecipientId; business: BusinessId; list: string }>(
      `select recipient_id as id, business_id as business, list from list_members where recipient_id = any($1)
       order by recipient_id, business_id, list`,
      [ids],
    )
    const preferences = new Map(wishes.map((row) => [row.id, openAs<Preferences>(row.wishes)]))
    const listed = Map.groupBy(lists, ({ id }) => id)
    yield page.recipients.map((recipient) => ({
      recipient,
      preferences: preferences.get(recipient.id) ?? null,
      lists: new Map(
        [...Map.groupBy(listed.get(recipient.id) ?? [], (row) => row.business)].map(([of, rows]) => [
          of,
          rows.map(({ list }) => list),
        ]),
      ),
    }))
    after = ids.at(-1)
    if (!page.hasMore || after === undefined) return
  }
}

/** Somebody's mark on a message. Milliseconds since the Unix epoch. */
export interface RecordedReaction {
  readonly event: EventId
  readonly rule: RuleName
  readonly recipient: RecipientId
  readonly reaction: "acknowledged" | "read"
  readonly at: number
}

/** What was read or acknowledged of the messages about these events, by time. */
export async function reactionsTo(db: Queryable, events: readonly EventId[]): Promise<readonly RecordedReaction[]> {
  if (events.length === 0) return []
  return db.query<RecordedReaction>(
    `select n.event_id as event, n.rule, n.recipient_id as recipient, r.reaction,
       (extract(epoch from r.at) * 1000)::float8 as at
     from notifications n
     cross join lateral (values ('read', n.read_at), ('acknowledged', n.acknowledged_at)) as r (reaction, at)
     where n.event_id = any($1) and r.at is not null
     order by r.at, n.event_id, n.rule, n.recipient_id, r.reaction`,
    [events],
  )
}
