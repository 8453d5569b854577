/**
 * A stream is what has positions: the pair (business, location), a business, or a person's notifications.
 * Its key is the colon form, which cannot be ambiguous because no id holds a colon; the wire's hyphenated topic is
 * never used as a key (`a` + `b-c` and `a-b` + `c` would share it).
 */
import type { BusinessId, LocationId, RecipientId } from "./ids.ts"

export type StreamKey = string & { readonly __brand: "StreamKey" }

/** How many of its last messages a stream keeps for those who come back; its own age ends each of them too. */
export const HISTORY_MESSAGES = 1_000

/** What the hub itself pushes, and what Phoenix has for presence: a rule that said one of them would speak in another's name. */
export const OWN_MESSAGES = [
  "resource_update",
  "notification",
  "notification_changed",
  "counts",
  "presence_state",
  "presence_diff",
  "ai_message",
] as const

/** Stream of one location, or of the whole business where location is null. */
export const resourceStream = (business: BusinessId, location: LocationId | null): StreamKey =>
  (location === null ? `resources:${business}` : `resources:${business}:${location}`) as StreamKey // the one place that builds it

/** Stream of one person's notifications. */
export const notificationStream = (recipient: RecipientId): StreamKey => `notifications:${recipient}` as StreamKey // the one place that builds it
