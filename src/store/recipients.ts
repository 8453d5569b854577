/** Recipients: who can be told, where they belong, how they are reached. The personal part is sealed. */

import type { BusinessId, LocationId, RecipientId } from "../domain/ids.ts"
import type { Membership, Profile, Recipient } from "../domain/recipient.ts"
import { appendAudit } from "./audit.ts"
import { forgetBacktest } from "./backtests.ts"
import type { Database, Queryable } from "./database.ts"
import { noteDeparture } from "./departures.ts"
import { openAs, seal } from "./sealed.ts"

interface Row {
  readonly id: RecipientId
  readonly profile: Buffer
  readonly locale: string | null
  readonly timezone: string | null
  readonly memberships: readonly {
    readonly business_id: BusinessId
    readonly location_ids: readonly LocationId[] | null
    readonly roles: readonly string[]
  }[]
}

const SELECT = `
select r.id, r.profile, r.locale, r.timezone, coalesce(json_agg(json_build_object('business_id', m.business_id,
    'location_ids', m.location_ids, 'roles', m.roles) order by m.business_id) filter (where m.recipient_id is not null), '[]')
  as memberships
from recipients r left join memberships m on m.recipient_id = r.id`

const fromRow = (row: Row): Recipient => ({
  ...openAs<Profile>(row.profile),
  id: row.id,
  locale: row.locale,
  timezone: row.timezone,
  memberships: row.memberships.map(
    (m): Membership => ({ business: m.business_id, locations: m.location_ids, roles: m.roles }),
  ),
})

const profileOf = (r: Recipient): Profile => ({
  name: r.name,
  email: r.email,
  phone: r.phone,
  telegramChatId: r.telegramChatId,
  slackWebhookUrl: r.slackWebhookUrl,
  slackUserId: r.slackUserId,
  deviceTokens: r.deviceTokens,
})

type Upserted = ReadonlyMap<RecipientId, "created" | "updated">

/** Somebody whom we were about to create was created for other businesses: nothing is written, and it begins anew. */
class CameMeanwhile extends Error {}

/**
 * Creates or replaces recipients, all or none, and says of each whether it was created. Memberships in businesses
 * outside `businesses` (null: none is outside) are left as they are: a caller changes only what its tenancy names. Whoever
 * belongs to other businesses alone is left out and not in the answer: the addresses of a person are the person's, so they
 * may not be replaced by a business that has nothing to do with them.
 */
export async function upsertRecipients(
  db: Database,
  recipients: readonly Recipient[],
  businesses: readonly BusinessId[] | null,
): Promise<Upserted> {
  const strangers = await strangersAmong(db, recipients, businesses)
  const mine = recipients.filter(({ id }) => !strangers.has(id))
  if (mine.length === 0) return new Map()
  try {
    return await upsertOwn(db, mine, businesses)
  } catch (error) {
    if (!(error instanceof CameMeanwhile)) throw error
    return upsertRecipients(db, mine, businesses)
  }
}

async function strangersAmong(
  db: Queryable,
  recipients: readonly Recipient[],
  businesses: readonly BusinessId[] | null,
): Promise<ReadonlySet<RecipientId>> {
  if (businesses === null) return new Set()
  const rows = await db.query<{ id: RecipientId }>(
    `select recipient_id as id from memberships where recipient_id = any($1)
     group by recipient_id having not bool_or(business_id = any($2))`,
    [recipients.map((r) => r.id), businesses],
  )
  return new Set(rows.map(({ id }) => id))
}

