/** What providers report of messages that they have taken. */
import type { SendingChannel } from "../domain/channel.ts"
import type { DeliveryId } from "../domain/ids.ts"
import { RECEIPTS, type Receipt } from "../domain/receipt.ts"
import type { Queryable } from "./database.ts"

/** Which message a provider means. */
export interface Reported {
  readonly channels: readonly SendingChannel[]
  /** As the provider was asked to say it again; null: it was not. */
  readonly delivery: DeliveryId | null
  /** The provider's own id, null where it named none. */
  readonly providerMessageId: string | null
}

// Once by its key; else by the id that a try has seen, which is not written yet where the report overtakes the settlement.
const FIND = `
select d.id, d.receipt from deliveries d where d.id = coalesce(
  (select x.id from deliveries x where x.id = $1 and x.channel = any($3)),
  (select x.id from attempts a join deliveries x on x.id = a.delivery_id
   where a.provider_message_id = $2 and x.channel = any($3) order by a.finished_at desc limit 1)
) for update of d`

export interface Recorded {
  readonly delivery: DeliveryId
  /** False: it was known, or a later word was. */
  readonly changed: boolean
}

/** Null: no delivery of ours. */
export async function recordReceipt(tx: Queryable, reported: Reported, receipt: Receipt): Promise<Recorded | null> {
  const [found] = await tx.query<{ id: DeliveryId; receipt: Receipt | null }>(FIND, [
    reported.delivery,
    reported.providerMessageId,
    reported.channels,
  ])
  if (found === undefined) return null
  const changed = found.receipt === null || RECEIPTS.indexOf(receipt) > RECEIPTS.indexOf(found.receipt)
  if (changed) await tx.execute("update deliveries set receipt = $2 where id = $1", [found.id, receipt])
  return { delivery: found.id, changed }
}
