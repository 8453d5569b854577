/** What `GET /v1/deliveries` and `GET /v1/deliveries/:id` answer, read with care. */
import { each, type Fields, fields, text, textOrNull } from "../shared/fields.ts"

/** Whether it is tried again, and why or why not. */
export interface Next {
  readonly again: boolean
  readonly code: string
  readonly sentence: string
  readonly at: string | null
}

export interface Attempt {
  readonly number: number
  readonly startedAt: string
  readonly finishedAt: string
  readonly outcome: string
  readonly reason: string | null
  readonly detail: string | null
  readonly providerMessageId: string | null
  readonly next: Next | null
}

export interface Delivery {
  readonly id: string
  readonly eventId: string
  readonly notificationIds: readonly string[]
  readonly rule: string
  readonly revision: string
  readonly channel: string
  readonly status: string
  readonly reason: string | null
  readonly receipt: string | null
  readonly maybeDuplicate: boolean
  readonly createdAt: string
  readonly settledAt: string | null
  readonly expiresAt: string | null
  readonly replayedAt: string | null
  readonly next: Next | null
  readonly attempts: readonly Attempt[]
}

export function readDelivery(value: unknown): Delivery | null {
  const of = fields(value)
  if (of === null || textOrNull(of["id"]) === null) return null
  return {
    id: text(of["id"]),
    eventId: text(of["event_id"]),
    notificationIds: each(of["notification_ids"], textOrNull),
    rule: text(of["rule"]),
    revision: text(of["rules_revision"]),
    channel: text(of["channel"]),
    status: text(of["status"]),
    reason: textOrNull(of["reason"]),
    receipt: textOrNull(of["receipt"]),
    maybeDuplicate: of["maybe_duplicate"] === true,
    createdAt: text(of["created_at"]),
    settledAt: textOrNull(of["settled_at"]),
    expiresAt: textOrNull(of["expires_at"]),
    replayedAt: textOrNull(of["replayed_at"]),
    next: readNext(fields(of["next"])),
    attempts: each(of["attempts"], readAttempt),
  }
}

const readNext = (of: Fields | null): Next | null =>
  of === null
    ? null
    : {
        again: of["again"] === true,
        code: text(of["code"]),
        sentence: text(of["sentence"]),
        at: textOrNull(of["at"]),
      }

function readAttempt(value: unknown): Attempt | null {
  const of = fields(value)
  if (of === null) return null
  return {
    number: typeof of["number"] === "number" ? of["number"] : 0,
    startedAt: text(of["started_at"]),
    finishedAt: text(of["finished_at"]),
    outcome: text(of["outcome"]),
    reason: textOrNull(of["reason"]),
    detail: textOrNull(of["detail"]),
    providerMessageId: textOrNull(of["provider_message_id"]),
    next: readNext(fields(of["next"])),
  }
}

export interface DeliveryPage {
  readonly items: readonly Delivery[]
  readonly after: string | null
}

/** Null for what is no page of deliveries. */
export function readDeliveries(value: unknown): DeliveryPage | null {
  const of = fields(value)
  if (of === null || !Array.isArray(of["data"])) return null
  const info = fields(of["page_info"])
  return {
    items: each(of["data"], readDelivery),
    after: info?.["has_more"] === true ? textOrNull(info["after"]) : null,
  }
}

const UNDER_WAY: ReadonlySet<string> = new Set(["queued", "sending", "retrying", "scheduled"])

/** Something is still to come of it by itself. */
export const isUnderWay = ({ status }: Pick<Delivery, "status">): boolean => UNDER_WAY.has(status)
