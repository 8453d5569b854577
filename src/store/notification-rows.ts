/** How a notification lies in its table: shared by everything that reads one. */
import type { Severity } from "../domain/event.ts"
import type { BusinessId, EventId, LocationId, NotificationId, RecipientId, RuleName } from "../domain/ids.ts"
import type { Notification, NotificationContent } from "../domain/notification.ts"
import type { Priority } from "../domain/rule.ts"
import { openAs } from "./sealed.ts"

const millis = (column: string): string => `(extract(epoch from n.${column}) * 1000)::float8 as ${column}`

/** Columns of a notification `n` as `notificationFromRow` reads them. */
export const NOTIFICATION_COLUMNS = `n.id, n.event_id, n.rule, n.rules_revision, n.recipient_id, n.business_id,
  n.location_id, n.severity, n.category, n.priority, n.inbox, n.reason, n.update_key, n.content, ${millis("created_at")}, ${millis("read_at")},
  ${millis("seen_at")}, ${millis("archived_at")}, ${millis("acknowledged_at")}`

export interface NotificationRow {
  readonly id: NotificationId
  readonly event_id: EventId
  readonly rule: RuleName
  readonly rules_revision: string
  readonly recipient_id: RecipientId
  readonly business_id: BusinessId
  readonly location_id: LocationId | null
  readonly severity: Severity
  readonly category: string | null
  readonly priority: Priority
  readonly inbox: boolean
  readonly reason: string | null
  readonly update_key: string | null
  readonly content: Buffer
  readonly created_at: number
  readonly read_at: number | null
  readonly seen_at: number | null
  readonly archived_at: number | null
  readonly acknowledged_at: number | null
}

export const notificationFromRow = (row: NotificationRow): Notification => ({
  id: row.id,
  event: row.event_id,
  rule: row.rule,
  rulesRevision: row.rules_revision,
  recipient: row.recipient_id,
  business: row.business_id,
  location: row.location_id,
  severity: row.severity,
  category: row.category,
  priority: row.priority,
  inbox: row.inbox,
  reason: row.reason,
  updateKey: row.update_key,
  content: openAs<NotificationContent>(row.content),
  createdAt: row.created_at,
  readAt: row.read_at,
  seenAt: row.seen_at,
  archivedAt: row.archived_at,
  acknowledgedAt: row.acknowledged_at,
})
