/** What was decided for an event, for the trace. */
import type { RoutingFailure, RuleDecision } from "../domain/decision.ts"
import type { EventId } from "../domain/ids.ts"
import type { Queryable } from "./database.ts"
import { openAs } from "./sealed.ts"

export interface Route {
  readonly rulesRevision: string
  /** Milliseconds since the Unix epoch. */
  readonly decidedAt: number
  readonly decisions: readonly RuleDecision[]
  readonly failures: readonly RoutingFailure[]
}

/** The decisions, or null while the event waits for the router. */
export async function getRoute(db: Queryable, event: EventId): Promise<Route | null> {
  const [row] = await db.query<{ rules_revision: string; decided_at: number; decisions: Buffer }>(
    `select rules_revision, (extract(epoch from decided_at) * 1000)::float8 as decided_at, decisions
     from routes where event_id = $1`,
    [event],
  )
  if (row === undefined) return null
  const { decisions, failures } = openAs<Pick<Route, "decisions" | "failures">>(row.decisions)
  return { rulesRevision: row.rules_revision, decidedAt: row.decided_at, decisions, failures }
}
