/** What `/openapi.json` says of deliveries and traces. */

import { DELIVERY_STATUSES } from "../domain/delivery.ts"
import type { JsonObject } from "../domain/json.ts"
import { RECEIPTS } from "../domain/receipt.ts"
import { NEXT_CODES } from "../domain/retry-words.ts"
import { ref, type Schema } from "./route.ts"

const text: JsonObject = { type: ["string", "null"] }
const time: JsonObject = { type: ["string", "null"], format: "date-time" }

const NEXT = {
  type: "object",
  required: ["again", "code", "sentence", "at"],
  properties: {
    again: { type: "boolean", description: "It is tried again" },
    code: { enum: [...NEXT_CODES] },
    sentence: { type: "string", description: "The same for a person" },
    at: { ...time, description: "When; null: at once, or never" },
  },
}

const TRACED_DELIVERY = {
  type: "object",
  properties: {
    id: { type: "string" },
    channel: { type: "string" },
    status: { enum: [...DELIVERY_STATUSES] },
    reason: text,
    maybe_duplicate: { type: "boolean" },
    round: { ...text, description: "Which telling it belongs to; null: the first" },
    next_attempt_at: time,
  },
}

const TRACED_TIMER = {
  type: "object",
  properties: {
    id: { type: "string" },
    kind: { enum: ["delay", "digest", "escalate", "failover"] },
    rule: { type: "string" },
    rules_revision: { type: "string" },
    action: { type: "integer" },
    step: { type: "integer" },
    due_at: { type: "string", format: "date-time" },
    done_at: time,
    outcome: { ...text, description: "Null while it waits" },
    failures: { type: "array", description: "What of it could not be carried out", items: { type: "string" } },
  },
}

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
      receipt: { ...text, description: `What the provider reported later: ${RECEIPTS.join(", ")}; never backwards` },
      maybe_duplicate: { type: "boolean" },
      next_attempt_at: time,
      next: { ...ref("DeliveryNext"), description: "Whether it is tried again, and why or why not" },
      created_at: { type: "string", format: "date-time" },
      settled_at: { ...time, description: "When it ended; null while it is open" },
      expires_at: { ...time, description: "Nothing is sent from then on" },
      replayed_at: { ...time, description: "When it was last sent again from the dead letters" },
      attempts: {
        type: "array",
        description: "Every try, oldest first; a replay does not begin anew",
        items: {
          type: "object",
          properties: {
            number: { type: "integer" },
            started_at: time,
            finished_at: time,
            outcome: {
              enum: ["delivered", "captured", "retry", "rejected", "unusable", "unknown", "lost"],
              description: "lost: its holder died or was lost",
            },
            reason: text,
            detail: { ...text, description: "What the provider said, without addresses and secrets" },
            provider_message_id: text,
            next: {
              ...NEXT,
              type: ["object", "null"],
              description: "What followed from this try; null: an older version wrote it down",
            },
          },
        },
      },
    },
  },
  DeliveryNext: NEXT,
  DeliveryPage: {
    type: "object",
    properties: { data: { type: "array", items: ref("Delivery") }, page_info: { type: "object" } },
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
            clause: { ...text, description: "The deciding clause with its operands, without what followed" },
          },
        },
      },
      failures: {
        type: "array",
        description: "What could not be carried out",
        items: { type: "object", properties: { rule: text, reason: { type: "string" } } },
      },
      notifications: {
        type: "array",
        items: {
          type: "object",
          properties: {
            id: { type: "string" },
            recipient: { type: "string" },
            rule: { type: "string" },
            rules_revision: { type: "string" },
            inbox: { type: "boolean" },
            reason: { ...text, description: "Why it tells less than its rule says, or how it came about" },
            deliveries: { type: "array", items: TRACED_DELIVERY },
          },
        },
      },
      systems: {
        type: "array",
        description: "Deliveries to systems: no person has them",
        items: { ...TRACED_DELIVERY, properties: { rule: { type: "string" }, ...TRACED_DELIVERY.properties } },
      },
      timers: { type: "array", description: "What was to happen later, and what became of it", items: TRACED_TIMER },
      digests: {
        type: "array",
        description: "The digests that the event went into, with all that each has told",
        items: {
          ...TRACED_TIMER,
          properties: {
            ...TRACED_TIMER.properties,
            opened_by: { type: "string", description: "The event whose id the notifications have" },
            events: { type: "integer" },
            notifications: { type: "array", items: { type: "object" } },
          },
        },
      },
      has_more_notifications: { type: "boolean", description: "There are more than the thousand that are listed" },
      has_more_deliveries: { type: "boolean" },
    },
  },
}
