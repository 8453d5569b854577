/**
 * JWTs: verified by jose with exactly the configured algorithms, then remembered by hash until they expire, because a
 * signature costs twenty times what the rest of a request's authentication does.
 */
import { createRemoteJWKSet, decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from "jose"
import type { Config } from "../config.ts"
import type { Principal } from "../domain/principal.ts"
import type { Secret } from "../domain/secret.ts"
import type { Clock } from "../runtime/clock.ts"
import { hashOfKey } from "../store/api-keys.ts"
import { type AuthFailure, refused } from "./auth-failure.ts"
import { readClaims } from "./claims.ts"
import { createRecent } from "./recent.ts"

/** Clocks of issuers differ. */
const TOLERANCE_SECONDS = 60
const REMEMBERED = 10_000
/** A key that its issuer withdrew is believed no longer than this. */
const BELIEVED_MS = 300_000

/** Three parts of base64url with dots: no key of ours looks like that. */
export const looksLikeToken = (text: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]*$/.test(text)

/** Verifies the signature; throws jose's errors. Null: the algorithm is not one of the configured. */
type Verify = (token: string, algorithm: string, now: Date) => Promise<JWTPayload> | null

export function createTokenCheck(
  jwt: Config["jwt"],
  clock: Clock,
): (token: string) => Promise<Principal | AuthFailure> {
  const verify = verifier(jwt)
  const recent = createRecent<Principal>(REMEMBERED, clock)

  return async (token) => {
    const hash = hashOfKey(token).toString("base64")
    const known = recent.get(hash)
    const wall = clock.wall()
    if (known !== undefined && !hasEnded(known, wall)) return known
    const checked = await verified(verify, token, wall)
    if ("failure" in checked) return checked
    const { payload } = checked
    // Jose asks for that only where it is told how old a token may be.
    if (payload.iat !== undefined && payload.iat > wall.getTime() / 1_000 + TOLERANCE_SECONDS)
      return refused("the token's claim `iat` does not hold")
    if (jwt.audience !== null && !isFor(jwt.audience, payload)) return refused("the token is for another audience")
    const principal = readClaims(payload, jwt, TOLERANCE_SECONDS)
    if (typeof principal === "string") return refused(principal)
    recent.set(hash, principal, clock.now() + BELIEVED_MS)
    return principal
  }
}

const hasEnded = (principal: Principal, wall: Date): boolean =>
  principal.expiresAt !== null && principal.expiresAt <= wall.getTime()

function verifier(jwt: Config["jwt"]): Verify {
  const secret = jwt.secret === null ? null : keyOf(jwt.secret)
  const jwks =
    jwt.jwksUrl === null
      ? null
      : createRemoteJWKSet(new URL(jwt.jwksUrl), {
          timeoutDuration: 5_000,
          cooldownDuration: 30_000,
          cacheMaxAge: 600_000,
        })
  const options = (algorithm: string, now: Date) => ({
    algorithms: [algorithm],
    requiredClaims: ["exp", "sub"],
    clockTolerance: TOLERANCE_SECONDS,
    currentDate: now,
    ...(jwt.issuer === null ? {} : { issuer: jwt.issuer }),
  })
  return (token, algorithm, now) => {
    // The algorithm chooses the key, never the other way round: a public key is no HMAC secret.
    switch (algorithm) {
      case "HS256":
        if (secret === null) return null
        return secret().then((key) => jwtVerify(token, key, options(algorithm, now)).then(({ payload }) => payload))
      case "RS256":
      case "ES256":
        return jwks === null ? null : jwtVerify(token, jwks, options(algorithm, now)).then(({ payload }) => payload)
    }
    return null
  }
}

/** Imported once: from bytes Jose would do so for each token. */
function keyOf(secret: Secret): () => Promise<CryptoKey> {
  let imported: Promise<CryptoKey> | null = null
  const algorithm = { name: "HMAC", hash: "SHA-256" }
  return () =>
    (imported ??= crypto.subtle.importKey("raw", new TextEncoder().encode(secret.reveal()), algorithm, false, [
      "verify",
    ]))
}

async function verified(
  verify: Verify,
  token: string,
  now: Date,
): Promise<{ readonly payload: JWTPayload } | AuthFailure> {
  if (!isCanonical(token)) return refused("the token is not valid")
  try {
    const { alg } = decodeProtectedHeader(token)
    const payload = verify(token, typeof alg === "string" ? alg : "", now)
    return payload === null ? refused("the token's algorithm is not taken") : { payload: await payload }
  } catch (error) {
    return failureOf(error)
  }
}

/** The last letter of a signature has bits that decoders ignore: a token must not have several spellings. */
function isCanonical(token: string): boolean {
  const written = token.slice(token.lastIndexOf(".") + 1)
  return Buffer.from(written, "base64url").toString("base64url") === written
}

/** Jose's errors say what is wrong without quoting the token; whatever is none of them came from fetching the keys. */
function failureOf(error: unknown): AuthFailure {
  if (error instanceof errors.JWTExpired) return refused("the token has expired")
  if (error instanceof errors.JWTClaimValidationFailed)
    return refused(`the token's claim \`${error.claim}\` does not hold`)
  if (error instanceof errors.JWKSTimeout || error instanceof errors.JWKSInvalid)
    return { failure: "unavailable", detail: "the issuer's keys cannot be read now; try again" }
  // `createRemoteJWKSet` throws the plain JOSEError when the issuer answers with anything but its keys.
  if (error instanceof errors.JOSEError && error.code !== "ERR_JOSE_GENERIC") return refused("the token is not valid")
  if (error instanceof errors.JOSEError || isFetchFailure(error))
    return { failure: "unavailable", detail: "the issuer's keys cannot be read now; try again" }
  if (error instanceof TypeError || error instanceof SyntaxError) return refused("the token is not valid")
  throw error
}

const isFetchFailure = (error: unknown): boolean =>
  error instanceof Error &&
  "code" in error &&
  typeof error.code === "string" &&
  /^(ConnectionRefused|ConnectionClosed|FailedToOpenSocket|E[A-Z]+)$/.test(error.code)

/** Cognito's access tokens name their client instead of an audience. */
function isFor(audience: string, payload: JWTPayload): boolean {
  const { aud } = payload
  if (aud !== undefined) return Array.isArray(aud) ? aud.includes(audience) : aud === audience
  return payload["token_use"] === "access" && payload["client_id"] === audience
}
