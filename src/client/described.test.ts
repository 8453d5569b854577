/**
 * The client's types against the hub's own description, field by field. The tables below are bound to the types by the
 * compiler and to `/openapi.json` by the tests, so neither can change without the other.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { type All, type Described, type Fields, type Required, readDescription, wordsOf } from "../testing/described.ts"
import { startTestHub, type TestHub } from "../testing/start-hub.ts"
import type {
  AcceptedEvent,
  Attempt,
  Delivery,
  DeliveryFilter,
  DeliveryNext,
  DeliveryStatus,
  DeviceToken,
  Event,
  EventFilter,
  EventStats,
  FieldError,
  InboxCounts,
  ListFilter,
  ListMember,
  ListSummary,
  Membership,
  Notification,
  NotificationFilter,
  NotificationPage,
  Page,
  PageInfo,
  Preferences,
  PreferencesInput,
  ProblemCode,
  QuietHours,
  Recipient,
  RecipientFilter,
  RecipientInput,
  ResourceMessage,
  Severity,
  StoredEvent,
  Trace,
  TracedDelivery,
  TracedDigest,
  TracedNotification,
  TracedRule,
  TracedTimer,
} from "./hub.ts"
import { Hub } from "./hub.ts"

const profile = {
  name: "null|string",
  email: "null|string",
  phone: "null|string",
  telegram_chat_id: "null|string",
  slack_webhook_url: "null|string",
  slack_user_id: "null|string",
  device_tokens: "array",
  locale: "null|string",
  timezone: "null|string",
} as const
const membership: Fields<Membership> = { business_id: "string", location_ids: "array|null", roles: "array" }
const paged: Fields<Page<unknown>> = { data: "array", page_info: "object" }

const storedEvent: Fields<StoredEvent> = {
  id: "string",
  type: "string",
  source: "string",
  severity: "string",
  business_id: "string",
  location_id: "null|string",
  occurred_at: "string",
  accepted_at: "string",
  correlation_id: "null|string",
  idempotency_key: "null|string",
  payload: "object",
  extensions: "object",
}
const notification: Fields<Notification> = {
  id: "string",
  title: "string",
  body: "string",
  severity: "string",
  category: "null|string",
  created_at: "string",
  read_at: "null|string",
  seen_at: "null|string",
  archived_at: "null|string",
  acknowledged_at: "null|string",
  action_url: "null|string",
  action_label: "null|string",
  data: "null|object",
  event_id: "string",
  rule: "string",
  rules_revision: "string",
  business_id: "string",
  location_id: "null|string",
}
const quietHours: Fields<QuietHours> = { from: "string", to: "string", timezone: "string" }
const quietHoursInput: Fields<NonNullable<PreferencesInput["quiet_hours"]>> = {
  from: "null|string",
  to: "null|string",
  timezone: "null|string",
}
const preferences: Fields<Preferences> = {
  channels: "object",
  categories: "object",
  severity_min: "object",
  quiet_hours: "null|object",
}
const preferencesInput: Fields<PreferencesInput> = {
  channels: "null|object",
  categories: "null|object",
  severity_min: "null|object",
  quiet_hours: "null|object",
}
const listSummary: Fields<ListSummary> = { list: "string", members: "number" }
const listMember: Fields<ListMember> = { recipient_id: "string", added_at: "string" }
const notificationPage: Fields<NotificationPage> = { ...paged, notifications: "array", unread_count: "number" }
const delivery: Fields<Delivery> = {
  id: "string",
  event_id: "string",
  notification_ids: "array",
  rule: "string",
  rules_revision: "string",
  channel: "string",
  status: "string",
  reason: "null|string",
  receipt: "null|string",
  maybe_duplicate: "boolean",
  next_attempt_at: "null|string",
  next: "object",
  created_at: "string",
  settled_at: "null|string",
  expires_at: "null|string",
  replayed_at: "null|string",
  attempts: "array",
}
const deliveryNext: Fields<DeliveryNext> = { again: "boolean", code: "string", sentence: "string", at: "null|string" }
const attempt: Fields<Attempt> = {
  number: "number",
  started_at: "null|string",
  finished_at: "null|string",
  outcome: "string",
  reason: "null|string",
  detail: "null|string",
  provider_message_id: "null|string",
  next: "null|object",
}
const event: Fields<Event> = {
  type: "string",
  source: "string",
  idempotency_key: "null|number|string",
  severity: "string",
  occurred_at: "string",
  business_id: "number|string",
  location_id: "null|number|string",
  correlation_id: "null|number|string",
  payload: "object",
}
const resourceMessage: Fields<ResourceMessage> = {
  type: "string",
  resourceType: "string",
  businessId: "number|string",
  locationId: "null|number|string",
  resourceId: "number|string",
  shardId: "null|number|string",
  timestamp: "string",
  data: "null|object",
}
const trace: Fields<Trace> = {
  event: "object",
  status: "string",
  rules_revision: "null|string",
  rules: "array",
  failures: "array",
  notifications: "array",
  systems: "array",
  timers: "array",
  digests: "array",
  has_more_notifications: "boolean",
  has_more_deliveries: "boolean",
}
const tracedRule: Fields<TracedRule> = {
  rule: "null|string",
  matched: "boolean",
  failed: "boolean",
  reason: "string",
  clause: "null|string",
}
const tracedDelivery: Fields<TracedDelivery> = {
  id: "string",
  channel: "string",
  status: "string",
  reason: "null|string",
  maybe_duplicate: "boolean",
  round: "null|string",
  next_attempt_at: "null|string",
}
const tracedTimer: Fields<TracedTimer> = {
  id: "string",
  kind: "string",
  rule: "string",
  rules_revision: "string",
  action: "number",
  step: "number",
  due_at: "string",
  done_at: "null|string",
  outcome: "null|string",
  failures: "array",
}
const tracedDigest: Fields<TracedDigest> = {
  ...tracedTimer,
  opened_by: "string",
  events: "number",
  notifications: "array",
}
const tracedNotification: Fields<TracedNotification> = {
  id: "string",
  recipient: "string",
  rule: "string",
  rules_revision: "string",
  inbox: "boolean",
  reason: "null|string",
  deliveries: "array",
}
const totals: Fields<EventStats["events"]> = {
  total: "number",
  unrouted: "number",
  failed: "number",
  by_type: "object",
  by_business: "object",
}
const accepted: Fields<AcceptedEvent> = { id: "string", status: "string" }
const fieldError: Fields<FieldError> = { pointer: "string", detail: "string" }
const pageInfo: Fields<PageInfo> = { after: "null|string", has_more: "boolean" }
const counts: Fields<InboxCounts> = { unread_count: "number", unseen_count: "number" }
const deviceToken: Fields<DeviceToken> = { platform: "string", token: "string" }
const recipient: Fields<Recipient> = { id: "string", memberships: "array", ...profile }
const recipientInput: Fields<RecipientInput> = { memberships: "array", ...membership, ...profile }

/** Where in the description the fields of each type stand. */
const SCHEMAS: readonly (readonly [pointer: string, fields: Readonly<Record<string, string>>])[] = [
  ["Event", event],
  ["AcceptedEvent", accepted],
  ["StoredEvent", storedEvent],
  ["EventList", paged],
  ["EventStats/properties/events", totals],
  ["Trace", trace],
  ["Trace/properties/rules/items", tracedRule],
  ["Trace/properties/notifications/items", tracedNotification],
  ["Trace/properties/notifications/items/properties/deliveries/items", tracedDelivery],
  ["Trace/properties/systems/items", { rule: "string", ...tracedDelivery }],
  ["Trace/properties/timers/items", tracedTimer],
  ["Trace/properties/digests/items", tracedDigest],
  ["ResourceMessage", resourceMessage],
  ["FieldError", fieldError],
  ["PageInfo", pageInfo],
  ["Recipient", recipient],
  ["RecipientInput", recipientInput],
  ["Recipient/properties/memberships/items", membership],
  ["Recipient/properties/device_tokens/items", deviceToken],
  ["RecipientPage", paged],
  ["Preferences", preferences],
  ["Preferences/properties/quiet_hours", quietHours],
  ["PreferencesInput", preferencesInput],
  ["PreferencesInput/properties/quiet_hours", quietHoursInput],
  ["List", listSummary],
  ["ListPage", paged],
  ["ListMember", listMember],
  ["ListMemberPage", paged],
  ["Notification", notification],
  ["NotificationPage", notificationPage],
  ["InboxCounts", counts],
  ["Delivery", delivery],
  ["Delivery/properties/attempts/items", attempt],
  ["Delivery/properties/attempts/items/properties/next", deliveryNext],
  ["DeliveryNext", deliveryNext],
  ["DeliveryPage", paged],
]

