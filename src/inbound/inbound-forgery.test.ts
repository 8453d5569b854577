/**
 * Forged answers, sent as bytes over a socket so that no client tidies them up (catalogue 42): of all these only the valid
 * ones pass, the others cannot be told apart, and without a secret nothing passes at all.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { createHmac } from "node:crypto"
import { createAccept } from "../ingest/accept.ts"
import { createRejections } from "../ingest/rejections.ts"
import { systemClock } from "../runtime/clock.ts"
import {
  byResend,
  bySlack,
  byTelegram,
  byTwilio,
  PUBLIC_URL,
  RESEND_SECRET,
  type Sent,
  SLACK_SECRET,
  TELEGRAM_SECRET,
  TWILIO_TOKEN,
} from "../testing/answering.ts"
import { type Front, startFront } from "../testing/front.ts"
import { rawHttp } from "../testing/raw-http.ts"
import { inboundRoutes } from "./routes.ts"

/** Time stands still, so that a second more or less is one. */
const NOW = 1_767_603_600_000

let front: Front
let bare: Front
let production: Front
const start = (settings: Readonly<Record<string, string>>, anyHost = false) =>
  startFront((given) => {
    const clock = { ...systemClock, wall: () => new Date(NOW + 400) }
    const parts = { ...given, accept: createAccept(given), rejections: createRejections(given), clock }
    const { twilio, email, telegram, slack, http } = given.config
    const links = { readAcknowledge: () => null }
    return [
      inboundRoutes({
        ...parts,
        links,
        twilio: { authToken: twilio.authToken, publicUrl: http.publicUrl, anyHost },
        slackShows: () => Promise.resolve(false),
        secrets: { resend: email.resendWebhookSecret, telegram: telegram.webhookSecret, slack: slack.signingSecret },
      }),
    ]
  }, settings)
const SECRETS = {
  HUB_PUBLIC_URL: PUBLIC_URL,
  TWILIO_AUTH_TOKEN: TWILIO_TOKEN,
  RESEND_WEBHOOK_SECRET: RESEND_SECRET,
  TELEGRAM_WEBHOOK_SECRET: TELEGRAM_SECRET,
  SLACK_SIGNING_SECRET: SLACK_SECRET,
}
beforeAll(async () => {
  front = await start(SECRETS, true)
  production = await start(SECRETS)
  bare = await start({ HUB_PUBLIC_URL: PUBLIC_URL })
})
afterAll(async () => {
  for (const one of [front, production, bare]) await one.stop()
})

interface Answer {
  readonly status: number
  /** Headers and body, without the time and the path. */
  readonly rest: string
}

/** One request on a connection of its own. A header that is null is left out; `more` come on top. */
async function exchange(
  to: Front,
  { path, headers, body }: Sent,
  changes: Readonly<Record<string, string | null>> = {},
  more: readonly (readonly [string, string])[] = [],
): Promise<Answer> {
  const bytes = Buffer.from(body)
  const given = Object.entries({ ...headers, ...changes }).flatMap(([name, value]) =>
    value === null ? [] : [[name, value] as const],
  )
  const lines = [
    `POST ${path} HTTP/1.1`,
    "Host: hub.internal:8080",
    "X-Request-Id: r-1",
    `Content-Length: ${bytes.length}`,
    "Connection: close",
    ...[...given, ...more].map(([name, value]) => `${name}: ${value}`),
  ]
  const parts = [Buffer.concat([Buffer.from(`${lines.join("\r\n")}\r\n\r\n`), bytes]).toString("latin1")]
  const { status, text } = await rawHttp(Number(new URL(to.url).port), { parts, withinMs: 10_000 })
  const rest = text.replace(/^(date|content-length): .*\r\n/gim, "").replaceAll(path.split("?")[0] ?? "", "PATH")
  return { status, rest }
}

let shape: string
beforeAll(async () => {
  shape = (await exchange(bare, byTelegram({}))).rest
  expect(shape).toContain('"code":"unauthenticated"')
})
const expectRefused = async (
  sent: Sent,
  ...rest: readonly [Record<string, string | null>?, (readonly (readonly [string, string])[])?]
) => {
  const answer = await exchange(front, sent, ...rest)
  expect([answer.status, answer.rest]).toEqual([401, shape])
}
const passes = async (to: Front, sent: Sent, ...rest: readonly [Record<string, string | null>?]) => {
  const { status } = await exchange(to, sent, ...rest)
  expect([200, 204]).toContain(status)
}
const long = "x".repeat(12_000)
const base64 = (text: string): string => Buffer.from(text).toString("base64")

