/** Browsers that are told by push, by whose they are; and devices that are gone. */
import { createHash } from "node:crypto"
import type { BusinessId, DeliveryId, RecipientId } from "../domain/ids.ts"
import { type PushSubscription, parsePushSubscription } from "../domain/push-subscription.ts"
import { type DeviceToken, namedOnly, type Profile } from "../domain/recipient.ts"
import { appendAudit } from "./audit.ts"
import type { Database, Queryable } from "./database.ts"
import { insertNamedRecipients } from "./named-recipients.ts"
import { openAs, seal } from "./sealed.ts"

/** A browser that was set up anew leaves its old endpoint behind, and may never be told that it is gone. */
const MOST_BROWSERS = 20

const hashOf = ({ endpoint }: Pick<PushSubscription, "endpoint">): Buffer =>
  createHash("sha256").update(endpoint).digest()

/**
 * From now on the browser is this person's, whoever's it was, who has agreed to it. A person whom nobody has named yet becomes
 * a recipient of `business`. Of very many browsers the newest count.
 */
export const subscribe = (
  db: Database,
  recipient: RecipientId,
  business: BusinessId,
  subscription: PushSubscription,
): Promise<void> =>
  db.transaction(async (tx) => {
    await insertNamedRecipients(tx, [{ newRecipients: [namedOnly(recipient, business)], business }])
    const known = await tx.query("select from push_subscriptions where endpoint_hash = $1 and recipient_id = $2", [
      hashOf(subscription),
      recipient,
    ])
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
    // Pages say it each time that they are opened.
    if (known.length === 0) await consented(tx, recipient, "push.subscribe", [business])
  })

const consented = (
  tx: Queryable,
  recipient: RecipientId,
  action: "push.subscribe" | "push.unsubscribe",
  businesses: readonly BusinessId[] | null,
): Promise<number> =>
  appendAudit(tx, { actor: `person:${recipient}`, action, businesses, key: null, detail: { recipient_id: recipient } })

/** False: this person has no such browser. */
export const unsubscribe = (db: Database, recipient: RecipientId, endpoint: string): Promise<boolean> =>
  db.transaction(async (tx) => {
    const gone = await tx.execute("delete from push_subscriptions where recipient_id = $1 and endpoint_hash = $2", [
      recipient,
      hashOf({ endpoint }),
    ])
    if (gone > 0) await consented(tx, recipient, "push.unsubscribe", null)
    return gone > 0
  })

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
