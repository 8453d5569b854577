/** What all push services are told of a message, in their own words. */
import type { DeliveryId } from "../domain/ids.ts"
import type { PushMessage } from "../domain/message.ts"

const DAY_SECONDS = 86_400
/** The longest that Google and browsers' services keep a message. */
const MOST_SECONDS = 28 * DAY_SECONDS

/** For how long a device that is away may still be told, in seconds; 0: now or never. */
export const ttlSeconds = ({ expiresAt }: PushMessage, wallMillis: number): number =>
  expiresAt === null ? DAY_SECONDS : Math.min(MOST_SECONDS, Math.max(0, Math.floor((expiresAt - wallMillis) / 1_000)))

/** Whatever has the same one takes its place on the device: later news of the same thing, or the same message once more. */
export const placeOf = (id: DeliveryId, { topic }: PushMessage): string => topic ?? id