describe("an answer of Twilio", () => {
  const SID = `SM${"0123456789abcdef".repeat(2)}`
  const fields = { MessageSid: SID, From: "+15550100", Body: "stop loss, nöch?", To: "+15550101" }
  const good = byTwilio(fields)
  const header = "x-twilio-signature"
  const mac = good.headers[header] ?? ""
  const signedUrl = (publicUrl: string, more = {}): Sent => byTwilio(fields, { publicUrl, ...more })

  test.each<[string, Sent]>([
    ["signed for the public URL", good],
    ["with fields in another order", { ...good, body: good.body.split("&").toReversed().join("&") }],
    ["signed with the standard port", signedUrl(PUBLIC_URL.replace("hub.example", "hub.example:443"))],
    ["with a query", byTwilio(fields, { query: "?delivery=dlv_0" })],
    ["without fields", byTwilio({ MessageSid: SID, MessageStatus: "sent" })],
  ])("%s passes", async (_, sent) => {
    await passes(front, sent)
    await passes(production, sent)
  })

  test("signed for the name that it was asked by passes in development alone, behind whatever tunnel", async () => {
    for (const host of ["http://hub.internal:8080", "https://hub.internal:8080"]) {
      await passes(front, signedUrl(host))
      expect((await exchange(production, signedUrl(host))).status).toBe(401)
    }
  })

  const sha256 = createHmac("sha256", TWILIO_TOKEN).update("x").digest("base64")
  test.each<[string, Sent, Record<string, string | null>?]>([
    ["without a signature", good, { [header]: null }],
    ["with an empty one", good, { [header]: "" }],
    ["with another body", { ...good, body: good.body.replace("loss", "Loss") }],
    ["with a field more", { ...good, body: `${good.body}&OptOutType=STOP` }],
    ["with a field twice", { ...good, body: `${good.body}&Body=STOP` }],
    ["with a field less", { ...good, body: good.body.replace(/&To=.*/, "") }],
    ["sent to another path", { ...good, path: `${good.path}?delivery=dlv_0` }],
    ["with another query", { ...byTwilio(fields, { query: "?delivery=a" }), path: `${good.path}?delivery=b` }],
    ["signed for another host", signedUrl("https://evil.example/prefix")],
    ["signed for the path without its prefix", signedUrl("https://hub.example")],
    ["signed for plain http", signedUrl(PUBLIC_URL.replace("https", "http"))],
    ["signed for another port", signedUrl(PUBLIC_URL.replace("hub.example", "hub.example:8443"))],
    ["signed with another token", byTwilio(fields, { token: "another" })],
    ["signed with an empty token", byTwilio(fields, { token: "" })],
    ["of another content type", good, { "content-type": "application/json" }],
    ["without a content type", good, { "content-type": null }],
    ["with a body that is no UTF-8", { ...good, body: `${good.body}\u0000` }],
    ["with SHA-256 instead", good, { [header]: sha256 }],
    ["in hex", good, { [header]: Buffer.from(mac, "base64").toString("hex") }],
    ["in another base64", good, { [header]: mac.replace(/=$/, "") }],
    ["with a signature cut short", good, { [header]: mac.slice(0, 20) }],
    ["with a long one", good, { [header]: long }],
    ["with two in one header", good, { [header]: `${mac}, ${mac}` }],
    ["with an API key instead", good, { [header]: null, authorization: "Bearer test-admin-key-0123456789" }],
  ])("%s is refused", async (_, sent, changes = {}) => {
    await expectRefused(sent, changes)
  })

  test("cut into other names and values is refused: it would be another message, and a replay of STOP or START not known", async () => {
    // What is signed has nothing between names and values, so this is the same to the signature.
    const [short, name, rest] = [SID.slice(0, 12), SID.slice(12, 13), SID.slice(13)]
    const recut = new URLSearchParams({
      From: fields.From,
      Body: fields.Body,
      MessageSid: short,
      [name]: `${rest}To${fields.To}`,
    })
    await expectRefused({ ...good, body: String(recut) })
  })

  test("with more fields than Twilio has is refused, whatever signed it", async () => {
    await expectRefused(byTwilio(Object.fromEntries(Array.from({ length: 300 }, (_, n) => [`F${n}`, "x"]))))
  })

  test("with two headers is refused", async () => {
    await expectRefused(good, {}, [[header, mac]])
  })
})

describe("an answer of Resend", () => {
  const event = { type: "email.delivered", data: { email_id: "em_1" } }
  const id = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W"
  const good = byResend(event, id, { at: NOW })
  const signature = good.headers["svix-signature"] ?? ""
  const at = (ms: number): Sent => byResend(event, `${id}${ms}`, { at: NOW + ms })

  test.each<[string, Sent]>([
    ["as Svix signs it", good],
    ["300 s old", at(-300_000)],
    ["300 s early", at(300_000)],
  ])("%s passes", async (_, sent) => passes(front, sent))

  test.each<[string, Sent, Record<string, string | null>?]>([
    ["without any header", good, { "svix-id": null, "svix-timestamp": null, "svix-signature": null }],
    ["without an id", good, { "svix-id": null }],
    ["without a time", good, { "svix-timestamp": null }],
    ["without a signature", good, { "svix-signature": null }],
    ["with another id", good, { "svix-id": `${id}x` }],
    ["with another time", good, { "svix-timestamp": String(NOW / 1_000 + 1) }],
    ["with another body", { ...good, body: good.body.replace("delivered", "bounced") }],
    ["with a byte more", { ...good, body: `${good.body} ` }],
    ["301 s old", at(-301_000)],
    ["301 s early", at(301_000)],
    ["with a time in milliseconds", at(NOW * 999)],
    [
      "signed with another secret",
      byResend(event, id, { at: NOW, secret: `whsec_${base64("another secret of 24 by")}` }),
    ],
    ["under the names of Standard Webhooks", good, { "svix-signature": null, "webhook-signature": signature }],
    ["without the version", good, { "svix-signature": signature.slice(3) }],
    ["with a long signature", good, { "svix-signature": `v1,${long}` }],
  ])("%s is refused", async (_, sent, changes = {}) => {
    await expectRefused(sent, changes)
  })
})

