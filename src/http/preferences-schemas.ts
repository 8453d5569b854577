/** What `/openapi.json` says of preferences. */
import { CHANNELS } from "../domain/channel.ts"
import { SEVERITY_RANK } from "../domain/event.ts"
import type { JsonObject } from "../domain/json.ts"
import type { Schema } from "./route.ts"

const byChannel = (value: JsonObject, channels: readonly string[] = CHANNELS): JsonObject => ({
  type: "object",
  propertyNames: { enum: [...channels] },
  additionalProperties: value,
})
const yesOrNo: JsonObject = { type: "boolean" }
const severity: JsonObject = { enum: Object.keys(SEVERITY_RANK) }
const orNull = (schema: JsonObject): JsonObject => ({ ...schema, type: [String(schema["type"] ?? "string"), "null"] })
const time: JsonObject = { type: "string", pattern: "^([01]\\d|2[0-3]):[0-5]\\d$", description: "HH:MM" }
const disturbing = CHANNELS.filter((channel) => channel !== "inapp")

const CHANNELS_DOC =
  "false: nothing is sent there. What is not said is allowed; inapp always stays. An address that said STOP, or that mail came back from, is false whatever is said here; START takes it back."

export const PREFERENCES_SCHEMAS: Readonly<Record<string, Schema>> = {
  Preferences: {
    type: "object",
    required: ["channels", "categories", "severity_min", "quiet_hours"],
    properties: {
      channels: { ...byChannel(yesOrNo), description: CHANNELS_DOC },
      categories: {
        type: "object",
        additionalProperties: byChannel(yesOrNo),
        description: "The same for one category; `commercial` is that of all advertising, beside its own",
      },
      severity_min: { ...byChannel(severity, disturbing), description: "Nothing less grave is sent there" },
      quiet_hours: {
        type: ["object", "null"],
        description: "What comes within them waits for their end",
        required: ["from", "to", "timezone"],
        properties: {
          from: time,
          to: { ...time, description: "HH:MM; before `from`, it is of the next day" },
          timezone: { type: "string", description: "An IANA time zone" },
        },
      },
    },
  },
  PreferencesInput: {
    type: "object",
    additionalProperties: false,
    description: "null says nothing; in a change it takes back what was said.",
    properties: {
      channels: orNull(byChannel(orNull(yesOrNo))),
      categories: orNull({
        type: "object",
        maxProperties: 100,
        additionalProperties: orNull(byChannel(orNull(yesOrNo))),
      }),
      severity_min: orNull(byChannel({ enum: [...Object.keys(SEVERITY_RANK), null] }, disturbing)),
      quiet_hours: {
        type: ["object", "null"],
        additionalProperties: false,
        properties: {
          from: orNull(time),
          to: orNull(time),
          timezone: { type: ["string", "null"], description: "Without one it is the recipient's own, as it is now" },
        },
      },
    },
  },
}

export const PREFERENCES_EXAMPLE: JsonObject = {
  channels: { email: false },
  categories: { billing: { sms: false } },
  severity_min: { sms: "high" },
  quiet_hours: { from: "22:00", to: "07:00", timezone: "Asia/Baghdad" },
}
