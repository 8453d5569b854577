/**
 * A delivery is one message to one address on one channel: the unit of retry. A channel describes what it saw
 * (`Outcome`); `settle` decides what the row becomes (`Settlement`). Pure: random and policy are arguments.
 */
import type { SendingChannel } from "./channel.ts"
import type { BusinessId, DeliveryId, EventId, NotificationId, RuleName } from "./ids.ts"
import type { Message } from "./message.ts"
import type { Occasion } from "./preferences.ts"
import type { SuppressionReason } from "./receipt.ts"
import type { Priority } from "./rule.ts"
import type { Round } from "./timer.ts"

export const DELIVERY_STATUSES = [
  "scheduled",
  "queued",
  "sending",
  "delivered",
  "retrying",
  "dead",
  "unknown",
  "suppressed",
  "expired",
  "captured",
  "cancelled",
] as const
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number]

/** A delivery that has ended while no channel had it: somebody reacted, or its address takes no messages any more. */
export interface EndedWaiting {
  readonly id: DeliveryId
  readonly channel: SendingChannel
  readonly status: Extract<DeliveryStatus, "cancelled" | "suppressed">
  readonly reason: string
}

/** What the channel saw of one try. `detail` is scrubbed: no address, no secret, 300 characters at most. */
export type Outcome =
  /** `reference`: by what later news changes the message; absent where none can, or it stands beneath an earlier one. */
  | { readonly kind: "delivered"; readonly providerMessageId: string | null; readonly reference?: string }
  | { readonly kind: "captured" }
  /** Definitely not sent; `retryAfterMs` is the provider's wish. */
  | { readonly kind: "retry"; readonly reason: string; readonly detail: string; readonly retryAfterMs: number | null }
  /** Permanent for this message or this address. */
  | { readonly kind: "rejected"; readonly reason: string; readonly detail: string }
  /** Our credential or account is at fault: costs the recipient nothing. */
  | { readonly kind: "unusable"; readonly reason: string; readonly detail: string }
  /** The request left, no answer came: it may have been sent. */
  | { readonly kind: "unknown"; readonly reason: string; readonly detail: string }

/** A delivery to be stored with its message. `suppressed` ones are kept to explain and are never sent. */
export interface NewDelivery {
  readonly id: DeliveryId
  readonly event: EventId
  readonly notifications: readonly NotificationId[]
  readonly rule: RuleName
  readonly rulesRevision: string
  readonly business: BusinessId
  readonly channel: SendingChannel
  readonly priority: Priority
  /** What makes the address one: equal addresses of one event, rule and channel share one delivery. */
  readonly addressKey: string
  /** The action's place in its rule. */
  readonly action: number
  /** Equal addresses of another round are another delivery: an escalation tells again. */
  readonly round: Round
  /** Nothing is sent from then on. Milliseconds since the Unix epoch, here and below. */
  readonly expiresAt: number | null
  /** Ends as `unknown` where it may have been sent. */
  readonly holdUnknown: boolean
  /** Where it is definitely not sent, the rule's next channel may be due. */
  readonly failover: boolean
  /** Not false: its people's preferences are asked again before it is sent, about a message that is so. */
  readonly wishes: false | Pick<Occasion, "category" | "commercial" | "bypassQuietHours">
  readonly start:
    | { readonly status: "queued"; readonly message: Message }
    /** Held back until then. */
    | { readonly status: "scheduled"; readonly at: number; readonly reason: string; readonly message: Message }
    | { readonly status: "suppressed" | "expired"; readonly reason: string }
}

/** A delivery held under a lease by this process. */
export interface ClaimedDelivery {
  readonly id: DeliveryId
  readonly channel: SendingChannel
  /** 2 is the highest. */
  readonly priority: 0 | 1 | 2
  /** Number of this try, from 1; written before the work. It is the fence: it never repeats for one holder. */
  readonly attempt: number
  /** The tries that count against the retry budget, this one included: less than `attempt` where some were forgiven. */
  readonly tries: number
  readonly maybeDuplicate: boolean
  /** Milliseconds since the delivery was made, or last replayed, by the database's clock. */
  readonly ageMs: number
  /** Ends as `unknown` where it may have been sent, whatever the channel's policy. */
  readonly holdUnknown: boolean
  readonly wishes: NewDelivery["wishes"]
  readonly message: Message
  /** Why nothing is sent to its address any more; absent: it takes messages. */
  readonly suppressed?: SuppressionReason
  /** Somebody has left the hub since it was made: it may be for nobody by now. */
  readonly left?: true
  /** Nothing is sent so long after the claim; absent: its rule sets no end. */
  readonly expiresInMs?: number
}

/** Delays are relative: the database adds its own now(). */
export type Settlement =
  | { readonly status: "delivered"; readonly providerMessageId: string | null }
  | { readonly status: "captured" }
  | {
      readonly status: "retrying"
      readonly reason: string
      readonly detail: string
      readonly delayMs: number
      /** `throttled`: the provider asked for patience, which costs no try. */
      readonly because: "backoff" | "throttled" | "may_repeat"
    }
  /** The attempt is handed back: it was the account's fault, not the recipient's. */
  | { readonly status: "queued"; readonly reason: string; readonly detail: string; readonly delayMs: number }
  | {
      readonly status: "dead"
      readonly reason: string
      readonly detail: string
      readonly because: "permanent" | "attempts_exhausted" | "too_old"
    }
  | { readonly status: "unknown"; readonly reason: string; readonly detail: string }

