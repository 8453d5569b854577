/**
 * Forged credentials against a whole hub, over HTTP and WebSocket, as bytes that no client tidies up (catalogue 42): only
 * the valid ones pass, and no refusal tells a forger what only the hub knows. What is signed has tables of its own:
 * ingest/webhook-forgery.test.ts, inbound/inbound-forgery.test.ts.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { createApiKey, hashOfKey, revokeApiKey } from "./store/api-keys.ts"
import { eventually } from "./testing/eventually.ts"
import { AUDIENCE, hmac, ISSUER, issuerKeys, type TokenCase, tokenCases } from "./testing/forged-tokens.ts"
import { ADMIN_KEY, JWT_SECRET, SERVICE_KEY } from "./testing/front.ts"
import { type RawAnswer, rawGet, rawHttp } from "./testing/raw-http.ts"
import { startTestHub, type TestHub } from "./testing/start-hub.ts"

type Header = readonly [name: string, value: string]
interface DoorCase {
  readonly title: string
  readonly path?: string
  readonly headers: readonly Header[]
  /** What must come; 401 and 403 in the hub's own form, 400 and 431 as the listener refuses what is no HTTP. */
  readonly status: 200 | 400 | 401 | 403 | 431
}

/** For any caller that is known, person or key; and for operators alone. */
const DOOR = "/v1/events?limit=1"
const OPERATORS = "/admin/rejected?limit=1"
/** What a refusal of something unsigned may say: each follows from what the caller itself wrote. */
const NO_HINT = new Set([
  "the token is not valid",
  "the token's algorithm is not taken",
  "the key is not known",
  "the credential is too long",
  "expected `Authorization: Bearer <key or token>`",
  "send `Authorization: Bearer <key or token>` or `X-API-Key: <key>`",
])

const keys = await issuerKeys()
const asked: string[] = []
const issuer = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => Response.json(keys.jwks) })
const canary = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    asked.push(request.url)
    return Response.json({ keys: [] })
  },
})

let hub: TestHub
let other: TestHub
let tokens: readonly TokenCase[]
beforeAll(async () => {
  hub = await startTestHub({
    JWT_JWKS_URL: `${issuer.url}jwks`,
    JWT_ISSUER: ISSUER,
    JWT_AUDIENCE: AUDIENCE,
    HUB_ANONYMOUS_TOPICS: "false",
  })
  other = await startTestHub({ JWT_SECRET: "the-secret-of-quite-another-hub-than-this" })
  tokens = await tokenCases(keys, canary.url.href)
})
afterAll(async () => {
  await hub.remove()
  await other.remove()
  await issuer.stop(true)
  await canary.stop(true)
})

const now = Math.floor(Date.now() / 1_000)
const person = hmac({ alg: "HS256" }, { sub: "u1", exp: now + 3_600, iss: ISSUER, aud: AUDIENCE })
const bearer = (credential: string): Header => ["Authorization", `Bearer ${credential}`]
const apiKey = (credential: string): Header => ["X-API-Key", credential]
const get = (path: string, headers: readonly Header[]) =>
  rawHttp(hub.port, { parts: [rawGet(path, headers)], until: "whole", withinMs: 10_000 })

/** All that a refusal says but its detail, its request id and the time. */
const shape = ({ headers, body }: RawAnswer) => {
  const { detail: _, request_id: __, ...rest } = JSON.parse(body) as Record<string, unknown> // a problem, which is an object
  const { "content-length": ___, "x-request-id": ____, date: _____, ...head } = Object.fromEntries(headers)
  return { rest, head: { ...head, "www-authenticate": head["www-authenticate"]?.replace(/, error="\w+"/, "") } }
}
const detailOf = ({ body }: RawAnswer): string => String((JSON.parse(body) as { detail?: unknown }).detail) // as above

let cases = 0
let requests = 0
const tally = { accepts: 0, refusals: 0 }
const wrong: string[] = []
const found = (title: string, ok: boolean, what: RawAnswer): void => {
  requests += 1
  if (ok) return
  tally[what.status < 400 && what.status > 0 ? "accepts" : "refusals"] += 1
  wrong.push(`${title}: ${JSON.stringify(what)}`)
}
const done = (): void => {
  const these = wrong.splice(0)
  expect(these).toEqual([])
}

