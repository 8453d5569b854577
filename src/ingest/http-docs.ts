/** What `/openapi.json` says of the ways in: schemas and examples of contract §5.1 and §5.2. */
import { HUB_SOURCE, SEVERITY_RANK } from "../domain/event.ts"
import { type RouteDoc, ref, type Schema } from "../http/route.ts"

const ID = "^[A-Za-z0-9_.-]{1,64}$"
const businessId: Schema = {
  type: ["string", "integer"],
  pattern: ID,
  description: "Default: the caller's only business, else `default`.",
}
const locationId: Schema = { type: ["string", "integer", "null"], pattern: ID }
const name: Schema = { type: "string", minLength: 1, maxLength: 256 }
const source: Schema = { ...name, description: `Not \`${HUB_SOURCE}\`: that is the hub's own.` }
const key: Schema = {
  type: ["string", "integer", "null"],
  maxLength: 255,
  description:
    "The same key, business and source with the same content is a duplicate; with other content it is refused.",
}
const severity: Schema = { type: "string", enum: Object.keys(SEVERITY_RANK), default: "info" }
const time: Schema = {
  type: "string",
  format: "date-time",
  description: "RFC 3339; without an offset it is UTC. Default: now.",
}
const payload: Schema = { type: "object", description: "At most 32 deep, 1,000 keys.", default: {} }
const shared = { severity, occurred_at: time, business_id: businessId, correlation_id: key, payload }

export const INGEST_SCHEMAS: Readonly<Record<string, Schema>> = {
  Event: {
    type: "object",
    required: ["type", "source"],
    additionalProperties: false,
    properties: { type: name, source, idempotency_key: key, location_id: locationId, ...shared },
  },
  ErpEvent: {
    type: "object",
    required: ["event_type", "source_module"],
    additionalProperties: false,
    properties: {
      event_type: name,
      source_module: source,
      producer_idempotency_key: key,
      location_id: locationId,
      branch_id: locationId,
      ...shared,
    },
  },
  TradingEvent: {
    type: "object",
    required: ["type", "producer"],
    additionalProperties: false,
    properties: { type: name, producer: source, dedupe_key: key, event_id: key, location_id: locationId, ...shared },
  },
  CloudEvent: {
    type: "object",
    required: ["specversion", "id", "source", "type"],
    properties: {
      specversion: { const: "1.0" },
      id: { type: "string", minLength: 1, maxLength: 255 },
      source,
      type: name,
      time,
      severity,
      businessid: businessId,
      locationid: locationId,
      correlationid: key,
      data: { description: 'Data that is no object becomes `{"data": …}`.' },
      data_base64: { type: "string", contentEncoding: "base64" },
    },
    additionalProperties: { type: ["string", "number", "boolean"] },
  },
  AnyEvent: { oneOf: [ref("Event"), ref("ErpEvent"), ref("TradingEvent"), ref("CloudEvent")] },
  AcceptedEvent: {
    type: "object",
    required: ["id", "status"],
    properties: { id: { type: "string", pattern: "^evt_" }, status: { enum: ["accepted", "duplicate"] } },
  },
  BatchResults: {
    type: "object",
    required: ["results"],
    properties: {
      results: {
        type: "array",
        items: {
          type: "object",
          required: ["index", "status"],
          properties: {
            index: { type: "integer" },
            status: { enum: ["accepted", "duplicate", "invalid"] },
            id: { type: "string" },
            errors: { type: "array", items: ref("FieldError") },
          },
        },
      },
    },
  },
  ResourceMessage: {
    type: "object",
    required: ["type", "resourceType", "businessId", "resourceId"],
    additionalProperties: false,
    properties: {
      type: { enum: ["resource_created", "resource_updated", "resource_deleted", "resource_patched"] },
      resourceType: { type: "string" },
      businessId,
      locationId,
      resourceId: { type: ["string", "integer"] },
      shardId: { type: ["string", "integer", "null"] },
      timestamp: time,
      data: { type: ["object", "null"] },
    },
  },
}

