/**
 * `GET /v1/notifications/{id}/why`: what a person may know of why they were told, or not. From the rows and from what was
 * recorded when it was decided; nothing is decided again.
 */
import type { HubEvent } from "../domain/event.ts"
import { asNotificationId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { Notification } from "../domain/notification.ts"
import { grantFor, maySee, type Principal } from "../domain/principal.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Database } from "../store/database.ts"
import { getEvent } from "../store/events.ts"
import { getRoute, type Route } from "../store/routes.ts"
import {
  deliveriesOfNotification,
  digestsOfEvent,
  getNotification,
  type TracedTimer,
  timersOfEvent,
  zoneOf,
} from "../store/traces.ts"
import { notFound } from "./problem.ts"
import { json, type RouteFile, ref, type Schema } from "./route.ts"
import { channelSentence, personalReason, type StepWords, whySentence } from "./why-words.ts"

const text: JsonObject = { type: ["string", "null"] }

const WHY: Schema = {
  type: "object",
  required: ["notification_id", "sentence", "event", "rule", "rules_revision", "clause", "channels"],
  properties: {
    notification_id: { type: "string" },
    sentence: { type: "string", description: "For the person, in plain English" },
    event: { type: "object", description: "Its id alone where it is gone, or where several were told in one message" },
    rule: { type: "string" },
    rules_revision: { type: "string", description: "The git commit of the rules that decided" },
    clause: { ...text, description: "The deciding clause with its operands" },
    reason: { ...text, description: "Why it tells less than its rule says, or how it came about" },
    channels: {
      type: "array",
      items: {
        type: "object",
        properties: {
          channel: { type: "string" },
          delivery_id: text,
          status: { type: "string" },
          reason: text,
          next_attempt_at: { ...text, format: "date-time" },
          sentence: { type: "string" },
        },
      },
    },
  },
}

export interface WhyDeps {
  readonly db: Database
  readonly clock: Clock
  /** How a step goes on, and whom it tells; null: the running rules are others. */
  readonly stepOf: (timer: TracedTimer) => StepWords | null
}

export const whyRoutes = (deps: WhyDeps): RouteFile => ({
  schemas: { Why: WHY },
  routes: [
    {
      method: "GET",
      path: "/v1/notifications/:id/why",
      access: "caller",
      doc: {
        summary: "Why one was told, or not, in a sentence",
        tag: "Inbox",
        description:
          "For the person, whether the notification is in their inbox or not; and for admins of its business.",
        answers: { 200: { description: "The explanation", schema: ref("Why") } },
      },
      async handle({ params, principal }) {
        const id = asNotificationId(params["id"] ?? "")
        const notification = id === null ? null : await getNotification(deps.db, id)
        if (notification === null || !mayAsk(principal, notification)) return notFound("notification")
        return json(200, await whyOf(deps, notification, isOperator(principal, notification)))
      },
    },
  ],
})

/** Its person, within the businesses of the token; and whoever runs the business. */
const mayAsk = (principal: Principal, notification: Notification): boolean =>
  (principal.recipient === notification.recipient && grantFor(principal.tenancy, notification.business) !== null) ||
  isOperator(principal, notification)

const isOperator = ({ admin, tenancy }: Principal, { business, location }: Notification): boolean =>
  admin && maySee(tenancy, business, location)

/** `operator`: reasons that are no business of the person's are given too; the sentences are the person's all the same. */
export async function whyOf(
  { db, clock, stepOf }: WhyDeps,
  notification: Notification,
  operator: boolean,
): Promise<JsonObject> {
  const [event, route, deliveries, timers, digests, zone] = await Promise.all([
    getEvent(db, notification.event),
    getRoute(db, notification.event),
    deliveriesOfNotification(db, notification),
    timersOfEvent(db, notification.event),
    digestsOfEvent(db, notification.event),
    zoneOf(db, notification.recipient),
  ])
  const own = <T extends { readonly rule: string }>(all: readonly T[]): readonly T[] =>
    all.filter(({ rule }) => rule === notification.rule)
  // A digest goes by the event that opened it, which need not be one of this person's.
  const gathered = own(digests).some(({ openedBy, events }) => openedBy === notification.event && events > 1)
  const clause = gathered ? null : clauseOf(notification, route)
  const steps = own(timers).filter(({ kind }) => kind === "escalate")
  const waiting = steps.find(({ doneAt }) => doneAt === null)
  const next = waiting === undefined ? null : { ...waiting, how: stepOf(waiting) }
  const wentOnAt = steps.findLast(({ outcome }) => outcome === "fired")?.doneAt ?? null
  const eventType = gathered || event === null ? null : event.type
  const parts = { notification, deliveries, eventType, clause, gathered, next, wentOnAt, zone, now: clock.wall() }
  return {
    notification_id: notification.id,
    sentence: whySentence(parts),
    event: gathered || event === null ? { id: notification.event } : eventOf(event),
    rule: notification.rule,
    rules_revision: notification.rulesRevision,
    clause,
    reason: notification.reason,
    channels: [
      ...(notification.inbox
        ? [
            {
              channel: "inapp",
              delivery_id: null,
              status: "delivered",
              reason: null,
              next_attempt_at: null,
              sentence: "It is in the inbox.",
            },
          ]
        : []),
      ...deliveries.map((delivery) => ({
        channel: delivery.channel,
        delivery_id: delivery.id,
        status: delivery.status,
        reason: operator ? delivery.reason : personalReason(delivery.reason),
        next_attempt_at: delivery.nextAttemptAt?.toISOString() ?? null,
        sentence: channelSentence(delivery, parts),
      })),
    ],
  }
}

/** Where a decision was kept without its clause apart, what follows it may name others. */
function clauseOf({ rule }: Notification, route: Route | null): string | null {
  const decision = route?.decisions.find((one) => one.rule === rule)
  if (decision === undefined) return null
  return decision.clause ?? decision.reason.split("; no recipients of business ", 1)[0] ?? null
}

/** What producers know an event by is theirs. */
const eventOf = (event: HubEvent): JsonObject => ({
  id: event.id,
  type: event.type,
  source: event.source,
  severity: event.severity,
  business_id: event.business,
  location_id: event.location,
  occurred_at: new Date(event.occurredAt).toISOString(),
  accepted_at: new Date(event.acceptedAt).toISOString(),
})
