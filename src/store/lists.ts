/** Lists of people that rules can name, each within one business: only its members are on them. */
import type { BusinessId, RecipientId } from "../domain/ids.ts"
import type { Queryable } from "./database.ts"

export interface ListMember {
  readonly recipient: RecipientId
  /** Milliseconds since the Unix epoch. */
  readonly addedAt: number
}

export interface ListSummary {
  readonly list: string
  readonly members: number
}

/** `stranger`: no recipient of that id belongs to the business. */
export type Added = { readonly kind: "added" | "there"; readonly member: ListMember } | { readonly kind: "stranger" }

interface Row {
  readonly recipient_id: RecipientId
  readonly added_ms: number
}

const toMember = (row: Row): ListMember => ({ recipient: row.recipient_id, addedAt: row.added_ms })

const ADDED_MS = "extract(epoch from l.added_at)::float8 * 1000 as added_ms"

/** Puts a member of the business on one of its lists. Whoever is being deleted meanwhile is a stranger. */
export async function addToList(
  db: Queryable,
  business: BusinessId,
  list: string,
  recipient: RecipientId,
): Promise<Added> {
  const [row] = await db.query<Row & { readonly made: boolean }>(
    `with there as (
       select m.business_id, r.id from memberships m join recipients r on r.id = m.recipient_id
       where m.business_id = $1 and r.id = $3 for key share of r
     )
     insert into list_members as l (business_id, list, recipient_id) select business_id, $2, id from there
     on conflict (business_id, list, recipient_id) do update set list = excluded.list
     returning l.recipient_id, ${ADDED_MS}, l.xmax = 0 as made`,
    [business, list, recipient],
  )
  return row === undefined ? { kind: "stranger" } : { kind: row.made ? "added" : "there", member: toMember(row) }
}

/** False: they were not on it. */
export async function removeFromList(
  db: Queryable,
  business: BusinessId,
  list: string,
  recipient: RecipientId,
): Promise<boolean> {
  const gone = await db.execute("delete from list_members where business_id = $1 and list = $2 and recipient_id = $3", [
    business,
    list,
    recipient,
  ])
  return gone > 0
}

/** By recipient. A list that nobody made is one that nobody is on. */
export async function listMembers(
  db: Queryable,
  business: BusinessId,
  list: string,
  page: { readonly after: RecipientId | null; readonly limit: number },
): Promise<{ readonly members: readonly ListMember[]; readonly hasMore: boolean }> {
  const rows = await db.query<Row>(
    `select l.recipient_id, ${ADDED_MS} from list_members l
     where l.business_id = $1 and l.list = $2 and ($3::text is null or l.recipient_id > $3)
     order by l.recipient_id limit $4`,
    [business, list, page.after, page.limit + 1],
  )
  return { members: rows.slice(0, page.limit).map(toMember), hasMore: rows.length > page.limit }
}

/** By name: those of the business that somebody is on. */
export async function listLists(
  db: Queryable,
  business: BusinessId,
  page: { readonly after: string | null; readonly limit: number },
): Promise<{ readonly lists: readonly ListSummary[]; readonly hasMore: boolean }> {
  const rows = await db.query<ListSummary>(
    `select list, count(*)::int as members from list_members
     where business_id = $1 and ($2::text is null or list > $2) group by list order by list limit $3`,
    [business, page.after, page.limit + 1],
  )
  return { lists: rows.slice(0, page.limit), hasMore: rows.length > page.limit }
}
