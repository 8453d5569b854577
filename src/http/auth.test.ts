import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { createHmac } from "node:crypto"
import { exportJWK, exportSPKI, generateKeyPair, SignJWT, UnsecuredJWT } from "jose"
import type { Config } from "../config.ts"
import { loadConfig } from "../config.ts"
import type { Principal } from "../domain/principal.ts"
import { createApiKey, listApiKeys, revokeApiKey } from "../store/api-keys.ts"
import { type Database, openDatabase } from "../store/database.ts"
import { business } from "../testing/builders.ts"
import { type FakeClock, fakeClock } from "../testing/fake-clock.ts"
import { ADMIN_KEY, B1_KEY, JWT_SECRET } from "../testing/front.ts"
import { type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { type Authenticator, createAuthenticator } from "./auth.ts"
import type { AuthFailure } from "./auth-failure.ts"

const WALL = new Date("2026-01-01T00:00:00Z")
const NOW = WALL.getTime() / 1_000
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

let database: TestDatabase
let db: Database
let clock: FakeClock
const rsa = await generateKeyPair("RS256")
const ec = await generateKeyPair("ES256")
const pss = await generateKeyPair("PS256")
const stranger = await generateKeyPair("RS256")
let fetched = 0
const issuer = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  async fetch() {
    fetched += 1
    const keys = [
      { ...(await exportJWK(rsa.publicKey)), kid: "r1", alg: "RS256" },
      { ...(await exportJWK(ec.publicKey)), kid: "e1", alg: "ES256" },
    ]
    return Response.json({ keys })
  },
})

const settings = (changes: Readonly<Record<string, string>>): Config => {
  const loaded = loadConfig(
    {
      NODE_ENV: "production",
      DATABASE_URL: "postgres://unused",
      HUB_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString("base64")}`,
      HUB_API_KEYS: `${ADMIN_KEY}:admin,${B1_KEY}:service:b1`,
      JWT_SECRET,
      ...changes,
    },
    false,
  )
  if (loaded.ok === undefined) throw new Error(JSON.stringify(loaded.errors))
  return loaded.ok
}
const make = (changes: Readonly<Record<string, string>> = {}): Authenticator =>
  createAuthenticator({ config: settings(changes), db, clock })
const withIssuer = (): Authenticator =>
  make({ JWT_JWKS_URL: `${issuer.url}jwks`, JWT_ISSUER: "https://issuer.example", JWT_AUDIENCE: "hub" })

const bearer = async (auth: Authenticator, token: string): Promise<Principal | AuthFailure> =>
  auth.authenticate({ authorization: `Bearer ${token}`, apiKey: null })
const hs256 = (claims: object, secret = JWT_SECRET, alg = "HS256"): Promise<string> =>
  new SignJWT({ sub: "u1", exp: NOW + 600, ...claims }).setProtectedHeader({ alg }).sign(bytes(secret))

beforeAll(async () => {
  database = await testDatabase()
  db = openDatabase({ url: database.url })
  clock = fakeClock(WALL)
})
afterAll(async () => {
  await issuer.stop(true)
  await db.close()
  await database.drop()
})

describe("a forged or stale token is refused", () => {
  const signed = async (header: object, claims: object, secret: string): Promise<string> => {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url")
    const text = `${part(header)}.${part(claims)}`
    return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`
  }
  const good = { sub: "u1", exp: NOW + 600, iss: "https://issuer.example", aud: "hub" }
  const cases: readonly [string, () => string | Promise<string>][] = [
    ["alg none", () => new UnsecuredJWT(good).encode()],
    ["alg none with a signature", () => signed({ alg: "none" }, good, JWT_SECRET)],
    ["alg None in another case", () => signed({ alg: "NonE" }, good, JWT_SECRET)],
    ["HS512 with the right secret", () => hs256(good, JWT_SECRET, "HS512")],
    ["HS384 with the right secret", () => hs256(good, JWT_SECRET, "HS384")],
    ["another secret", () => hs256(good, "another-secret-that-is-long-enough")],
    ["the empty secret", () => signed({ alg: "HS256" }, good, "")],
    [
      "the public key used as a secret",
      async () => signed({ alg: "HS256", kid: "r1" }, good, await exportSPKI(rsa.publicKey)),
    ],
    ["HS256 dressed as RS256", () => signed({ alg: "RS256", kid: "r1" }, good, JWT_SECRET)],
    [
      "a stranger's RS256 key",
      () => new SignJWT(good).setProtectedHeader({ alg: "RS256", kid: "r1" }).sign(stranger.privateKey),
    ],
    [
      "an unknown key id",
      () => new SignJWT(good).setProtectedHeader({ alg: "RS256", kid: "r9" }).sign(stranger.privateKey),
    ],
    [
      "RS256 under the EC key's id",
      () => new SignJWT(good).setProtectedHeader({ alg: "RS256", kid: "e1" }).sign(rsa.privateKey),
    ],
    [
      "PS256, which nobody configured",
      () => new SignJWT(good).setProtectedHeader({ alg: "PS256", kid: "r1" }).sign(pss.privateKey),
    ],
    [
      "a key inside the token",
      async () =>
        new SignJWT(good)
          .setProtectedHeader({ alg: "RS256", jwk: await exportJWK(stranger.publicKey) })
          .sign(stranger.privateKey),
    ],
    ["no exp", () => hs256({ ...good, exp: undefined })],
    ["an exp that is a word", () => hs256({ ...good, exp: "tomorrow" })],
    ["expired beyond the tolerance", () => hs256({ ...good, exp: NOW - 61 })],
    ["not yet valid beyond the tolerance", () => hs256({ ...good, nbf: NOW + 61 })],
    ["no sub", () => hs256({ ...good, sub: undefined })],
    ["a sub that is no id", () => hs256({ ...good, sub: "../etc" })],
    ["another issuer", () => hs256({ ...good, iss: "https://evil.example" })],
    ["no issuer", () => hs256({ ...good, iss: undefined })],
    ["another audience", () => hs256({ ...good, aud: "other" })],
    ["no audience", () => hs256({ ...good, aud: undefined })],
    ["a client id without being an access token", () => hs256({ ...good, aud: undefined, client_id: "hub" })],
    ["a critical header that nobody knows", () => signed({ alg: "HS256", crit: ["x"], x: 1 }, good, JWT_SECRET)],
    [
      "a changed payload",
      async () => {
        const [head, , tail] = (await hs256(good)).split(".")
        return `${head}.${Buffer.from(JSON.stringify({ ...good, sub: "u2" })).toString("base64url")}.${tail}`
      },
    ],
    ["no signature", async () => (await hs256(good)).replace(/[^.]*$/, "")],
    ["a header that is no JSON", () => "bm90IGpzb24.e30.c2ln"],
    ["a header that is a number", () => "NQ.e30.c2ln"],
    ["tenants it may not claim", () => hs256({ ...good, tenants: "*" })],
    ["a megabyte", () => `${"a".repeat(1_000_000)}.b.c`],
    ["two parts", () => "aa.bb"],
    ["half of a key", () => ADMIN_KEY.slice(0, -1)],
    ["a key with more at its end", () => `${ADMIN_KEY}x`],
    ["a key in capitals", () => ADMIN_KEY.toUpperCase()],
    ["a made-up stored key", () => `hub_${"0".repeat(16)}_${"a".repeat(43)}`],
  ]
  for (const [title, token] of cases)
    test(title, async () => {
      const found = await bearer(withIssuer(), await token())
      expect(found).toEqual({ failure: "refused", detail: expect.any(String) })
      expect(JSON.stringify(found)).not.toContain(JWT_SECRET)
    })

  const headers: readonly [string, { authorization: string | null; apiKey: string | null }, string][] = [
    ["nothing", { authorization: null, apiKey: null }, "missing"],
    ["an empty header", { authorization: "", apiKey: null }, "refused"],
    ["a bearer of nothing", { authorization: "Bearer ", apiKey: null }, "refused"],
    ["another scheme", { authorization: `Basic ${ADMIN_KEY}`, apiKey: null }, "refused"],
    ["an empty key", { authorization: null, apiKey: "" }, "refused"],
    ["a bad bearer beside a good key", { authorization: "Bearer nonsense", apiKey: ADMIN_KEY }, "refused"],
  ]
  for (const [title, credentials, failure] of headers)
    test(`${title} is ${failure}`, async () => {
      expect(await make().authenticate(credentials)).toMatchObject({ failure })
    })
})