const severities: All<Severity> = {
  info: true,
  low: true,
  medium: true,
  warning: true,
  high: true,
  error: true,
  critical: true,
}
const statuses: All<DeliveryStatus> = {
  scheduled: true,
  queued: true,
  sending: true,
  delivered: true,
  retrying: true,
  dead: true,
  unknown: true,
  suppressed: true,
  expired: true,
  captured: true,
  cancelled: true,
}
const changes: All<ResourceMessage["type"]> = {
  resource_created: true,
  resource_updated: true,
  resource_deleted: true,
  resource_patched: true,
}
const codes: All<ProblemCode> = {
  malformed: true,
  unauthenticated: true,
  forbidden: true,
  not_found: true,
  unknown_business: true,
  unknown_location: true,
  method_not_allowed: true,
  conflict: true,
  too_large: true,
  unsupported_media_type: true,
  invalid: true,
  idempotency_key_reused: true,
  upgrade_required: true,
  rate_limited: true,
  internal: true,
  unavailable: true,
}
const traced: All<Trace["status"]> = { waiting: true, routed: true, failed: true }
const WORDS: readonly (readonly [pointer: string, words: Readonly<Record<string, true>>])[] = [
  ["Event/properties/severity", severities],
  ["StoredEvent/properties/severity", severities],
  ["Delivery/properties/status", statuses],
  ["ResourceMessage/properties/type", changes],
  ["Problem/properties/code", codes],
  ["Trace/properties/status", traced],
]

