/** What all push services are told of a message, in their own words. */
import type { DeliveryId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { PushMessage } from "../domain/message.ts"

const DAY_SECONDS = 86_400
/** The longest that Google and browsers' services keep a message. */
const MOST_SECONDS = 28 * DAY_SECONDS

/** For how long a device that is away may still be told, in seconds; 0: now or never. */
export const ttlSeconds = ({ expiresAt }: PushMessage, wallMillis: number): number =>
  expiresAt === null ? DAY_SECONDS : Math.min(MOST_SECONDS, Math.max(0, Math.floor((expiresAt - wallMillis) / 1_000)))

/** Whatever has the same one takes its place on the device: later news of the same thing, or the same message once more. */
export const placeOf = (id: DeliveryId, { topic }: PushMessage): string => topic ?? id

/** Push services take 4,096 bytes, of which a browser's encryption has 103. */
const MOST_BYTES = 3_993
/** Less of the text than that says nothing. */
const LEAST_TEXT_BYTES = 300
const STEP = 10

/**
 * What `write` makes of the message, within what a service takes: a link that leaves no room for words is left out, because
 * half of one leads elsewhere, and the text is cut. It would refuse the whole for good.
 */
export function fitting(message: PushMessage, write: (message: PushMessage) => JsonObject): JsonObject {
  const over = (candidate: PushMessage): number => Buffer.byteLength(JSON.stringify(write(candidate))) - MOST_BYTES
  if (over(message) <= 0) return write(message)
  const linked = over({ ...message, text: "" }) + LEAST_TEXT_BYTES <= 0
  let fit = linked ? message : { ...message, actionUrl: null, actionLabel: null }
  for (let length = message.text.length; over(fit) > 0 && length > 0; length -= STEP)
    // Never half of a surrogate pair.
    fit = { ...fit, text: `${message.text.slice(0, Math.max(0, length - STEP)).replace(/[\ud800-\udbff]$/, "")}…` }
  return write(fit)
}