describe("a good token is a person", () => {
  test("HS256 with the shared secret", async () => {
    const found = await bearer(make(), await hs256({ roles: ["admin"], tenants: [{ business: "b1" }] }))
    expect(found).toMatchObject({
      kind: "person",
      recipient: "u1",
      admin: true,
      tenancy: [{ business: "b1", locations: null }],
    })
  })

  test("RS256 and ES256 by the issuer's keys, which are fetched once", async () => {
    const auth = withIssuer()
    const claims = { sub: "u1", exp: NOW + 600, iss: "https://issuer.example" }
    const before = fetched
    const rs = new SignJWT({ ...claims, aud: ["hub", "x"] }).setProtectedHeader({ alg: "RS256", kid: "r1" })
    expect(await bearer(auth, await rs.sign(rsa.privateKey))).toMatchObject({ recipient: "u1" })
    const es = new SignJWT({ ...claims, token_use: "access", client_id: "hub" }).setProtectedHeader({
      alg: "ES256",
      kid: "e1",
    })
    expect(await bearer(auth, await es.sign(ec.privateKey))).toMatchObject({ recipient: "u1" })
    expect(fetched - before).toBe(1)
  })

  test("clocks may differ by a minute", async () => {
    expect(await bearer(make(), await hs256({ exp: NOW - 59 }))).toMatchObject({ kind: "person" })
    expect(await bearer(make(), await hs256({ nbf: NOW + 59 }))).toMatchObject({ kind: "person" })
  })

  test("it is good until its end and not longer, although it is remembered", async () => {
    const own = fakeClock(WALL)
    const auth = createAuthenticator({ config: settings({}), db, clock: own })
    const token = await hs256({ exp: NOW + 30 })
    expect(await bearer(auth, token)).toMatchObject({ kind: "person", expiresAt: (NOW + 90) * 1_000 })
    own.shiftWall(89_000)
    expect(await bearer(auth, token)).toMatchObject({ kind: "person" })
    own.shiftWall(2_000)
    expect(await bearer(auth, token)).toMatchObject({ failure: "refused" })
  })

  test("a secret nobody configured opens nothing", async () => {
    const auth = make({ JWT_SECRET: "", JWT_JWKS_URL: `${issuer.url}jwks` })
    expect(await bearer(auth, await hs256({}))).toMatchObject({ failure: "refused" })
  })

  test("an issuer that cannot be asked is 'try again', not 'wrong'", async () => {
    const token = await new SignJWT({ sub: "u1", exp: NOW + 600 })
      .setProtectedHeader({ alg: "RS256", kid: "r1" })
      .sign(rsa.privateKey)
    expect(await bearer(make({ JWT_JWKS_URL: "http://127.0.0.1:9/jwks" }), token)).toMatchObject({
      failure: "unavailable",
    })
    const broken = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("no", { status: 500 }) })
    expect(await bearer(make({ JWT_JWKS_URL: `${broken.url}jwks` }), token)).toMatchObject({ failure: "unavailable" })
    await broken.stop(true)
  })

  test("a bare token is taken where a door carries it elsewhere", async () => {
    expect(await make().authenticateToken(await hs256({}))).toMatchObject({ recipient: "u1" })
    expect(await make().authenticateToken("")).toEqual({ failure: "missing" })
  })

  test("asks nothing of the database, so a herd that comes back costs it nothing", async () => {
    const asked = (): never => {
      throw new Error("the database was asked")
    }
    const unasked: Database = { ...db, query: asked, execute: asked, transaction: asked }
    const auth = createAuthenticator({ config: settings({}), db: unasked, clock })
    expect(await auth.authenticateToken(await hs256({}))).toMatchObject({ recipient: "u1" })
    expect(await auth.authenticateToken(await hs256({ exp: NOW - 600 }))).toMatchObject({ failure: "refused" })
    expect(auth.authenticateToken.bind(auth, `hub_${"0".repeat(16)}_${"a".repeat(43)}`)).toThrow("was asked")
  })
})

