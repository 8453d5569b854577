/** Browsers that are told by push, by whose they are; and devices that are gone. */
import { createHash } from "node:crypto"
import type { BusinessId, DeliveryId, RecipientId } from "../domain/ids.ts"
import { type PushSubscription, parsePushSubscription } from "../domain/push-subscription.ts"
import { type DeviceToken, namedOnly, type Profile } from "../domain/recipient.ts"
import type { Database, Queryable } from "./database.ts"
import { insertNamedRecipients } from "./named-recipients.ts"
import { openAs, seal } from "./sealed.ts"

/** A browser that was set up anew leaves its old endpoint behind, and may never be told that it is gone. */
const MOST_BROWSERS = 20

const hashOf = ({ endpoint }: Pick<PushSubscription, "endpoint">): Buffer =>
  createHash("sha256").update(endpoint).digest()

/**
 * From now on the browser is this person's, whoever's it was. A person whom nobody has named yet becomes a recipient of
 * `business`. Of very many browsers the newest count.
 */
export const subscribe = (
  db: Database,
  recipient: RecipientId,
  business: BusinessId,
  subscription: PushSubscription,
): Promise<void> =>
  db.transaction(async (tx) => {
    await insertNamedRecipients(tx, [{ newRecipients: [namedOnly(recipient, business)], business }])
    await tx.execute(
      `insert into push_subscriptions (endpoint_hash, recipient_id, subscription) values ($1, $2, $3)
       on conflict (endpoint_hash) do update
         set recipient_id = excluded.recipient_id, subscription = excluded.subscription, created_at = now()`,
      [hashOf(subscription), recipient, seal(subscription)],
    )
    await tx.execute(
      `delete from push_subscriptions where recipient_id = $1 and endpoint_hash in (
         select endpoint_hash from push_subscriptions where recipient_id = $1 order by created_at desc offset $2)`,
      [recipient, MOST_BROWSERS],
    )
  })

/** False: this person has no such browser. */
export async function unsubscribe(db: Queryable, recipient: RecipientId, endpoint: string): Promise<boolean> {
  const gone = await db.execute("delete from push_subscriptions where recipient_id = $1 and endpoint_hash = $2", [
    recipient,
    hashOf({ endpoint }),
  ])
  return gone > 0
}

/** A browser as the device that it is. */
export const browserDevice = (subscription: Buffer): DeviceToken => ({
  platform: "web",
  token: JSON.stringify(openAs<PushSubscription>(subscription)),
})

/** Takes a device that its push service does not know any more from whoever a delivery was for. */
export const forgetDevice = (db: Database, delivery: DeliveryId, device: DeviceToken): Promise<void> =>
  db.transaction(async (tx) => {
    const subscription = device.platform === "web" ? parsePushSubscription(device.token) : null
    if (subscription !== null)
      await tx.execute("delete from push_subscriptions where endpoint_hash = $1", [hashOf(subscription)])
    const rows = await tx.query<{ id: RecipientId; profile: Buffer }>(
      `select r.id, r.profile from recipients r where r.id in (
         select n.recipient_id from deliveries d cross join lateral unnest(d.notification_ids) as told (id)
         join notifications n on n.id = told.id where d.id = $1)
       order by r.id for update`,
      [delivery],
    )
    for (const { id, profile } of rows) {
      const opened = openAs<Profile>(profile)
      const left = opened.deviceTokens.filter(
        ({ platform, token }) => platform !== device.platform || token !== device.token,
      )
      if (left.length === opened.deviceTokens.length) continue
      await tx.execute("update recipients set profile = $2, updated_at = now() where id = $1", [
        id,
        seal({ ...opened, deviceTokens: left } satisfies Profile),
      ])
    }
  })
