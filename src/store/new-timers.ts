/** Timers and gathered events as they are stored with what made them. */
import type { EventId } from "../domain/ids.ts"
import type { Gathered } from "../domain/plan.ts"
import type { NewTimer } from "../domain/timer.ts"
import type { Queryable } from "./database.ts"

/** An event and the digest that it went into. */
export interface GatheredEvent extends Gathered {
  readonly event: EventId
}

const INSERT = `
insert into timers (id, kind, event_id, business_id, rule, action, step, began_at, due_at, next_at, until, gate,
  rules_hash, rules_revision)
select id, kind, event_id, business_id, rule, action, step, to_timestamp(began_at / 1000), to_timestamp(due_at / 1000),
  to_timestamp(due_at / 1000), until, gate, rules_hash, rules_revision
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::int[], $8::float8[], $9::float8[],
  $10::text[], $11::text[], $12::text[], $13::text[])
  as t (id, kind, event_id, business_id, rule, action, step, began_at, due_at, until, gate, rules_hash, rules_revision)`

/** Stores what is to happen later. */
export async function insertTimers(tx: Queryable, all: readonly NewTimer[]): Promise<void> {
  if (all.length === 0) return
  await tx.execute(INSERT, [
    all.map((t) => t.id),
    all.map((t) => t.kind),
    all.map((t) => t.event),
    all.map((t) => t.business),
    all.map((t) => t.rule),
    all.map((t) => t.action),
    all.map((t) => t.step),
    all.map((t) => t.beganAt),
    all.map((t) => t.dueAt),
    all.map((t) => t.until),
    all.map((t) => t.gate),
    all.map((t) => t.rulesHash),
    all.map((t) => t.rulesRevision),
  ])
}

// Its key is what holds that an event is in one digest only: a second time is an error, and nothing of it is stored.
const GATHER = `
insert into digest_events (event_id, rule, action, timer_id)
select * from unnest($1::text[], $2::text[], $3::int[], $4::text[])`

// Whoever fires the timer right now waits for the gate that we hold: waiting for him would be a circle, and due it is.
const FILL = `
update timers t set due_at = least(t.due_at, to_timestamp(f.at / 1000)), next_at = least(t.next_at, to_timestamp(f.at / 1000))
from unnest($1::text[], $2::float8[]) as f (id, at)
where t.id = f.id and t.id in (select id from timers where id = any($1) and done_at is null for update skip locked)`

/** Stores which digest each event is in; a digest that is full with it becomes due. Their timers are stored before. */
export async function insertGathered(tx: Queryable, all: readonly GatheredEvent[]): Promise<void> {
  if (all.length === 0) return
  const full = all.flatMap(({ timer, fullAt }) => (fullAt === null ? [] : [{ timer, fullAt }]))
  await Promise.all([
    tx.execute(GATHER, [
      all.map((g) => g.event),
      all.map((g) => g.rule),
      all.map((g) => g.action),
      all.map((g) => g.timer),
    ]),
    full.length === 0 ? null : tx.execute(FILL, [full.map((f) => f.timer), full.map((f) => f.fullAt)]),
  ])
}
