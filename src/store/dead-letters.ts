/** What will not be tried again by itself: dead deliveries, and those of which nobody knows whether they were sent. */
import type { SendingChannel } from "../domain/channel.ts"
import type { BusinessId, DeliveryId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { Queryable, SqlValue } from "./database.ts"
import { type DeliveryPage, pageOf } from "./delivery-reads.ts"

/** In the words of the index that is kept for these. */
export const DEAD = "d.undelivered in ('dead', 'unknown')"

/** Which dead letters; what is not said fits all. Times in milliseconds since the Unix epoch, of when they died. */
export interface DeadLetterFilter {
  readonly id?: DeliveryId | undefined
  readonly channel?: SendingChannel | undefined
  readonly account?: string | undefined
  readonly status?: "dead" | "unknown" | undefined
  readonly reason?: string | undefined
  readonly rule?: string | undefined
  readonly business?: BusinessId | undefined
  readonly since?: number | undefined
  readonly until?: number | undefined
}

export interface DeadLetters extends DeliveryPage {
  /** Counts by cause over all pages, largest first: `{channel, account, status, reason, rule, count}`. */
  readonly groups: readonly JsonObject[]
}

/** Conditions on a delivery `d` that is a dead letter of these businesses (null: every) and fits, with their values. */
export function deadLetters(
  businesses: readonly BusinessId[] | null,
  filter: DeadLetterFilter,
): { readonly where: string; readonly values: readonly SqlValue[] } {
  const values: SqlValue[] = []
  const clauses = [DEAD]
  const add = (value: SqlValue | undefined, clause: (bound: string) => string): void => {
    if (value !== undefined && value !== null) clauses.push(clause(`$${values.push(value)}`))
  }
  add(businesses, (all) => `d.business_id = any (${all}::text[])`)
  add(filter.id, (one) => `d.id = ${one}`)
  add(filter.channel, (one) => `d.channel = ${one}`)
  add(filter.account, (one) => `d.account = ${one}`)
  add(filter.status, (one) => `d.undelivered = ${one}`)
  add(filter.reason, (one) => `d.reason = ${one}`)
  add(filter.rule, (one) => `d.rule = ${one}`)
  add(filter.business, (one) => `d.business_id = ${one}`)
  add(filter.since, (ms) => `d.settled_at >= to_timestamp(${ms}::float8 / 1000)`)
  add(filter.until, (ms) => `d.settled_at < to_timestamp(${ms}::float8 / 1000)`)
  return { where: clauses.join(" and "), values }
}

const MAX_GROUPS = 200

/** A page of dead letters, newest first, with the counts of all that fit. `businesses` null: every business. */
export async function listDeadLetters(
  db: Queryable,
  asked: {
    readonly businesses: readonly BusinessId[] | null
    readonly filter: DeadLetterFilter
    readonly after?: DeliveryId | undefined
    readonly limit: number
  },
): Promise<DeadLetters> {
  const { where, values } = deadLetters(asked.businesses, asked.filter)
  const [page, groups] = await Promise.all([
    pageOf(db, [where], values, asked),
    deadLetterGroups(db, asked.businesses, asked.filter),
  ])
  return { ...page, groups }
}

/** Counts by cause, largest first. */
export async function deadLetterGroups(
  db: Queryable,
  businesses: readonly BusinessId[] | null,
  filter: DeadLetterFilter,
): Promise<readonly JsonObject[]> {
  const { where, values } = deadLetters(businesses, filter)
  const rows = await db.query<JsonObject>(
    `select d.channel, d.account, d.status, d.reason, d.rule, count(*)::int as count from deliveries d where ${where}
    group by d.channel, d.account, d.status, d.reason, d.rule
    order by count(*) desc, d.channel, d.status, d.reason, d.rule limit ${MAX_GROUPS}`,
    values,
  )
  return rows.map((row) => ({ ...row }))
}
