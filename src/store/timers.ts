/**
 * Timers that are due are claimed, fired and what follows from them is stored in one transaction, so that a timer is
 * either open or has happened with everything that follows from it, whoever dies on the way.
 */

import type { HubEvent } from "../domain/event.ts"
import type { DueTimer, EarlierDelivery, Fired, Told } from "../domain/firing.ts"
import type { EventId, RecipientId, RuleName, TimerId } from "../domain/ids.ts"
import type { NewTimer } from "../domain/timer.ts"
import { audienceOf } from "./audience.ts"
import { NO_CONSEQUENCES, type StoredConsequences, storeConsequences } from "./consequences.ts"
import type { Database, Queryable } from "./database.ts"
import type { FindGathered, FiringPorts } from "./decision-ports.ts"
import { EVENT_COLUMNS, type EventRow, eventFromRow } from "./events.ts"
import { gatesOf } from "./gates.ts"
import { insertNamedRecipients } from "./named-recipients.ts"
import { eachInTurns } from "./pieces.ts"
import { seal } from "./sealed.ts"
import { type SpoiltTimer, spoilTimers } from "./spoilt-timers.ts"
import { UNHELD } from "./suspects.ts"

/** What follows from a batch of timers, in order. One that `failed` is tried again, what is set `apart` stays due. */
export type Fire = (due: readonly DueTimer[], ports: FiringPorts) => Promise<readonly Fired[]>

export interface FiredBatch extends StoredConsequences {
  readonly fired: readonly Fired[]
  /** Those of them that could not be decided. */
  readonly spoilt: readonly SpoiltTimer[]
  /** How late the latest of them was when it was claimed, in milliseconds. */
  readonly lateMs: number
  /** The batch was full: ask again at once. */
  readonly hadMore: boolean
}

/**
 * First tellings (delays, digests) and what follows them (escalations, failovers) are claimed apart: whoever fires the
 * second holds notifications and no gates, and whoever fires the first holds gates before he comes to notifications. What
 * tells very many takes seconds, in which no other timer's gate must be held: it is claimed alone.
 */
export type Claimable = "first" | "crowd" | "following"

const NOTHING: FiredBatch = { ...NO_CONSEQUENCES, fired: [], spoilt: [], lateMs: 0, hadMore: false }

/** Kept of what one firing could not carry out. */
const MAX_FAILURES = 50

const millis = (column: string): string => `(extract(epoch from ${column}) * 1000)::float8 as ${column}`

const claim = (due: string): string => `
select id, kind, event_id, business_id, rule, action, step, ${millis("began_at")}, ${millis("due_at")}, until, gate,
  rules_hash, rules_revision, (extract(epoch from now() - next_at) * 1000)::float8 as late_ms
from timers where done_at is null and ${due} for update skip locked`

const claimDue = (kinds: string): string =>
  claim(`next_at <= now() and ${UNHELD} and kind ${kinds} order by next_at limit $1`)

const CLAIM: Record<Claimable, string> = {
  first: claimDue("in ('delay', 'digest') and step = 0"),
  crowd: claimDue("in ('delay', 'digest') and step = 1"),
  following: claimDue("in ('escalate', 'failover')"),
}
const CLAIM_ALONE = claim("id = $1")

interface TimerRow {
  readonly id: TimerId
  readonly kind: NewTimer["kind"]
  readonly event_id: EventId
  readonly business_id: NewTimer["business"]
  readonly rule: RuleName
  readonly action: number
  readonly step: number
  readonly began_at: number
  readonly due_at: number
  readonly until: NewTimer["until"]
  readonly gate: string | null
  readonly rules_hash: string
  readonly rules_revision: string
  readonly late_ms: number
}

/**
 * Fires up to `limit` timers that are due and nobody has had in hand before, or the one suspect. Throws the driver's error
 * or whatever `fire` throws; then nothing has changed, but those timers are suspects from then on.
 */
