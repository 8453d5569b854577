/**
 * The border between routing and delivery: events are claimed, decided and their plans stored in one transaction, so
 * that an event is either unrouted or has everything that follows from it. A process that dies in the middle leaves
 * the event in the queue, unlocked.
 */
import type { HubEvent } from "../domain/event.ts"
import type { EventId } from "../domain/ids.ts"
import type { Plan } from "../domain/plan.ts"
import { audienceOf } from "./audience.ts"
import { NO_CONSEQUENCES, type StoredConsequences, storeConsequences } from "./consequences.ts"
import type { Database, Queryable, SqlValue } from "./database.ts"
import type { DecisionPorts, FindDigested } from "./decision-ports.ts"
import { EVENT_COLUMNS, type EventRow, eventFromRow } from "./events.ts"
import { gatesOf } from "./gates.ts"
import type { Handing, Handoff } from "./handoff.ts"
import { inhibitorsOf } from "./inhibitors.ts"
import { insertNamedRecipients } from "./named-recipients.ts"
import { seal } from "./sealed.ts"
import { UNTOUCHED } from "./suspects.ts"

/** What follows from a batch of events. One plan for each event; a plan that is missing leaves its event queued. */
export type Decide = (events: readonly HubEvent[], ports: DecisionPorts) => Promise<readonly Plan[]>

export interface Routed extends StoredConsequences {
  readonly plans: number
  /** Events whose columns this hub cannot open, put off for an hour: they hold up nobody, and a newer hub may read them. */
  readonly unreadable: readonly EventId[]
  /** The batch was full: ask again at once. */
  readonly hadMore: boolean
}

const NOTHING: Routed = { ...NO_CONSEQUENCES, plans: 0, unreadable: [], hadMore: false }

// The queue is short and the events are many. A plain join lets the planner, while its statistics are young, walk over
// every event there is; a lateral limit leaves it nothing but one look into the key for each queued event.
const claim = (due: string): string => `
with due as (
  select event_id from routing_queue where ${due} for update skip locked
)
select e.* from due cross join lateral (
  select ${EVENT_COLUMNS} from events e where e.id = due.event_id limit 1
) e order by e.id`

const CLAIM = claim(`next_at <= now() and ${UNTOUCHED} order by event_id limit $1`)
const CLAIM_ALONE = claim("event_id = $1")

/** Whether some event is due: to be routed with others, or alone. */
export async function anythingToRoute(db: Queryable): Promise<boolean> {
  const [row] = await db.query<{ due: boolean }>(
    "select exists (select from routing_queue where next_at <= now()) as due",
  )
  return row?.due ?? true
}

/**
 * Routes up to `limit` events that nobody has had in hand before. Throws the driver's error or whatever `decide` throws;
 * then nothing has changed, but those events are suspects from then on. What `handoff` has room for is sent without a claim.
 */
export const routeBatch = (
  db: Database,
  limit: number,
  decide: Decide,
  handoff: Handoff | null = null,
): Promise<Routed> =>
  handingOver(db, handoff, (handing) => routeClaimed(db, CLAIM, [limit], limit, () => ({}), decide, handing))

/** Routes a suspect, which would spoil a batch again: by itself. */
export const routeAlone = (db: Database, event: EventId, decide: Decide): Promise<Routed> =>
  routeClaimed(db, CLAIM_ALONE, [event], Number.POSITIVE_INFINITY, (tx) => ({ digested: digestedIn(tx) }), decide, null)

