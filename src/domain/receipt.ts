/** What a provider reports of a message after it has taken it (contract §9). */

/** In the order in which they count: reports arrive in any order, and a later word never gives way to an earlier one. */
export const RECEIPTS = ["undelivered", "delivered", "opened", "clicked", "bounced", "complained"] as const
export type Receipt = (typeof RECEIPTS)[number]

/** What a mail carries its delivery's id as, so that a report of it needs no search. */
export const DELIVERY_TAG = "delivery"

/** Why nothing is sent to an address any more: its owner said so, mail to it came back, or nobody is there, for a while. */
export type SuppressionReason = "stop" | "bounced" | "complained" | "unsubscribed" | "gone"
