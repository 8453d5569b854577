/** Deliveries: what left, what did not, and why. */
import { isSendingChannel, SENDING_CHANNELS, type SendingChannel } from "../domain/channel.ts"
import { DELIVERY_STATUSES, type DeliveryStatus } from "../domain/delivery.ts"
import { asDeliveryId, asEventId, asNotificationId } from "../domain/ids.ts"
import type { FieldError } from "../domain/json-limits.ts"
import { confinedTo } from "../domain/principal.ts"
import type { Database } from "../store/database.ts"
import { type DeliveryFilter, type DeliveryPage, getDelivery, listDeliveries } from "../store/delivery-reads.ts"
import { DELIVERY_SCHEMAS } from "./delivery-schemas.ts"
import { pageBody, readPage } from "./page.ts"
import { invalid, notFound } from "./problem.ts"
import { json, query, type RouteFile, ref } from "./route.ts"

export interface DeliveryDeps {
  readonly db: Database
}

export const PAGE = [
  { name: "after", in: "query", description: "Go on after this id" },
  { name: "limit", in: "query", description: "1 to 200, default 50" },
] as const
const CHANNEL = { name: "channel", in: "query", description: SENDING_CHANNELS.join(", ") } as const

export function deliveryRoutes({ db }: DeliveryDeps): RouteFile {
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

/** A page's body: where it goes on is its last delivery. */
export function deliveryPage(page: DeliveryPage) {
  const last = page.deliveries.at(-1)?.["id"]
  return pageBody(page.deliveries, page.hasMore && typeof last === "string" ? last : null, page.hasMore)
}
