/** Totals over everything that is kept: what `npm run day` compares and the dashboard will show. */
import type { BusinessId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { Queryable } from "./database.ts"

interface Count {
  readonly key: string
  readonly n: number
}

const counts = (rows: readonly Count[]): Record<string, number> =>
  Object.fromEntries(rows.map((row) => [row.key, row.n]))

/** `businesses` null: all of them. The shape is that of `GET /v1/events/stats/summary`. */
export async function eventStats(db: Queryable, businesses: readonly BusinessId[] | null): Promise<JsonObject> {
  const mine = "($1::text[] is null or business_id = any($1))"
  const only = [businesses]
  const [byType, byBusiness, queue, byRule, totals, deliveries] = await Promise.all([
    db.query<Count>(`select type as key, count(*)::int as n from events where ${mine} group by 1 order by 1`, only),
    db.query<Count>(
      `select business_id as key, count(*)::int as n from events where ${mine} group by 1 order by 1`,
      only,
    ),
    db.query<{ unrouted: number; failed: number; unexplained: number }>(
      `select count(q.event_id)::int as unrouted, count(*) filter (where r.failed)::int as failed,
         count(*) filter (where q.event_id is null and r.event_id is null)::int as unexplained
       from events e left join routing_queue q on q.event_id = e.id left join routes r on r.event_id = e.id
       where ${mine}`,
      only,
    ),
    db.query<Count>(
      `select rule as key, count(*)::int as n from notifications where ${mine} group by 1 order by 1`,
      only,
    ),
    db.query<{ total: number; inbox: number; unread: number }>(
      `select count(*)::int as total, count(*) filter (where inbox)::int as inbox,
         count(*) filter (where inbox and read_at is null and archived_at is null and deleted_at is null)::int as unread
       from notifications where ${mine}`,
      only,
    ),
    db.query<{ channel: string; status: string; n: number }>(
      `select channel, status, count(*)::int as n from deliveries where ${mine} group by 1, 2 order by 1, 2`,
      only,
    ),
  ])
  const byChannel: Record<string, Record<string, number>> = {}
  for (const row of deliveries) {
    const channel = byChannel[row.channel] ?? {}
    channel[row.status] = row.n
    byChannel[row.channel] = channel
  }
  const types = counts(byType)
  return {
    events: {
      total: Object.values(types).reduce((sum, n) => sum + n, 0),
      unrouted: queue[0]?.unrouted ?? 0,
      failed: queue[0]?.failed ?? 0,
      by_type: types,
      by_business: counts(byBusiness),
    },
    notifications: {
      total: totals[0]?.total ?? 0,
      inbox: totals[0]?.inbox ?? 0,
      unread: totals[0]?.unread ?? 0,
      by_rule: counts(byRule),
    },
    deliveries: { by_channel: byChannel },
    decisions: { unexplained: queue[0]?.unexplained ?? 0 },
  }
}
