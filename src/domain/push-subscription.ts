/** A browser's push subscription, as `PushSubscription.toJSON()` gives it. */
import { isJsonObject, type Json } from "./json.ts"

export interface PushSubscription {
  /** Of the browser's push service; whoever has it can be told apart by it, so it is a secret as an address is. */
  readonly endpoint: string
  readonly keys: { readonly p256dh: string; readonly auth: string }
}

/** RFC 8291: an uncompressed P-256 point and 16 bytes. */
const KEY_BYTES = { p256dh: 65, auth: 16 } as const
const MAX_ENDPOINT = 2_000

/** Null for what is none. Whether the endpoint may be asked is for the guard of URLs to say. */
export function readPushSubscription(value: Json | undefined): PushSubscription | null {
  if (!isJsonObject(value) || !isJsonObject(value["keys"])) return null
  const { endpoint } = value
  const { p256dh, auth } = value["keys"]
  if (typeof endpoint !== "string" || endpoint.length > MAX_ENDPOINT || !URL.canParse(endpoint)) return null
  if (!isKey(p256dh, KEY_BYTES.p256dh) || !isKey(auth, KEY_BYTES.auth)) return null
  return { endpoint, keys: { p256dh, auth } }
}

const isKey = (value: Json | undefined, bytes: number): value is string =>
  typeof value === "string" && /^[\w-]+={0,2}$/.test(value) && Buffer.from(value, "base64url").length === bytes

/** The same of a text; null for what is none. */
export function parsePushSubscription(text: string): PushSubscription | null {
  try {
    return readPushSubscription(JSON.parse(text))
  } catch {
    return null
  }
}
