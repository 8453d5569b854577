/** What a refusal says of the address itself is kept, so that the next message need not ask its provider again. */
import type { EndedWaiting, Outcome } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import type { Message } from "../domain/message.ts"
import type { Database } from "../store/database.ts"
import { forgetDevice } from "../store/push-subscriptions.ts"
import { suppress } from "../store/suppressions.ts"

/** Nobody is there, or nobody who wants to hear of us. */
const GONE: ReadonlySet<string> = new Set([
  "address_dead",
  "address_not_found",
  "bad_number",
  "blocked_by_recipient",
  "device_gone",
])

/** Learns from a try; answers the deliveries that waited for the same address and are suppressed now. */
export type Learn = (id: DeliveryId, message: Message, outcome: Outcome) => Promise<readonly EndedWaiting[]>

const NOTHING: readonly EndedWaiting[] = []

/** A device is forgotten. Any other address is not written to for a while, and one that refuses us for good never again. */
export const learning =
  (db: Database): Learn =>
  async (id, message, outcome) => {
    // A system is where its rule says, and is its owner's to mend.
    if (outcome.kind !== "rejected" || message.channel === "webhook") return NOTHING
    const { reason } = outcome
    if (!GONE.has(reason) && reason !== "unsubscribed") return NOTHING
    if (message.channel === "push") {
      await forgetDevice(db, id, message.device)
      return NOTHING
    }
    const as = reason === "unsubscribed" ? "unsubscribed" : "gone"
    return (await db.transaction((tx) => suppress(tx, { delivery: id }, as))).stopped
  }
