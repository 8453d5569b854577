/** What every signed way in answers, for `/openapi.json`; and the Standard Webhooks' own words. */
import { type RouteDoc, ref } from "../http/route.ts"

const ID_EXAMPLE = "evt_01jh2x7v9s7d8r6h0a5m3k2c1b"

export const SIGNED_ANSWERS: RouteDoc["answers"] = {
  201: { description: "Stored", schema: ref("AcceptedEvent"), example: { id: ID_EXAMPLE, status: "accepted" } },
  200: {
    description: "The same message again (`Idempotent-Replayed: true`)",
    schema: ref("AcceptedEvent"),
    example: { id: ID_EXAMPLE, status: "duplicate" },
  },
  401: {
    description: "Not signed, wrongly signed, too old, or there is no such source: the answer does not say which",
    schema: ref("Problem"),
    contentType: "application/problem+json",
  },
}

export const STANDARD_WEBHOOK_DOC: RouteDoc = {
  summary: "Accept a Standard Webhook",
  tag: "Sources",
  limited: true,
  description:
    "Any JSON, signed as [Standard Webhooks](https://www.standardwebhooks.com) describes with a secret of `HUB_WEBHOOK_SOURCES`. An object with a `type` becomes an event of that type whose payload is its `data` (else the whole body); anything else is a `webhook.received`. The source is the name in the path, the business that of the setting, the key `webhook-id`.",
  parameters: [
    { name: "webhook-id", in: "header", description: "The message's id, at most 255 characters." },
    { name: "webhook-timestamp", in: "header", description: "Seconds since the Unix epoch, at most 300 from now." },
    {
      name: "webhook-signature",
      in: "header",
      description: "A list of `v1,<base64>`, separated by spaces; one of them must fit.",
    },
  ],
  body: {
    "application/json": {
      schema: {
        description: "Any JSON.",
        properties: {
          type: { type: "string" },
          timestamp: { type: "string", format: "date-time" },
          data: { description: 'The payload; a value that is no object becomes `{"data": …}`.' },
        },
      },
      example: { type: "contact.created", timestamp: "2026-01-05T09:00:00Z", data: { id: "c-1" } },
    },
  },
  answers: SIGNED_ANSWERS,
}
