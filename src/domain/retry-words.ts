/**
 * Why a delivery will or will not be tried again: a code for programs and a sentence for the person who looks at its
 * timeline. Pure, and without anything that a provider said.
 */
import type { DeliveryStatus, Settlement } from "./delivery.ts"

/** Why a try was or was not the last one. Written beside the attempt. */
export const BECAUSE = [
  "sent",
  "captured",
  "backoff",
  "throttled",
  "may_repeat",
  "account",
  "lease_lost",
  "permanent",
  "attempts_exhausted",
  "too_old",
  "expires_in",
  "held",
] as const
export type Because = (typeof BECAUSE)[number]

/** What is to come of a delivery, also where no try has said anything yet. */
export const NEXT_CODES = [...BECAUSE, "due", "put_off", "replayed", "sending", "suppressed", "cancelled"] as const
export type NextCode = (typeof NEXT_CODES)[number]

export interface Next {
  /** It is tried again. */
  readonly again: boolean
  readonly code: NextCode
  readonly sentence: string
}

/** The code of what was settled. */
export function becauseOf(settlement: Settlement): Because {
  switch (settlement.status) {
    case "delivered":
      return "sent"
    case "captured":
      return "captured"
    case "retrying":
      return settlement.because
    case "queued":
      return "account"
    case "unknown":
      return "held"
    case "dead":
      return settlement.because
  }
}

/** What followed from one try. */
export const nextAfterTry = (because: Because): Next => ({
  again: AGAIN.has(because),
  code: because,
  sentence: AFTER_TRY[because],
})

const AGAIN: ReadonlySet<Because> = new Set(["backoff", "throttled", "may_repeat", "account", "lease_lost"])

const AFTER_TRY: Readonly<Record<Because, string>> = {
  sent: "The provider took the message, so there is nothing to try again.",
  captured: "The message was kept in the outbox: without credentials nothing leaves the hub.",
  backoff: "It was definitely not sent, so it is tried again, after a pause that grows with each try.",
  throttled: "The provider asked for patience: it is tried again when that is over, and the try does not count.",
  may_repeat: "It may have been sent and no answer came: it is tried again, and may arrive twice.",
  account: "The hub's own account was refused, not the recipient: it is tried again later, and the try does not count.",
  lease_lost: "Whoever was sending it died or was lost: it is tried again at once, and may arrive twice.",
  permanent: "The provider refuses this message or this address for good, so trying again would change nothing.",
  attempts_exhausted: "It was tried as often as its channel allows.",
  too_old: "The next try would come later than its channel allows.",
  expires_in: "Its rule allows nothing to be sent that late.",
  held: "It may have been sent, and here a person decides whether it is sent a second time.",
}

/** What is to come of a delivery as it stands. `last`: of its last try that wrote it down; null: there is none. */
export function nextOf(
  delivery: { readonly status: DeliveryStatus; readonly reason: string | null },
  last: Because | null,
): Next {
  const { status, reason } = delivery
  switch (status) {
    case "queued":
      if (reason === "replayed") return { again: true, code: "replayed", sentence: REPLAYED }
      if (last === "account" && reason !== null) return nextAfterTry("account")
      return { again: true, code: "due", sentence: "It is sent as soon as its channel has room." }
    case "scheduled":
      if (reason === "replayed") return { again: true, code: "replayed", sentence: REPLAYED }
      return { again: true, code: "put_off", sentence: PUT_OFF.get(reason ?? "") ?? "It is held back until then." }
    case "retrying":
      return last !== null && AGAIN.has(last) ? nextAfterTry(last) : nextAfterTry("backoff")
    case "sending":
      return { again: true, code: "sending", sentence: "It is being tried right now." }
    case "delivered":
      return nextAfterTry("sent")
    case "captured":
      return nextAfterTry("captured")
    case "dead": {
      const code = last !== null && !AGAIN.has(last) ? last : (OVER.get(reason ?? "") ?? "permanent")
      return { ...nextAfterTry(code), sentence: `${AFTER_TRY[code]} ${DEAD_LETTER}` }
    }
    case "unknown":
      return { again: false, code: "held", sentence: `${AFTER_TRY.held} ${DEAD_LETTER}` }
    case "suppressed":
      return { again: false, code: "suppressed", sentence: SUPPRESSED.get(reason ?? "") ?? "It was not to be sent." }
    case "expired":
      return nextAfterTry("expires_in")
    case "cancelled":
      return { again: false, code: "cancelled", sentence: "Somebody had reacted before it was sent." }
  }
}

/** Where no try says why: it died of a version that wrote none down. */
const OVER: ReadonlyMap<string, Because> = new Map([
  ["attempts_exhausted", "attempts_exhausted"],
  ["too_old", "too_old"],
])

const REPLAYED = "Somebody sends it again: its history stays, and its tries are counted anew."
const DEAD_LETTER = "It is among the dead letters, where it can be sent again."

const PUT_OFF: ReadonlyMap<string, string> = new Map([
  ["quiet_hours", "It is held back until the end of its reader's quiet hours."],
  ["account_limit", "It waits for its turn: its channel's account sends no faster."],
  ["address_limit", "It waits for its turn: its address is not written to any faster."],
  ["solicitation_hours", "It is held back until morning, because such messages are sent by day only."],
])

const SUPPRESSED: ReadonlyMap<string, string> = new Map([
  ["no_address", "Its reader has no address on this channel."],
  ["preference_channel", "Its reader has turned this channel off."],
  ["preference_category", "Its reader has turned this category off."],
  ["preference_severity", "Its reader wants more severe news alone on this channel."],
  ["stop", "Its reader has said STOP."],
  ["unsubscribed", "Its reader has unsubscribed."],
  ["bounced", "Mail to its address came back before."],
  ["complained", "Its reader has reported such mail as unwanted."],
  ["gone", "Its provider has said that nobody is there: it is not asked again for 30 days, or until they write."],
  ["shadow", "Its rule is being tried out and tells nobody yet."],
])
