/**
 * Names of things. Ids that the hub makes are a readable prefix and a UUIDv7 in Crockford base32 (26 characters),
 * so they sort by time of birth. Ids from outside are checked once, here, and carry a brand from then on.
 */

type Brand<T, Name extends string> = T & { readonly __brand: Name }

export type EventId = Brand<string, "EventId">
export type NotificationId = Brand<string, "NotificationId">
export type DeliveryId = Brand<string, "DeliveryId">
export type TimerId = Brand<string, "TimerId">
export type RejectedId = Brand<string, "RejectedId">
export type BusinessId = Brand<string, "BusinessId">
export type LocationId = Brand<string, "LocationId">
export type RecipientId = Brand<string, "RecipientId">
export type RuleName = Brand<string, "RuleName">

/** The business of callers and events that name none. */
export const DEFAULT_BUSINESS = "default" as BusinessId // a literal that satisfies BUSINESS_PATTERN

const BUSINESS_PATTERN = /^[A-Za-z0-9_.-]{1,64}$/
const RECIPIENT_PATTERN = /^[A-Za-z0-9_.@|+-]{1,128}$/

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
/** One byte for 5 bits is what base32 writes; two for 10 bits halves the work. */
const PAIRS = Array.from({ length: 1024 }, (_, n) => ALPHABET.charAt(n >> 5) + ALPHABET.charAt(n & 31))

/** Asking for random bytes costs more than using them, so they are fetched for many ids at once. */
const pool = new Uint8Array(8 * 512)
let used = pool.length
let lastMillis = 0
let counter = 0

function randomByte(): number {
  if (used === pool.length) {
    crypto.getRandomValues(pool)
    used = 0
  }
  const byte = pool[used] ?? 0
  used += 1
  return byte
}

/**
 * A UUIDv7 (RFC 9562 §5.7) as 26 characters of base32: 130 bits, of which the first two are 0. Within one process ids
 * are strictly rising: ids of one millisecond count up in the 12 bits after the version, and a clock that steps back is
 * held at its last value.
 */
function sortable(wallMillis: number): string {
  if (wallMillis > lastMillis) {
    lastMillis = wallMillis
    // Start low enough that a burst within the millisecond has room to count.
    counter = ((randomByte() << 8) | randomByte()) & 0x3ff
  } else if (counter < 0xfff) {
    counter += 1
  } else {
    lastMillis += 1
    counter = 0
  }
  // 48 bits of time, 4 of version, 12 of counter, 2 of variant, 62 random; cut into 13 groups of 10 bits.
  const middle = (7 << 12) | counter
  let text = timeText(lastMillis)
  text += pair(middle >>> 6)
  // The counter's last 6 bits, the variant `10`, and the first 2 random bits.
  text += pair(((middle & 63) << 4) | 8 | (randomByte() & 3))
  for (let i = 0; i < 6; i++) text += pair((randomByte() << 8) | randomByte())
  return text
}

/** The first 50 bits of an id: two zeros and the time. */
function timeText(millis: number): string {
  const high = Math.floor(millis / 2 ** 28)
  const low = millis % 2 ** 28
  return pair(high >>> 12) + pair(high >>> 2) + pair(((high & 3) << 8) | (low >>> 20)) + pair(low >>> 10) + pair(low)
}

const pair = (bits: number): string => PAIRS[bits & 1023] ?? ""

/** Sorts behind every id of this kind that was made before `wallMillis`, and before every later one. No id itself. */
export const idFloor = (prefix: "evt_" | "ntf_" | "dlv_" | "rej_", wallMillis: number): string =>
  prefix + timeText(Math.max(0, Math.floor(wallMillis)))

