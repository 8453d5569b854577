/** What `/openapi.json` says of recipients. */
import type { JsonObject } from "../domain/json.ts"
import { ref, type Schema } from "./route.ts"

const text = (description: string): JsonObject => ({ type: ["string", "null"], description })

const PROFILE: JsonObject = {
  name: text("One line"),
  email: text("An e-mail address"),
  phone: text("E.164"),
  telegram_chat_id: text("A chat id or @channel"),
  slack_webhook_url: text("An incoming webhook; recipients who share one get one post"),
  slack_user_id: text("A Slack member id"),
  device_tokens: {
    type: "array",
    items: { type: "object", properties: { platform: { type: "string" }, token: { type: "string" } } },
  },
  locale: text("A language tag such as ar or en-GB"),
  timezone: text("An IANA time zone such as Asia/Baghdad"),
}

const MEMBERSHIP: JsonObject = {
  business_id: { type: "string" },
  location_ids: { type: ["array", "null"], items: { type: "string" }, description: "Absent or null: every location" },
  roles: { type: "array", items: { type: "string" } },
}

export const RECIPIENT_SCHEMAS: Readonly<Record<string, Schema>> = {
  RecipientInput: {
    type: "object",
    additionalProperties: false,
    description: "Either memberships, or the short form business_id, location_ids, roles.",
    properties: {
      memberships: { type: "array", items: { type: "object", additionalProperties: false, properties: MEMBERSHIP } },
      ...MEMBERSHIP,
      ...PROFILE,
    },
  },
  Recipient: {
    type: "object",
    required: ["id", "memberships"],
    properties: {
      id: { type: "string" },
      memberships: { type: "array", items: { type: "object", properties: MEMBERSHIP } },
      ...PROFILE,
    },
  },
  RecipientBatch: {
    description: "A list, or an object that holds it.",
    oneOf: [
      { type: "array", maxItems: 1000, items: { type: "object", required: ["id"] } },
      { type: "object", required: ["recipients"], properties: { recipients: { type: "array", maxItems: 1000 } } },
    ],
  },
  RecipientResults: {
    type: "object",
    properties: {
      results: {
        type: "array",
        items: {
          type: "object",
          properties: {
            index: { type: "integer" },
            status: { enum: ["created", "updated", "invalid"] },
            id: { type: "string" },
            errors: { type: "array" },
          },
        },
      },
    },
  },
  RecipientPage: {
    type: "object",
    properties: { data: { type: "array", items: ref("Recipient") }, page_info: { type: "object" } },
  },
}

export const RECIPIENT_EXAMPLE: JsonObject = {
  business_id: "b1",
  location_ids: ["l1"],
  roles: ["accountant"],
  name: "Noor Kareem",
  email: "noor@example.com",
  phone: "+9647701234567",
  locale: "ar",
  timezone: "Asia/Baghdad",
}
