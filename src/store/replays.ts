/**
 * Dead letters are sent again: their history stays and their attempts count on, while the retry budget and the age begin
 * anew. One transaction does it and writes it into the audit log, so a kill leaves all of a replay or nothing of it, and
 * whoever asks again by the same id gets the first answer and sends nothing.
 */
import { isDeepStrictEqual } from "node:util"
import { SENDING_CHANNELS, type SendingChannel } from "../domain/channel.ts"
import type { BusinessId, DeliveryId } from "../domain/ids.ts"
import { isJsonObject, type JsonObject } from "../domain/json.ts"
import { appendAudit, auditedBefore, holdAudit } from "./audit.ts"
import type { Database, Queryable } from "./database.ts"
import { DEAD, type DeadLetterFilter, deadLetters } from "./dead-letters.ts"

export const REPLAY_ACTION = "dlq.replay"
/** Of one filter; whoever has more asks again. A statement of that many rows is done well within its deadline. */
export const MAX_REPLAYED = 10_000

export interface ReplayRequest {
  readonly what:
    | { readonly kind: "one"; readonly id: DeliveryId }
    | { readonly kind: "filter"; readonly filter: DeadLetterFilter; readonly perSecond: number }
  /** As it was asked, to be kept. */
  readonly asked: JsonObject
  /** Null: the client gave none, so that asking again is another replay. */
  readonly replayId: string | null
  readonly actor: string
  readonly businesses: readonly BusinessId[] | null
}

/** What a replay did. `left`: they fit, and were too many for one. `late`: their rule's time is over, so they stay. */
export interface ReplayCounts {
  readonly replayed: number
  readonly left: number
  readonly late: number
  readonly channels: Readonly<Record<string, number>>
  /** When the last of them is due: RFC 3339; null: at once. */
  readonly until: string | null
}

export type Replayed =
  /** Queued: wake these channels. `before`: an earlier request with the same id did it. */
  | {
      readonly kind: "replayed"
      readonly counts: ReplayCounts
      readonly audit: number
      readonly before: boolean
      readonly channels: readonly SendingChannel[]
    }
  /** The replay id belongs to another request. */
  | { readonly kind: "reused"; readonly audit: number }
  /** It exists, and is no dead letter (any more). */
  | { readonly kind: "not_dead"; readonly status: string }
  /** Its rule lets nothing be sent that late. */
  | { readonly kind: "late" }
  | { readonly kind: "absent" }

/** Replays one dead letter at once, or those that fit a filter, so many a second on each channel. */
export const replayDead = (db: Database, request: ReplayRequest): Promise<Replayed> =>
  db.transaction(async (tx) => {
    // Whoever holds the log's end waits for nobody: a report that has the delivery may be on its way to the log.
    if (request.what.kind === "one")
      await tx.execute("select 1 from deliveries where id = $1 for update", [request.what.id])
    // Replays take turns: two of them would take the same places in time, or be the same one twice.
    await holdAudit(tx)
    const key = request.replayId === null ? null : keyOf(request.replayId, request.businesses)
    const before = key === null ? null : await auditedBefore(tx, key)
    if (before !== null) {
      if (!isDeepStrictEqual(before.detail["asked"], request.asked)) return { kind: "reused", audit: before.seq }
      return { kind: "replayed", counts: countsOf(before.detail), audit: before.seq, before: true, channels: [] }
    }
    const { what, businesses } = request
    const counts = what.kind === "one" ? await one(tx, what.id, businesses) : await many(tx, what, businesses)
    if ("kind" in counts) return counts
    const detail = { asked: request.asked, replay_id: request.replayId, ...counts }
    const audit = await appendAudit(tx, { actor: request.actor, action: REPLAY_ACTION, businesses, key, detail })
    const channels = SENDING_CHANNELS.filter((channel) => (counts.channels[channel] ?? 0) > 0)
    return { kind: "replayed", counts, audit, before: false, channels }
  })

/** Two tenants may choose the same id. */
const keyOf = (replayId: string, businesses: readonly BusinessId[] | null): string =>
  JSON.stringify([REPLAY_ACTION, businesses === null ? "*" : [...businesses].sort(), replayId])

/** As `detail` was written. */
const countsOf = (detail: JsonObject): ReplayCounts => ({
  replayed: Number(detail["replayed"]),
  left: Number(detail["left"]),
  late: Number(detail["late"]),
  channels: isJsonObject(detail["channels"])
    ? Object.fromEntries(Object.entries(detail["channels"]).map(([channel, n]) => [channel, Number(n)]))
    : {},
  until: typeof detail["until"] === "string" ? detail["until"] : null,
})

