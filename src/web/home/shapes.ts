/** The hub's answers as the first page reads them. */
import { each, type Fields, fields, placeOf, text, textOrNull } from "../shared/fields.ts"

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
