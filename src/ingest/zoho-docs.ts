/** What `/openapi.json` says of Zoho's webhooks. */
import type { RouteDoc, Schema } from "../http/route.ts"
import { SIGNED_ANSWERS } from "./webhook-docs.ts"
import { ENTITIES } from "./zoho-words.ts"

const record: Schema = {
  type: "object",
  description: "The record, usually under a key of its own such as `invoice`. No field is required.",
}

export const ZOHO_DOC: RouteDoc = {
  summary: "Accept a webhook of Zoho Books",
  tag: "Sources",
  limited: true,
  description:
    "Becomes an event of type `invoice.updated` (and so on) and source `zoho`, whose payload is the record. Every change of a record is an event of its own; the same message again is a duplicate. Signed with `ZOHO_WEBHOOK_SECRET`: HMAC-SHA256 in hex of the parameters, sorted by name and written name and value without separators, and the raw body.",
  parameters: [
    {
      name: "X-Zoho-Webhook-Signature",
      in: "header",
      description: "Zoho makes it where the webhook has a secret.",
      schema: { type: "string", pattern: "^[0-9a-fA-F]{64}$" },
    },
    {
      name: "entity",
      in: "query",
      description: `${Object.keys(ENTITIES).join(", ")}, or Zoho's name of the module. Default: the key under which the record stands.`,
    },
    {
      name: "op",
      in: "query",
      description: "What happened: `created`, `updated`, `deleted`, or a word such as `paid`. Default: `updated`.",
    },
  ],
  body: {
    "application/json": {
      schema: record,
      example: { invoice: { invoice_id: "982000000567114", last_modified_time: "2026-01-05T09:00:00+0400" } },
    },
    "application/x-www-form-urlencoded": {
      schema: {
        type: "object",
        description:
          "The record's fields, or the record as JSON in `JSONString`. `entity` and `op` are needed for fields.",
      },
    },
    "text/plain": { schema: { ...record, description: "JSON all the same." } },
  },
  answers: SIGNED_ANSWERS,
}