/**
 * A try without a clear answer counts as not sent where the next one has the same key. Who knows keys forgets them within
 * a day: a replay after that is a new message, which may be the second.
 */
const forgottenAt = (at: string): string => `(d.channel in ('email', 'webhook') and exists (
    select from attempts a where a.delivery_id = d.id and a.outcome = 'retry' and a.started_at < ${at} - interval '24 hours'
      and a.reason not in ('rate_limited', 'unreachable', 'not_tried')))`
/** What becomes of the rows that are sent again then. What may have been sent says so. */
const againAt = (at: string): string => `
  next_attempt_at = ${at}, reason = 'replayed', forgiven = d.attempt, replayed_at = now(), settled_at = null,
  maybe_duplicate = d.maybe_duplicate or d.status = 'unknown' or ${forgottenAt(at)}`
const LATE = "coalesce(d.expires_at <= now(), false)"

async function one(
  tx: Queryable,
  id: DeliveryId,
  businesses: readonly BusinessId[] | null,
): Promise<ReplayCounts | Exclude<Replayed, { kind: "replayed" }>> {
  const mine = "($1::text[] is null or d.business_id = any ($1))"
  const [row] = await tx.query<{ channel: SendingChannel }>(
    `update deliveries d set status = 'queued', ${againAt("now()")}
    where d.id = $2 and ${DEAD} and not ${LATE} and ${mine} returning d.channel`,
    [businesses, id],
  )
  if (row !== undefined) return { replayed: 1, left: 0, late: 0, channels: { [row.channel]: 1 }, until: null }
  const [found] = await tx.query<{ status: string; late: boolean }>(
    `select d.status, ${DEAD} and ${LATE} as late from deliveries d where d.id = $2 and ${mine}`,
    [businesses, id],
  )
  if (found === undefined) return { kind: "absent" }
  return found.late ? { kind: "late" } : { kind: "not_dead", status: found.status }
}

const MANY = (where: string, limit: string, rate: string): string => `
with chosen as (
  select d.id, d.attempt, d.channel from deliveries d where ${where} and not ${LATE}
  order by d.id limit ${limit} for update skip locked
), began as (
  select c.channel, greatest(now(), max(p.until)) as at, count(*)::int as count
  from chosen c left join replay_pace p on p.channel = c.channel group by c.channel
), placed as (
  select c.id, c.attempt, b.at + ((row_number() over (partition by c.channel order by c.id) - 1) / ${rate}::float8)
    * interval '1 second' as at
  from chosen c join began b on b.channel = c.channel
), again as (
  update deliveries d set status = case when p.at <= now() then 'queued' else 'scheduled' end, ${againAt("p.at")}
  from placed p where d.id = p.id and d.attempt = p.attempt and ${DEAD}
), paced as (
  insert into replay_pace (channel, until)
  select b.channel, b.at + (b.count / ${rate}::float8) * interval '1 second' from began b
  on conflict (channel) do update set until = excluded.until
  returning channel, until
)
select b.channel, b.count, paced.until from began b join paced using (channel)`

async function many(
  tx: Queryable,
  { filter, perSecond }: { readonly filter: DeadLetterFilter; readonly perSecond: number },
  businesses: readonly BusinessId[] | null,
): Promise<ReplayCounts> {
  const { where, values } = deadLetters(businesses, filter)
  const rows = await tx.query<{ channel: SendingChannel; count: number; until: Date }>(
    MANY(where, `$${values.length + 1}`, `$${values.length + 2}`),
    [...values, MAX_REPLAYED, perSecond],
  )
  const rest = await countDeadLetters(tx, businesses, filter)
  const until = rows.reduce((latest, row) => Math.max(latest, row.until.getTime()), 0)
  return {
    replayed: rows.reduce((sum, { count }) => sum + count, 0),
    left: rest.matched,
    late: rest.late,
    channels: Object.fromEntries(rows.map(({ channel, count }) => [channel, count])),
    until: until === 0 ? null : new Date(until).toISOString(),
  }
}

/** How many a replay of the filter would send, and how many stay because their rule's time is over. */
export async function countDeadLetters(
  db: Queryable,
  businesses: readonly BusinessId[] | null,
  filter: DeadLetterFilter,
): Promise<{ readonly matched: number; readonly late: number }> {
  const { where, values } = deadLetters(businesses, filter)
  const [counted] = await db.query<{ matched: number; late: number }>(
    `select count(*) filter (where not ${LATE})::int as matched, count(*) filter (where ${LATE})::int as late
    from deliveries d where ${where}`,
    values,
  )
  return counted ?? { matched: 0, late: 0 }
}
