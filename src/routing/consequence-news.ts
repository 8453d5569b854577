/** What a commit of routing made known, to be handed over at once. */
import { notificationItem } from "../domain/notification.ts"
import type { Plan } from "../domain/plan.ts"
import { notificationStream } from "../domain/stream.ts"
import type { News, PubSub } from "../pubsub/pubsub.ts"
import { NO_CONSEQUENCES, type StoredConsequences } from "../store/consequences.ts"
import { breath, inPieces, isLong } from "../store/pieces.ts"
import { withOffset } from "../store/streams.ts"

function newsOf({ notifications, replaced, due, firstTimerAt }: StoredConsequences): readonly News[] {
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

/** What a commit made known, and what else is said of it: in one piece, or, where it is for very many people, in several. */
export function* newsInPieces(
  stored: StoredConsequences,
  others: readonly News[] = [],
): Generator<readonly News[], void> {
  const { notifications, replaced } = stored
  if (!isLong(notifications) && !isLong(replaced)) return yield [...newsOf(stored), ...others]
  for (const piece of inPieces(notifications)) yield newsOf({ ...NO_CONSEQUENCES, notifications: piece })
  for (const piece of inPieces(replaced)) yield newsOf({ ...NO_CONSEQUENCES, replaced: piece })
  yield [...newsOf({ ...stored, notifications: [], replaced: [] }), ...others]
}

/** Tells all of it, in order. Between two pieces others have their turn; nobody waits for a single one. */
export async function tellOf(
  pubsub: Pick<PubSub, "publish">,
  stored: StoredConsequences,
  others: readonly News[] = [],
): Promise<void> {
  let told = false
  for (const piece of newsInPieces(stored, others)) {
    if (told) await breath()
    pubsub.publish(piece)
    told = true
  }
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
