/** What `/openapi.json` says of reading events. */
import { SEVERITY_RANK } from "../domain/event.ts"
import { type RouteDoc, ref, type Schema } from "./route.ts"

const time: Schema = { type: "string", format: "date-time" }
const counts: Schema = { type: "object", additionalProperties: { type: "integer" } }
const integer: Schema = { type: "integer" }

export const EVENT_SCHEMAS: Readonly<Record<string, Schema>> = {
  StoredEvent: {
    type: "object",
    required: ["id", "type", "source", "severity", "business_id", "occurred_at", "accepted_at", "payload"],
    properties: {
      id: { type: "string", pattern: "^evt_" },
      type: { type: "string" },
      source: { type: "string" },
      severity: { enum: Object.keys(SEVERITY_RANK) },
      business_id: { type: "string" },
      location_id: { type: ["string", "null"] },
      occurred_at: time,
      accepted_at: time,
      correlation_id: { type: ["string", "null"] },
      idempotency_key: { type: ["string", "null"] },
      payload: { type: "object" },
      extensions: { type: "object" },
    },
  },
  EventList: {
    type: "object",
    required: ["data", "page_info"],
    properties: { data: { type: "array", items: ref("StoredEvent") }, page_info: ref("PageInfo") },
  },
  EventStats: {
    type: "object",
    required: ["events", "notifications", "deliveries", "decisions"],
    properties: {
      events: {
        type: "object",
        properties: { total: integer, unrouted: integer, failed: integer, by_type: counts, by_business: counts },
      },
      notifications: {
        type: "object",
        properties: { total: integer, inbox: integer, unread: integer, by_rule: counts },
      },
      deliveries: { type: "object", properties: { by_channel: { type: "object", additionalProperties: counts } } },
      decisions: { type: "object", properties: { unexplained: integer } },
    },
  },
}

const example = {
  id: "evt_06f2m3q8x5vwr9t0abcdefghjk",
  type: "invoice.overdue",
  source: "invoicing",
  severity: "high",
  business_id: "b1",
  location_id: null,
  occurred_at: "2025-01-08T10:00:00.000Z",
  accepted_at: "2025-01-08T10:00:00.120Z",
  correlation_id: null,
  idempotency_key: "inv-1042-overdue-7",
  payload: { invoice_number: "INV-1042", days_overdue: 7 },
}

export const EVENT_DOC: RouteDoc = {
  summary: "Read one event",
  tag: "Events",
  answers: { 200: { description: "The event", schema: ref("StoredEvent"), example } },
}

export const EVENT_LIST_DOC: RouteDoc = {
  summary: "List events, newest first",
  tag: "Events",
  parameters: [
    { name: "type", in: "query", description: "Exactly this type" },
    { name: "source", in: "query", description: "Exactly this source" },
    { name: "business_id", in: "query", description: "Of this business" },
    { name: "since", in: "query", description: "Accepted at or after", schema: time },
    { name: "until", in: "query", description: "Accepted before", schema: time },
    { name: "after", in: "query", description: "`page_info.after` of the page before" },
    {
      name: "limit",
      in: "query",
      description: "A page may be shorter and still have more",
      schema: { type: "integer", minimum: 1, maximum: 200, default: 50 },
    },
  ],
  answers: {
    200: {
      description: "A page",
      schema: ref("EventList"),
      example: { data: [example], page_info: { after: null, has_more: false } },
    },
  },
}

export const STATS_DOC: RouteDoc = {
  summary: "Totals over what is kept",
  tag: "Events",
  parameters: [{ name: "business_id", in: "query", description: "Only of this business" }],
  answers: { 200: { description: "Totals of the caller's businesses", schema: ref("EventStats") } },
}
