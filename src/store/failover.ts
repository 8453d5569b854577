/**
 * A delivery of a rule with `failover` that is definitely not sent sets a timer for the next channel, in the statement
 * that ends it. Its id is made of the delivery's, so that it happens once, however often a dead letter is replayed.
 */

/** What the ended rows have to give, as columns of `d`. */
export const ENDED_COLUMNS = `d.failover, d.maybe_duplicate, d.status, d.event_id, d.business_id, d.rule, d.rules_revision,
  d.action, d.round, d.created_at`

/** The body of a common table expression over `ended`, which is another that returns the id and those columns. */
export const setFailovers = (ended: string): string => `
  insert into timers (id, kind, event_id, business_id, rule, action, step, began_at, due_at, next_at, rules_hash,
    rules_revision)
  select 'tmr_' || substr(d.id, 5), 'failover', d.event_id, d.business_id, d.rule, d.action,
    case when d.round like 'failover:%' then split_part(d.round, ':', 3)::int + 1 else 0 end,
    d.created_at, now(), now(),
    coalesce((select r.hash from rule_sets r where r.revision = d.rules_revision limit 1), ''), d.rules_revision
  from ${ended} d where ${mayFailOver("d")}
  on conflict (id) do nothing`

/** Whether a row has set one. What may have been sent has not definitely failed. */
export const mayFailOver = (d: string): string =>
  `(${d}.failover and not ${d}.maybe_duplicate and ${d}.status in ('dead', 'suppressed', 'expired'))`