const mustEvent: Required<Event> = { type: true, source: true }
const mustResource: Required<ResourceMessage> = { type: true, resourceType: true, businessId: true, resourceId: true }

const eventFilter: Required<globalThis.Required<EventFilter>> = {
  type: true,
  source: true,
  business_id: true,
  since: true,
  until: true,
  limit: true,
}
const recipientFilter: Record<keyof RecipientFilter, true> = { role: true, limit: true }
const listFilter: Record<keyof ListFilter, true> = { business_id: true, limit: true }
const notificationFilter: Record<keyof NotificationFilter, true> = { status: true, limit: true }
const deliveryFilter: Record<keyof DeliveryFilter, true> = {
  status: true,
  channel: true,
  notification_id: true,
  event_id: true,
  limit: true,
}

let server: TestHub
let described: Described
beforeAll(async () => {
  server = await startTestHub()
  described = readDescription(await (await server.call("/openapi.json")).json())
})
afterAll(() => server.remove())

describe("what the hub describes and what the client's types say are the same", () => {
  test.each(SCHEMAS)("of %s", (pointer, fields) => {
    const properties = Object.entries(described.schema(pointer).properties ?? {})
    expect(Object.fromEntries(properties.map(([name, schema]) => [name, wordsOf(schema)]))).toEqual({ ...fields })
  })

  test.each(WORDS)("in every word of %s", (pointer, words) => {
    expect((described.schema(pointer).enum ?? []).toSorted()).toEqual(Object.keys(words).toSorted())
  })

  test("in what must be given", () => {
    expect(described.schema("Event").required?.toSorted()).toEqual(Object.keys(mustEvent).toSorted())
    expect(described.schema("ResourceMessage").required?.toSorted()).toEqual(Object.keys(mustResource).toSorted())
    expect(described.schema("RecipientInput").required ?? []).toEqual([])
  })

  test.each([
    ["/v1/events", eventFilter, []],
    ["/v1/recipients", recipientFilter, []],
    ["/v1/lists", listFilter, []],
    ["/v1/lists/{list}/members", listFilter, []],
    ["/v1/notifications", notificationFilter, ["recipient_id"]],
    ["/v1/deliveries", deliveryFilter, []],
  ])("in how %s is asked", (path, filter, others) => {
    const asked = described.paths[path]?.["get"]?.parameters?.filter((parameter) => parameter.in === "query") ?? []
    const names = asked.map(({ name }) => name).toSorted()
    expect(names).toEqual([...Object.keys(filter), ...others, "after"].toSorted())
  })
})

test("the client calls nothing that the hub does not describe", async () => {
  const called: string[] = []
  const answer = { id: "i", status: "accepted", data: [], page_info: { after: null, has_more: false } }
  const hub = new Hub({
    apiKey: "a-key",
    baseUrl: "http://hub.test",
    fetch: async (url, { method }) => {
      const path = new URL(url).pathname.replace(/\/i(?=\/|$)/g, "/{id}")
      called.push(`${method} ${path}`)
      return Response.json({
        ...answer,
        results: [{ index: 0, status: path.includes("recip") ? "created" : "accepted", id: "i" }],
      })
    },
  })
  const { events, resources, recipients, lists, preferences, notifications, deliveries } = hub
  const change = { type: "resource_updated", resourceType: "t", businessId: "b", resourceId: "r" } as const
  await events.publish({ type: "t", source: "s" })
  await events.publishBatch([{ type: "t", source: "s" }])
  await resources.notify(change)
  await resources.notify([change])
  await recipients.upsert("i", {})
  await recipients.upsertBatch([{ id: "i" }])
  for (const one of [preferences, recipients.prefs("i")]) {
    await one.get()
    await one.replace({})
    await one.change({})
  }
  await lists.members("i").page()
  await lists.add("i", "i")
  await lists.remove("i", "i")
  for (const list of [events, recipients, lists, notifications, deliveries]) await list.list().page()
  for (const one of [events, recipients, notifications, deliveries]) await one.get("i")
  await events.trace("i")
  await events.stats()
  for (const mark of ["read", "unread", "seen", "archive", "unarchive", "acknowledge"] as const)
    await notifications[mark]("i")
  await notifications.counts()
  await notifications.markAllRead()
  for (const one of [recipients, notifications]) await one.delete("i")

  const served = Object.entries(described.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replace(/\{\w+\}/g, "{id}")}`),
  )
  expect(new Set(called).size).toBeGreaterThan(20)
  expect([...new Set(called)].filter((call) => !served.includes(call))).toEqual([])
})
