/** What `/openapi.json` says of dead letters and their replays. */
import type { JsonObject } from "../domain/json.ts"
import { FILTER_FIELDS } from "./dlq-body.ts"
import { ref, type Schema } from "./route.ts"

const text: JsonObject = { type: ["string", "null"] }

const GROUPS = {
  type: "array",
  description: "Counts by cause, largest first",
  items: {
    type: "object",
    properties: {
      channel: { type: "string" },
      account: text,
      status: { enum: ["dead", "unknown"] },
      reason: text,
      rule: { type: "string" },
      count: { type: "integer" },
    },
  },
}

const MATCHED = { type: "integer", description: "Dead letters that fit and can be sent" }
const LATE = { type: "integer", description: "Those whose rule allows nothing to be sent that late: they stay" }

export const DLQ_SCHEMAS: Readonly<Record<string, Schema>> = {
  DeadLetters: {
    type: "object",
    properties: { data: { type: "array", items: ref("Delivery") }, page_info: { type: "object" }, groups: GROUPS },
  },
  Replay: {
    type: "object",
    additionalProperties: false,
    properties: {
      job_id: { type: "string", description: "One delivery; it is due at once. Or an event of which something failed" },
      filter: {
        type: "object",
        additionalProperties: false,
        properties: Object.fromEntries(
          Object.entries(FILTER_FIELDS).map(([name, description]) => [name, { type: "string", description }]),
        ),
      },
      dry_run: { type: "boolean", description: "Only say what would be sent" },
      per_second: { type: "number", default: 10, description: "How many a second on each channel" },
      replay_id: { type: "string", description: "What is asked again with it is done once" },
    },
  },
  ReplayPreview: {
    type: "object",
    properties: { dry_run: { const: true }, replayed: { const: 0 }, matched: MATCHED, late: LATE, groups: GROUPS },
  },
  Replayed: {
    type: "object",
    required: ["replayed", "audit"],
    properties: {
      replayed: { type: "integer" },
      job_id: { type: "string" },
      status: { type: "string" },
      left: { type: "integer", description: "They fit, and were too many for one replay" },
      late: LATE,
      channels: { type: "object", additionalProperties: { type: "integer" } },
      per_second: { type: "number" },
      until: { ...text, format: "date-time", description: "When the last of them is due" },
      replay_id: { type: "string" },
      audit: { type: "integer", description: "Its entry in the audit log" },
    },
  },
}
