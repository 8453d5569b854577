/** An event: something that happened outside and was accepted. Immutable once stored. */
import type { BusinessId, EventId, LocationId } from "./ids.ts"
import type { JsonObject } from "./json.ts"

/** Whose events the hub's own are: nobody outside speaks under this name, or an alarm could be forged. */
export const HUB_SOURCE = "hub"

/** Words of severity, kept as sent; several share a rank (contract §5.1). */
export const SEVERITY_RANK = {
  info: 0,
  low: 0,
  medium: 1,
  warning: 1,
  high: 2,
  error: 2,
  critical: 3,
} as const

export type Severity = keyof typeof SEVERITY_RANK

/** True for one of the seven words. */
export const isSeverity = (value: unknown): value is Severity =>
  typeof value === "string" && Object.hasOwn(SEVERITY_RANK, value)

/** Everything about an event but its id and its time of acceptance. Times are milliseconds since the Unix epoch. */
export interface NewEvent {
  readonly type: string
  readonly source: string
  readonly severity: Severity
  readonly business: BusinessId
  readonly location: LocationId | null
  readonly occurredAt: number
  readonly idempotencyKey: string | null
  readonly correlationId: string | null
  readonly payload: JsonObject
  /** CloudEvents extensions that have no field of their own. */
  readonly extensions: JsonObject
}

export interface HubEvent extends NewEvent {
  readonly id: EventId
  readonly acceptedAt: number
}

/** The event's own fields as rules and templates see them under `event.` (snake_case, RFC 3339 times). */
export const eventView = (event: HubEvent): JsonObject => ({
  id: event.id,
  type: event.type,
  source: event.source,
  severity: event.severity,
  business_id: event.business,
  location_id: event.location,
  occurred_at: new Date(event.occurredAt).toISOString(),
  accepted_at: new Date(event.acceptedAt).toISOString(),
  correlation_id: event.correlationId,
  idempotency_key: event.idempotencyKey,
})
