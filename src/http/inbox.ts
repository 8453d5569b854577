/**
 * A person's inbox. Every change is told to the person's other screens after it is stored: the item as it now is, and
 * that the counts moved. Services may look into an inbox by naming its person.
 */
import { asNotificationId, asRecipientId, type NotificationId, type RecipientId } from "../domain/ids.ts"
import { isJsonObject, type JsonObject } from "../domain/json.ts"
import { type Notification, notificationItem } from "../domain/notification.ts"
import { confinedTo, placesOf } from "../domain/principal.ts"
import { notificationStream } from "../domain/stream.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { Database } from "../store/database.ts"
import {
  deleteInboxItem,
  getInboxItem,
  type InboxCounts,
  type InboxStatus,
  inboxCounts,
  listInbox,
  type Mark,
  type Marked,
  markAllRead,
  markInboxItems,
  type Within,
} from "../store/notifications.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { tellOfEnds } from "../telemetry/ends.ts"
import { readJson } from "./body.ts"
import { inboxNews } from "./inbox-news.ts"
import { INBOX_SCHEMAS } from "./inbox-schemas.ts"
import { readPage } from "./page.ts"
import { invalid, notFound, type Problem, problem } from "./problem.ts"
import { type Call, json, noContent, query, type Route, type RouteFile, ref } from "./route.ts"

export interface InboxDeps {
  readonly db: Database
  readonly pubsub: PubSub
  readonly telemetry: Emitter
}

/** Whose inbox, and what of it the caller may see. */
interface Owner {
  readonly recipient: RecipientId
  readonly within: Within
}

const STATUSES: readonly InboxStatus[] = ["all", "unread", "read", "archived"]

/** The word in the path, and what it does. */
const MARKS: readonly (readonly [word: string, mark: Mark, summary: string])[] = [
  ["read", "read", "Mark as read"],
  ["unread", "unread", "Mark as unread"],
  ["seen", "seen", "Mark as seen"],
  ["archive", "archive", "Archive"],
  ["unarchive", "unarchive", "Take out of the archive"],
  ["acknowledge", "acknowledge", "Acknowledge: somebody has taken it up"],
]

/** Marks own items and tells the person's screens; gives those that there are, as they now are. */
export async function markInbox(
  deps: InboxDeps,
  { recipient, within }: Owner,
  ids: readonly NotificationId[],
  how: Mark,
): Promise<readonly JsonObject[]> {
  return tell(deps, recipient, await markInboxItems(deps.db, recipient, within, ids, how)).map(notificationItem)
}

/** Tells the person's screens, and whoever watches what is called off by it; gives the items. */
function tell(
  { pubsub, telemetry }: InboxDeps,
  recipient: RecipientId,
  { items, calledOff }: Marked,
): readonly Notification[] {
  if (items.length > 0) pubsub.publish(inboxNews(recipient, items))
  tellOfEnds(telemetry, calledOff)
  return items
}

