/** What a person's screens hear of items that were changed, wherever that was done. */
import type { RecipientId } from "../domain/ids.ts"
import { type Notification, notificationItem } from "../domain/notification.ts"
import { notificationStream } from "../domain/stream.ts"
import type { News } from "../pubsub/pubsub.ts"

const MAX_CHANGES = 200

/** The items as they now are, and that the counts moved. */
export function inboxNews(recipient: RecipientId, items: readonly Notification[]): readonly News[] {
  const stream = notificationStream(recipient)
  // Beyond this a screen is quicker to load its list again than to be told item by item.
  const payloads = items.length > MAX_CHANGES ? [{ reload: true }] : items.map(notificationItem)
  const news: News[] = payloads.map((payload) => ({
    kind: "stream_message",
    stream,
    event: "notification_changed",
    position: null,
    payload: JSON.stringify(payload),
  }))
  return [...news, { kind: "counts_changed", recipient }]
}

/** The same for several people's items. What is in no inbox changes none. */
export const inboxNewsOf = (items: readonly Notification[]): readonly News[] =>
  [
    ...Map.groupBy(
      items.filter(({ inbox }) => inbox),
      ({ recipient }) => recipient,
    ),
  ].flatMap(([recipient, own]) => inboxNews(recipient, own))
