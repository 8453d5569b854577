/** Whether a greater trouble is known that silences an event: asked of the events that were accepted shortly before. */
import type { HubEvent } from "../domain/event.ts"
import { idFloor } from "../domain/ids.ts"
import type { Queryable } from "./database.ts"
import type { FindInhibitors, Inhibitor, InhibitorQuery } from "./decision-ports.ts"
import { EVENT_COLUMNS, type EventRow, eventFromRow } from "./events.ts"

/** Ids carry their node's clock, the moment of acceptance is the database's. */
const CLOCK_SKEW_MS = 10_000
/** So far back the index of a type is walked, and so many of a business are found: of more the latest part is seen. */
const MAX_WALKED = 5_000
/** So far back the index of a business is walked, whatever it holds: some 50 ms. */
const MAX_PASSED = 50_000
/** So many of what fits by its columns are opened: trouble that comes more often than that is not a greater one. */
const MAX_OPENED = 500

// Types without wildcards walk the index of types, and where others' events fill that walk the one of businesses, as
// patterns do: how much happens in one business is nothing to another. Rows are compared whole, which only these indexes
// can answer: of "type = …" the planner makes a walk over all events of the window where types are few,
// and of a limit that it knows a sort of all that there is.
const CANDIDATES = `
select q.n::int as question, e.* from unnest($1::int[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[])
    as q (n, business, type, beginning, low, high)
cross join lateral (
  with typed as materialized (
    select id, business_id from events where q.type is not null
      and (type, id) >= (q.type, q.low) and (type, id) < (q.type, q.high)
    order by type desc, id desc limit $7
  )
  select w.id from (
    select id from typed where business_id = q.business
    union
    (select id from (
       select id, type from events where (business_id, id) >= (q.business, q.low)
         and (business_id, id) < (q.business, q.high) and (q.type is null
           or (select count(*) >= $7 and count(*) filter (where business_id = q.business) < $8 from typed))
       order by business_id desc, id desc limit (select $9::int)
     ) own where own.type = q.type or q.type is null and starts_with(own.type, q.beginning)
     order by id desc limit $7)
  ) w order by w.id desc limit $8
) c
cross join lateral (select ${EVENT_COLUMNS} from events e where e.id = c.id limit 1) e`

/** One question to the database for all that are asked, and none where nothing is. */
export function inhibitorsOf(db: Queryable): FindInhibitors {
  return async (queries) => {
    if (queries.length === 0) return []
    const groups = [...Map.groupBy(queries, groupOf).values()].map(questionsOf)
    const asked = groups.flatMap(({ patterns }, n) => patterns.map((pattern) => ({ n, pattern })))
    const group = (n: number): Group => {
      const found = groups[n]
      if (found === undefined) throw new Error("an answer to a question that was not asked")
      return found
    }
    const rows = await db.query<EventRow & { readonly question: number }>(CANDIDATES, [
      asked.map(({ n }) => n),
      asked.map(({ n }) => group(n).business),
      asked.map(({ pattern }) => (pattern.includes("*") ? null : pattern)),
      asked.map(({ pattern }) => pattern.split("*", 1)[0] ?? ""),
      asked.map(({ n }) => idFloor("evt_", group(n).from)),
      asked.map(({ n }) => idFloor("evt_", group(n).to)),
      MAX_WALKED,
      MAX_OPENED,
      MAX_PASSED,
    ])
    const answers = new Map<InhibitorQuery, Inhibitor | null>()
    const byGroup = Map.groupBy(rows, (row) => row.question)
    for (const [n, { members }] of groups.entries()) {
      const candidates = latestFirst(byGroup.get(n) ?? [])
      for (const query of members) {
        const found = candidates.find(query.fits)
        answers.set(query, found === undefined ? null : { id: found.id, type: found.type })
      }
    }
    return queries.map((query) => answers.get(query) ?? null)
  }
}

/** Questions about the same types in the same business, whose windows are looked into together. */
interface Group {
  readonly members: readonly InhibitorQuery[]
  readonly business: string
  readonly patterns: readonly string[]
  readonly from: number
  readonly to: number
}

const groupOf = ({ event, eventTypes, withinMs }: InhibitorQuery): string =>
  JSON.stringify([event.business, eventTypes, withinMs])

function questionsOf(members: readonly InhibitorQuery[]): Group {
  const [first] = members
  if (first === undefined) throw new Error("a group of nothing")
  const moments = members.map(({ event }) => event.acceptedAt)
  return {
    members,
    business: first.event.business,
    patterns: [...new Set(first.eventTypes)],
    from: Math.min(...moments) - first.withinMs - CLOCK_SKEW_MS,
    to: Math.max(...moments) + CLOCK_SKEW_MS,
  }
}

/** Without those that this hub cannot open: what they say is not known. */
function latestFirst(rows: readonly EventRow[]): readonly HubEvent[] {
  const events = rows.flatMap((row) => {
    try {
      return [eventFromRow(row)]
    } catch {
      return []
    }
  })
  return events.sort((a, b) => b.acceptedAt - a.acceptedAt || (a.id < b.id ? 1 : -1))
}
