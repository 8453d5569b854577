/** Everything that followed from an event, with reasons (contract §7.4). */
import { eventView, type HubEvent } from "../domain/event.ts"
import { asEventId, type EventId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import { maySee } from "../domain/principal.ts"
import { atOneMoment, type Database, type Queryable } from "../store/database.ts"
import { getEvent } from "../store/events.ts"
import { notificationsOfEvent } from "../store/notifications.ts"
import { getRoute, type Route } from "../store/routes.ts"
import {
  deliveriesOfEvent,
  digestsOfEvent,
  notificationsOfDigests,
  type TracedDelivery,
  type TracedTimer,
  timersOfEvent,
} from "../store/traces.ts"
import { notFound } from "./problem.ts"
import { json, type RouteFile, ref } from "./route.ts"

/** More notifications or deliveries than this of one event are not listed: `/v1/deliveries?event_id=` pages through the latter. */
const MAX_LISTED = 1_000

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
          return json(200, await traceOf(db, event))
        },
      },
    ],
  }
}

/** The trace of an event that the caller may see. */
export async function traceOf(db: Database, event: HubEvent): Promise<JsonObject> {
  // While its router commits, one part would be there and another not.
  const [route, notifications, deliveries, timers, digests] = await atOneMoment(db, (tx) =>
    Promise.all([
      getRoute(tx, event.id),
      notificationsOfEvent(tx, event.id, MAX_LISTED + 1),
      deliveriesOfEvent(tx, event.id, MAX_LISTED + 1),
      timersOfEvent(tx, event.id),
      digestsOf(tx, event.id),
    ]),
  )
  const listed = deliveries.slice(0, MAX_LISTED)
  // One delivery may be for thousands: of each it is looked up, not looked for.
  const tellings = listed.flatMap((one) => one.notifications.map((id) => ({ id, one })))
  const byNotification = Map.groupBy(tellings, ({ id }) => id)
  return {
    event: eventView(event),
    status: route === null ? "waiting" : route.failures.length > 0 ? "failed" : "routed",
    reason: reasonFor(route),
    rules_revision: route?.rulesRevision ?? null,
    rules: route === null ? [] : verdicts(route),
    failures: (route?.failures ?? []).map(({ rule, reason }) => ({ rule, reason })),
    notifications: notifications.slice(0, MAX_LISTED).map((n) => ({
      id: n.id,
      recipient: n.recipient,
      rule: n.rule,
      rules_revision: n.rulesRevision,
      inbox: n.inbox,
      reason: n.reason,
      deliveries: (byNotification.get(n.id) ?? []).map(({ one }) => deliveryView(one)),
    })),
    systems: listed.filter((d) => d.notifications.length === 0).map((d) => ({ rule: d.rule, ...deliveryView(d) })),
    timers: timers.map(timerView),
    digests,
    has_more_notifications: notifications.length > MAX_LISTED,
    has_more_deliveries: deliveries.length > MAX_LISTED,
  }
}

/** Of a digest that another event opened, all that it told: for whom each of its events was is not kept. */
async function digestsOf(db: Queryable, event: EventId): Promise<readonly JsonObject[]> {
  const digests = await digestsOfEvent(db, event)
  const told = await notificationsOfDigests(
    db,
    digests.filter(({ doneAt }) => doneAt !== null),
  )
  return digests.map((timer) => ({
    ...timerView(timer),
    opened_by: timer.openedBy,
    events: timer.events,
    notifications: told
      .filter(({ event: opener, rule }) => opener === timer.openedBy && rule === timer.rule)
      .map(({ id, recipient, reason }) => ({ id, recipient, reason })),
  }))
}

const timerView = (timer: TracedTimer): JsonObject => ({
  id: timer.id,
  kind: timer.kind,
  rule: timer.rule,
  rules_revision: timer.rulesRevision,
  action: timer.action,
  step: timer.step,
  due_at: timer.dueAt.toISOString(),
  done_at: timer.doneAt?.toISOString() ?? null,
  outcome: timer.outcome,
  failures: timer.failures.map(({ reason }) => reason),
})

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
    clause: string | null,
  ): JsonObject => ({
    rule,
    matched,
    ...(wrong.length > 0 ? { failed: true } : {}),
    reason: [...new Set([...said, ...wrong])].join("; "),
    clause,
  })
  const known = new Set<string | null>(decisions.map(({ rule }) => rule))
  return [
    ...decisions.map(({ rule, matched, reason, clause = reason }) =>
      entry(
        rule,
        matched,
        [reason],
        (failed.get(rule) ?? []).map((failure) => failure.reason),
        clause,
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
              null,
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

const deliveryView = (delivery: TracedDelivery): JsonObject => ({
  id: delivery.id,
  channel: delivery.channel,
  status: delivery.status,
  reason: delivery.reason,
  maybe_duplicate: delivery.maybeDuplicate,
  round: delivery.round,
  next_attempt_at: delivery.nextAttemptAt?.toISOString() ?? null,
})
