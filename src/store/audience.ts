/** Who an event concerns: one query for a whole batch of questions. */
import type { BusinessId, LocationId, RecipientId } from "../domain/ids.ts"
import type { Preferences } from "../domain/preferences.ts"
import type { Profile, Recipient } from "../domain/recipient.ts"
import type { Queryable } from "./database.ts"
import { breath, eachInTurns, isLong } from "./pieces.ts"
import { browserDevice } from "./push-subscriptions.ts"
import { openAs } from "./sealed.ts"

export interface AudienceQuery {
  readonly business: BusinessId
  /** The event's location; null: the event concerns the whole business. */
  readonly location: LocationId | null
  readonly roles: readonly string[]
  readonly users: readonly RecipientId[]
  readonly lists: readonly string[]
  readonly everyone: boolean
}

export interface AudienceAnswer {
  /** Members of the business, each once, sorted by id. */
  readonly recipients: readonly Recipient[]
  /** Users that were named and exist, but do not belong to the business: never told. */
  readonly outsiders: ReadonlySet<RecipientId>
  /** Of those among the recipients who have said any. */
  readonly preferences: ReadonlyMap<RecipientId, Preferences>
}

/** Answers in the order of the questions. */
export type FindAudience = (queries: readonly AudienceQuery[]) => Promise<readonly AudienceAnswer[]>

interface Row {
  readonly id: RecipientId
  readonly profile: Buffer
  readonly locale: string | null
  readonly timezone: string | null
  readonly business_id: BusinessId
  readonly location_ids: readonly LocationId[] | null
  readonly roles: readonly string[]
  readonly wishes: Buffer | null
  readonly browsers: readonly Buffer[]
  /** Of those that were asked for. */
  readonly lists: readonly string[] | null
}

const membersOf = (lists: string, listed: string): string => `
select r.id, r.profile, r.locale, r.timezone, m.business_id, m.location_ids, m.roles, p.wishes, ${lists} as lists,
  array(select s.subscription from push_subscriptions s where s.recipient_id = r.id order by s.created_at) as browsers
from memberships m join recipients r on r.id = m.recipient_id left join preferences p on p.recipient_id = r.id
where m.business_id = any($1) and (m.roles && $2 or r.id = any($3) or m.business_id = any($4)${listed})
order by r.id`

const MEMBERS = membersOf("null::text[]", "")
// Asked of the list's own key, a look for each member: a join would make the plan of those who name no list wider.
const MEMBERS_AND_LISTED = membersOf(
  `array(select l.list from list_members l
    where l.business_id = m.business_id and l.list = any($5) and l.recipient_id = m.recipient_id)`,
  ` or exists (select from list_members l
    where l.business_id = m.business_id and l.list = any($5) and l.recipient_id = m.recipient_id)`,
)

/**
 * Roles and lists count within the event's business and, where the event has one, its location. A user who is named counts
 * anywhere in the business: whoever is named is meant.
 */
export function audienceOf(db: Queryable): FindAudience {
  return async (queries) => {
    if (queries.length === 0) return []
    const users = [...new Set(queries.flatMap((q) => q.users))]
    const lists = [...new Set(queries.flatMap((q) => q.lists))]
    const rows = await db.query<Row>(lists.length === 0 ? MEMBERS : MEMBERS_AND_LISTED, [
      [...new Set(queries.map((q) => q.business))],
      [...new Set(queries.flatMap((q) => q.roles))],
      users,
      [...new Set(queries.filter((q) => q.everyone).map((q) => q.business))],
      ...(lists.length === 0 ? [] : [lists]),
    ])
    // Opening everybody of a large business takes long enough that others want a turn, several times.
    const asked = new Set(users)
    const byBusiness = new Map<BusinessId, Members>()
    const wishes = new Map<RecipientId, Preferences>()
    const known = new Set<RecipientId>()
    const read = eachInTurns(rows, (row) => {
      const here: Members = byBusiness.get(row.business_id) ?? { members: [], named: new Map() }
      if (here.members.length === 0) byBusiness.set(row.business_id, here)
      here.members.push(row)
      if (asked.has(row.id)) {
        here.named.set(row.id, row)
        known.add(row.id)
      }
      if (row.wishes !== null && !wishes.has(row.id)) wishes.set(row.id, openAs<Preferences>(row.wishes))
    })
    if (read !== null) await read
    // Mostly everybody who is named is a member, and then there is nobody to ask about.
    const strangers = users.filter((id) => !known.has(id))
    const existing =
      strangers.length === 0
        ? []
        : await db.query<{ id: RecipientId }>("select id from recipients where id = any($1)", [strangers])
    for (const { id } of existing) known.add(id)
    const opened = new Map<Row, Recipient>()
    const recipient = (row: Row): Recipient => {
      const done = opened.get(row)
      if (done !== undefined) return done
      const made = toRecipient(row)
      opened.set(row, made)
      return made
    }
    const answers: AudienceAnswer[] = []
    for (const query of queries) {
      const here = byBusiness.get(query.business)
      if (here !== undefined && isLong(here.members)) await breath()
      const members = here === undefined ? [] : concerned(query, here)
      const recipients: Recipient[] = []
      const preferences = new Map<RecipientId, Preferences>()
      const opening = eachInTurns(members, (row) => {
        recipients.push(recipient(row))
        const own = wishes.get(row.id)
        if (own !== undefined) preferences.set(row.id, own)
      })
      if (opening !== null) await opening
      answers.push({
        recipients,
        preferences,
        outsiders: new Set(query.users.filter((id) => known.has(id) && here?.named.has(id) !== true)),
      })
    }
    return answers
  }
}

interface Members {
  /** Sorted by id. */
  readonly members: Row[]
  /** Those of them whom a question names. */
  readonly named: Map<RecipientId, Row>
}

/** Sorted by id. A batch whose every event names somebody else does not look at everybody for each of them. */
function concerned(query: AudienceQuery, { members, named: byId }: Members): readonly Row[] {
  const { users, roles, lists, everyone } = query
  if (everyone || roles.length > 0 || lists.length > 0) return members.filter((row) => concerns(query, row))
  const named = [...new Set(users)].flatMap((id) => byId.get(id) ?? [])
  return named.length > 1 ? named.sort((a, b) => (a.id < b.id ? -1 : 1)) : named
}

function concerns(query: AudienceQuery, row: Row): boolean {
  if (query.users.includes(row.id)) return true
  const here = query.location === null || row.location_ids === null || row.location_ids.includes(query.location)
  if (!here) return false
  if (query.everyone || query.roles.some((role) => row.roles.includes(role))) return true
  return row.lists !== null && query.lists.some((list) => row.lists?.includes(list))
}

function toRecipient(row: Row): Recipient {
  const profile = openAs<Profile>(row.profile)
  return {
    ...profile,
    deviceTokens: [...profile.deviceTokens, ...row.browsers.map(browserDevice)],
    id: row.id,
    locale: row.locale,
    timezone: row.timezone,
    memberships: [{ business: row.business_id, locations: row.location_ids, roles: row.roles }],
  }
}
