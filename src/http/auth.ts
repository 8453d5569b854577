/** Who is calling: an API key or a JWT becomes a `Principal`, or the reason why not. */
import type { Config } from "../config.ts"
import type { Principal } from "../domain/principal.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Database } from "../store/database.ts"
import { type AuthFailure, refused } from "./auth-failure.ts"
import { createKeyRing, type KeyRing } from "./key-ring.ts"
import { createTokenCheck, looksLikeToken } from "./token-check.ts"

export interface Credentials {
  /** The `Authorization` header. */
  readonly authorization: string | null
  /** The `X-API-Key` header. */
  readonly apiKey: string | null
}

type Found = Principal | AuthFailure
/** At once where nothing must be looked up: every request goes through here. */
export type Authenticate = (credentials: Credentials) => Found | Promise<Found>

export interface Authenticator {
  /** By headers. `Authorization` is asked first; it never falls back to the other header. */
  readonly authenticate: Authenticate
  /** By a bare JWT or key, for doors that carry it elsewhere (a socket's parameters). */
  authenticateToken(token: string): Found | Promise<Found>
  /** Of principals' labels those whose key was revoked since. Rejects while the database is away. */
  readonly revokedOf: KeyRing["revokedOf"]
}

export interface AuthenticatorOptions {
  readonly config: Config
  readonly db: Database
  readonly clock: Clock
}

/** More than any real token or key; hashing a megabyte for a stranger is work for nothing. */
const MAX_CREDENTIAL = 16_384

export function createAuthenticator(options: AuthenticatorOptions): Authenticator {
  const keys = createKeyRing(options.config.apiKeys, options.db, options.clock)
  const tokens = createTokenCheck(options.config.jwt, options.clock)

  const authenticateToken = (token: string): Found | Promise<Found> => {
    if (token === "") return { failure: "missing" }
    if (token.length > MAX_CREDENTIAL) return refused("the credential is too long")
    const configured = keys.configured(token)
    if (configured !== null) return configured
    return looksLikeToken(token) ? tokens(token) : keys.stored(token)
  }

  return {
    authenticateToken,
    revokedOf: keys.revokedOf,
    authenticate({ authorization, apiKey }) {
      if (authorization === null) {
        if (apiKey === null) return { failure: "missing" }
        const configured = keys.configured(apiKey)
        return (
          configured ?? (apiKey.length > MAX_CREDENTIAL ? refused("the credential is too long") : keys.stored(apiKey))
        )
      }
      const bearer = /^bearer +(\S+) *$/i.exec(authorization)?.[1]
      return bearer === undefined
        ? refused("expected `Authorization: Bearer <key or token>`")
        : authenticateToken(bearer)
    },
  }
}
