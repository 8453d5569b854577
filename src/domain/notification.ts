/** One thing one person should know: a row in their inbox (or, without `inapp`, only in the explanation). */
import type { Severity } from "./event.ts"
import type { BusinessId, EventId, LocationId, NotificationId, RecipientId, RuleName } from "./ids.ts"
import type { JsonObject } from "./json.ts"
import type { Priority } from "./rule.ts"

/** The words of the item: stored sealed. */
export interface NotificationContent {
  readonly title: string
  readonly body: string
  readonly actionUrl: string | null
  readonly actionLabel: string | null
  readonly data: JsonObject | null
}

export interface NewNotification {
  readonly id: NotificationId
  readonly event: EventId
  readonly rule: RuleName
  readonly rulesRevision: string
  readonly recipient: RecipientId
  readonly business: BusinessId
  readonly location: LocationId | null
  readonly severity: Severity
  readonly category: string | null
  readonly priority: Priority
  /** False: not in the inbox, kept to explain. */
  readonly inbox: boolean
  /** Why it tells less than the rule says (`throttled`, `shadow`, …), or how it came about (`digest`); null: as the rule says. */
  readonly reason: string | null
  /** Earlier items of the same key, rule and person leave the inbox for it. A hash: what it was made of cannot be read back. */
  readonly updateKey: string | null
  readonly content: NotificationContent
}

/** Milliseconds since the Unix epoch, or null: not yet. */
export interface NotificationMarks {
  readonly createdAt: number
  readonly readAt: number | null
  readonly seenAt: number | null
  readonly archivedAt: number | null
  readonly acknowledgedAt: number | null
}

export interface Notification extends NewNotification, NotificationMarks {}

const time = (millis: number | null): string | null => (millis === null ? null : new Date(millis).toISOString())

/** The item of contract §8, as it goes out over HTTP and the socket. */
export const notificationItem = (n: Notification): JsonObject => ({
  id: n.id,
  title: n.content.title,
  body: n.content.body,
  severity: n.severity,
  category: n.category,
  created_at: time(n.createdAt),
  read_at: time(n.readAt),
  seen_at: time(n.seenAt),
  archived_at: time(n.archivedAt),
  acknowledged_at: time(n.acknowledgedAt),
  action_url: n.content.actionUrl,
  action_label: n.content.actionLabel,
  data: n.content.data,
  event_id: n.event,
  rule: n.rule,
  rules_revision: n.rulesRevision,
  business_id: n.business,
  location_id: n.location,
})