export interface RetryPolicy {
  readonly firstDelayMs: number
  readonly maxDelayMs: number
  readonly maxAttempts: number
  readonly maxAgeMs: number
  /** How long to leave an account alone after `unusable`. */
  readonly unusableDelayMs: number
  readonly onUnknown: "retry" | "hold"
  /** The account knows a repeated try by its key, so that a rule's `hold` has nothing to hold. */
  readonly knowsRepeats: boolean
}

/** Contract §9: first retry within 5 s, doubling with full jitter to 1 h, 12 tries, 24 h. */
export const DEFAULT_RETRY: RetryPolicy = {
  firstDelayMs: 5_000,
  maxDelayMs: 3_600_000,
  maxAttempts: 12,
  maxAgeMs: 86_400_000,
  unusableDelayMs: 30_000,
  onUnknown: "retry",
  knowsRepeats: false,
}

/** Resend takes a repeated key for the same mail for so long. */
export const RESEND_KEY_MS = 86_400_000

/** A provider's wish to wait is believed between 1 s and 1 h (reliability §4.3). */
const clampWish = (ms: number): number => Math.min(3_600_000, Math.max(1_000, ms))

/** Those who were all told the same moment do not all come back at it: up to a tenth later, never earlier. */
const WISH_SPREAD = 0.1
/** Pauses of a throttled delivery are no shorter than this part of its age, so that a wish of a second is not asked all day. */
const AGE_PART = 1 / 16

/** No provider's wish: another delivery is changing the message that this one changes, and is done within seconds. */
export const PLACE_TAKEN = "place_taken"

/** Full jitter: uniform in [0, min(max, first × 2^(attempt-1))]. `random` in [0, 1). */
export const backoffMs = (attempt: number, policy: RetryPolicy, random: number): number =>
  Math.floor(random * Math.min(policy.maxDelayMs, policy.firstDelayMs * 2 ** (attempt - 1)))

/** Whose problem it is; `throttled`: the provider is well, and wants less or later. */
export type OutcomeClass = "sent" | "permanent" | "retryable" | "throttled" | "unusable" | "unknown"

export function classOf(outcome: Outcome): OutcomeClass {
  switch (outcome.kind) {
    case "delivered":
    case "captured":
      return "sent"
    case "rejected":
      return "permanent"
    case "unusable":
    case "unknown":
      return outcome.kind
    case "retry":
      return outcome.reason === "rate_limited" || (outcome.retryAfterMs ?? 0) > 0 ? "throttled" : "retryable"
  }
}

/** A try of a delivery, as far as it decides what follows. */
export interface Tried {
  /** Which of the tries that count it was, from 1. */
  readonly attempt: number
  readonly ageMs: number
}

/** What one outcome makes of a delivery. `random` is in [0, 1). */
export function settle(held: Tried, outcome: Outcome, policy: RetryPolicy, random: number): Settlement {
  switch (outcome.kind) {
    case "delivered":
      return { status: "delivered", providerMessageId: outcome.providerMessageId }
    case "captured":
      return { status: "captured" }
    case "rejected":
      return { status: "dead", reason: outcome.reason, detail: outcome.detail, because: "permanent" }
    case "unusable":
      return held.ageMs >= policy.maxAgeMs
        ? tooOld(outcome.detail)
        : { status: "queued", reason: outcome.reason, detail: outcome.detail, delayMs: policy.unusableDelayMs }
    case "unknown":
      return policy.onUnknown === "hold"
        ? { status: "unknown", reason: outcome.reason, detail: outcome.detail }
        : again(held, outcome, policy, backoffMs(held.attempt, policy, random), "may_repeat")
    case "retry": {
      const wish = outcome.retryAfterMs === null ? null : clampWish(outcome.retryAfterMs)
      const backoff = backoffMs(held.attempt, policy, random)
      if (classOf(outcome) === "retryable") {
        // "At once" is believed once: a server that says it each time, or whose clock is off, would use up all tries in seconds.
        const delayMs = wish === null ? backoff : held.attempt === 1 ? wish : Math.max(wish, backoff)
        return again(held, outcome, policy, delayMs, "backoff")
      }
      const asked = wish === null ? backoff : wish * (1 + WISH_SPREAD * random)
      const least = outcome.reason === PLACE_TAKEN ? 0 : clampWish(held.ageMs * AGE_PART)
      return again(held, outcome, policy, Math.floor(Math.max(asked, least)), "throttled")
    }
  }
}

const tooOld = (detail: string): Settlement => ({ status: "dead", reason: "too_old", detail, because: "too_old" })

function again(
  held: Tried,
  { reason, detail }: { readonly reason: string; readonly detail: string },
  policy: RetryPolicy,
  delayMs: number,
  because: Extract<Settlement, { status: "retrying" }>["because"],
): Settlement {
  // What the provider throttles is bounded by its age alone: a try that it would not take is none.
  if (because !== "throttled" && held.attempt >= policy.maxAttempts)
    return { status: "dead", reason: "attempts_exhausted", detail, because: "attempts_exhausted" }
  if (held.ageMs + delayMs >= policy.maxAgeMs) return tooOld(detail)
  return { status: "retrying", reason, detail, delayMs, because }
}
