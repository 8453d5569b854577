/** What rules and templates can see of an event, made once per event. */
import { eventView, type HubEvent } from "../domain/event.ts"
import type { JsonObject } from "../domain/json.ts"
import type { Facts } from "./conditions/logic.ts"

/** The names behind `event.`; a test compares them with what `eventView` gives. */
export const EVENT_FIELDS: readonly string[] = [
  "id",
  "type",
  "source",
  "severity",
  "business_id",
  "location_id",
  "occurred_at",
  "accepted_at",
  "correlation_id",
  "idempotency_key",
]

/** What rules see of one event. */
export const factsOf = (event: HubEvent): Facts => ({ event: eventView(event), payload: event.payload })

/** The same as an item of `it.events`: the event's fields, and its payload beside them. */
export const itemOf = ({ event, payload }: Facts): JsonObject => ({ ...event, payload })
