/**
 * What is common to the signatures of webhooks: an HMAC-SHA256 that is compared in constant time, and one refusal for
 * everything that can be wrong with it. Without a secret the work is done all the same, with a key that nobody knows: a
 * clock or a body that told "not configured" from "wrong" would tell a stranger which sources exist.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"
import { type Problem, problem } from "../http/problem.ts"

export const MAC_BYTES = 32

const NOBODYS_KEY = randomBytes(MAC_BYTES)
const NOT_A_MAC = Buffer.alloc(MAC_BYTES)

/** HMAC-SHA256 of the parts, one behind the other. `key` null: by a key that nobody has. */
export function macOf(key: Buffer | null, ...parts: readonly (string | Uint8Array)[]): Buffer {
  const mac = createHmac("sha256", key ?? NOBODYS_KEY)
  for (const part of parts) mac.update(part)
  return mac.digest()
}

/** Whether `given` is the MAC; null stands for one that could not be read. Takes the same time whatever differs. */
export function sameMac(expected: Buffer, given: Buffer | null): boolean {
  const same = timingSafeEqual(expected, given ?? NOT_A_MAC)
  return same && given !== null
}

/** 401 for what is unsigned, wrongly signed, too old, for a source that is not there or has no secret: all in one shape. */
export const notSigned = (): Problem =>
  problem("unauthenticated", "expected a request that is signed with this source's secret", {
    headers: { "www-authenticate": 'Signature realm="hubbub"' },
  })
