/**
 * The name of a long-polling session, as its client carries it: signed, so that a made-up one costs no look-up, and by
 * a key that dies with the process, because the session does too.
 */
import { createHmac, randomBytes, timingSafeEqual } from "node:crypto"

/** Two weeks, as Phoenix has it. */
const VALID_MS = 14 * 24 * 60 * 60 * 1_000
/** What tells a session's token from a person's, in a query that holds both under one name. */
const PREFIX = "lp1."
const LONGEST = 128

export interface SessionTokens {
  /** For a new session; `now` is monotonic milliseconds. */
  issue(now: number): { readonly id: string; readonly token: string }
  /** The session that it names; null: not of this process, or too old. */
  read(token: string, now: number): string | null
}

/** True of everything that wants to be a session's token, good or not: nothing like it is a person's. */
export const looksLikeSession = (token: string): boolean => token.startsWith(PREFIX)

export function sessionTokens(): SessionTokens {
  const key = randomBytes(32)
  const sign = (text: string): Buffer => createHmac("sha256", key).update(text).digest()
  return {
    issue(now) {
      const id = randomBytes(16).toString("base64url")
      const signed = `${PREFIX}${id}.${Math.floor(now).toString(36)}`
      return { id, token: `${signed}.${sign(signed).toString("base64url")}` }
    },
    read(token, now) {
      if (!looksLikeSession(token) || token.length > LONGEST) return null
      const end = token.lastIndexOf(".")
      const mac = Buffer.from(token.slice(end + 1), "base64url")
      const expected = sign(token.slice(0, end))
      if (mac.length !== expected.length || !timingSafeEqual(mac, expected)) return null
      // Signed by us, so it is written as above.
      const [, id = "", issued = ""] = token.slice(0, end).split(".")
      return now - Number.parseInt(issued, 36) < VALID_MS ? id : null
    },
  }
}
