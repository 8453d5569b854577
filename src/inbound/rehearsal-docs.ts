/** What `/openapi.json` says of answering a captured message. */
import { RECEIPTS } from "../domain/receipt.ts"
import { type RouteDoc, ref, type Schema } from "../http/route.ts"

export const REHEARSAL_DOC: RouteDoc = {
  summary: "Answer a captured message in its reader's place (development)",
  tag: "Operations",
  description:
    "Goes the way of a real answer: `reply` says `text` (STOP and START too; of an e-mail its subject), `acknowledge` presses " +
    "the button or the key, `receipt` is what the provider reports. As there, an SMS answers the last message to its number. " +
    "409 where the channel is not captured, or has no such answer.",
  body: {
    "application/json": {
      schema: ref("OutboxAnswer"),
      example: { delivery_id: "dlv_01jqz3v5k8e2m4n6p8r0s2t4v6", answer: "reply", text: "STOP" },
    },
  },
  answers: { 200: { description: "What it was taken for, and what it did", schema: ref("OutboxAnswered") } },
}

export const REHEARSAL_SCHEMAS: Readonly<Record<string, Schema>> = {
  OutboxAnswer: {
    type: "object",
    required: ["delivery_id", "answer"],
    properties: {
      delivery_id: { type: "string" },
      answer: { enum: ["reply", "acknowledge", "receipt"] },
      text: { type: "string", maxLength: 2_000, description: "Of a reply" },
      receipt: { enum: [...RECEIPTS], description: "Of a receipt" },
    },
  },
  OutboxAnswered: {
    type: "object",
    required: ["what", "effect", "said"],
    properties: {
      what: { enum: ["receipt", "stop", "start", "help", "acknowledge", "reply", "nothing"] },
      effect: {
        enum: ["done", "known", "unknown", "late", "nothing", "not_theirs"],
        description: "`known`: it was so already",
      },
      said: { type: ["string", "null"], description: "What the hub says in return, where it says something" },
    },
  },
}