const keyHeader = {
  name: "Idempotency-Key",
  in: "header",
  description: "Equals the field; when both are given they must agree. In a list: `key:index` for items without one.",
  schema: { type: "string", maxLength: 255 },
} as const

const example = {
  type: "invoice.overdue",
  source: "invoicing",
  idempotency_key: "inv-1042-overdue-7",
  severity: "high",
  business_id: "b1",
  payload: { invoice_number: "INV-1042", days_overdue: 7, customer_name: "Dijla Trading" },
}
const cloudExample = {
  specversion: "1.0",
  id: "a-1",
  source: "invoicing",
  type: "invoice.overdue",
  businessid: "b1",
  data: { invoice_number: "INV-1042", days_overdue: 7 },
}
const ID_EXAMPLE = "evt_06f2m3q8x5vwr9t0abcdefghjk"

export const EVENT_DOC: RouteDoc = {
  summary: "Accept one event",
  tag: "Events",
  limited: true,
  description:
    "Answered after the commit. Four spellings are taken; binary CloudEvents (`ce-*` headers) too. Numbers are doubles: a whole number beyond 2^53 belongs into a text. A name that stands twice in one object is refused. 503 with `Retry-After` says that too many events are waiting: nothing was taken.",
  parameters: [keyHeader],
  body: {
    "application/json": { schema: ref("AnyEvent"), example },
    "application/cloudevents+json": { schema: ref("CloudEvent"), example: cloudExample },
    "application/cloudevents-batch+json": { schema: { type: "array", items: ref("CloudEvent"), maxItems: 1000 } },
  },
  answers: {
    201: { description: "New", schema: ref("AcceptedEvent"), example: { id: ID_EXAMPLE, status: "accepted" } },
    200: {
      description: "The same event again (`Idempotent-Replayed: true`), or the results of a CloudEvents batch",
      schema: { oneOf: [ref("AcceptedEvent"), ref("BatchResults")] },
      example: { id: ID_EXAMPLE, status: "duplicate" },
    },
  },
}

export const BATCH_DOC: RouteDoc = {
  summary: "Accept up to 1,000 events",
  tag: "Events",
  limited: true,
  description: "Good ones are accepted whatever the others are.",
  parameters: [keyHeader],
  body: {
    "application/json": {
      schema: {
        oneOf: [
          { type: "array", items: ref("AnyEvent"), minItems: 1, maxItems: 1000 },
          {
            type: "object",
            required: ["events"],
            additionalProperties: false,
            properties: { events: { type: "array", items: ref("AnyEvent"), minItems: 1, maxItems: 1000 } },
          },
        ],
      },
      example: { events: [example] },
    },
    "application/cloudevents-batch+json": {
      schema: { type: "array", items: ref("CloudEvent"), minItems: 1, maxItems: 1000 },
      example: [cloudExample],
    },
  },
  answers: {
    200: {
      description: "One result for each event, in order",
      schema: ref("BatchResults"),
      example: { results: [{ index: 0, status: "accepted", id: ID_EXAMPLE }] },
    },
  },
}

const resourceExample = {
  type: "resource_updated",
  resourceType: "reservation",
  businessId: "business-123",
  locationId: "location-456",
  resourceId: "resource-789",
  shardId: "shard-001",
  timestamp: "2025-01-08T10:00:00.000Z",
}

export const RESOURCE_DOC: RouteDoc = {
  summary: "Tell of a changed resource",
  tag: "Events",
  limited: true,
  description:
    "Becomes an event of type `resource.updated` (and so on), and is pushed as `resource_update` to the topics of its place. Without an `Idempotency-Key` the hash of the message is its key.",
  parameters: [keyHeader],
  body: {
    "application/json": {
      schema: {
        oneOf: [ref("ResourceMessage"), { type: "array", items: ref("ResourceMessage"), minItems: 1, maxItems: 1000 }],
      },
      example: resourceExample,
    },
  },
  answers: {
    202: {
      description: "Stored, or a repeat that is not pushed again",
      schema: { oneOf: [ref("AcceptedEvent"), ref("BatchResults")] },
      example: { id: ID_EXAMPLE, status: "accepted" },
    },
  },
}
