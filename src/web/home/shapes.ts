/**
 * The hub's answers as this page reads them. Every field is looked at before it is used, so that an older or newer hub
 * leaves a gap on the page and never breaks it.
 */

export type Fields = Readonly<Record<string, unknown>>

/** One item of the inbox (contract §8), only what the page shows. Times are RFC 3339. */
export interface Item {
  readonly id: string
  readonly title: string
  readonly body: string
  readonly severity: string
  readonly category: string | null
  readonly createdAt: string
  readonly readAt: string | null
  readonly archivedAt: string | null
  readonly acknowledgedAt: string | null
  readonly actionUrl: string | null
  readonly actionLabel: string | null
  readonly eventId: string
  readonly rule: string
  readonly place: string
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Where the next page starts; null: there is none. */
  readonly after: string | null
}

/** What `notification_changed` says. */
export type Change =
  | { readonly kind: "item"; readonly item: Item }
  | { readonly kind: "deleted"; readonly id: string }
  | { readonly kind: "reload" }

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

export interface HealthPart {
  readonly name: string
  readonly status: string
  readonly detail: Fields
}

export interface Health {
  readonly status: string
  readonly version: string
  readonly parts: readonly HealthPart[]
}

export const fields = (value: unknown): Fields | null =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : null

const text = (value: unknown): string => (typeof value === "string" ? value : "")
const textOrNull = (value: unknown): string | null => (typeof value === "string" && value !== "" ? value : null)
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : [])
const each = <T>(value: unknown, read: (item: unknown) => T | null): readonly T[] =>
  list(value)
    .map(read)
    .filter((item) => item !== null)

/** `default · l1` */
const placeOf = (of: Fields): string =>
  [of["business_id"], of["location_id"]].filter((part) => typeof part === "string").join(" · ")

export function readItem(value: unknown): Item | null {
  const of = fields(value)
  if (of === null || textOrNull(of["id"]) === null) return null
  return {
    id: text(of["id"]),
    title: text(of["title"]),
    body: text(of["body"]),
    severity: text(of["severity"]) || "info",
    category: textOrNull(of["category"]),
    createdAt: text(of["created_at"]),
    readAt: textOrNull(of["read_at"]),
    archivedAt: textOrNull(of["archived_at"]),
    acknowledgedAt: textOrNull(of["acknowledged_at"]),
    actionUrl: textOrNull(of["action_url"]),
    actionLabel: textOrNull(of["action_label"]),
    eventId: text(of["event_id"]),
    rule: text(of["rule"]),
    place: placeOf(of),
  }
}

export function readChange(value: unknown): Change | null {
  const of = fields(value)
  if (of === null) return null
  if (of["reload"] === true) return { kind: "reload" }
  if (of["deleted"] === true) return { kind: "deleted", id: text(of["id"]) }
  const item = readItem(value)
  return item === null ? null : { kind: "item", item }
}

/** The unread count of `counts`, or null where there is none. */
export function readUnread(value: unknown): number | null {
  const count = fields(value)?.["unread_count"]
  return typeof count === "number" ? count : null
}

export function readPage<T>(value: unknown, read: (item: unknown) => T | null): Page<T> {
  const of = fields(value)
  const info = fields(of?.["page_info"])
  return {
    items: each(of?.["data"], read),
    after: info?.["has_more"] === true ? textOrNull(info["after"]) : null,
  }
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

export function readHealth(value: unknown): Health | null {
  const of = fields(value)
  const parts = fields(of?.["parts"])
  if (of === null || parts === null) return null
  return {
    status: text(of["status"]),
    version: text(of["version"]),
    parts: Object.entries(parts).map(([name, part]) => {
      const { status, ...detail } = fields(part) ?? {}
      return { name, status: text(status), detail }
    }),
  }
}