function upsertOwn(
  db: Database,
  recipients: readonly Recipient[],
  businesses: readonly BusinessId[] | null,
): Promise<Upserted> {
  // Sorted, so that two batches over the same people wait for each other in one direction only.
  const all = [...recipients].sort((a, b) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0))
  const memberships = all.flatMap((r) => r.memberships.map((m) => ({ id: r.id, ...m })))
  return db.transaction(async (tx) => {
    const rows = await tx.query<{ id: RecipientId; created: boolean }>(
      `insert into recipients (id, profile, locale, timezone)
       select * from unnest($1::text[], $2::bytea[], $3::text[], $4::text[])
       on conflict (id) do update set profile = excluded.profile, locale = excluded.locale,
         timezone = excluded.timezone, updated_at = now()
       returning id, xmax = 0 as created`,
      [all.map((r) => r.id), all.map((r) => seal(profileOf(r))), all.map((r) => r.locale), all.map((r) => r.timezone)],
    )
    // From here on the rows are ours: whoever came before us is seen.
    if ((await strangersAmong(tx, all, businesses)).size > 0) throw new CameMeanwhile()
    const before = await tx.query<{ id: RecipientId; business: BusinessId }>(
      `delete from memberships where recipient_id = any($1) and ($2::text[] is null or business_id = any($2))
       returning recipient_id as id, business_id as business`,
      [all.map((r) => r.id), businesses],
    )
    await tx.execute(
      `insert into memberships (recipient_id, business_id, location_ids, roles)
       select id, business_id, string_to_array(location_ids, ','), string_to_array(roles, ',')
       from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as t (id, business_id, location_ids, roles)`,
      [
        memberships.map((m) => m.id),
        memberships.map((m) => m.business),
        // Neither locations nor roles may hold a comma, so a list travels as one text.
        memberships.map((m) => m.locations?.join(",") ?? null),
        memberships.map((m) => m.roles.join(",")),
      ],
    )
    // Whoever left a business is on none of its lists, and comes back to none.
    await tx.execute(
      `delete from list_members l where recipient_id = any($1) and not exists (
         select from memberships m where m.recipient_id = l.recipient_id and m.business_id = l.business_id)`,
      [all.map((r) => r.id)],
    )
    const kept = new Set(memberships.map(({ id, business }) => `${id}\n${business}`))
    if (before.some(({ id, business }) => !kept.has(`${id}\n${business}`))) await noteDeparture(tx)
    return new Map(rows.map((row) => [row.id, row.created ? "created" : "updated"]))
  })
}

/** The recipient with all memberships, or null where there is none. */
export async function getRecipient(db: Queryable, id: RecipientId): Promise<Recipient | null> {
  const [row] = await db.query<Row>(`${SELECT} where r.id = $1 group by r.id`, [id])
  return row === undefined ? null : fromRow(row)
}

/** Null: nobody of that id, or nobody has said. */
export async function localeOf(db: Queryable, id: RecipientId): Promise<string | null> {
  const [row] = await db.query<{ locale: string | null }>("select locale from recipients where id = $1", [id])
  return row?.locale ?? null
}

/** By id, of the given businesses (null: of all). */
export async function listRecipients(
  db: Queryable,
  filter: {
    readonly businesses: readonly BusinessId[] | null
    readonly role?: string | undefined
    readonly after?: RecipientId | undefined
    readonly limit: number
  },
): Promise<{ readonly recipients: readonly Recipient[]; readonly hasMore: boolean }> {
  const rows = await db.query<Row>(
    `${SELECT}
     where ($1::text is null or r.id > $1)
       and (($2::text[] is null and $3::text is null) or exists (
         select from memberships x where x.recipient_id = r.id and ($2::text[] is null or x.business_id = any($2))
           and ($3::text is null or $3 = any(x.roles))))
     group by r.id order by r.id limit $4`,
    [filter.after ?? null, filter.businesses, filter.role ?? null, filter.limit + 1],
  )
  return { recipients: rows.slice(0, filter.limit).map(fromRow), hasMore: rows.length > filter.limit }
}

/** Takes a recipient out of the given businesses (null: of all), and deletes one that belongs nowhere any more. `actor`: who does. */
export async function deleteRecipient(
  db: Database,
  id: RecipientId,
  businesses: readonly BusinessId[] | null,
  actor: string,
): Promise<"deleted" | "absent"> {
  return db.transaction(async (tx) => {
    // First the recipient, then the memberships, as an upsert does: the other way round the two deadlock.
    const held = await tx.query("select from recipients where id = $1 for update", [id])
    if (held.length === 0) return "absent"
    const left = await tx.execute(
      "delete from memberships where recipient_id = $1 and ($2::text[] is null or business_id = any($2))",
      [id, businesses],
    )
    await tx.execute(
      "delete from list_members where recipient_id = $1 and ($2::text[] is null or business_id = any($2))",
      [id, businesses],
    )
    const gone = await tx.execute(
      `delete from recipients r where id = $1
         and not exists (select from memberships m where m.recipient_id = r.id) and ($2::boolean or $3::int > 0)`,
      [id, businesses === null, left],
    )
    if (gone > 0) {
      await tx.execute("delete from preferences where recipient_id = $1", [id])
      await tx.execute("delete from push_subscriptions where recipient_id = $1", [id])
      await forgetBacktest(tx, null)
    }
    if (left + gone === 0) return "absent"
    await noteDeparture(tx)
    const detail = { recipient_id: id, everywhere: gone > 0 }
    await appendAudit(tx, { actor, action: "recipient.delete", businesses, key: null, detail })
    return "deleted"
  })
}
