/** What `/openapi.json` says of the outbox's switch. */
import { SENDING_CHANNELS } from "../domain/channel.ts"
import type { JsonObject } from "../domain/json.ts"
import { PROVIDER_FAILURES } from "../domain/provider-failure.ts"
import { ref, type Schema } from "./route.ts"

const channel: JsonObject = { enum: [...SENDING_CHANNELS] }

export const OUTBOX_SCHEMAS: Readonly<Record<string, Schema>> = {
  OutboxProviders: {
    type: "object",
    properties: { channels: { type: "array", items: ref("OutboxProvider") } },
  },
  OutboxProvider: {
    type: "object",
    required: ["channel", "failing", "paused"],
    properties: {
      channel,
      failing: {
        type: ["object", "null"],
        description: "What its provider does with the next sends; null: it takes them",
        properties: {
          failure: { enum: [...PROVIDER_FAILURES] },
          left: { type: "integer", description: "Sends that it still holds for" },
          retry_after: { type: ["number", "null"], description: "Seconds that a 429 asks for" },
        },
      },
      paused: { type: ["string", "null"], description: "What opened the channel's breaker; null: it is closed" },
    },
  },
  ProviderFailure: {
    type: "object",
    required: ["channel"],
    properties: {
      channel,
      failure: { enum: [...PROVIDER_FAILURES, null], default: null },
      times: { type: "integer", minimum: 1, maximum: 1_000, default: 1 },
      retry_after: { type: ["number", "null"], minimum: 0, maximum: 3_600, description: "Of rate_limited alone" },
    },
  },
}
