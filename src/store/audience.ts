/** Who an event concerns: one query for a whole batch of questions. */
import type { BusinessId, LocationId, RecipientId } from "../domain/ids.ts"
import type { Profile, Recipient } from "../domain/recipient.ts"
import type { Queryable } from "./database.ts"
import { openAs } from "./sealed.ts"

export interface AudienceQuery {
  readonly business: BusinessId
  /** The event's location; null: the event concerns the whole business. */
  readonly location: LocationId | null
  readonly roles: readonly string[]
  readonly users: readonly RecipientId[]
  readonly everyone: boolean
}

export interface AudienceAnswer {
  /** Members of the business, each once, sorted by id. */
  readonly recipients: readonly Recipient[]
  /** Users that were named and exist, but do not belong to the business: never told. */
  readonly outsiders: ReadonlySet<RecipientId>
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
}

const MEMBERS = `
select r.id, r.profile, r.locale, r.timezone, m.business_id, m.location_ids, m.roles
from memberships m join recipients r on r.id = m.recipient_id
where m.business_id = any($1) and (m.roles && $2 or r.id = any($3) or m.business_id = any($4))
order by r.id`

/**
 * A role counts within the event's business and, where the event has one, its location. A user who is named counts
 * anywhere in the business: whoever is named is meant.
 */
export function audienceOf(db: Queryable): FindAudience {
  return async (queries) => {
    if (queries.length === 0) return []
    const users = [...new Set(queries.flatMap((q) => q.users))]
    const rows = await db.query<Row>(MEMBERS, [
      [...new Set(queries.map((q) => q.business))],
      [...new Set(queries.flatMap((q) => q.roles))],
      users,
      [...new Set(queries.filter((q) => q.everyone).map((q) => q.business))],
    ])
    const known = new Set(rows.map((row) => row.id))
    // Mostly everybody who is named is a member, and then there is nobody to ask about.
    const strangers = users.filter((id) => !known.has(id))
    const existing =
      strangers.length === 0
        ? []
        : await db.query<{ id: RecipientId }>("select id from recipients where id = any($1)", [strangers])
    for (const { id } of existing) known.add(id)
    const byBusiness = new Map(
      [...Map.groupBy(rows, (row) => row.business_id)].map(([business, members]) => [
        business,
        { members, ids: new Set(members.map((row) => row.id)) },
      ]),
    )
    const opened = new Map<Row, Recipient>()
    const recipient = (row: Row): Recipient => {
      const done = opened.get(row)
      if (done !== undefined) return done
      const made = toRecipient(row)
      opened.set(row, made)
      return made
    }
    return queries.map((query) => {
      const here = byBusiness.get(query.business)
      return {
        recipients: (here?.members ?? []).filter((row) => concerns(query, row)).map(recipient),
        outsiders: new Set(query.users.filter((id) => known.has(id) && here?.ids.has(id) !== true)),
      }
    })
  }
}

function concerns(query: AudienceQuery, row: Row): boolean {
  if (query.users.includes(row.id)) return true
  const here = query.location === null || row.location_ids === null || row.location_ids.includes(query.location)
  return here && (query.everyone || query.roles.some((role) => row.roles.includes(role)))
}

const toRecipient = (row: Row): Recipient => ({
  ...openAs<Profile>(row.profile),
  id: row.id,
  locale: row.locale,
  timezone: row.timezone,
  memberships: [{ business: row.business_id, locations: row.location_ids, roles: row.roles }],
})