export function fireTimers(
  db: Database,
  ask: { readonly which: Claimable } & ({ readonly limit: number } | { readonly suspect: TimerId }),
  fire: Fire,
): Promise<FiredBatch> {
  const { which } = ask
  const limit = "limit" in ask ? ask.limit : Number.POSITIVE_INFINITY
  return db.transaction(async (tx) => {
    const rows = await ("limit" in ask
      ? tx.query<TimerRow>(CLAIM[which], [limit])
      : tx.query<TimerRow>(CLAIM_ALONE, [ask.suspect]))
    if (rows.length === 0) return NOTHING
    const timers = rows.map(timerFromRow)
    const [events, told, deliveries] = await Promise.all([
      eventsOf(tx, timers),
      toldOf(tx, timers, which),
      deliveriesOf(tx, timers),
    ])
    const due = timers.map(
      (timer): DueTimer => ({
        timer,
        events: events.get(timer.id) ?? [],
        told: told.get(placeOf(timer)) ?? [],
        deliveries: deliveries.get(timer.id) ?? [],
      }),
    )
    const gates = gatesOf(tx)
    const fired = await fire(due, { audience: audienceOf(tx), gates: gates.hold, gathered: gatheredIn(tx) })
    const mayTell = await insertNamedRecipients(
      tx,
      fired.map(({ newRecipients, timer }) => ({ newRecipients, business: timer.business })),
    )
    const following = {
      notifications: fired.flatMap((one) => one.notifications),
      deliveries: fired.flatMap((one) => one.deliveries),
      timers: fired.flatMap((one) => one.timers),
      gathered: [],
    }
    const done = fired.filter(({ outcome }) => outcome !== "failed" && outcome !== "apart")
    const apart = fired.filter(({ outcome }) => outcome === "apart")
    const failed = fired.filter(({ outcome }) => outcome === "failed")
    const [stored, spoilt] = await Promise.all([
      storeConsequences(tx, following, mayTell),
      spoilTimers(
        tx,
        failed.map(({ timer }) => timer.id),
      ),
      gates.store(),
      apart.length === 0 ? null : tx.execute(APART, [apart.map(({ timer }) => timer.id)]),
      tx.execute(DONE, [
        done.map(({ timer }) => timer.id),
        done.map(({ outcome }) => outcome),
        done.map(({ failures }) => (failures.length === 0 ? null : seal(failures.slice(0, MAX_FAILURES)))),
      ]),
    ])
    const lateMs = rows.reduce((most, row) => Math.max(most, row.late_ms), 0)
    return { ...stored, fired, spoilt, lateMs, hadMore: rows.length === limit }
  }, "reads_first")
}

const DONE = `
update timers t set done_at = now(), outcome = i.outcome, failures = i.failures
from unnest($1::text[], $2::text[], $3::bytea[]) as i (id, outcome, failures) where t.id = i.id`

// A digest's gate is another's from now on.
const APART = "update timers set gate = null, step = 1 where id = any($1)"

const timerFromRow = (row: TimerRow): NewTimer => ({
  id: row.id,
  kind: row.kind,
  event: row.event_id,
  business: row.business_id,
  rule: row.rule,
  action: row.action,
  step: row.step,
  beganAt: row.began_at,
  dueAt: row.due_at,
  until: row.until,
  gate: row.gate,
  rulesHash: row.rules_hash,
  rulesRevision: row.rules_revision,
})

const placeOf = ({ event, rule }: { readonly event: EventId; readonly rule: RuleName }): string => `${event}\n${rule}`

// A later round of what a digest has told is about all that the digest held.
const EVENTS = `
select t.id as timer, e.* from timers t
left join timers d on t.kind in ('escalate', 'failover') and d.event_id = t.event_id and d.rule = t.rule
  and d.action = t.action and d.kind = 'digest'
left join digest_events g on g.timer_id = d.id
cross join lateral (select ${EVENT_COLUMNS} from events e where e.id = coalesce(g.event_id, t.event_id) limit 1) e
where t.id = any($1)`

const GATHERED = `
select g.timer_id as timer, e.* from digest_events g
cross join lateral (select ${EVENT_COLUMNS} from events e where e.id = g.event_id limit 1) e
where g.timer_id = any($1)`

async function eventsOf(
  tx: Queryable,
  timers: readonly NewTimer[],
): Promise<ReadonlyMap<TimerId, readonly HubEvent[]>> {
  const ids = timers.filter(({ kind }) => kind !== "digest").map(({ id }) => id)
  return ids.length === 0 ? new Map() : eventsByTimer(await tx.query<EventRow & { timer: TimerId }>(EVENTS, [ids]))
}

