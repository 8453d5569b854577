/** What a commit of routing made known, to be handed over at once. */
import { notificationItem } from "../domain/notification.ts"
import type { Plan } from "../domain/plan.ts"
import { notificationStream } from "../domain/stream.ts"
import type { News } from "../pubsub/pubsub.ts"
import type { StoredConsequences } from "../store/consequences.ts"
import { withOffset } from "../store/streams.ts"

export function newsOf({ notifications, replaced, due, firstTimerAt }: StoredConsequences): readonly News[] {
  const messages = notifications.flatMap((notification): readonly News[] => {
    const { position, recipient } = notification
    if (position === null) return []
    let encoded: string | undefined
    return [
      {
        kind: "stream_message",
        stream: notificationStream(recipient),
        event: "notification",
        position,
        // Most people's screens are dark: the item is encoded when somebody, here or on another node, reads it.
        get payload() {
          encoded ??= withOffset(JSON.stringify(notificationItem(notification)), position)
          return encoded
        },
      },
    ]
  })
  const changed = replaced.map(
    (notification): News => ({
      kind: "stream_message",
      stream: notificationStream(notification.recipient),
      event: "notification_changed",
      position: null,
      payload: JSON.stringify(notificationItem(notification)),
    }),
  )
  const shown = [...notifications.filter(({ inbox }) => inbox), ...replaced]
  const recipients = new Set(shown.map(({ recipient }) => recipient))
  const counts = [...recipients].map((recipient): News => ({ kind: "counts_changed", recipient }))
  return [
    ...messages,
    ...changed,
    ...counts,
    ...(due.length === 0 ? [] : [{ kind: "deliveries_due", channels: due } as const]),
    ...(firstTimerAt === null ? [] : [{ kind: "timers_set", at: firstTimerAt } as const]),
  ]
}

/** What rules say to open screens: for whoever is there, kept for nobody. */
export const broadcastsOf = (plans: readonly Plan[]): readonly News[] =>
  plans
    .flatMap((plan) => plan.broadcasts)
    .map(({ stream, event, payload }) => ({
      kind: "stream_message",
      stream,
      event,
      position: null,
      payload: JSON.stringify(payload),
    }))