describe("an update of Telegram", () => {
  const good = byTelegram({ update_id: 1 })
  const header = "x-telegram-bot-api-secret-token"

  test("with the secret passes", async () => passes(front, good))

  test.each<[string, Record<string, string | null>]>([
    ["without the secret", { [header]: null }],
    ["with an empty one", { [header]: "" }],
    ["with another", { [header]: "another" }],
    ["with the secret's beginning", { [header]: TELEGRAM_SECRET.slice(0, -1) }],
    ["with more than the secret", { [header]: `${TELEGRAM_SECRET}x` }],
    ["with the secret in capitals", { [header]: TELEGRAM_SECRET.toUpperCase() }],
    ["with the secret as a bearer", { [header]: null, authorization: `Bearer ${TELEGRAM_SECRET}` }],
    ["with a long one", { [header]: long }],
  ])("%s is refused", async (_, changes) => {
    await expectRefused(good, changes)
  })

  test("with two headers is refused, and so is the secret in the address", async () => {
    await expectRefused(good, {}, [[header, TELEGRAM_SECRET]])
    await expectRefused({ ...good, path: `${good.path}?secret_token=${TELEGRAM_SECRET}` }, { [header]: null })
  })
})

describe("an answer of Slack", () => {
  const event = { type: "event_callback", event_id: "Ev1", event: { type: "reaction_added" } }
  const good = bySlack(event, { at: NOW })
  const [signature, timestamp] = ["x-slack-signature", "x-slack-request-timestamp"]
  const mac = good.headers[signature] ?? ""
  const at = (ms: number): Sent => bySlack(event, { at: NOW + ms })

  test.each<[string, Sent]>([
    ["as Slack signs it", good],
    ["300 s old", at(-300_000)],
    ["300 s early", at(300_000)],
    ["as a form", bySlack({ type: "block_actions", actions: [] }, { at: NOW, form: true })],
  ])("%s passes", async (_, sent) => passes(front, sent))

  test.each<[string, Sent, Record<string, string | null>?]>([
    ["without a signature", good, { [signature]: null }],
    ["without a time", good, { [timestamp]: null }],
    ["with another time", good, { [timestamp]: String(NOW / 1_000 + 1) }],
    ["with a time that only begins as one", good, { [timestamp]: `${NOW / 1_000}x` }],
    ["with another body", { ...good, body: good.body.replace("Ev1", "Ev2") }],
    ["with a byte more", { ...good, body: `${good.body}\n` }],
    ["301 s old", at(-301_000)],
    ["301 s early", at(301_000)],
    ["signed with another secret", bySlack(event, { at: NOW, secret: "another" })],
    ["signed with an empty secret", bySlack(event, { at: NOW, secret: "" })],
    ["without the version", good, { [signature]: mac.slice(3) }],
    ["with another version", good, { [signature]: mac.replace("v0", "v1") }],
    ["in capitals", good, { [signature]: mac.toUpperCase() }],
    ["with a signature cut short", good, { [signature]: mac.slice(0, -2) }],
    ["with a long one", good, { [signature]: `v0=${long}` }],
    [
      "with the old verification token",
      { ...good, body: JSON.stringify({ ...event, token: SLACK_SECRET }) },
      { [signature]: null },
    ],
  ])("%s is refused", async (_, sent, changes = {}) => {
    await expectRefused(sent, changes)
  })
})

test("a hub without secrets refuses all of them, signed with whatever", async () => {
  const event = { type: "email.delivered", data: {} }
  const all = [
    byTwilio({ MessageSid: "SM1" }),
    byTwilio({ MessageSid: "SM1" }, { token: "" }),
    byResend(event, "msg_1", { at: NOW }),
    byTelegram({ update_id: 1 }),
    byTelegram({ update_id: 1 }, ""),
    byTelegram({ update_id: 1 }, "undefined"),
    bySlack({ type: "x" }, { at: NOW }),
    bySlack({ type: "x" }, { at: NOW, secret: "" }),
  ]
  for (const sent of all) {
    const { status, rest } = await exchange(bare, sent)
    expect([sent.path, status, rest]).toEqual([sent.path, 401, shape])
  }
})

test("nothing that was refused has left a row, and each is counted", async () => {
  expect(await bare.db.query("select from inbound_seen")).toHaveLength(0)
  expect(await front.db.query("select from rejected")).toHaveLength(0)
  const counted = front.emitted.filter((event) => event.kind === "event_rejected" && event.code === "unauthenticated")
  expect(new Set(counted.map((event) => ("via" in event ? event.via : "")))).toEqual(
    new Set(["twilio", "resend", "telegram", "slack"]),
  )
})