const gatheredIn =
  (tx: Queryable): FindGathered =>
  async (timers) => {
    if (timers.length === 0) return []
    const found = eventsByTimer(await tx.query<EventRow & { timer: TimerId }>(GATHERED, [timers]))
    return timers.map((id) => found.get(id) ?? [])
  }

/** In order of acceptance. One that cannot be opened is left out: the others are told all the same. */
function eventsByTimer(
  rows: readonly (EventRow & { readonly timer: TimerId })[],
): ReadonlyMap<TimerId, readonly HubEvent[]> {
  const found = new Map<TimerId, HubEvent[]>()
  for (const row of rows) {
    let event: HubEvent
    try {
      event = eventFromRow(row)
    } catch {
      continue
    }
    const known = found.get(row.timer)
    if (known === undefined) found.set(row.timer, [event])
    else known.push(event)
  }
  for (const events of found.values()) {
    events.sort((a, b) => a.acceptedAt - b.acceptedAt || (a.id < b.id ? -1 : 1))
  }
  return found
}

// Of what follows they are locked: nobody can acknowledge between this look and the commit, and who has is seen.
const TOLD = `
select n.id, n.event_id as event, n.rule, n.recipient_id as recipient, n.inbox,
  (extract(epoch from n.read_at) * 1000)::float8 as "readAt",
  (extract(epoch from n.acknowledged_at) * 1000)::float8 as "acknowledgedAt"
from (select distinct * from unnest($1::text[], $2::text[])) as k (event_id, rule)
join notifications n on n.event_id = k.event_id and n.rule = k.rule
order by n.event_id, n.rule collate "C", n.recipient_id`

type ToldRow = Told & { readonly event: EventId; readonly rule: RuleName; readonly recipient: RecipientId }

async function toldOf(
  tx: Queryable,
  timers: readonly NewTimer[],
  which: Claimable,
): Promise<ReadonlyMap<string, readonly Told[]>> {
  const lock = which === "following" ? " for update of n" : ""
  const rows = await tx.query<ToldRow>(TOLD + lock, [timers.map(({ event }) => event), timers.map(({ rule }) => rule)])
  const told = new Map<string, Told[]>()
  const reading = eachInTurns(rows, ({ event, rule, ...one }) => {
    const place = placeOf({ event, rule })
    const own = told.get(place)
    if (own === undefined) told.set(place, [one])
    else own.push(one)
  })
  if (reading !== null) await reading
  return told
}

const DELIVERIES = `
select t.id as timer, d.channel, d.notification_ids as notifications, d.round, d.failover, d.status, d.reason,
  d.maybe_duplicate as "maybeDuplicate"
from timers t join deliveries d on d.event_id = t.event_id and d.rule = t.rule and d.action = t.action
where t.id = any($1)`

async function deliveriesOf(
  tx: Queryable,
  timers: readonly NewTimer[],
): Promise<ReadonlyMap<TimerId, readonly EarlierDelivery[]>> {
  const ids = timers.filter(({ kind }) => kind === "failover").map(({ id }) => id)
  if (ids.length === 0) return new Map()
  const rows = await tx.query<EarlierDelivery & { readonly timer: TimerId }>(DELIVERIES, [ids])
  const found = new Map<TimerId, EarlierDelivery[]>()
  const reading = eachInTurns(rows, ({ timer, ...delivery }) => {
    const own = found.get(timer)
    if (own === undefined) found.set(timer, [delivery])
    else own.push(delivery)
  })
  if (reading !== null) await reading
  return found
}

/** Milliseconds until the next timer is due (0: now), or null where none waits. */
export async function nextTimer(db: Queryable): Promise<number | null> {
  const [row] = await db.query<{ ms: number | null }>(
    `select (extract(epoch from next_at - now()) * 1000)::float8 as ms from timers where done_at is null
     order by next_at limit 1`,
  )
  return row?.ms === undefined || row.ms === null ? null : Math.max(0, Math.ceil(row.ms))
}
