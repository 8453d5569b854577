import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { createLocalJWKSet, jwtVerify } from "jose"
import { freshSecrets } from "../config/fresh-secrets.ts"
import { newDeliveryId } from "../domain/ids.ts"
import type { PushMessage } from "../domain/message.ts"
import { Secret } from "../domain/secret.ts"
import { browserPush } from "../testing/browser-push.ts"
import { testChannelContract } from "../testing/channel-contract.ts"
import { pushChannel } from "./push.ts"
import type { WebPushAccount } from "./push-web.ts"

const PAIR = freshSecrets()
const account = (change: Partial<WebPushAccount> = {}): WebPushAccount => ({
  publicKey: PAIR.VAPID_PUBLIC_KEY,
  privateKey: new Secret(PAIR.VAPID_PRIVATE_KEY),
  subject: "mailto:ops@example.com",
  loopback: true,
  ...change,
})
const worker = (change: Partial<WebPushAccount> = {}) =>
  pushChannel({ web: account(change), fcm: null, apns: null, capture: false })
const messageTo = (subscription: unknown, change: Partial<PushMessage> = {}): PushMessage => ({
  channel: "push",
  device: { platform: "web", token: JSON.stringify(subscription) },
  title: "Invoice INV-1 is overdue",
  text: "Zoë is 9 days late — متأخر",
  priority: "normal",
  expiresAt: null,
  topic: null,
  actionUrl: "https://erp.example/invoices/1",
  actionLabel: "Open",
  ...change,
})
const answer = (status: number, body: unknown = "") => ({ kind: "answer" as const, status, body })
const someone = browserPush("https://push.example")

testChannelContract({
  channel: "push",
  name: "push (browser)",
  worker: (_url, deadlineMs) => worker({ deadlineMs }),
  message: (fake) => messageTo({ ...someone.subscription, endpoint: fake.pushEndpoint("aCanaryOfAnEndpoint") }),
  canaries: ["aCanaryOfAnEndpoint", someone.subscription.keys.auth, PAIR.VAPID_PRIVATE_KEY],
  idempotent: true,
  serverError: "retry",
  readsSuccess: false,
  cases: [
    {
      title: "a subscription that has ended is a device that is gone",
      behaviour: answer(410, "push subscription has unsubscribed or expired."),
      expected: { kind: "rejected", reason: "device_gone" },
    },
    {
      title: "a subscription that is not known is a device that is gone",
      behaviour: answer(404),
      expected: { kind: "rejected", reason: "device_gone" },
    },
    {
      title: "keys that the push service refuses are unusable, and cost the subscription nothing",
      behaviour: answer(403, "the VAPID credentials do not correspond"),
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "a signature that the push service cannot read is unusable, and costs the subscription nothing",
      behaviour: answer(400, "invalid JWT"),
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "words that are too many are rejected",
      behaviour: answer(413),
      expected: { kind: "rejected", reason: "too_large" },
    },
    {
      title: "a push service that is away for a while says for how long",
      behaviour: { kind: "answer", status: 503, headers: { "retry-after": "120" } },
      expected: { kind: "retry", reason: "provider_error", retryAfterMs: 120_000 },
    },
  ],
})

