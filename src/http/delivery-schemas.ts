/** What `/openapi.json` says of deliveries and traces. */

import { DELIVERY_STATUSES } from "../domain/delivery.ts"
import type { JsonObject } from "../domain/json.ts"
import { ref, type Schema } from "./route.ts"

const text: JsonObject = { type: ["string", "null"] }
const time: JsonObject = { type: ["string", "null"], format: "date-time" }

export const DELIVERY_SCHEMAS: Readonly<Record<string, Schema>> = {
  Delivery: {
    type: "object",
    properties: {
      id: { type: "string" },
      event_id: { type: "string" },
      notification_ids: { type: "array", items: { type: "string" } },
      rule: { type: "string" },
      rules_revision: { type: "string" },
      channel: { type: "string" },
      status: { enum: [...DELIVERY_STATUSES] },
      reason: text,
      receipt: text,
      maybe_duplicate: { type: "boolean" },
      next_attempt_at: time,
      attempts: {
        type: "array",
        items: {
          type: "object",
          properties: {
            number: { type: "integer" },
            started_at: time,
            finished_at: time,
            outcome: { type: "string" },
            reason: text,
            detail: text,
            provider_message_id: text,
          },
        },
      },
    },
  },
  DeliveryPage: {
    type: "object",
    properties: { data: { type: "array", items: ref("Delivery") }, page_info: { type: "object" } },
  },
  DeadLetters: {
    type: "object",
    properties: {
      data: { type: "array", items: ref("Delivery") },
      page_info: { type: "object" },
      groups: {
        type: "array",
        items: {
          type: "object",
          properties: {
            channel: { type: "string" },
            status: { type: "string" },
            reason: text,
            count: { type: "integer" },
          },
        },
      },
    },
  },
  Trace: {
    type: "object",
    required: ["event", "rules", "notifications"],
    properties: {
      event: { type: "object" },
      status: { enum: ["waiting", "routed", "failed"] },
      rules_revision: text,
      rules: {
        type: "array",
        items: {
          type: "object",
          properties: {
            rule: text,
            matched: { type: "boolean" },
            failed: {
              type: "boolean",
              description: "It fits but could not be carried out whole; the reason says what",
            },
            reason: { type: "string" },
          },
        },
      },
      notifications: {
        type: "array",
        items: {
          type: "object",
          properties: {
            id: { type: "string" },
            recipient: { type: "string" },
            rule: { type: "string" },
            inbox: { type: "boolean" },
            deliveries: { type: "array", items: { type: "object" } },
          },
        },
      },
    },
  },
}
