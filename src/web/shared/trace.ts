/** An event and what followed from it, as the pages read `GET /v1/events/:id/trace`. */
import { each, fields, placeOf, text, textOrNull } from "./fields.ts"

export interface EventRow {
  readonly id: string
  readonly type: string
  readonly source: string
  readonly severity: string
  readonly place: string
  readonly occurredAt: string
  readonly acceptedAt: string
}

export interface TraceRule {
  readonly rule: string
  readonly verdict: "matched" | "not_matched" | "failed"
  readonly reason: string
}

export interface TraceDelivery {
  readonly id: string
  readonly channel: string
  readonly status: string
  readonly reason: string | null
  readonly maybeDuplicate: boolean
}

export interface Trace {
  readonly event: EventRow
  readonly status: string
  readonly reason: string
  readonly revision: string | null
  readonly rules: readonly TraceRule[]
  readonly notifications: readonly {
    readonly id: string
    readonly recipient: string
    readonly rule: string
    readonly inbox: boolean
    readonly deliveries: readonly TraceDelivery[]
  }[]
}

export function readEvent(value: unknown): EventRow | null {
  const of = fields(value)
  if (of === null || textOrNull(of["id"]) === null) return null
  return {
    id: text(of["id"]),
    type: text(of["type"]),
    source: text(of["source"]),
    severity: text(of["severity"]) || "info",
    place: placeOf(of),
    occurredAt: text(of["occurred_at"]),
    acceptedAt: text(of["accepted_at"]),
  }
}

export function readTrace(value: unknown): Trace | null {
  const of = fields(value)
  const event = readEvent(of?.["event"])
  if (of === null || event === null) return null
  return {
    event,
    status: text(of["status"]),
    reason: text(of["reason"]),
    revision: textOrNull(of["rules_revision"]),
    rules: each(of["rules"], readRule),
    notifications: each(of["notifications"], (entry) => {
      const told = fields(entry)
      if (told === null) return null
      return {
        id: text(told["id"]),
        recipient: text(told["recipient"]),
        rule: text(told["rule"]),
        inbox: told["inbox"] === true,
        deliveries: each(told["deliveries"], readDelivery),
      }
    }),
  }
}

function readRule(value: unknown): TraceRule | null {
  const of = fields(value)
  if (of === null) return null
  const verdict = of["failed"] === true ? "failed" : of["matched"] === true ? "matched" : "not_matched"
  return { rule: text(of["rule"]), verdict, reason: text(of["reason"]) }
}

function readDelivery(value: unknown): TraceDelivery | null {
  const of = fields(value)
  if (of === null) return null
  return {
    id: text(of["id"]),
    channel: text(of["channel"]),
    status: text(of["status"]),
    reason: textOrNull(of["reason"]),
    maybeDuplicate: of["maybe_duplicate"] === true,
  }
}
