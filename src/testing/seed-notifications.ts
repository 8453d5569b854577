/** Notifications as routing would have left them, for tests that begin behind it. */
import { newDeliveryId, newNotificationId, type RuleName } from "../domain/ids.ts"
import type { Notification } from "../domain/notification.ts"
import type { Database } from "../store/database.ts"
import { insertEvents } from "../store/events.ts"
import { routeBatch } from "../store/plans.ts"
import { business, incoming, PLAIN_DELIVERY, recipientId } from "./builders.ts"

/** Stores one event of `b1` for each title and tells `to` of it, in the inbox and by SMS; answers the items in order. */
export async function seedNotifications(
  db: Database,
  to: string,
  titles: readonly string[],
  where = "b1",
): Promise<readonly Notification[]> {
  const made: Notification[] = []
  for (const title of titles) {
    await insertEvents(db, [incoming({ business: business(where) })], Date.now())
    const routed = await routeBatch(db, 10, async (events) =>
      events.map((event) => {
        const id = newNotificationId(Date.now())
        const rule = "a-rule" as RuleName // rule names need no check in a test
        const shared = {
          event: event.id,
          rule,
          rulesRevision: "r1",
          business: event.business,
          priority: "normal",
        } as const
        return {
          event,
          rulesRevision: "r1",
          decisions: [{ rule, matched: true, reason: "payload.n (1) >= 1 is true" }],
          failures: [],
          newRecipients: [],
          timers: [],
          gathered: [],
          broadcasts: [],
          notifications: [
            {
              ...shared,
              id,
              recipient: recipientId(to),
              location: event.location,
              severity: event.severity,
              category: null,
              inbox: true,
              reason: null,
              updateKey: null,
              content: { title, body: `about ${title}`, actionUrl: null, actionLabel: null, data: null },
            },
          ],
          deliveries: [
            {
              ...shared,
              id: newDeliveryId(Date.now()),
              notifications: [id],
              channel: "sms",
              addressKey: "+9647700000000",
              ...PLAIN_DELIVERY,
              start: {
                status: "queued",
                message: { channel: "sms", to: "+9647700000000", text: title, actionUrl: null, actionLabel: null },
              },
            },
          ],
        }
      }),
    )
    made.push(...routed.notifications)
  }
  return made
}
