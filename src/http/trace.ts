/** Everything that followed from an event, with reasons (contract §7.4). */
import { eventView } from "../domain/event.ts"
import { asEventId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import { maySee } from "../domain/principal.ts"
import type { Database } from "../store/database.ts"
import { listDeliveries } from "../store/delivery-reads.ts"
import { getEvent } from "../store/events.ts"
import { notificationsOfEvent } from "../store/notifications.ts"
import { getRoute, type Route } from "../store/routes.ts"
import { notFound } from "./problem.ts"
import { json, type RouteFile, ref } from "./route.ts"

/** More deliveries than this of one event are counted, not listed: `/v1/deliveries?event_id=` pages through them. */
const MAX_DELIVERIES = 1_000

export function traceRoutes({ db }: { readonly db: Database }): RouteFile {
  return {
    routes: [
      {
        method: "GET",
        path: "/v1/events/:id/trace",
        access: "service",
        doc: {
          summary: "Everything that followed from an event, with reasons",
          tag: "Events",
          answers: { 200: { description: "The trace", schema: ref("Trace") } },
        },
        async handle({ params, principal }) {
          const id = asEventId(params["id"] ?? "")
          const event = id === null ? null : await getEvent(db, id)
          if (event === null || !maySee(principal.tenancy, event.business, event.location)) return notFound("event")
          const [route, notifications, page] = await Promise.all([
            getRoute(db, event.id),
            notificationsOfEvent(db, event.id),
            listDeliveries(db, { businesses: null, event: event.id, limit: MAX_DELIVERIES }),
          ])
          const rules = route === null ? [] : verdicts(route)
          return json(200, {
            event: eventView(event),
            status: route === null ? "waiting" : route.failures.length > 0 ? "failed" : "routed",
            reason: reasonFor(route),
            rules_revision: route?.rulesRevision ?? null,
            rules,
            notifications: notifications.map((n) => ({
              id: n.id,
              recipient: n.recipient,
              rule: n.rule,
              inbox: n.inbox,
              deliveries: page.deliveries.filter((d) => carries(d, n.id)).map(short),
            })),
            has_more_deliveries: page.hasMore,
          })
        },
      },
    ],
  }
}

/**
 * One entry for each rule that was looked at. What could not be carried out stands behind the reason of its rule: an
 * entry of its own would say that the rule both fits and does not.
 */
function verdicts({ decisions, failures }: Route): readonly JsonObject[] {
  const failed = Map.groupBy(failures, (failure) => failure.rule)
  const entry = (
    rule: string | null,
    matched: boolean,
    said: readonly string[],
    wrong: readonly string[],
  ): JsonObject => ({
    rule,
    matched,
    ...(wrong.length > 0 ? { failed: true } : {}),
    reason: [...new Set([...said, ...wrong])].join("; "),
  })
  const known = new Set<string | null>(decisions.map(({ rule }) => rule))
  return [
    ...decisions.map(({ rule, matched, reason }) =>
      entry(
        rule,
        matched,
        [reason],
        (failed.get(rule) ?? []).map((failure) => failure.reason),
      ),
    ),
    ...[...failed].flatMap(([rule, wrong]) =>
      known.has(rule)
        ? []
        : [
            entry(
              rule,
              false,
              [],
              wrong.map((failure) => failure.reason),
            ),
          ],
    ),
  ]
}

/** A sentence for the event itself: no event stands there without one. */
function reasonFor(route: Route | null): string {
  if (route === null) return "the event is stored and waits for the router"
  const { decisions, failures } = route
  const lost = failures.find((failure) => failure.rule === null)
  if (lost !== undefined) return lost.reason
  if (decisions.length === 0) return "no rule listens to this type of event from this source"
  const matched = decisions.filter((decision) => decision.matched).length
  const listen = decisions.length === 1 ? "1 rule listens" : `${decisions.length} rules listen`
  return `${listen} to this type of event, ${matched} matched${failures.length > 0 ? ", not all could be carried out" : ""}`
}

const carries = (delivery: JsonObject, id: string): boolean => {
  const ids = delivery["notification_ids"]
  return Array.isArray(ids) && ids.includes(id)
}

const short = (delivery: JsonObject): JsonObject => ({
  id: delivery["id"] ?? null,
  channel: delivery["channel"] ?? null,
  status: delivery["status"] ?? null,
  reason: delivery["reason"] ?? null,
  maybe_duplicate: delivery["maybe_duplicate"] ?? false,
})
