/**
 * Input that can never be an event, kept so that somebody can see it and mend its producer: whence it came, what was
 * wrong with it, and its first bytes, sealed.
 */
import type { BusinessId, RejectedId } from "../domain/ids.ts"
import { newRejectedId } from "../domain/ids.ts"
import type { Json, JsonObject } from "../domain/json.ts"
import type { FieldError } from "../domain/json-limits.ts"
import type { Queryable, SqlValue } from "./database.ts"
import { openAs, seal } from "./sealed.ts"

/** What a row shows of the input itself. */
export interface RejectedContent {
  readonly detail: string
  readonly errors: readonly FieldError[]
  /** The first bytes as text, or in base64 where they are none; null where none were kept. */
  readonly raw: string | null
  readonly rawBase64: string | null
  /** Of the whole input; null where it is not known. */
  readonly bytes: number | null
}

export interface RejectedRow {
  /** The door: http, resources, nats, zoho, webhook, or of answers twilio, resend, telegram, slack. */
  readonly via: string
  /** The code of the problem. */
  readonly code: string
  /** Null: it could not be told whose it was. */
  readonly business: BusinessId | null
  /** A subject and sequence, a webhook's name, a route. */
  readonly origin: string
  /** SHA-256; there is one row for each. */
  readonly fingerprint: Buffer
  /** How many inputs this row stands for. */
  readonly count: number
  readonly content: RejectedContent
}

const VALUES = `
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::bytea[], $7::int8[], $8::bytea[])
  as t (id, via, code, business_id, origin, fingerprint, count, content) order by fingerprint`
const COLUMNS = "id, via, code, business_id, origin, fingerprint, count, content"
const INSERT = `insert into rejected (${COLUMNS}) select ${COLUMNS} ${VALUES} on conflict (fingerprint)`

/** `again`: what a row that is there already makes of the same fingerprint: nothing, or so many more of it. */
export async function insertRejected(
  db: Queryable,
  rows: readonly RejectedRow[],
  again: "ignored" | "counted",
  wallMillis: number,
): Promise<void> {
  const merged = new Map<string, RejectedRow>()
  for (const row of rows) {
    const key = row.fingerprint.toString("base64")
    const known = merged.get(key)
    merged.set(key, known === undefined || again === "ignored" ? row : { ...known, count: known.count + row.count })
  }
  const all = [...merged.values()]
  if (all.length === 0) return
  const conflict =
    again === "ignored" ? "do nothing" : "do update set count = rejected.count + excluded.count, last_at = now()"
  await db.execute(`${INSERT} ${conflict}`, [
    all.map(() => newRejectedId(wallMillis)),
    all.map((row) => row.via),
    all.map((row) => row.code),
    all.map((row) => row.business),
    all.map((row) => row.origin),
    all.map((row) => row.fingerprint),
    all.map((row) => row.count),
    all.map((row) => seal(row.content)),
  ])
}

export interface RejectedFilter {
  /** Null: every business, and what is nobody's. */
  readonly businesses: readonly BusinessId[] | null
  readonly via?: string | undefined
  readonly code?: string | undefined
  /** Seen at or after; milliseconds since the Unix epoch. */
  readonly since?: number | undefined
  readonly after?: RejectedId | undefined
  readonly limit: number
}

export interface RejectedPage {
  /** Newest first. */
  readonly rejected: readonly JsonObject[]
  readonly hasMore: boolean
  /** Inputs by door and code over all pages, most first; of the newest rows that fit the filter, where they are very many. */
  readonly groups: readonly JsonObject[]
  /** False: more fits than the groups are of. */
  readonly groupsComplete: boolean
}

interface ListedRow {
  readonly id: RejectedId
  readonly received_at: Date
  readonly last_at: Date
  readonly via: string
  readonly code: string
  readonly business_id: BusinessId | null
  readonly origin: string
  readonly count: number
  readonly content: Buffer
}

const GROUPS = 200
/** A producer that went wrong may leave millions of rows; what is wrong with it, the newest say. */
const GROUPED_ROWS = 10_000

interface Group {
  readonly via: string
  readonly code: string
  readonly count: number
  /** Of all groups together. */
  readonly rows: number
}

/** A page of what was rejected, with the counts of the newest rows that fit the filter, on whichever page they are. */
export async function listRejected(db: Queryable, filter: RejectedFilter): Promise<RejectedPage> {
  const where = `($1::text[] is null or business_id = any ($1)) and ($2::text is null or via = $2)
    and ($3::text is null or code = $3) and ($4::float8 is null or last_at >= to_timestamp($4 / 1000))`
  const values: SqlValue[] = [filter.businesses, filter.via ?? null, filter.code ?? null, filter.since ?? null]
  // One statement: of two, the second would count what came after the first had listed.
  const found = await db.query<{ groups: readonly Group[] } & (ListedRow | { id: null })>(
    `with groups as (
      select via, code, sum(count)::float8 as count, (sum(count(*)) over ())::float8 as rows
      from (select via, code, count from rejected where ${where} order by id desc limit ${GROUPED_ROWS + 1}) as newest
      group by via, code order by 3 desc, via, code limit ${GROUPS}
    ), page as (
      select id, received_at, last_at, via, code, business_id, origin, count::float8 as count, content from rejected
      where ${where} and ($5::text is null or id < $5) order by id desc limit $6
    )
    select counted.groups, page.* from (
      select coalesce(json_agg(g order by g.count desc, g.via, g.code), '[]') as groups from groups g
    ) counted left join page on true order by page.id desc`,
    [...values, filter.after ?? null, filter.limit + 1],
  )
  const groups = found[0]?.groups ?? []
  const rows = found.flatMap((row) => (row.id === null ? [] : [row]))
  return {
    rejected: rows.slice(0, filter.limit).map(rejectedJson),
    hasMore: rows.length > filter.limit,
    groups: groups.map(({ via, code, count }) => ({ via, code, count })),
    groupsComplete: (groups[0]?.rows ?? 0) <= GROUPED_ROWS,
  }
}

function rejectedJson(row: ListedRow): JsonObject {
  const { detail, errors, raw, rawBase64, bytes } = openAs<RejectedContent>(row.content)
  const shown: Record<string, Json> = { raw }
  if (rawBase64 !== null) shown["raw_base64"] = rawBase64
  return {
    id: row.id,
    received_at: row.received_at.toISOString(),
    last_at: row.last_at.toISOString(),
    via: row.via,
    code: row.code,
    business_id: row.business_id,
    origin: row.origin,
    count: row.count,
    detail,
    errors: errors.map(({ pointer, detail: wrong }) => ({ pointer, detail: wrong })),
    bytes,
    ...shown,
  }
}
