/**
 * The name of a long-polling session, as its client carries it: whose node it is on, and signed, so that a made-up one
 * costs neither a look-up nor a question to another node.
 */
import { createHmac, hkdfSync, randomBytes, timingSafeEqual } from "node:crypto"

/** Two weeks, as Phoenix has it. */
const VALID_MS = 14 * 24 * 60 * 60 * 1_000
/** What tells a session's token from a person's, in a query that holds both under one name. */
const PREFIX = "lp1."
const LONGEST = 192

export interface SessionName {
  readonly node: string
  readonly id: string
}

export interface SessionTokens {
  /** For a new session on this node; `now` is the time of day, in milliseconds. */
  issue(now: number): { readonly id: string; readonly token: string }
  /** The session that it names, on whatever node; null: forged, or too old. */
  read(token: string, now: number): SessionName | null
}

/** True of everything that wants to be a session's token, good or not: nothing like it is a person's. */
export const looksLikeSession = (token: string): boolean => token.startsWith(PREFIX)

/** `node`: this one's name, without dots. `secret`: what all nodes share; null: nobody else has to read these. */
export function sessionTokens(node: string, secret: string | null): SessionTokens {
  const key = secret === null ? randomBytes(32) : Buffer.from(hkdfSync("sha256", secret, "", "hub longpoll 1", 32))
  const sign = (text: string): Buffer => createHmac("sha256", key).update(text).digest()
  return {
    issue(now) {
      const id = randomBytes(16).toString("base64url")
      const signed = `${PREFIX}${node}.${id}.${Math.floor(now).toString(36)}`
      return { id, token: `${signed}.${sign(signed).toString("base64url")}` }
    },
    read(token, now) {
      if (!looksLikeSession(token) || token.length > LONGEST) return null
      const end = token.lastIndexOf(".")
      const mac = Buffer.from(token.slice(end + 1), "base64url")
      const expected = sign(token.slice(0, end))
      if (mac.length !== expected.length || !timingSafeEqual(mac, expected)) return null
      // Signed by one of us, so it is written as above.
      const [, whose = "", id = "", issued = ""] = token.slice(0, end).split(".")
      return now - Number.parseInt(issued, 36) < VALID_MS ? { node: whose, id } : null
    },
  }
}
