/** Deliveries, the outbox of captured messages, and dead letters: what left, what did not, and why. */
import { isSendingChannel, SENDING_CHANNELS, type SendingChannel } from "../domain/channel.ts"
import { DELIVERY_STATUSES, type DeliveryStatus } from "../domain/delivery.ts"
import { asDeliveryId, asEventId, asNotificationId } from "../domain/ids.ts"
import { isJsonObject } from "../domain/json.ts"
import type { FieldError } from "../domain/json-limits.ts"
import { confinedTo } from "../domain/principal.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { Database } from "../store/database.ts"
import { listDeadLetters, replayDead } from "../store/dead-letters.ts"
import {
  type DeliveryFilter,
  type DeliveryPage,
  getDelivery,
  listDeliveries,
  listOutbox,
} from "../store/delivery-reads.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { readJson } from "./body.ts"
import { DELIVERY_SCHEMAS } from "./delivery-schemas.ts"
import { pageBody, readPage } from "./page.ts"
import { invalid, notFound, problem } from "./problem.ts"
import { json, query, type RouteFile, ref } from "./route.ts"

export interface DeliveryDeps {
  readonly db: Database
  readonly pubsub: PubSub
  readonly telemetry: Emitter
}

const PAGE = [
  { name: "after", in: "query", description: "Go on after this id" },
  { name: "limit", in: "query", description: "1 to 200, default 50" },
] as const
const CHANNEL = { name: "channel", in: "query", description: SENDING_CHANNELS.join(", ") } as const

export function deliveryRoutes({ db, pubsub, telemetry }: DeliveryDeps): RouteFile {
  return {
    schemas: DELIVERY_SCHEMAS,
    routes: [
      {
        method: "GET",
        path: "/v1/deliveries",
        access: "service",
        doc: {
          summary: "List deliveries, newest first",
          tag: "Deliveries",
          parameters: [
            { name: "status", in: "query", description: DELIVERY_STATUSES.join(", ") },
            CHANNEL,
            { name: "notification_id", in: "query", description: "Those that carry this notification" },
            { name: "event_id", in: "query", description: "Those of this event" },
            ...PAGE,
          ],
          answers: { 200: { description: "A page", schema: ref("DeliveryPage") } },
        },
        async handle(call) {
          const page = readPage(query(call), asDeliveryId)
          if ("kind" in page) return page
          const filter = readFilter(query(call))
          if ("errors" in filter) return invalid(filter.errors)
          const businesses = confinedTo(call.principal.tenancy)
          const more = { businesses, after: page.after ?? undefined, limit: page.limit }
          return json(200, deliveryPage(await listDeliveries(db, { ...filter, ...more })))
        },
      },
      {
        method: "GET",
        path: "/v1/deliveries/:id",
        access: "service",
        doc: {
          summary: "One delivery with each attempt",
          tag: "Deliveries",
          answers: { 200: { description: "The delivery", schema: ref("Delivery") } },
        },
        async handle({ params, principal }) {
          const id = asDeliveryId(params["id"] ?? "")
          const found = id === null ? null : await getDelivery(db, id, confinedTo(principal.tenancy))
          return found === null ? notFound("delivery") : json(200, found)
        },
      },
      {
        method: "GET",
        path: "/v1/outbox",
        access: "operator",
        doc: {
          summary: "Captured messages, as their readers would see them",
          tag: "Deliveries",
          description: "Without credentials a channel captures in development: nothing leaves the machine.",
          parameters: [CHANNEL, ...PAGE],
          answers: { 200: { description: "A page of deliveries with their message", schema: ref("DeliveryPage") } },
        },
        async handle(call) {
          const page = readPage(query(call), asDeliveryId)
          if ("kind" in page) return page
          const filter = readFilter(query(call))
          if ("errors" in filter) return invalid(filter.errors)
          const businesses = confinedTo(call.principal.tenancy)
          const { channel } = filter
          return json(
            200,
            deliveryPage(
              await listOutbox(db, { businesses, channel, after: page.after ?? undefined, limit: page.limit }),
            ),
          )
        },
      },
      {
        method: "GET",
        path: "/admin/dlq",
        access: "operator",
        doc: {
          summary: "Dead letters, with counts by cause",
          tag: "Operations",
          parameters: PAGE,
          answers: { 200: { description: "A page, and groups over all pages", schema: ref("DeadLetters") } },
        },
        async handle(call) {
          const page = readPage(query(call), asDeliveryId)
          if ("kind" in page) return page
          const businesses = confinedTo(call.principal.tenancy)
          const found = await listDeadLetters(db, { businesses, after: page.after ?? undefined, limit: page.limit })
          return json(200, { ...deliveryPage(found), groups: found.groups })
        },
      },
      {
        method: "POST",
        path: "/admin/dlq/replay",
        access: "operator",
        doc: {
          summary: "Send a dead letter again",
          tag: "Operations",
          body: {
            "application/json": {
              schema: { type: "object", required: ["job_id"], properties: { job_id: { type: "string" } } },
              example: { job_id: "dlv_01jqz3v5k8e2m4n6p8r0s2t4v6" },
            },
          },
          answers: { 202: { description: "It is queued again" } },
        },
        async handle({ request, principal }) {
          const body = await readJson(request)
          if ("kind" in body) return body
          const given = isJsonObject(body.value) ? body.value["job_id"] : undefined
          const id = typeof given === "string" ? asDeliveryId(given) : null
          if (id === null) return invalid([{ pointer: "/job_id", detail: "expected a delivery's id" }])
          const answer = await replayDead(db, id, confinedTo(principal.tenancy))
          switch (answer.kind) {
            case "absent":
              return notFound("delivery")
            case "not_dead":
              return problem("conflict", `it is ${answer.status}, not a dead letter`)
            case "replayed":
              telemetry.emit({ kind: "dead_letters_replayed", count: 1 })
              pubsub.publish([{ kind: "deliveries_due", channels: [answer.channel] }])
              return json(202, { replayed: 1, job_id: id, status: "queued" })
          }
        },
      },
    ],
  }
}

type Filter = Pick<DeliveryFilter, "status" | "channel" | "notification" | "event">

function readFilter(asked: URLSearchParams): Filter | { readonly errors: readonly FieldError[] } {
  const errors: FieldError[] = []
  const read = <T>(name: string, as: (text: string) => T | null, expected: string): T | undefined => {
    const text = asked.get(name)
    if (text === null || text === "") return undefined
    const value = as(text)
    if (value === null) errors.push({ pointer: `?${name}`, detail: `expected ${expected}` })
    return value ?? undefined
  }
  const filter: Filter = {
    status: read("status", asStatus, DELIVERY_STATUSES.join(", ")),
    channel: read("channel", asChannel, SENDING_CHANNELS.join(", ")),
    notification: read("notification_id", asNotificationId, "a notification's id"),
    event: read("event_id", asEventId, "an event's id"),
  }
  return errors.length > 0 ? { errors } : filter
}

const asStatus = (text: string): DeliveryStatus | null => DELIVERY_STATUSES.find((known) => known === text) ?? null
const asChannel = (text: string): SendingChannel | null => (isSendingChannel(text) ? text : null)

function deliveryPage(page: DeliveryPage) {
  const last = page.deliveries.at(-1)?.["id"]
  return pageBody(page.deliveries, page.hasMore && typeof last === "string" ? last : null, page.hasMore)
}