describe("of forged credentials", () => {
  test("no token passes over HTTP but the valid ones, and no refusal tells what only the hub knows", async () => {
    const plain = shape(await get(DOOR, []))
    for (const [title, verdict, token] of tokens) {
      cases += 1
      const answer = await get(DOOR, [bearer(token)])
      if (verdict === "passes") {
        found(title, answer.status === 200, answer)
        continue
      }
      found(title, answer.status === 401, answer)
      if (answer.status !== 401) continue
      expect([title, shape(answer)]).toEqual([title, plain])
      const detail = detailOf(answer)
      expect(detail).not.toContain(token)
      if (verdict === "forged") expect([title, NO_HINT.has(detail) ? "" : detail]).toEqual([title, ""])
    }
    done()
  })

  test("no token passes at the socket's door but the valid ones, in the URL or as a sub-protocol", async () => {
    const path = "/socket/websocket?vsn=2.0.0"
    const upgrade: readonly Header[] = [
      ["Connection", "Upgrade"],
      ["Upgrade", "websocket"],
      ["Sec-WebSocket-Version", "13"],
      ["Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="],
    ]
    for (const [title, verdict, token] of tokens) {
      cases += 1
      const carried = Buffer.from(token, "latin1").toString("base64").replaceAll("=", "")
      const answers = [
        await get(`${path}&token=${encodeURIComponent(token)}`, upgrade),
        await get(path, [...upgrade, ["Sec-WebSocket-Protocol", `phoenix, base64url.bearer.phx.${carried}`]]),
      ]
      for (const answer of answers) {
        const long = token.length > 10_000 && answer.status === 431
        found(title, verdict === "passes" ? answer.status === 101 : long || answer.status === 403, answer)
        if (answer.status === 403) expect([title, answer.body]).toEqual([title, ""])
      }
    }
    for (const headers of [[], [bearer(person)], [apiKey(ADMIN_KEY)], [["Cookie", `token=${person}`] as const]]) {
      cases += 1
      const answer = await get(path, [...upgrade, ...headers])
      found(`a socket without a token, with ${headers[0]?.[0]}`, answer.status === 403, answer)
    }
    done()
  })

  test("no header, and no other place, lets a credential in that is not valid", async () => {
    const stored = await createApiKey(hub.db, { name: "live", scope: "service", business: null })
    const second = await createApiKey(hub.db, { name: "second", scope: "service", business: null })
    const revoked = await createApiKey(hub.db, { name: "gone", scope: "admin", business: null })
    await revokeApiKey(hub.db, revoked.apiKey.id)
    const strange = await createApiKey(other.db, { name: "elsewhere", scope: "admin", business: null })
    const bad = hmac({ alg: "HS256" }, { sub: "u1", exp: now + 3_600, iss: ISSUER, aud: AUDIENCE }, "wrong")
    const elsewhere = hmac({ alg: "HS256" }, { sub: "u1", exp: now + 60 }, "the-secret-of-quite-another-hub-than-this")
    const service = hmac({ alg: "HS256" }, { sub: "u1", exp: now + 3_600, iss: ISSUER, aud: AUDIENCE, role: "service" })

    const refused = (title: string, ...headers: Header[]): DoorCase => ({ title, headers, status: 401 })
    const passes = (title: string, ...headers: Header[]): DoorCase => ({ title, headers, status: 200 })
    const inUrl = (name: string, value: string): DoorCase => ({
      title: `${name} in the URL`,
      path: `${DOOR}&${name}=${encodeURIComponent(value)}`,
      headers: [],
      status: 401,
    })
    const table: readonly DoorCase[] = [
      passes("a key of the settings", bearer(ADMIN_KEY)),
      passes("a key of the settings as X-API-Key", apiKey(SERVICE_KEY)),
      passes("a key of the database", bearer(stored.key)),
      passes("a key of the database as X-API-Key", apiKey(stored.key)),
      passes("bearer in lower case", ["authorization", `bearer ${person}`]),
      passes("BEARER in capitals and two blanks", ["AUTHORIZATION", `BEARER  ${person}`]),
      refused("nothing"),
      refused("an empty Authorization", ["Authorization", ""]),
      refused("a bearer of nothing", ["Authorization", "Bearer"]),
      refused("a bearer of blanks", ["Authorization", "Bearer    "]),
      refused("Basic", ["Authorization", `Basic ${Buffer.from(`admin:${ADMIN_KEY}`).toString("base64")}`]),
      refused("Basic with a key", ["Authorization", `Basic ${ADMIN_KEY}`]),
      refused("Token", ["Authorization", `Token ${ADMIN_KEY}`]),
      refused("Digest", ["Authorization", `Digest username="admin", response="${ADMIN_KEY}"`]),
      refused("a key without a scheme", ["Authorization", ADMIN_KEY]),
      refused("a scheme glued to its key", ["Authorization", `Bearer${ADMIN_KEY}`]),
      refused("a colon after the scheme", ["Authorization", `Bearer: ${ADMIN_KEY}`]),
      refused("a key in quotes", bearer(`"${ADMIN_KEY}"`)),
      refused("two keys in one header", bearer(`${ADMIN_KEY} ${ADMIN_KEY}`)),
      refused("two keys with a comma", bearer(`${ADMIN_KEY}, Bearer ${ADMIN_KEY}`)),
      refused("a good and a bad token with a comma", bearer(`${person}, ${bad}`)),
      refused("a token with a blank in its signature", bearer(`${person.slice(0, -9)} ${person.slice(-9)}`)),
      refused("a token with a tab in its signature", bearer(`${person.slice(0, -9)}\t${person.slice(-9)}`)),
      refused("a key with a non-breaking blank", ["Authorization", `Bearer\u00a0${ADMIN_KEY}`]),
      refused("two Authorization headers, the last one bad", bearer(person), bearer(bad)),
      refused("two Authorization headers, the first one bad", bearer(bad), bearer(person)),
      refused("two Authorization headers, both good", bearer(person), bearer(ADMIN_KEY)),
      refused("two X-API-Key headers, the last one bad", apiKey(ADMIN_KEY), apiKey("x".repeat(30))),
      refused("two X-API-Key headers, the first one bad", apiKey("x".repeat(30)), apiKey(ADMIN_KEY)),
      refused("a bad bearer beside a good key", bearer(bad), apiKey(ADMIN_KEY)),
      refused("an empty Authorization beside a good key", ["Authorization", ""], apiKey(ADMIN_KEY)),
      refused("Basic beside a good key", ["Authorization", "Basic eDp5"], apiKey(ADMIN_KEY)),
      refused("a token as X-API-Key", apiKey(person)),
      refused("Bearer within X-API-Key", apiKey(`Bearer ${ADMIN_KEY}`)),
      refused("an empty X-API-Key", apiKey("")),
      refused("the first half of a key", apiKey(ADMIN_KEY.slice(0, 12))),
      refused("a key without its last letter", apiKey(ADMIN_KEY.slice(0, -1))),
      refused("a key without its last letter, as bearer", bearer(ADMIN_KEY.slice(0, -1))),
      refused("a key with a letter more", apiKey(`${ADMIN_KEY}0`)),
      refused("a key with its scope, as in the settings", apiKey(`${ADMIN_KEY}:admin`)),
      refused("both keys, as in the settings", apiKey(`${ADMIN_KEY}:admin,${SERVICE_KEY}:service`)),
      refused("a key in capitals", apiKey(ADMIN_KEY.toUpperCase())),
      refused("a key, percent-encoded", apiKey(ADMIN_KEY.replace("-", "%2D"))),
      refused("a key in base64", apiKey(Buffer.from(ADMIN_KEY).toString("base64"))),
      refused("a key's hash", apiKey(hashOfKey(ADMIN_KEY).toString("hex"))),
      refused("a key's hash in base64", bearer(hashOfKey(ADMIN_KEY).toString("base64"))),
      refused("a stored key's prefix alone", bearer(`hub_${stored.apiKey.id}_`)),
      refused("a stored key's id alone", bearer(stored.apiKey.id)),
      refused("a stored key without its last letter", bearer(stored.key.slice(0, -1))),
      refused("a stored key with a letter more", bearer(`${stored.key}A`)),
      refused("a stored key in capitals", bearer(stored.key.toUpperCase())),
      refused("a stored key in lower case", bearer(stored.key.toLowerCase())),
      refused(
        "a stored key, its last letter otherwise",
        bearer(`${stored.key.slice(0, -1)}${stored.key.endsWith("A") ? "B" : "A"}`),
      ),
      refused("one key's id with another's secret", bearer(`${stored.key.slice(0, 21)}${second.key.slice(21)}`)),
      refused("a stored key's id with a secret of zeros", bearer(`${stored.key.slice(0, 21)}${"A".repeat(43)}`)),
      refused("a made-up key", bearer(`hub_${"0".repeat(16)}_${"a".repeat(43)}`)),
      refused("a key whose id is SQL", bearer(`hub_'or'1'='1'--xxxx_${"a".repeat(43)}`)),
      refused("a stored key's hash", bearer(hashOfKey(stored.key).toString("hex"))),
      refused("a revoked key", bearer(revoked.key)),
      refused("a revoked key as X-API-Key", apiKey(revoked.key)),
      refused("another hub's key", bearer(strange.key)),
      refused("another hub's token", bearer(elsewhere)),
      refused("the shared secret as a key", bearer(JWT_SECRET)),
      refused("a token in a cookie", ["Cookie", `token=${person}; Authorization=Bearer ${person}`]),
      refused("a key in Proxy-Authorization", ["Proxy-Authorization", `Bearer ${ADMIN_KEY}`]),
      refused("a key in X-Authorization", ["X-Authorization", `Bearer ${ADMIN_KEY}`]),
      refused("a key in X_API_Key", ["X_API_Key", ADMIN_KEY]),
      refused("a key in Api-Key", ["Api-Key", ADMIN_KEY]),
      refused(
        "a name from a proxy",
        ["X-Forwarded-User", "admin"],
        ["X-Remote-User", "admin"],
        ["Remote-User", "admin"],
      ),
      refused("an address from a proxy", ["X-Forwarded-For", "127.0.0.1"], ["X-Real-IP", "127.0.0.1"]),
      refused("another path from a proxy", ["X-Original-URL", "/health"], ["X-Rewrite-URL", "/health"]),
      refused("another method from a client", ["X-HTTP-Method-Override", "OPTIONS"]),
      refused("a token as a sub-protocol", [
        "Sec-WebSocket-Protocol",
        `phoenix, base64url.bearer.phx.${Buffer.from(person).toString("base64")}`,
      ]),
      inUrl("token", person),
      inUrl("access_token", person),
      inUrl("authorization", `Bearer ${person}`),
      inUrl("api_key", ADMIN_KEY),
      inUrl("apikey", ADMIN_KEY),
      inUrl("X-API-Key", ADMIN_KEY),
      inUrl("key", stored.key),
      { title: "a user in the URL", path: `http://admin:${ADMIN_KEY}@hub${DOOR}`, headers: [], status: 401 },
      {
        title: "a good token in the URL beside a bad one",
        path: `${DOOR}&token=${person}`,
        headers: [bearer(bad)],
        status: 401,
      },
      refused("a token of 15 kB", bearer(`${"a".repeat(15_000)}.b.c`)),
      { title: "a token of 64 kB", headers: [bearer(`${"a".repeat(65_536)}.b.c`)], status: 431 },
      { title: "a key of 64 kB", headers: [apiKey("k".repeat(65_536))], status: 431 },
      { title: "a header over two lines", headers: [["Authorization", `Bearer\r\n ${ADMIN_KEY}`]], status: 400 },
      { title: "a blank before the colon", headers: [["Authorization ", `Bearer ${ADMIN_KEY}`]], status: 400 },
      { title: "NUL in a key", headers: [apiKey(`${ADMIN_KEY}\0`)], status: 400 },
      // Authorization alone is asked: the other header neither adds to it nor speaks for it.
      passes("a good token beside a bad key", bearer(person), apiKey("x".repeat(30))),
      {
        title: "a person's token beside an operator's key",
        path: OPERATORS,
        headers: [bearer(person), apiKey(ADMIN_KEY)],
        status: 403,
      },
      { title: "a service's token at the operators' door", path: OPERATORS, headers: [bearer(service)], status: 403 },
      { title: "a service's key at the operators' door", path: OPERATORS, headers: [apiKey(SERVICE_KEY)], status: 403 },
      { title: "an operator's key at the operators' door", path: OPERATORS, headers: [apiKey(ADMIN_KEY)], status: 200 },
    ]
    const plain = shape(await get(DOOR, []))
    for (const { title, path, headers, status } of table) {
      cases += 1
      const answer = await get(path ?? DOOR, headers)
      found(title, answer.status === status, answer)
      if (answer.status !== 401) continue
      expect([title, shape(answer)]).toEqual([title, plain])
      expect([title, NO_HINT.has(detailOf(answer))]).toEqual([title, true])
    }
    done()
  })

  test("a stored key that is revoked while it is used is refused within some seconds", async () => {
    cases += 1
    const { key, apiKey: made } = await createApiKey(hub.db, { name: "used", scope: "service", business: null })
    const status = async () => (await get(DOOR, [bearer(key)])).status
    expect(await status()).toBe(200)
    await revokeApiKey(hub.db, made.id)
    await eventually(status, (answer) => answer === 401, { withinMs: 5_000, what: "the revoked key is refused" })
  })

  test("nobody was asked for a key but the issuer of the settings", () => {
    expect(asked).toEqual([])
  })

  test("the count of all that was tried is printed", () => {
    expect(cases).toBeGreaterThan(150)
    console.log(
      `forgery matrix: ${cases} cases, ${requests} requests, ${tally.accepts} wrong accepts, ${tally.refusals} wrong refusals`,
    )
  })
})
