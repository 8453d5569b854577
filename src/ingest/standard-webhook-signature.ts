/**
 * The signature of Standard Webhooks: HMAC-SHA256 over id, time and body, joined by dots, in a list of which one must
 * fit. Written here and not taken from their library, which reads the wall clock itself, signs the body decoded to text
 * (so that some bytes may be changed) and reads a time as far as it has digits.
 */
import { MAC_BYTES, macOf, sameMac } from "./webhook-signature.ts"

/** A message is good for so long, in either direction; the specification's own figure. */
const TOLERANCE_S = 300

export interface SignedMessage {
  readonly id: string | null
  readonly timestamp: string | null
  readonly signature: string | null
  readonly body: Uint8Array
}

/**
 * The first of the keys that signed the message, by its index; null where none did or where its time is not now. All keys
 * are tried, whatever is found. `now`: milliseconds since the Unix epoch.
 */
export function signedBy(message: SignedMessage, keys: readonly Buffer[], now: number): number | null {
  const { id, timestamp, signature, body } = message
  const known = id !== null && ID.test(id) && timestamp !== null && SECONDS.test(timestamp)
  const timely = known && Math.abs(Math.floor(now / 1_000) - Number(timestamp)) <= TOLERANCE_S
  const macs = macsIn(signature)
  let found: number | null = null
  // Without a key the work is done with nobody's.
  for (const [index, given] of (keys.length === 0 ? [null] : keys).entries()) {
    const key = given !== null && given.length > 0 ? given : null
    const expected = macOf(key, `${id}.${timestamp}.`, body)
    for (const mac of macs.length === 0 ? [null] : macs)
      if (sameMac(expected, mac) && key !== null && timely) found ??= index
  }
  return found
}

/** What a header can carry without a doubt; two headers of one name arrive joined by a comma and a space. */
const ID = /^[\x21-\x7e]+$/
const SECONDS = /^[1-9]\d{0,11}$/
const ENTRY = /^v[0-9a-z]+,[A-Za-z0-9+/=_-]+$/
const V1 = new RegExp(`^v1,([A-Za-z0-9+/]{${Math.ceil((MAC_BYTES * 4) / 3)}}=)$`)
/** A sender in rotation has two; more than these are not looked at. */
const MOST_SIGNATURES = 16

/** The MACs of version 1. A list in which anything is no entry is none. */
function macsIn(signature: string | null): readonly Buffer[] {
  const entries = (signature ?? "").split(" ")
  if (!entries.every((entry) => ENTRY.test(entry))) return []
  return entries
    .flatMap((entry) => V1.exec(entry)?.[1] ?? [])
    .slice(0, MOST_SIGNATURES)
    .map((text) => Buffer.from(text, "base64"))
}