describe("a push to a browser", () => {
  interface Arrived {
    readonly headers: Record<string, string>
    readonly body: Buffer
  }
  const arrived: Arrived[] = []
  let service: ReturnType<typeof Bun.serve>
  beforeAll(() => {
    service = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        arrived.push({
          headers: Object.fromEntries(request.headers),
          body: Buffer.from(await request.arrayBuffer()),
        })
        return new Response(null, { status: 201 })
      },
    })
  })
  beforeEach(() => arrived.splice(0))
  afterAll(() => service.stop(true))

  const sent = async (change: Partial<PushMessage> = {}, options: Partial<WebPushAccount> = {}) => {
    const browser = browserPush(`http://127.0.0.1:${service.port}/send/abc`)
    const id = newDeliveryId(Date.now())
    const message = messageTo(browser.subscription, change)
    const outcome = await worker(options).send({ id, message, signal: new AbortController().signal })
    expect(outcome).toEqual({ kind: "delivered", providerMessageId: null })
    const [{ headers, body } = { headers: {} as Record<string, string>, body: Buffer.alloc(0) }] = arrived
    return { id, headers, words: browser.read(body) }
  }

  test("can be read by that browser alone, and says what the message says", async () => {
    const { id, headers, words } = await sent()
    expect(words).toEqual({
      title: "Invoice INV-1 is overdue",
      body: "Zoë is 9 days late — متأخر",
      url: "https://erp.example/invoices/1",
      tag: id,
    })
    expect(headers).toMatchObject({ "content-encoding": "aes128gcm", ttl: "86400", urgency: "normal", topic: id })
  })

  test("is signed by the hub's key for that push service, and says whom to ask", async () => {
    const { headers } = await sent()
    const [, token = "", key = ""] = /^vapid t=(.+), k=(.+)$/.exec(headers["authorization"] ?? "") ?? []
    expect(key).toBe(PAIR.VAPID_PUBLIC_KEY)
    const point = Buffer.from(key, "base64url")
    const [x, y] = [point.subarray(1, 33).toString("base64url"), point.subarray(33).toString("base64url")]
    const { payload } = await jwtVerify(token, createLocalJWKSet({ keys: [{ kty: "EC", crv: "P-256", x, y }] }))
    expect(payload).toMatchObject({ aud: `http://127.0.0.1:${service.port}`, sub: "mailto:ops@example.com" })
  })

  test("takes the place of earlier news of the same thing, and is worth nothing after its time", async () => {
    const topic = "abcdefghijklmnopqrstuvwxyzABCDEF"
    const change = { topic, priority: "high", expiresAt: 1_700_000_090_000 } as const
    const { headers, words } = await sent(change, { wall: () => 1_700_000_000_000 })
    expect(headers).toMatchObject({ topic, ttl: "90", urgency: "high" })
    expect(words).toMatchObject({ tag: topic })
    arrived.splice(0)
    expect((await sent(change, { wall: () => 1_800_000_000_000 })).headers).toMatchObject({ ttl: "0" })
  })

  test("whose words are as many as may be is no more than a push service takes", async () => {
    const change = {
      title: "٪".repeat(200),
      text: "﷽".repeat(500),
    }
    for (const length of [1_000, 2_000, 4_000]) {
      arrived.splice(0)
      const { words } = await sent({ ...change, actionUrl: `https://erp.example/${"x".repeat(length)}` })
      expect(arrived[0]?.body.length).toBeLessThanOrEqual(4_096)
      // Of a link there is all or nothing.
      expect(words).toMatchObject({ title: change.title, url: length === 4_000 ? null : expect.any(String) })
      expect(String((words as { body: unknown }).body)).toStartWith("﷽".repeat(50))
    }
  })

  test("goes to no address inside, and to no endpoint that is none", async () => {
    const signal = new AbortController().signal
    const id = newDeliveryId(Date.now())
    const send = (subscription: unknown, loopback = false) =>
      worker({ loopback }).send({ id, message: messageTo(subscription), signal })
    const { keys } = someone.subscription
    for (const endpoint of ["https://127.0.0.1/x", "https://169.254.169.254/x", "https://[::1]/x", "http://10.0.0.8/x"])
      expect(await send({ endpoint, keys })).toMatchObject({ kind: "rejected", reason: "url_refused" })
    const off = { p256dh: Buffer.alloc(65, 4).toString("base64url"), auth: keys.auth }
    const endpoint = `http://127.0.0.1:${service.port}/x`
    for (const bad of [{ endpoint }, { endpoint, keys: { ...keys, auth: "x" } }, "no", { endpoint, keys: off }])
      expect(await send(bad, true)).toMatchObject({ kind: "rejected", reason: "bad_subscription" })
    expect(arrived).toEqual([])
  })
})
