/**
 * Forged webhooks, sent as bytes over a socket so that no client tidies them up: of all these only the valid ones pass, and
 * the others cannot be told apart.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { Webhook } from "standardwebhooks"
import { systemClock } from "../runtime/clock.ts"
import { type Front, startFront } from "../testing/front.ts"
import { rawHttp } from "../testing/raw-http.ts"
import { zohoSignature } from "../testing/zoho-sender.ts"
import { createAccept } from "./accept.ts"
import { createRejections } from "./rejections.ts"
import { standardWebhookRoutes } from "./standard-webhook.ts"
import { zohoRoutes } from "./zoho.ts"

const secretOf = (byte: number): string => `whsec_${Buffer.alloc(32, byte).toString("base64")}`
const [OLD, NEW, OTHER] = [secretOf(1), secretOf(2), secretOf(3)]
const ZOHO = "mysecretkey12"
/** Time stands still, so that a second more or less is one. */
const NOW = 1_767_603_600

let front: Front
let bare: Front
const start = (settings: Readonly<Record<string, string>>) =>
  startFront((given) => {
    const clock = { ...systemClock, wall: () => new Date(NOW * 1_000 + 400) }
    const parts = { ...given, accept: createAccept(given), rejections: createRejections(given), clock }
    const { zoho, webhookSources: sources } = given.config
    return [zohoRoutes({ ...parts, secret: zoho.webhookSecret }), standardWebhookRoutes({ ...parts, sources })]
  }, settings)
beforeAll(async () => {
  front = await start({
    ZOHO_WEBHOOK_SECRET: ZOHO,
    HUB_WEBHOOK_SOURCES: `crm:b1:${OLD},crm:b1:${NEW},shop:b2:${OTHER}`,
  })
  bare = await start({})
})
afterAll(async () => {
  await bare.stop()
  await front.stop()
})

interface Wire {
  readonly path: string
  readonly headers: readonly (readonly [string, string])[]
  readonly body: string | Uint8Array
}
interface Answer {
  readonly status: number
  /** Headers and body, without the time and what repeats the request's path. */
  readonly rest: string
}

