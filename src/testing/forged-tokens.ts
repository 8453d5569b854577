/**
 * Tokens that a forger would try, as one table, each made from a good one by a single change; and the good ones, so that
 * a hub that refuses everything is noticed too.
 */
import { createHmac, createPublicKey, KeyObject, sign } from "node:crypto"
import { exportJWK, exportSPKI, generateKeyPair, type JWTPayload } from "jose"
import { JWT_SECRET } from "./front.ts"

/** `signed`: by a key that the hub trusts, so the caller may be told which claim is wrong; `forged`: told nothing. */
export type Verdict = "passes" | "signed" | "forged"
export type TokenCase = readonly [title: string, verdict: Verdict, token: string]

export const ISSUER = "https://issuer.example"
export const AUDIENCE = "hub"

type Json = Readonly<Record<string, unknown>>

const part = (value: unknown): string =>
  Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url")

/** HMAC by hand, because a library would not sign most of this. */
export function hmac(header: unknown, claims: unknown, secret: string | Buffer = JWT_SECRET, hash = "sha256"): string {
  const text = `${part(header)}.${part(claims)}`
  return `${text}.${createHmac(hash, secret).update(text).digest("base64url")}`
}

function asymmetric(header: unknown, claims: unknown, key: KeyObject, hash = "sha256", der = false): string {
  const text = `${part(header)}.${part(claims)}`
  const how = { key, dsaEncoding: der ? ("der" as const) : ("ieee-p1363" as const) }
  return `${text}.${sign(hash, Buffer.from(text), how).toString("base64url")}`
}

const pair = async (alg: string) => {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true })
  return { publicKey, privateKey: KeyObject.from(privateKey) }
}

/** The issuer's keys, two of which are for RS256, and one that is not for signatures. */
export async function issuerKeys() {
  const [rsa, second, sealing, ec, strangerRsa, strangerEc] = await Promise.all(
    ["RS256", "RS256", "RS256", "ES256", "RS256", "ES256"].map(pair),
  )
  if (!rsa || !second || !sealing || !ec || !strangerRsa || !strangerEc) throw new Error("six pairs were asked for")
  const jwks = {
    keys: [
      { ...(await exportJWK(rsa.publicKey)), kid: "r1", alg: "RS256", use: "sig" },
      { ...(await exportJWK(second.publicKey)), kid: "r2", alg: "RS256", use: "sig" },
      { ...(await exportJWK(sealing.publicKey)), kid: "enc", use: "enc" },
      { ...(await exportJWK(ec.publicKey)), kid: "e1", alg: "ES256", use: "sig" },
    ],
  }
  return { rsa, second, sealing, ec, strangerRsa, strangerEc, jwks }
}

