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

/** Learns from a try; answers the deliveries that waited for the same address and are suppressed now. Null: it says nothing of the address. */
export type Learn = (id: DeliveryId, message: Message, outcome: Outcome) => Promise<readonly EndedWaiting[]> | null

/** A device is forgotten. Any other address is not written to for a while, and one that refuses us for good never again. */
export const learning =
  (db: Database): Learn =>
  (id, message, outcome) => {
    // A system is where its rule says, and is its owner's to mend.
    if (outcome.kind !== "rejected" || message.channel === "webhook") return null
    const { reason } = outcome
    if (!GONE.has(reason) && reason !== "unsubscribed") return null
    if (message.channel === "push") return forgetDevice(db, id, message.device).then(() => [])
    const as = reason === "unsubscribed" ? "unsubscribed" : "gone"
    return db.transaction((tx) => suppress(tx, { delivery: id }, as)).then(({ stopped }) => stopped)
  }
