/** Slack's signature: `v0=` and, in hex, the HMAC-SHA256 of `v0:<seconds>:<body>`; good for five minutes. */
import type { Secret } from "../domain/secret.ts"
import { macOf, sameMac } from "../ingest/webhook-signature.ts"

const TOLERANCE_S = 300
const SECONDS = /^[1-9]\d{0,11}$/
const SIGNATURE = /^v0=([0-9a-f]{64})$/

export interface SlackRequest {
  readonly timestamp: string | null
  readonly signature: string | null
  readonly body: Uint8Array
}

/** `now`: milliseconds since the Unix epoch. Without a secret nothing is signed, and the work is done all the same. */
export function isSlackSigned(
  { timestamp, signature, body }: SlackRequest,
  secret: Secret | null,
  now: number,
): boolean {
  const hex = SIGNATURE.exec(signature ?? "")?.[1]
  const key = secret === null ? null : Buffer.from(secret.reveal())
  const same = sameMac(macOf(key, `v0:${timestamp}:`, body), hex === undefined ? null : Buffer.from(hex, "hex"))
  const known = timestamp !== null && SECONDS.test(timestamp)
  const timely = known && Math.abs(Math.floor(now / 1_000) - Number(timestamp)) <= TOLERANCE_S
  return same && timely && key !== null && key.length > 0
}