/** `canary`: a URL that nobody must ask for keys. */
export async function tokenCases(
  keys: Awaited<ReturnType<typeof issuerKeys>>,
  canary: string,
): Promise<readonly TokenCase[]> {
  const { rsa, sealing, ec, strangerRsa, strangerEc } = keys
  const now = Math.floor(Date.now() / 1_000)
  const good: JWTPayload = { sub: "u1", exp: now + 3_600, iss: ISSUER, aud: AUDIENCE }
  const hs = { alg: "HS256", typ: "JWT" }
  const rs = { alg: "RS256", kid: "r1" }
  const es = { alg: "ES256", kid: "e1" }
  const without = (name: string): JWTPayload => ({ ...good, [name]: undefined })
  const claims = (changes: Json): JWTPayload => ({ ...good, ...changes })
  const [head = "", body = "", tail = ""] = hmac(hs, good).split(".")
  const rsaGood = asymmetric(rs, good, rsa.privateKey)
  const ecGood = asymmetric(es, good, ec.privateKey)
  const unsigned = (header: unknown) => `${part(header)}.${part(good)}.`
  const cut = (token: string, by: number) => token.slice(0, -by)
  const withSignature = (token: string, bytes: Buffer) =>
    `${token.split(".").slice(0, 2).join(".")}.${bytes.toString("base64url")}`
  const publicPem = await exportSPKI(rsa.publicKey)
  const publicJwk = JSON.stringify(await exportJWK(rsa.publicKey))
  const publicDer = Buffer.from(createPublicKey(publicPem).export({ type: "spki", format: "der" }))
  const strangerJwk = await exportJWK(strangerRsa.publicKey)
  const strange = (header: Json) => asymmetric({ ...rs, ...header }, good, strangerRsa.privateKey)
  const rawHs = (text: string) => hmac(text, JSON.stringify(good))
  const rawClaims = (text: string) => hmac(hs, text)
  const rawExp = (exp: string) => rawClaims(`{"sub":"u1","iss":"${ISSUER}","aud":"${AUDIENCE}","exp":${exp}}`)

  const valid: [string, string][] = [
    ["HS256 with the shared secret", hmac(hs, good)],
    ["HS256 without typ", hmac({ alg: "HS256" }, good)],
    ["HS256 with a kid, which names no key there", hmac({ ...hs, kid: "../../dev/null" }, good)],
    ["RS256 by the issuer's first key", rsaGood],
    ["RS256 by the issuer's second key", asymmetric({ ...rs, kid: "r2" }, good, keys.second.privateKey)],
    ["ES256 by the issuer's key", ecGood],
    ["an audience among several", hmac(hs, claims({ aud: ["other", AUDIENCE] }))],
    [
      "an access token that names its client",
      hmac(hs, { ...without("aud"), token_use: "access", client_id: AUDIENCE }),
    ],
    ["a header with a byte order mark, signed as it is", rawHs('\ufeff{"alg":"HS256"}')],
    ["a sub that is a number, as some issuers write ids", hmac(hs, claims({ sub: 1 }))],
    ["an exp with a fraction", hmac(hs, claims({ exp: now + 3_600.5 }))],
    ["expired within the tolerance", hmac(hs, claims({ exp: now - 20 }))],
    ["not yet valid within the tolerance", hmac(hs, claims({ nbf: now + 20, iat: now + 20 }))],
  ]
  const signed: [string, string][] = [
    ["no exp", hmac(hs, without("exp"))],
    ["no exp, RS256", asymmetric(rs, without("exp"), rsa.privateKey)],
    ["no sub", hmac(hs, without("sub"))],
    ["no iss", hmac(hs, without("iss"))],
    ["no aud", hmac(hs, without("aud"))],
    ["no aud, ES256", asymmetric(es, without("aud"), ec.privateKey)],
    ["no claims at all", hmac(hs, {})],
    ["another iss", hmac(hs, claims({ iss: "https://evil.example" }))],
    ["the iss with a slash", hmac(hs, claims({ iss: `${ISSUER}/` }))],
    ["the iss in another case", hmac(hs, claims({ iss: ISSUER.toUpperCase() }))],
    ["the iss in a list", hmac(hs, claims({ iss: [ISSUER] }))],
    ["another aud", hmac(hs, claims({ aud: "other" }))],
    ["an aud that begins like ours", hmac(hs, claims({ aud: `${AUDIENCE}2` }))],
    ["an empty list of aud", hmac(hs, claims({ aud: [] }))],
    ["an aud that is an object", hmac(hs, claims({ aud: { hub: true } }))],
    ["aud in a list in a list", hmac(hs, claims({ aud: [[AUDIENCE]] }))],
    ["a client id without being an access token", hmac(hs, { ...without("aud"), client_id: AUDIENCE })],
    ["an identity token of the client", hmac(hs, { ...without("aud"), token_use: "id", client_id: AUDIENCE })],
    ["an access token of another client", hmac(hs, { ...without("aud"), token_use: "access", client_id: "x" })],
    ["expired", hmac(hs, claims({ exp: now - 120 }))],
    ["expired, RS256", asymmetric(rs, claims({ exp: now - 120 }), rsa.privateKey)],
    ["exp as a string", hmac(hs, claims({ exp: String(now + 3_600) }))],
    ["exp as a date", hmac(hs, claims({ exp: "2099-01-01T00:00:00Z" }))],
    ["exp negative", hmac(hs, claims({ exp: -1 }))],
    ["exp zero", hmac(hs, claims({ exp: 0 }))],
    ["exp 9e15, which is no time", hmac(hs, claims({ exp: 9e15 }))],
    ["exp 1e999, which JSON reads as infinity", rawExp("1e999")],
    ["exp -1e999", rawExp("-1e999")],
    ["exp null", hmac(hs, claims({ exp: null }))],
    ["exp true", hmac(hs, claims({ exp: true }))],
    ["exp in a list", hmac(hs, claims({ exp: [now + 3_600] }))],
    ["exp as an object with valueOf", hmac(hs, claims({ exp: { valueOf: now + 3_600 } }))],
    ["exp twice, the last one over", rawExp(`${now + 3_600},"exp":${now - 120}`)],
    ["nbf to come", hmac(hs, claims({ nbf: now + 600 }))],
    ["nbf as a string", hmac(hs, claims({ nbf: String(now - 600) }))],
    ["nbf 1e999", rawExp(`${now + 3_600},"nbf":1e999`)],
    ["iat to come", hmac(hs, claims({ iat: now + 600 }))],
    ["iat as a string", hmac(hs, claims({ iat: "yesterday" }))],
    ["an empty sub", hmac(hs, claims({ sub: "" }))],
    ["a sub with a space", hmac(hs, claims({ sub: "u1 " }))],
    ["a sub in fullwidth letters", hmac(hs, claims({ sub: "ｕ１" }))],
    ["a sub with a Cyrillic letter", hmac(hs, claims({ sub: "аdmin" }))],
    ["a sub with a zero-width space", hmac(hs, claims({ sub: "u1\u200b" }))],
    ["a sub with a right-to-left mark", hmac(hs, claims({ sub: "\u202eu1" }))],
    ["a sub with NUL", hmac(hs, claims({ sub: "u1\u0000" }))],
    ["a sub that is a path", hmac(hs, claims({ sub: "../u1" }))],
    ["a sub that is a wildcard", hmac(hs, claims({ sub: "*" }))],
    ["a sub with a colon, as in topics", hmac(hs, claims({ sub: "u1:x" }))],
    ["a sub of 10,000 letters", hmac(hs, claims({ sub: "u".repeat(10_000) }))],
    ["a sub that is an object", hmac(hs, claims({ sub: { toString: "u1" } }))],
    ["every tenant without being admin", hmac(hs, claims({ tenants: "*" }))],
    ["a tenant that is a wildcard", hmac(hs, claims({ tenants: [{ business: "*" }] }))],
    ["a tenant that is NATS's wildcard", hmac(hs, claims({ tenants: [{ business: ">" }] }))],
    ["tenants that are no list", hmac(hs, claims({ tenants: { business: "b1" } }))],
    ["locations that are no list", hmac(hs, claims({ tenants: [{ business: "b1", locations: 7 }] }))],
    ["roles that are an object", hmac(hs, claims({ roles: { admin: true } }))],
    ["roles with a number", hmac(hs, claims({ roles: ["admin", 1] }))],
  ]
  const forged: [string, string][] = [
    ["alg none", unsigned({ alg: "none" })],
    ["alg None", unsigned({ alg: "None" })],
    ["alg nOnE", unsigned({ alg: "nOnE" })],
    ["alg NONE", unsigned({ alg: "NONE" })],
    ["alg none with a blank", unsigned({ alg: "none " })],
    ["alg none and the signature of a good token", `${part({ alg: "none" })}.${body}.${tail}`],
    ["alg none, signed by the secret", hmac({ alg: "none" }, good)],
    ["alg empty", unsigned({ alg: "" })],
    ["alg missing", unsigned({ typ: "JWT" })],
    ["alg missing, signed by the secret", hmac({ typ: "JWT" }, good)],
    ["alg null", hmac({ alg: null }, good)],
    ["alg in a list", hmac({ alg: ["HS256"] }, good)],
    ["alg as an object", hmac({ alg: { toString: "HS256" } }, good)],
    ["alg in lower case", hmac({ alg: "hs256" }, good)],
    ["alg with NUL", hmac({ alg: "HS256\u0000" }, good)],
    ["alg twice, the last one none", rawHs('{"alg":"HS256","alg":"none"}')],
    ["alg toString, which every object has", hmac({ alg: "toString" }, good)],
    ["HS384 with the secret", hmac({ alg: "HS384" }, good, JWT_SECRET, "sha384")],
    ["HS512 with the secret", hmac({ alg: "HS512" }, good, JWT_SECRET, "sha512")],
    ["HS1 with the secret", hmac({ alg: "HS1" }, good, JWT_SECRET, "sha1")],
    ["HS256 in the header, HS512 in truth", hmac(hs, good, JWT_SECRET, "sha512")],
    ["RS384 by the issuer's key", asymmetric({ ...rs, alg: "RS384" }, good, rsa.privateKey, "sha384")],
    ["RS512 by the issuer's key", asymmetric({ ...rs, alg: "RS512" }, good, rsa.privateKey, "sha512")],
    ["PS256 under the issuer's key", asymmetric({ ...rs, alg: "PS256" }, good, rsa.privateKey)],
    ["EdDSA, which nobody configured", unsigned({ alg: "EdDSA", kid: "e1" })],
    ["another secret", hmac(hs, good, "another-secret-that-is-long-enough")],
    ["the secret of another hub, all else alike", hmac(hs, good, `${JWT_SECRET}2`)],
    ["the empty secret", hmac(hs, good, "")],
    ["a secret of NUL", hmac(hs, good, "\0")],
    ["the secret in base64", hmac(hs, good, Buffer.from(JWT_SECRET).toString("base64"))],
    ["the secret and a line end", hmac(hs, good, `${JWT_SECRET}\n`)],
    ["the word undefined as secret", hmac(hs, good, "undefined")],
    ["the word null as secret", hmac(hs, good, "null")],
    ["HS256 with the public key as PEM", hmac({ ...hs, kid: "r1" }, good, publicPem)],
    ["HS256 with the public key as PEM without its last line end", hmac({ ...hs, kid: "r1" }, good, publicPem.trim())],
    ["HS256 with the public key as DER", hmac({ ...hs, kid: "r1" }, good, publicDer)],
    ["HS256 with the public key as JWK", hmac({ ...hs, kid: "r1" }, good, publicJwk)],
    ["HS256 with the modulus as secret", hmac(hs, good, String(keys.jwks.keys[0]?.n))],
    ["HS256 dressed as RS256", hmac(rs, good)],
    ["HS256 dressed as ES256", hmac(es, good)],
    ["RS256 dressed as HS256", asymmetric(hs, good, rsa.privateKey)],
    ["RS256 dressed as ES256", asymmetric(es, good, rsa.privateKey)],
    ["RS256 under the EC key's id", asymmetric({ ...rs, kid: "e1" }, good, rsa.privateKey)],
    ["ES256 under the RSA key's id", asymmetric({ ...es, kid: "r1" }, good, ec.privateKey)],
    ["the issuer's key that is not for signatures", asymmetric({ ...rs, kid: "enc" }, good, sealing.privateKey)],
    ["a stranger's RSA key under the issuer's id", strange({})],
    ["a stranger's EC key under the issuer's id", asymmetric(es, good, strangerEc.privateKey)],
    ["a key in the token (jwk)", strange({ jwk: strangerJwk })],
    ["a key in the token, with its own id", strange({ jwk: { ...strangerJwk, kid: "r1" }, kid: "r1" })],
    ["a key in the token for HS256", hmac({ ...hs, jwk: { kty: "oct", k: part("x") } }, good, "x")],
    ["the address of keys (jku)", strange({ jku: canary })],
    ["the address of keys and an unknown id", strange({ jku: canary, kid: "mine" })],
    ["the address of a certificate (x5u)", strange({ x5u: canary })],
    ["a certificate in the token (x5c)", strange({ x5c: [publicDer.toString("base64")] })],
    ["a certificate's hash", strange({ "x5t#S256": part("x") })],
    ["kid a path", strange({ kid: "../../../../dev/null" })],
    ["kid a path, HS256 with its content", hmac({ ...hs, kid: "/dev/null" }, good, "")],
    ["kid SQL", strange({ kid: "' union select 'x' --" })],
    ["kid SQL, HS256 with its answer", hmac({ ...hs, kid: "' union select 'x' --" }, good, "x")],
    ["kid a shell's", strange({ kid: "r1; id" })],
    ["kid a URL", strange({ kid: canary })],
    ["kid empty", strange({ kid: "" })],
    ["kid unknown", strange({ kid: "r9" })],
    ["kid unknown, signed by the issuer", asymmetric({ ...rs, kid: "r9" }, good, rsa.privateKey)],
    ["kid in another case", asymmetric({ ...rs, kid: "R1" }, good, rsa.privateKey)],
    ["no kid where two keys fit", asymmetric({ alg: "RS256" }, good, rsa.privateKey)],
    ["kid null", strange({ kid: null })],
    ["kid a number", strange({ kid: 0 })],
    ["kid an object", strange({ kid: { r1: true } })],
    ["kid __proto__", strange({ kid: "__proto__" })],
    ["kid of 8,000 letters", strange({ kid: "r".repeat(8_000) })],
    ["crit that nobody knows", hmac({ ...hs, crit: ["x"], x: 1 }, good)],
    ["crit that is empty", hmac({ ...hs, crit: [] }, good)],
    ["crit that is no list", hmac({ ...hs, crit: "exp" }, good)],
    ["crit with a name that is not there", hmac({ ...hs, crit: ["b64"] }, good)],
    ["b64 false", hmac({ ...hs, crit: ["b64"], b64: false }, good)],
    ["a changed subject", `${head}.${part(claims({ sub: "u2" }))}.${tail}`],
    ["a changed role", `${head}.${part(claims({ roles: ["admin"] }))}.${tail}`],
    ["a later exp", `${head}.${part(claims({ exp: now + 9_999 }))}.${tail}`],
    ["a changed header", `${part({ ...hs, x: 1 })}.${body}.${tail}`],
    ["forged and expired", hmac(hs, claims({ exp: now - 600 }), "wrong")],
    ["forged, of another issuer", hmac(hs, claims({ iss: "x" }), "wrong")],
    ["forged, without a subject", hmac(hs, without("sub"), "wrong")],
    ["no signature", `${head}.${body}.`],
    ["no signature and no dot", `${head}.${body}`],
    ["a signature that lacks its last letter", cut(`${head}.${body}.${tail}`, 1)],
    ["half a signature", cut(`${head}.${body}.${tail}`, 21)],
    ["a signature of one byte", `${head}.${body}.AA`],
    [
      "a signature with a byte more",
      withSignature(`${head}.${body}.`, Buffer.from([...Buffer.from(tail, "base64url"), 0])),
    ],
    ["a signature of zeros", withSignature(`${head}.${body}.`, Buffer.alloc(32))],
    ["another token's signature", `${head}.${body}.${hmac(hs, claims({ sub: "u2" })).split(".")[2]}`],
    ["the same signature, its last letter otherwise written", lastLetter(`${head}.${body}.${tail}`)],
    ["the same RS256 signature, its last letter otherwise written", lastLetter(rsaGood)],
    ["a padded signature", `${head}.${body}.${tail}=`],
    ["a padded payload", `${head}.${body}=.${tail}`],
    ["a signature in hexadecimal", `${head}.${body}.${Buffer.from(tail, "base64url").toString("hex")}`],
    ["a signature in the other alphabet", otherAlphabet(good, hs)],
    ["an ES256 signature of zeros", withSignature(ecGood, Buffer.alloc(64))],
    ["an ES256 signature as DER", asymmetric(es, good, ec.privateKey, "sha256", true)],
    [
      "an RS256 signature that lacks a byte",
      withSignature(rsaGood, Buffer.from(rsaGood.split(".")[2] ?? "", "base64url").subarray(1)),
    ],
    ["four parts", `${head}.${body}.${tail}.`],
    ["five parts, as if encrypted", `${part({ alg: "dir", enc: "A256GCM" })}..${part("iv")}.${body}.${tail}`],
    ["an empty header", `.${body}.${tail}`],
    ["an empty payload", `${head}..${tail}`],
    ["dots alone", ".."],
    ["a header that is no JSON", hmac("not json", JSON.stringify(good))],
    ["a header that is a list", hmac('["HS256"]', JSON.stringify(good))],
    ["a header that is null", hmac("null", JSON.stringify(good))],
    ["a payload that is no JSON, signed", rawClaims("not json")],
    ["a payload that is a list, signed", rawClaims("[]")],
    ["a payload that is null, signed", rawClaims("null")],
    ["a payload that is a text, signed", rawClaims('"u1"')],
    ["a payload that is not UTF-8", `${head}.${Buffer.from([0xff, 0xfe]).toString("base64url")}.${tail}`],
    [
      "the whole as one JSON (JWS JSON serialization)",
      JSON.stringify({ protected: head, payload: body, signature: tail }),
    ],
    ["10,000 letters", `${"a".repeat(9_996)}.b.c`],
    ["the secret itself", JWT_SECRET],
  ]
  const named =
    (verdict: Verdict) =>
    ([title, token]: [string, string]): TokenCase => [title, verdict, token]
  return [...valid.map(named("passes")), ...signed.map(named("signed")), ...forged.map(named("forged"))]
}

/** The last letter of a signature has bits that mean nothing: another letter with the same meaning. */
function lastLetter(token: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
  const last = alphabet.indexOf(token.slice(-1))
  return `${token.slice(0, -1)}${alphabet[last ^ 1]}`
}

/** A good signature that has a letter in which the two base64 alphabets differ, in the one that tokens do not use. */
function otherAlphabet(claims: JWTPayload, header: unknown): string {
  for (let i = 0; ; i++) {
    const [head, body, signature = ""] = hmac(header, { ...claims, jti: String(i) }).split(".")
    if (/[-_]/.test(signature)) return `${head}.${body}.${signature.replaceAll("-", "+").replaceAll("_", "/")}`
  }
}
