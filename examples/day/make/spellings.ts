// One event, four ways to write it down: how the day's producers speak to the hub. The resources server's own message
// (POST /api/notifications) is a fifth.

/** An event as its producer means it, before it is spelled. Times are epoch milliseconds. */
export type Meant = {
  type: string
  source: string
  key: string
  severity?: string
  occurredAt: number
  business: string
  location?: string
  correlation?: string
  payload: Record<string, unknown>
}

export type Spelling =
  | "canonical"
  | "canonical_header"
  | "erp"
  | "erp_branch"
  | "trading"
  | "trading_event_id"
  | "cloudevents"

/** One line of day.ndjson but for the time of sending. */
export type Request = {
  path: "/v1/events" | "/api/notifications"
  content_type: "application/json" | "application/cloudevents+json"
  headers?: Record<string, string>
  body: Record<string, unknown>
}

const BAGHDAD_MS = 3 * 60 * 60 * 1000

/** A time as a clock on a Baghdad wall would write it: `2026-03-02T08:00:00+03:00`, milliseconds where there are any. */
export function baghdad(ms: number): string {
  return new Date(ms + BAGHDAD_MS).toISOString().replace(".000Z", "Z").replace("Z", "+03:00")
}

const utc = (ms: number): string => new Date(ms).toISOString()
const withValues = (fields: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined))

/** Spells the event; every spelling of one event is the same event to the hub. */
export function spell(meant: Meant, spelling: Spelling): Request {
  const shared = {
    severity: meant.severity,
    business_id: meant.business,
    location_id: meant.location,
    correlation_id: meant.correlation,
  }
  const json = { path: "/v1/events", content_type: "application/json" } as const
  switch (spelling) {
    case "canonical":
      return {
        ...json,
        body: withValues({
          type: meant.type,
          source: meant.source,
          idempotency_key: meant.key,
          occurred_at: utc(meant.occurredAt),
          ...shared,
          payload: meant.payload,
        }),
      }
    case "canonical_header":
      return {
        ...json,
        headers: { "Idempotency-Key": meant.key },
        body: withValues({
          type: meant.type,
          source: meant.source,
          occurred_at: utc(meant.occurredAt),
          ...shared,
          payload: meant.payload,
        }),
      }
    case "erp":
    case "erp_branch": {
      const { location_id, ...rest } = shared
      const place = spelling === "erp_branch" ? { branch_id: location_id } : { location_id }
      return {
        ...json,
        body: withValues({
          event_type: meant.type,
          source_module: meant.source,
          producer_idempotency_key: meant.key,
          occurred_at: baghdad(meant.occurredAt),
          ...rest,
          ...place,
          payload: meant.payload,
        }),
      }
    }
    case "trading":
      return {
        ...json,
        body: withValues({
          event_id: `te-${meant.key}`,
          type: meant.type,
          producer: meant.source,
          dedupe_key: meant.key,
          occurred_at: utc(meant.occurredAt),
          ...shared,
          payload: meant.payload,
        }),
      }
    case "trading_event_id":
      return {
        ...json,
        body: withValues({
          event_id: meant.key,
          type: meant.type,
          producer: meant.source,
          occurred_at: utc(meant.occurredAt),
          ...shared,
          payload: meant.payload,
        }),
      }
    case "cloudevents":
      return {
        path: "/v1/events",
        content_type: "application/cloudevents+json",
        body: withValues({
          specversion: "1.0",
          id: meant.key,
          source: meant.source,
          type: meant.type,
          time: utc(meant.occurredAt),
          datacontenttype: "application/json",
          severity: meant.severity,
          businessid: meant.business,
          locationid: meant.location,
          correlationid: meant.correlation,
          data: meant.payload,
        }),
      }
  }
}