describe("API keys", () => {
  test("of the settings are taken in either header, with their scope and business", async () => {
    const admin = { kind: "key", service: true, admin: true, tenancy: "*", recipient: null, expiresAt: null }
    expect(await bearer(make(), ADMIN_KEY)).toMatchObject(admin)
    expect(await make().authenticate({ authorization: null, apiKey: ADMIN_KEY })).toMatchObject(admin)
    expect(await bearer(make(), B1_KEY)).toMatchObject({ admin: false, tenancy: [{ business: "b1", locations: null }] })
  })

  test("of the database are stored as hashes and shown once", async () => {
    const { key, apiKey } = await createApiKey(db, { name: "erp", scope: "service", business: business("b1") })
    const found = await bearer(make(), key)
    expect(found).toMatchObject({
      label: `key:${apiKey.id}`,
      service: true,
      admin: false,
      tenancy: [{ business: "b1", locations: null }],
    })
    const [row] = await db.query<{ all: string }>(
      "select row_to_json(api_keys)::text as all from api_keys where id = $1",
      [apiKey.id],
    )
    const secret = key.slice(`hub_${apiKey.id}_`.length)
    expect(secret.length).toBeGreaterThan(40)
    expect(row?.all).not.toContain(secret)
  })

  test("with the right id and a wrong secret are refused", async () => {
    const { key } = await createApiKey(db, { name: "x", scope: "admin", business: null })
    const other = await createApiKey(db, { name: "y", scope: "admin", business: null })
    const mixed = `${key.slice(0, 21)}${other.key.slice(21)}`
    expect(await bearer(make(), mixed)).toMatchObject({ failure: "refused" })
  })

  test("that are revoked die within two seconds", async () => {
    const own = fakeClock(WALL)
    const auth = createAuthenticator({ config: settings({}), db, clock: own })
    const { key, apiKey } = await createApiKey(db, { name: "old", scope: "service", business: null })
    expect(await bearer(auth, key)).toMatchObject({ kind: "key" })
    expect(await revokeApiKey(db, apiKey.id)).toBe(true)
    await own.advance(2_000)
    expect(await bearer(auth, key)).toMatchObject({ failure: "refused" })
    expect(await revokeApiKey(db, apiKey.id)).toBe(false)
    expect((await listApiKeys(db)).find(({ id }) => id === apiKey.id)?.revokedAt).toBeNumber()
  })

  test("cannot be checked while the database is away, and say so", async () => {
    const gone = openDatabase({ url: "postgres://postgres@127.0.0.1:9/none" })
    const auth = createAuthenticator({ config: settings({}), db: gone, clock })
    expect(await bearer(auth, `hub_${"0".repeat(16)}_${"a".repeat(43)}`)).toMatchObject({ failure: "unavailable" })
    expect(await bearer(auth, ADMIN_KEY)).toMatchObject({ kind: "key" })
    await gone.close()
  })
})