export function inboxRoutes(deps: InboxDeps): RouteFile {
  const { db, pubsub } = deps
  const countsOf = async (owner: Owner): Promise<InboxCounts> =>
    (await inboxCounts(db, [owner.recipient])).get(owner.recipient)?.(owner.within) ?? { unread: 0, unseen: 0 }

  const mark = async (owner: Owner, id: string | undefined, how: Mark) => {
    const notification = asNotificationId(id ?? "")
    const [item] = notification === null ? [] : await markInbox(deps, owner, [notification], how)
    return item === undefined ? notFound("notification") : json(200, item)
  }

  const marks = MARKS.map(
    ([word, how, summary]): Route => ({
      method: "PATCH",
      path: `/v1/notifications/:id/${word}`,
      access: "caller",
      doc: {
        summary,
        tag: "Inbox",
        answers: { 200: { description: "The item as it now is", schema: ref("Notification") } },
      },
      async handle(call) {
        const owner = ownerOf(call)
        return "kind" in owner ? owner : mark(owner, call.params["id"], how)
      },
    }),
  )

  return {
    schemas: INBOX_SCHEMAS,
    routes: [
      {
        method: "GET",
        path: "/v1/notifications",
        access: "caller",
        doc: {
          summary: "List one's notifications, newest first",
          tag: "Inbox",
          parameters: [
            {
              name: "status",
              in: "query",
              description: "unread, read, archived or all",
              schema: { enum: [...STATUSES] },
            },
            { name: "after", in: "query", description: "Go on after this id (also cursor)" },
            { name: "limit", in: "query", description: "1 to 200, default 50" },
            { name: "recipient_id", in: "query", description: "Whose inbox; for services and operators" },
          ],
          answers: { 200: { description: "A page", schema: ref("NotificationPage") } },
        },
        async handle(call) {
          const owner = ownerOf(call)
          if ("kind" in owner) return owner
          const page = readPage(query(call), asNotificationId)
          if ("kind" in page) return page
          const asked = query(call).get("status") ?? "all"
          const status = STATUSES.find((known) => known === asked)
          if (status === undefined) return invalid([{ pointer: "?status", detail: `expected ${STATUSES.join(", ")}` }])
          const [found, counts] = await Promise.all([
            listInbox(db, owner.recipient, owner.within, {
              status,
              after: page.after ?? undefined,
              limit: page.limit,
            }),
            countsOf(owner),
          ])
          const items = found.items.map(notificationItem)
          const after = found.hasMore ? (found.items.at(-1)?.id ?? null) : null
          return json(200, {
            notifications: items,
            data: items,
            unread_count: counts.unread,
            page_info: { after, has_more: found.hasMore },
          })
        },
      },
      {
        method: "GET",
        path: "/v1/notifications/counts",
        access: "caller",
        doc: {
          summary: "How many are unread and unseen",
          tag: "Inbox",
          answers: { 200: { description: "The counts", schema: ref("InboxCounts") } },
        },
        async handle(call) {
          const owner = ownerOf(call)
          if ("kind" in owner) return owner
          return json(200, countsJson(await countsOf(owner)))
        },
      },
      {
        method: "GET",
        path: "/v1/notifications/:id",
        access: "caller",
        doc: {
          summary: "Read one notification",
          tag: "Inbox",
          answers: { 200: { description: "The item", schema: ref("Notification") } },
        },
        async handle(call) {
          const owner = ownerOf(call)
          if ("kind" in owner) return owner
          const id = asNotificationId(call.params["id"] ?? "")
          const item = id === null ? null : await getInboxItem(db, owner.recipient, owner.within, id)
          return item === null ? notFound("notification") : json(200, notificationItem(item))
        },
      },
      ...marks,
      {
        method: "POST",
        path: "/v1/notifications/mark-all-read",
        access: "caller",
        doc: {
          summary: "Mark everything as read",
          tag: "Inbox",
          answers: {
            200: {
              description: "How many changed",
              schema: { type: "object", properties: { updated: { type: "integer" } } },
            },
          },
        },
        async handle(call) {
          const owner = ownerOf(call)
          if ("kind" in owner) return owner
          const items = tell(deps, owner.recipient, await markAllRead(db, owner.recipient, owner.within))
          return json(200, { updated: items.length, unread_count: (await countsOf(owner)).unread })
        },
      },
      {
        method: "POST",
        path: "/v1/notifications/ack",
        access: "caller",
        doc: {
          summary: "Acknowledge a notification",
          tag: "Inbox",
          description:
            'Also over the socket: push `ack`, `read` or `seen` with `{"ids": […]}` on one\'s own `notifications:{recipient}`; ' +
            'the reply is `{"notifications": […], "not_found": […]}`.',
          body: {
            "application/json": {
              schema: {
                type: "object",
                required: ["notification_id"],
                properties: { notification_id: { type: "string" } },
              },
            },
          },
          answers: { 200: { description: "The item as it now is", schema: ref("Notification") } },
        },
        async handle(call) {
          const owner = ownerOf(call)
          if ("kind" in owner) return owner
          const body = await readJson(call.request)
          if ("kind" in body) return body
          const id = isJsonObject(body.value) ? body.value["notification_id"] : undefined
          if (typeof id !== "string")
            return invalid([{ pointer: "/notification_id", detail: "expected a notification's id" }])
          return mark(owner, id, "acknowledge")
        },
      },
      {
        method: "DELETE",
        path: "/v1/notifications/:id",
        access: "caller",
        doc: {
          summary: "Take a notification out of the inbox",
          tag: "Inbox",
          answers: { 204: { description: "Gone" } },
        },
        async handle(call) {
          const owner = ownerOf(call)
          if ("kind" in owner) return owner
          const id = asNotificationId(call.params["id"] ?? "")
          const item = id === null ? null : await getInboxItem(db, owner.recipient, owner.within, id)
          if (item === null) return notFound("notification")
          await deleteInboxItem(db, owner.recipient, owner.within, item.id)
          const payload = JSON.stringify({ id: item.id, deleted: true, business_id: item.business })
          const stream = notificationStream(owner.recipient)
          pubsub.publish([
            { kind: "stream_message", stream, event: "notification_changed", position: null, payload },
            { kind: "counts_changed", recipient: owner.recipient },
          ])
          return noContent()
        },
      },
    ],
  }
}

/** The counts as they go out over HTTP and the socket. */
export const countsJson = (counts: InboxCounts) => ({
  unread_count: counts.unread,
  unseen_count: counts.unseen,
})

/** A person's own inbox; services and operators name a person, and see what is of their places. */
function ownerOf(call: Call): Owner | Problem {
  const { principal } = call
  const named = query(call).get("recipient_id")
  if (named === null || named === principal.recipient) {
    if (principal.recipient !== null) return { recipient: principal.recipient, within: confinedTo(principal.tenancy) }
    return problem("forbidden", "a key has no inbox: call with a person's token, or name one with ?recipient_id=")
  }
  const recipient = asRecipientId(named)
  if (recipient === null) return invalid([{ pointer: "?recipient_id", detail: "expected a recipient's id" }])
  return principal.service || principal.admin
    ? { recipient, within: placesOf(principal.tenancy) }
    : problem("forbidden", "this is somebody else's inbox")
}
