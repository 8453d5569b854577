/** What `/openapi.json` says of the inbox. */
import type { JsonObject } from "../domain/json.ts"
import { ref, type Schema } from "./route.ts"

const time = (description: string): JsonObject => ({ type: ["string", "null"], format: "date-time", description })
const text: JsonObject = { type: ["string", "null"] }

export const INBOX_SCHEMAS: Readonly<Record<string, Schema>> = {
  Notification: {
    type: "object",
    required: ["id", "title", "body", "severity", "created_at", "event_id", "rule", "business_id"],
    properties: {
      id: { type: "string" },
      title: { type: "string" },
      body: { type: "string" },
      severity: { type: "string" },
      category: text,
      created_at: { type: "string", format: "date-time", description: "When it was made" },
      read_at: time("When it was read"),
      seen_at: time("When it was first on a screen"),
      archived_at: time("When it was archived"),
      acknowledged_at: time("When somebody took it up"),
      action_url: text,
      action_label: text,
      data: { type: ["object", "null"] },
      event_id: { type: "string" },
      rule: { type: "string" },
      rules_revision: { type: "string" },
      business_id: { type: "string" },
      location_id: text,
    },
  },
  NotificationPage: {
    type: "object",
    properties: {
      notifications: { type: "array", items: ref("Notification") },
      data: { type: "array", items: ref("Notification"), description: "The same list" },
      unread_count: { type: "integer" },
      page_info: { type: "object", properties: { after: text, has_more: { type: "boolean" } } },
    },
  },
  InboxCounts: {
    type: "object",
    properties: { unread_count: { type: "integer" }, unseen_count: { type: "integer" } },
  },
}