/** Makes `evt_…`. `wallMillis`: milliseconds since the Unix epoch. */
export const newEventId = (wallMillis: number): EventId => `evt_${sortable(wallMillis)}` as EventId // built to the pattern
/** Makes `ntf_…`. `wallMillis`: milliseconds since the Unix epoch. */
export const newNotificationId = (wallMillis: number): NotificationId => `ntf_${sortable(wallMillis)}` as NotificationId // built to the pattern
/** Makes `dlv_…`. `wallMillis`: milliseconds since the Unix epoch. */
export const newDeliveryId = (wallMillis: number): DeliveryId => `dlv_${sortable(wallMillis)}` as DeliveryId // built to the pattern
/** Makes `tmr_…`. `wallMillis`: milliseconds since the Unix epoch. */
export const newTimerId = (wallMillis: number): TimerId => `tmr_${sortable(wallMillis)}` as TimerId // built to the pattern
/** Makes `rej_…`, of input that could not be taken. `wallMillis`: milliseconds since the Unix epoch. */
export const newRejectedId = (wallMillis: number): RejectedId => `rej_${sortable(wallMillis)}` as RejectedId // built to the pattern

/** Makes the names of what follows from events: at random where it is stored, by counting where it is only tried. */
export interface NewIds {
  notification(): NotificationId
  delivery(): DeliveryId
  timer(): TimerId
}

/** Names for what is made at a moment, in milliseconds since the Unix epoch. */
export const newIdsAt = (wallMillis: number): NewIds => ({
  notification: () => newNotificationId(wallMillis),
  delivery: () => newDeliveryId(wallMillis),
  timer: () => newTimerId(wallMillis),
})

/** Names that count up, each sort of its own: the same every time, for what is only tried. */
export function countingIds(): NewIds & { event(): EventId } {
  const counts = new Map<string, number>()
  const next = (prefix: string): string => {
    const count = (counts.get(prefix) ?? 0) + 1
    counts.set(prefix, count)
    return prefix + String(count).padStart(26, "0")
  }
  // built to the pattern, as above
  return {
    event: () => next("evt_") as EventId,
    notification: () => next("ntf_") as NotificationId,
    delivery: () => next("dlv_") as DeliveryId,
    timer: () => next("tmr_") as TimerId,
  }
}

const made = (prefix: string, text: string): boolean =>
  text.length === prefix.length + 26 &&
  text.startsWith(prefix) &&
  /^[0-9a-hjkmnp-tv-z]{26}$/.test(text.slice(prefix.length))

/** The id, or null where the text is none; numbers are taken as their strings. */
export const asEventId = (text: string): EventId | null => (made("evt_", text) ? (text as EventId) : null)
/** The id, or null where the text is none. */
export const asNotificationId = (text: string): NotificationId | null =>
  made("ntf_", text) ? (text as NotificationId) : null
/** The id, or null where the text is none. */
export const asDeliveryId = (text: string): DeliveryId | null => (made("dlv_", text) ? (text as DeliveryId) : null)
/** The id, or null where the text is none. */
export const asRejectedId = (text: string): RejectedId | null => (made("rej_", text) ? (text as RejectedId) : null)

const outside = (value: unknown, pattern: RegExp): string | null => {
  const text = typeof value === "number" && Number.isFinite(value) ? String(value) : value
  return typeof text === "string" && pattern.test(text) ? text : null
}

/** `[A-Za-z0-9_.-]{1,64}`, or null; numbers are taken as their strings. */
export const asBusinessId = (value: unknown): BusinessId | null => outside(value, BUSINESS_PATTERN) as BusinessId | null
/** `[A-Za-z0-9_.-]{1,64}`, or null; numbers are taken as their strings. */
export const asLocationId = (value: unknown): LocationId | null => outside(value, BUSINESS_PATTERN) as LocationId | null
/** The name of a list of recipients: `[A-Za-z0-9_.-]{1,64}`, or null; numbers are taken as their strings. */
export const asListName = (value: unknown): string | null => outside(value, BUSINESS_PATTERN)
/** `[A-Za-z0-9_.@|+-]{1,128}`, or null; numbers are taken as their strings. */
export const asRecipientId = (value: unknown): RecipientId | null =>
  outside(value, RECIPIENT_PATTERN) as RecipientId | null
