/**
 * Who changed what, once and for good (contract §13): append-only, each entry holding the hash of the one before it. The
 * chain's end is a row of its own that whoever appends holds, so that entries have one order and a cut tail is missed.
 */
import type { BusinessId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { Queryable } from "./database.ts"

export interface NewAuditEntry {
  /** A key's id, `person:<id>`, or `cli`. */
  readonly actor: string
  /** What was done, as `noun.verb`. */
  readonly action: string
  /** What the actor was confined to; null: nothing. Who is confined to one of them may read it. */
  readonly businesses: readonly BusinessId[] | null
  /** Makes what is asked for again the same one; null: it may be done again. */
  readonly key: string | null
  /** No address, no secret. */
  readonly detail: JsonObject
}

export interface AuditEntry extends Omit<NewAuditEntry, "key"> {
  readonly seq: number
  readonly at: Date
}

/** Holds the log's end: until `tx` is over nobody else appends, nor does what is to be done once. */
export const holdAudit = (tx: Queryable): Promise<unknown> => tx.execute("select 1 from audit_head for update")

/** The entry of an action that was done under this key before, or null. Whoever goes on to do it holds the log. */
export async function auditedBefore(tx: Queryable, key: string): Promise<AuditEntry | null> {
  const [row] = await tx.query<AuditRow>(`select ${COLUMNS} from audit_log where key = $1`, [key])
  return row === undefined ? null : entryFromRow(row)
}

// What is hashed is one JSON list, which no text in it can pass for another of.
const hashOf = (row: string, before: string): string => `sha256(${before} || convert_to(jsonb_build_array(${row}.seq,
  extract(epoch from ${row}.at), ${row}.actor, ${row}.action, ${row}.businesses, ${row}.key, ${row}.detail)::text, 'utf8'))`

const APPEND = `
with head as (select seq, hash from audit_head for update),
entry as (
  select h.seq + 1 as seq, now() as at, $1::text as actor, $2::text as action, $3::text[] as businesses, $4::text as key,
    $5::jsonb as detail, h.hash as previous
  from head h
), appended as (
  insert into audit_log (seq, at, actor, action, businesses, key, detail, previous, hash)
  select e.seq, e.at, e.actor, e.action, e.businesses, e.key, e.detail, e.previous, ${hashOf("e", "e.previous")} from entry e
  returning seq, hash
), moved as (
  update audit_head set seq = a.seq, hash = a.hash from appended a
)
select seq::float8 as seq from appended`

/** Writes an entry behind the last; its number. In the transaction of what it tells of, so that both are there or none. */
export async function appendAudit(tx: Queryable, entry: NewAuditEntry): Promise<number> {
  const { actor, action, businesses, key, detail } = entry
  const [row] = await tx.query<{ seq: number }>(APPEND, [actor, action, businesses, key, JSON.stringify(detail)])
  if (row === undefined) throw new Error("the audit log has lost its end")
  return row.seq
}

interface AuditRow {
  readonly seq: number
  readonly at: Date
  readonly actor: string
  readonly action: string
  readonly businesses: readonly BusinessId[] | null
  readonly detail: JsonObject
}

const COLUMNS = "seq::float8 as seq, at, actor, action, businesses, detail"
const entryFromRow = (row: AuditRow): AuditEntry => ({ ...row })

/** Entries, newest first. `businesses` null: all of them. */
export async function listAudit(
  db: Queryable,
  page: { readonly businesses: readonly BusinessId[] | null; readonly after: number | null; readonly limit: number },
): Promise<{ readonly entries: readonly AuditEntry[]; readonly hasMore: boolean }> {
  const rows = await db.query<AuditRow>(
    `select ${COLUMNS} from audit_log where ($1::text[] is null or businesses && $1) and ($2::float8 is null or seq < $2)
    order by seq desc limit $3`,
    [page.businesses, page.after, page.limit + 1],
  )
  return { entries: rows.slice(0, page.limit).map(entryFromRow), hasMore: rows.length > page.limit }
}

/** An entry and its hash, in hexadecimal. */
export interface AuditAnchor {
  readonly seq: number
  readonly hash: string
}

/** The chain's end. Whoever keeps it elsewhere notices when the table and its end are written anew together. */
export async function auditHead(db: Queryable): Promise<AuditAnchor> {
  const [row] = await db.query<AuditAnchor>("select seq::float8 as seq, encode(hash, 'hex') as hash from audit_head")
  if (row === undefined) throw new Error("the audit log has lost its end")
  return row
}

/** An entry's time is its transaction's, and they are not written in the order in which they began; but nearly. */
const AT_ONCE = "interval '5 minutes'"

/**
 * The number of the first entry that is not what was written there, or was written while the clock was set back; one behind
 * the last where the end was cut off; the anchor's where it is another entry by now.
 */
export async function firstBrokenEntry(db: Queryable, anchor: AuditAnchor | null = null): Promise<number | null> {
  const [row] = await db.query<{ seq: number }>(
    `select seq::float8 as seq from (
      select a.seq, row_number() over w as place, a.previous, a.hash, a.at < lag(a.at) over w - ${AT_ONCE} as back,
        lag(a.hash, 1, '\\x00') over w as before, ${hashOf("a", "a.previous")} as right_hash
      from audit_log a window w as (order by a.seq)
    ) x where seq <> place or previous <> before or hash <> right_hash or back
    union all
    select $1::float8 where $1 is not null and not exists (
      select from audit_log where seq = $1 and encode(hash, 'hex') = lower($2))
    union all
    select coalesce(max(a.seq), 0) + 1 from audit_log a, audit_head h
    group by h.seq, h.hash having coalesce(max(a.seq), 0) <> h.seq
    order by 1 limit 1`,
    [anchor?.seq ?? null, anchor?.hash ?? null],
  )
  return row?.seq ?? null
}
