/** What follows from events and from timers is stored alike: all of it in the transaction of what it follows from. */
import type { SendingChannel } from "../domain/channel.ts"
import type { NewDelivery } from "../domain/delivery.ts"
import type { BusinessId, NotificationId, RecipientId } from "../domain/ids.ts"
import type { NewNotification, Notification } from "../domain/notification.ts"
import type { NewTimer } from "../domain/timer.ts"
import type { Queryable } from "./database.ts"
import type { Handing } from "./handoff.ts"
import { insertDeliveries, renameTold } from "./new-deliveries.ts"
import { insertNotifications } from "./new-notifications.ts"
import { type GatheredEvent, insertGathered, insertTimers } from "./new-timers.ts"
import { breath, eachInTurns, isLong } from "./pieces.ts"

export interface Consequences {
  readonly notifications: readonly NewNotification[]
  readonly deliveries: readonly NewDelivery[]
  readonly timers: readonly NewTimer[]
  readonly gathered: readonly GatheredEvent[]
}

/** What others may want to hear of, once it is committed. */
export interface StoredConsequences {
  /** With the position in the person's stream; null where it is not in the inbox. */
  readonly notifications: readonly (Notification & { readonly position: number | null })[]
  /** Items that left their inbox for newer ones. */
  readonly replaced: readonly Notification[]
  readonly deliveries: number
  /** Channels on which something became due. */
  readonly due: readonly SendingChannel[]
  /** When the first of the timers is due, in milliseconds since the Unix epoch; null: there is none. */
  readonly firstTimerAt: number | null
}

export const NO_CONSEQUENCES: StoredConsequences = {
  notifications: [],
  replaced: [],
  deliveries: 0,
  due: [],
  firstTimerAt: null,
}

/**
 * Stores all of it. `mayTell`: whether a person is told things of a business (see `insertNamedRecipients`). Everything that
 * needs nobody's answer is sent before this returns its promise, so callers can send theirs behind it. Deliveries for
 * which `handing` finds room are stored as claimed, and are not `due`.
 */
export async function storeConsequences(
  tx: Queryable,
  given: Consequences,
  mayTell: (recipient: RecipientId, business: BusinessId) => boolean,
  handing: Handing | null = null,
): Promise<StoredConsequences> {
  const notifications: NewNotification[] = []
  const refused = new Set<NotificationId>()
  for (const one of given.notifications) {
    if (mayTell(one.recipient, one.business)) notifications.push(one)
    else refused.add(one.id)
  }
  if (isLong(notifications)) await breath()
  // Whoever is told again keeps the notification of the first time, and which that is only its row can say. The first
  // telling of all, which is nearly every one, waits for no answer.
  const again = given.deliveries.some((delivery) => delivery.round !== null)
  const allowed =
    refused.size === 0 ? given.deliveries : given.deliveries.flatMap((delivery) => onlyTold(delivery, refused))
  const [stored, deliveries] = await Promise.all([
    insertNotifications(tx, notifications),
    again ? null : insertDeliveries(tx, allowed, handing).then(() => allowed),
    insertTimers(tx, given.timers),
    insertGathered(tx, given.gathered),
  ])
  const all = deliveries === null || stored.renamed ? await underStoredIds(allowed, stored.ids) : deliveries
  if (deliveries === null) await insertDeliveries(tx, all, handing)
  // An event that is routed once more, by an operator's wish.
  else if (stored.renamed) await renameTold(tx, all)
  const due = new Set<SendingChannel>()
  for (const one of all)
    if (one.start.status === "queued" && (handing === null || handing.placeOf(one) === null)) due.add(one.channel)
  return {
    notifications: stored.told,
    replaced: stored.replaced,
    deliveries: all.length,
    due: [...due],
    firstTimerAt: earliest(given),
  }
}

/** A delivery keeps only people who may be told; one that was for people and tells none any more is dropped. */
function onlyTold(delivery: NewDelivery, refused: ReadonlySet<NotificationId>): readonly NewDelivery[] {
  if (delivery.notifications.length === 0) return [delivery]
  const notifications = delivery.notifications.filter((id) => !refused.has(id))
  return notifications.length === 0 ? [] : [{ ...delivery, notifications }]
}

async function underStoredIds(
  deliveries: readonly NewDelivery[],
  ids: ReadonlyMap<NotificationId, NotificationId>,
): Promise<readonly NewDelivery[]> {
  const all: NewDelivery[] = []
  const waiting = eachInTurns(deliveries, (delivery) => {
    const notifications = [...new Set(delivery.notifications.map((id) => ids.get(id) ?? id))]
    all.push({ ...delivery, notifications })
  })
  if (waiting !== null) await waiting
  return all
}

function earliest({ timers, gathered }: Consequences): number | null {
  const moments = [
    ...timers.map(({ dueAt }) => dueAt),
    ...gathered.flatMap(({ fullAt }) => (fullAt === null ? [] : [fullAt])),
  ]
  return moments.length === 0 ? null : moments.reduce((a, b) => Math.min(a, b))
}