function routeClaimed(
  db: Database,
  claiming: string,
  values: readonly SqlValue[],
  limit: number,
  others: (tx: Queryable) => Pick<DecisionPorts, "digested">,
  decide: Decide,
  handing: Handing | null,
): Promise<Routed> {
  return db.transaction(async (tx) => {
    const rows = await tx.query<EventRow>(claiming, values)
    if (rows.length === 0) return NOTHING
    const { events, unreadable } = opened(rows)
    if (unreadable.length > 0) await tx.execute(PUT_OFF, [unreadable])
    if (events.length === 0) return { ...NOTHING, unreadable, hadMore: rows.length === limit }
    const gates = gatesOf(tx)
    const ports = { audience: audienceOf(tx), inhibitors: inhibitorsOf(tx), gates: gates.hold, ...others(tx) }
    const plans = await decide(events, ports)
    const mayTell = await insertNamedRecipients(
      tx,
      plans.map(({ newRecipients, event }) => ({ newRecipients, business: event.business })),
    )
    const following = {
      notifications: plans.flatMap((plan) => plan.notifications),
      deliveries: plans.flatMap((plan) => plan.deliveries),
      timers: plans.flatMap((plan) => plan.timers),
      gathered: plans.flatMap(({ gathered, event }) => gathered.map((one) => ({ ...one, event: event.id }))),
    }
    const [stored] = await Promise.all([
      storeConsequences(tx, following, mayTell, handing),
      insertRoutes(tx, plans),
      gates.store(),
    ])
    return {
      ...stored,
      plans: plans.length,
      unreadable,
      hadMore: rows.length === limit,
    }
  }, "reads_first")
}

async function handingOver(
  db: Database,
  handoff: Handoff | null,
  route: (handing: Handing | null) => Promise<Routed>,
): Promise<Routed> {
  const handing = handoff?.begin() ?? null
  const routed = await route(handing).catch((error: unknown) => {
    handing?.failed()
    throw error
  })
  await handing?.committed(db)
  return routed
}

const digestedIn =
  (tx: Queryable): FindDigested =>
  (event) =>
    tx.query("select rule, action::int as action from digest_events where event_id = $1", [event])

const PUT_OFF = `
update routing_queue set attempts = attempts + 1, next_at = now() + interval '1 hour' where event_id = any($1)`

// Twice as long each time, from a minute to an hour; the first time `attempts` is 0.
const PUT_OFF_LONGER = `
update routing_queue set attempts = attempts + 1,
  next_at = now() + least(interval '1 hour', interval '1 minute' * power(2, least(attempts, 10)))
where event_id = $1
returning (extract(epoch from next_at - now()))::float8 as seconds, attempts`

/** Puts off an event from which more follows than can be stored in time: for how many seconds, and how often it was. */
export async function putOff(
  db: Queryable,
  event: EventId,
): Promise<{ readonly seconds: number; readonly times: number }> {
  const [row] = await db.query<{ seconds: number; attempts: number }>(PUT_OFF_LONGER, [event])
  return { seconds: Math.round(row?.seconds ?? 0), times: row?.attempts ?? 0 }
}

/** Ends an event from which nothing can follow: it is routed, and its trace says why nobody was told. */
export const endUnrouted = (db: Queryable, event: EventId, rulesRevision: string, reason: string): Promise<void> =>
  insertRoutes(db, [{ event: { id: event }, rulesRevision, decisions: [], failures: [{ rule: null, reason }] }])

function opened(rows: readonly EventRow[]): {
  readonly events: readonly HubEvent[]
  readonly unreadable: readonly EventId[]
} {
  const events: HubEvent[] = []
  const unreadable: EventId[] = []
  for (const row of rows) {
    try {
      events.push(eventFromRow(row))
    } catch {
      // A column that was sealed in a way this hub does not know, or was damaged: this event's misfortune alone.
      unreadable.push(row.id)
    }
  }
  return { events, unreadable }
}

const INSERT_ROUTES = `
with done as (
  insert into routes (event_id, rules_revision, failed, decisions)
  select * from unnest($1::text[], $2::text[], $3::bool[], $4::bytea[])
  on conflict (event_id) do nothing
)
delete from routing_queue where event_id = any($1)`

type Route = Pick<Plan, "rulesRevision" | "decisions" | "failures"> & { readonly event: Pick<HubEvent, "id"> }

async function insertRoutes(tx: Queryable, plans: readonly Route[]): Promise<void> {
  await tx.execute(INSERT_ROUTES, [
    plans.map((plan) => plan.event.id),
    plans.map((plan) => plan.rulesRevision),
    plans.map((plan) => plan.failures.length > 0),
    plans.map((plan) => seal({ decisions: plan.decisions, failures: plan.failures })),
  ])
}
