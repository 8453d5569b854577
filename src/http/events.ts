/** Events as they were accepted, for whoever's tenancy names their place. */

import type { HubEvent } from "../domain/event.ts"
import { eventView } from "../domain/event.ts"
import { asBusinessId, asEventId, type BusinessId, type EventId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { FieldError } from "../domain/json-limits.ts"
import { confinedTo, grantFor, maySee, type Tenancy } from "../domain/principal.ts"
import type { Database } from "../store/database.ts"
import { eventStats } from "../store/event-stats.ts"
import { type EventFilter, getEvent, listEvents } from "../store/events.ts"
import { EVENT_DOC, EVENT_LIST_DOC, EVENT_SCHEMAS, STATS_DOC } from "./events-docs.ts"
import { pageBody, readPage } from "./page.ts"
import { invalid, notFound, type Problem } from "./problem.ts"
import { type Answer, type Call, json, query, type RouteFile } from "./route.ts"
import { readTime } from "./time-parameter.ts"

/** Rounds of reading for one page, for a caller that sees few of a busy business's locations. */
const MAX_ROUNDS = 5

export function eventRoutes(options: { readonly db: Database }): RouteFile {
  const { db } = options

  const one = async ({ params, principal }: Call): Promise<Answer> => {
    const id = asEventId(params["id"] ?? "")
    const event = id === null ? null : await getEvent(db, id)
    if (event === null || !maySee(principal.tenancy, event.business, event.location)) return notFound("event")
    return json(200, eventBody(event))
  }

  const list = async (call: Call): Promise<Answer> => {
    const { tenancy } = call.principal
    const asked = readFilter(query(call), tenancy)
    if ("kind" in asked) return asked
    const seen: HubEvent[] = []
    let { after } = asked
    let more = true
    for (let round = 0; more && seen.length < asked.limit && round < MAX_ROUNDS; round += 1) {
      const page = await listEvents(db, { ...asked, after })
      more = page.hasMore
      for (const event of page.events) {
        if (seen.length === asked.limit) {
          more = true
          break
        }
        after = event.id
        if (maySee(tenancy, event.business, event.location)) seen.push(event)
      }
    }
    return json(200, pageBody(seen.map(eventBody), more ? (after ?? null) : null, more))
  }

  const stats = async (call: Call): Promise<Answer> => {
    const business = readBusiness(query(call), call.principal.tenancy)
    if (business !== null && typeof business === "object") return business
    const mine = wholeBusinesses(call.principal.tenancy)
    if (business === null) return json(200, await eventStats(db, mine))
    return json(200, await eventStats(db, mine === null || mine.includes(business) ? [business] : []))
  }

  return {
    routes: [
      { method: "GET", path: "/v1/events", access: "caller", doc: EVENT_LIST_DOC, handle: list },
      { method: "GET", path: "/v1/events/stats/summary", access: "caller", doc: STATS_DOC, handle: stats },
      { method: "GET", path: "/v1/events/:id", access: "caller", doc: EVENT_DOC, handle: one },
    ],
    schemas: EVENT_SCHEMAS,
  }
}

/** An event as it goes out over HTTP. */
const eventBody = (event: HubEvent): JsonObject => ({
  ...eventView(event),
  payload: event.payload,
  ...(Object.keys(event.extensions).length > 0 ? { extensions: event.extensions } : {}),
})

/** Totals tell about every location of a business: whoever sees only some of them gets none. */
function wholeBusinesses(tenancy: Tenancy): readonly BusinessId[] | null {
  if (tenancy === "*") return null
  return tenancy.filter((grant) => grant.locations === null).map((grant) => grant.business)
}

function readFilter(parameters: URLSearchParams, tenancy: Tenancy): EventFilter | Problem {
  const page = readPage<EventId>(parameters, asEventId)
  if ("kind" in page) return page
  const errors: FieldError[] = []
  const since = readTime(parameters, "since", errors)
  const until = readTime(parameters, "until", errors)
  if (errors.length > 0) return invalid(errors)
  const business = readBusiness(parameters, tenancy)
  if (business !== null && typeof business === "object") return business
  return {
    businesses: business === null ? confinedTo(tenancy) : [business],
    type: parameters.get("type") ?? undefined,
    source: parameters.get("source") ?? undefined,
    since,
    until,
    after: page.after ?? undefined,
    limit: page.limit,
  }
}

/** The business that is asked for, null for any, or the refusal. */
function readBusiness(parameters: URLSearchParams, tenancy: Tenancy): BusinessId | null | Problem {
  const wanted = parameters.get("business_id")
  if (wanted === null) return null
  const business = asBusinessId(wanted)
  if (business === null) return invalid([{ pointer: "?business_id", detail: "expected a business id" }])
  return grantFor(tenancy, business) === null ? notFound("business") : business
}