/** One request on a connection of its own. */
async function exchange(to: Front, { path, headers, body }: Wire): Promise<Answer> {
  const bytes = Buffer.from(body)
  const lines = [
    `POST ${path} HTTP/1.1`,
    "Host: hub",
    "Content-Type: application/json",
    "X-Request-Id: r-1",
    `Content-Length: ${bytes.length}`,
    "Connection: close",
    ...headers.map(([name, value]) => `${name}: ${value}`),
  ]
  const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`)
  const parts = [Buffer.concat([head, bytes]).toString("latin1")]
  const { status, text } = await rawHttp(Number(new URL(to.url).port), { parts, withinMs: 10_000 })
  const rest = text.replace(/^(date|content-length): .*\r\n/gim, "").replaceAll(path.split("?")[0] ?? "", "PATH")
  return { status, rest }
}

/** What every refusal looks like. */
let shape: string
beforeAll(async () => {
  shape = (await exchange(front, { path: "/v1/sources/webhook/crm", headers: [], body: "{}" })).rest
  expect(shape).toContain('"code":"unauthenticated"')
})
const expectRefused = ({ status, rest }: Answer): void => {
  expect(status).toBe(401)
  expect(rest).toBe(shape)
}

describe("a Standard Webhook", () => {
  const id = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"
  const body = '{"type": "contact.created", "data": {"name": "n\u00f6"}}'
  const signature = (secret = OLD, at = NOW, of = id, text = body): string =>
    new Webhook(secret).sign(of, new Date(at * 1_000), text)
  const wire = (
    changes: Readonly<Record<string, string | null>> = {},
    text: Wire["body"] = body,
    name = "crm",
  ): Wire => {
    const headers = { "webhook-id": id, "webhook-timestamp": String(NOW), "webhook-signature": signature(), ...changes }
    return {
      path: `/v1/sources/webhook/${name}`,
      headers: Object.entries(headers).flatMap(([key, value]) => (value === null ? [] : [[key, value] as const])),
      body: text,
    }
  }
  const signedAt = (at: number): Wire => {
    const of = `msg_at_${at}`
    return wire({ "webhook-id": of, "webhook-timestamp": String(at), "webhook-signature": signature(OLD, at, of) })
  }
  const doubled = (name: string, value: string): Wire => {
    const { path, headers, body: text } = wire()
    return { path, headers: [...headers, [name, value]], body: text }
  }
  const good = signature()
  const [, mac = ""] = good.split(",")

  test.each<[string, Wire, number]>([
    ["as its sender signed it", wire(), 201],
    ["replayed", wire(), 200],
    ["replayed under the other secret of a rotation", wire({ "webhook-signature": signature(NEW) }), 200],
    ["signed among others", wire({ "webhook-signature": `v1,${"A".repeat(43)}= v1a,${mac} ${good}` }), 200],
    ["300 s old", signedAt(NOW - 300), 201],
    ["300 s early", signedAt(NOW + 300), 201],
  ])("%s passes", async (_, sent, status) => {
    expect((await exchange(front, sent)).status).toBe(status)
  })

  const long = "x".repeat(12_000)
  test.each<[string, Wire]>([
    ["without any header", { ...wire(), headers: [] }],
    ["without an id", wire({ "webhook-id": null })],
    ["without a time", wire({ "webhook-timestamp": null })],
    ["without a signature", wire({ "webhook-signature": null })],
    ["with an empty signature", wire({ "webhook-signature": "" })],
    ["with one byte of its body changed", wire({}, body.replace("contact", "Contact"))],
    ["with a byte more", wire({}, `${body} `)],
    ["with a byte that is no UTF-8", wire({}, Buffer.concat([Buffer.from(body.slice(0, -4)), Buffer.of(0xff)]))],
    ["written anew", wire({}, JSON.stringify(JSON.parse(body)))],
    ["with another id", wire({ "webhook-id": `${id}x` })],
    ["with another time", wire({ "webhook-timestamp": String(NOW + 1) })],
    ["301 s old", signedAt(NOW - 301)],
    ["301 s early", signedAt(NOW + 301)],
    ["with a time in milliseconds", signedAt(NOW * 1_000)],
    ["with a time that only begins as one", wire({ "webhook-timestamp": `${NOW}abc` })],
    ["with a time in other digits", wire({ "webhook-timestamp": `0${NOW}` })],
    ["with a time that is no number", wire({ "webhook-timestamp": "NaN" })],
    ["signed with another source's secret", wire({ "webhook-signature": signature(OTHER) })],
    ["sent to another source", wire({}, body, "shop")],
    ["sent to a source that is not there", wire({}, body, "nobody")],
    ["sent to a name of the language", wire({}, body, "__proto__")],
    ["signed with an empty secret", wire({ "webhook-signature": emptyKey(`${id}.${NOW}.${body}`) })],
    ["signed with the secret's text", wire({ "webhook-signature": textKey(`${id}.${NOW}.${body}`) })],
    ["without the version", wire({ "webhook-signature": mac })],
    ["with another version", wire({ "webhook-signature": `v2,${mac}` })],
    ["with the version in capitals", wire({ "webhook-signature": `V1,${mac}` })],
    ["in hex", wire({ "webhook-signature": `v1,${Buffer.from(mac, "base64").toString("hex")}` })],
    ["with a signature cut short", wire({ "webhook-signature": good.slice(0, -2) })],
    ["with commas between signatures", wire({ "webhook-signature": `${good},${good}` })],
    ["with two headers of signatures", doubled("webhook-signature", good)],
    ["with two headers of signatures, one wrong", doubled("webhook-signature", `v1,${"A".repeat(43)}=`)],
    ["with two ids", doubled("webhook-id", id)],
    ["with two times", doubled("webhook-timestamp", String(NOW))],
    ["with a signature of 12,000 characters", wire({ "webhook-signature": `v1,${long}` })],
    ["with 3,000 signatures", wire({ "webhook-signature": "v1,a ".repeat(3_000).trim() })],
    ["with an id of 12,000 characters", wire({ "webhook-id": long })],
    ["with an API key instead", wire({ "webhook-signature": null, authorization: "Bearer test-admin-key-0123456789" })],
  ])("%s is refused", async (_, sent) => {
    expectRefused(await exchange(front, sent))
  })

  test("is refused by a hub without sources", async () => {
    expectRefused(await exchange(bare, wire()))
  })
})

describe("a webhook of Zoho", () => {
  const query = [
    ["entity", "invoice"],
    ["op", "updated"],
  ] as const
  const body = '{"invoice": {"invoice_id": "982", "name": "n\u00f6"}}'
  const good = zohoSignature({ query, body }, ZOHO)
  const wire = (
    signature: string | null,
    text: Wire["body"] = body,
    search = "?entity=invoice&op=updated",
    business = "b1",
  ): Wire => ({
    path: `/v1/sources/zoho/${business}${search}`,
    headers: signature === null ? [] : [["X-Zoho-Webhook-Signature", signature]],
    body: text,
  })

  test.each<[string, Wire, number]>([
    ["as its sender signed it", wire(good), 201],
    ["replayed", wire(good), 200],
    ["in upper-case hex, which is the same number", wire(good.toUpperCase()), 200],
    ["with its parameters in another order", wire(good, body, "?op=updated&entity=invoice"), 200],
  ])("%s passes", async (_, sent, status) => {
    expect((await exchange(front, sent)).status).toBe(status)
  })

  test.each<[string, Wire]>([
    ["without a signature", wire(null)],
    ["with an empty one", wire("")],
    ["with one byte of its body changed", wire(good, body.replace("982", "983"))],
    ["with a byte more", wire(good, `${body}\n`)],
    ["written anew", wire(good, JSON.stringify(JSON.parse(body)))],
    ["with a byte that is no UTF-8", wire(good, Buffer.from(body, "latin1"))],
    ["with another operation", wire(good, body, "?entity=invoice&op=deleted")],
    ["with one parameter less", wire(good, body, "?entity=invoice")],
    ["with one parameter more", wire(good, body, "?entity=invoice&op=updated&x=1")],
    ["with parameters cut elsewhere", wire(good, body, "?entity&invoice&op=updated")],
    ["with its body in the query", wire(good, "", `?entity=invoice&op=updated&${encodeURIComponent(body)}=`)],
    ["signed with another secret", wire(zohoSignature({ query, body }, "mysecretkey13"))],
    ["signed with an empty secret", wire(zohoSignature({ query, body }, ""))],
    ["signed over the body alone", wire(zohoSignature({ body }, ZOHO))],
    ["prefixed as others do", wire(`sha256=${good}`)],
    ["in base64", wire(Buffer.from(good, "hex").toString("base64"))],
    ["cut short", wire(good.slice(0, 62))],
    ["with two signatures in one header", wire(`${good} ${good}`)],
    [
      "with two headers",
      { ...wire(good), headers: [...wire(good).headers, ["x-zoho-webhook-signature", "0".repeat(64)] as const] },
    ],
    ["with a signature of 12,000 characters", wire("a".repeat(12_000))],
    ["as Zoho Payments signs", wire(`t=${NOW}000,v=${good}`)],
    ["unsigned, for a business that is no id", wire(null, body, "", "%20")],
    ["unsigned, without a body", wire(null, "", "")],
  ])("%s is refused", async (_, sent) => {
    expectRefused(await exchange(front, sent))
  })

  test("is refused by a hub without a secret", async () => {
    expectRefused(await exchange(bare, wire(good)))
    expectRefused(await exchange(bare, wire(zohoSignature({ query, body }, ""))))
  })
})

test("a header beyond what the server reads is answered by no 5xx and stores nothing", async () => {
  const before = await front.db.query("select from events")
  for (const path of ["/v1/sources/zoho/b1", "/v1/sources/webhook/crm"]) {
    const headers = [["webhook-signature", "a".repeat(200_000)]] as const
    const { status } = await exchange(front, { path, headers, body: "{}" }).catch(() => ({ status: 0 }))
    expect(status === 0 || (status >= 400 && status < 500)).toBe(true)
  }
  expect(await front.db.query("select from events")).toHaveLength(before.length)
})

function emptyKey(text: string): string {
  return `v1,${new Bun.CryptoHasher("sha256", "").update(text).digest("base64")}`
}
function textKey(text: string): string {
  return `v1,${new Bun.CryptoHasher("sha256", OLD).update(text).digest("base64")}`
}
