/** What rules and templates can see of an event, made once per event. */
import { eventView, type HubEvent } from "../domain/event.ts"
import type { Facts } from "./logic.ts"

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

export const factsOf = (event: HubEvent): Facts => ({ event: eventView(event), payload: event.payload })
