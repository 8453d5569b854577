import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { newDeliveryId } from "../domain/ids.ts"
import type { PushMessage } from "../domain/message.ts"
import { testChannelContract } from "../testing/channel-contract.ts"
import { ACCESS_TOKEN, type FakeProviders, startFakeProviders } from "../testing/fake-providers.ts"
import { GOOGLE_EMAIL, GOOGLE_KEY, googleAccount } from "../testing/google-account.ts"
import { pushChannel } from "./push.ts"

const DEVICE = "aCanaryOfAnFcmToken:APA91b"
const workerAt = (apiRoot: string, deadlineMs = 5_000, tokenUri = `${apiRoot}/token`, wall = Date.now) =>
  pushChannel({
    web: null,
    fcm: { serviceAccount: googleAccount(tokenUri), apiRoot, deadlineMs, wall },
    apns: null,
    capture: false,
  })
const message: PushMessage = {
  channel: "push",
  device: { platform: "android", token: DEVICE },
  title: "Invoice INV-1 is overdue",
  text: "9 days",
  priority: "high",
  expiresAt: null,
  topic: null,
  actionUrl: "https://erp.example/invoices/1",
  actionLabel: "Open",
}
const refusal = (status: number, google: string, code: string | null = null, headers = {}) => ({
  kind: "answer" as const,
  status,
  headers,
  body: {
    error: {
      code: status,
      status: google,
      message: `The token ${DEVICE} is no good`,
      details:
        code === null ? [] : [{ "@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", errorCode: code }],
    },
  },
})

testChannelContract({
  channel: "push",
  name: "push (FCM)",
  worker: (url, deadlineMs) => workerAt(url, deadlineMs),
  message: () => message,
  canaries: [DEVICE, GOOGLE_EMAIL, ACCESS_TOKEN, GOOGLE_KEY.split("\n")[1] ?? ""],
  idempotent: true,
  serverError: "retry",
  cases: [
    {
      title: "a token that the app has given up is a device that is gone",
      behaviour: refusal(404, "NOT_FOUND", "UNREGISTERED"),
      expected: { kind: "rejected", reason: "device_gone" },
    },
    {
      title: "a project that is not there is unusable, and no device is gone",
      behaviour: refusal(404, "NOT_FOUND"),
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "a token of another app is rejected",
      behaviour: refusal(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
      expected: { kind: "rejected", reason: "other_app" },
    },
    {
      title: "an account that may not send is unusable",
      behaviour: refusal(403, "PERMISSION_DENIED"),
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "a token of ours that was new and is refused is unusable",
      behaviour: refusal(401, "UNAUTHENTICATED"),
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "what Google cannot read is rejected",
      behaviour: refusal(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
      expected: { kind: "rejected", reason: "bad_request" },
    },
    {
      title: "a quota that is used up is waited for",
      behaviour: refusal(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", { "retry-after": "60" }),
      expected: { kind: "retry", reason: "rate_limited", retryAfterMs: 60_000 },
    },
    {
      title: "an overloaded server is tried again when it says",
      behaviour: refusal(503, "UNAVAILABLE", "UNAVAILABLE", { "retry-after": "9" }),
      expected: { kind: "retry", reason: "provider_error", retryAfterMs: 9_000 },
    },
  ],
})

describe("FCM", () => {
  let fake: FakeProviders
  beforeAll(async () => {
    fake = await startFakeProviders()
  })
  afterEach(() => fake.reset())
  afterAll(() => fake.stop())
  const signal = new AbortController().signal

  test("is told the words, the link and the place of one message, for one device", async () => {
    const id = newDeliveryId(Date.now())
    expect(await workerAt(fake.url).send({ id, message, signal })).toEqual({
      kind: "delivered",
      providerMessageId: "1",
    })
    expect(fake.calls[0]).toMatchObject({
      path: "/v1/projects/the-project/messages:send",
      authorization: `Bearer ${ACCESS_TOKEN}`,
      body: {
        message: {
          token: DEVICE,
          notification: { title: "Invoice INV-1 is overdue", body: "9 days" },
          data: { action_url: "https://erp.example/invoices/1", action_label: "Open" },
          android: { priority: "HIGH", ttl: "86400s", notification: { tag: id } },
        },
      },
    })
    const replacing = { ...message, topic: "the-topic" }
    await workerAt(fake.url).send({ id, message: replacing, signal })
    expect(fake.calls[1]?.body).toMatchObject({
      message: { android: { collapse_key: "the-topic", notification: { tag: "the-topic" } } },
    })
  })

  test("is told no more than it takes, whatever the words and the link are", async () => {
    const many = { title: "字".repeat(200), text: "字".repeat(500), actionLabel: "字".repeat(200) }
    const actionUrl = `https://erp.example/${"x".repeat(1_900)}`
    await workerAt(fake.url).send({
      id: newDeliveryId(Date.now()),
      message: { ...message, ...many, actionUrl },
      signal,
    })
    const written = (fake.calls[0]?.body["message"] ?? {}) as Record<string, { body?: string }> // as the channel wrote it
    const { notification, data } = written
    expect(Buffer.byteLength(JSON.stringify({ notification, data }))).toBeLessThanOrEqual(4_096)
    expect(data).toMatchObject({ action_url: actionUrl })
    expect(notification?.body).toMatch(/^字{50,}…$/)
  })

  test("gives a token for an hour, and is asked for another one before it ends, or when one is taken back", async () => {
    let now = 1_700_000_000_000
    let tokens = 0
    const google = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        const asked = new URLSearchParams(await request.text())
        expect(asked.get("grant_type")).toBe("urn:ietf:params:oauth:grant-type:jwt-bearer")
        tokens += 1
        return Response.json({ access_token: `token-${tokens}`, expires_in: 3_600 })
      },
    })
    try {
      const worker = workerAt(fake.url, 5_000, `http://127.0.0.1:${google.port}/token`, () => now)
      const send = () => worker.send({ id: newDeliveryId(now), message, signal })
      const last = () => fake.calls.at(-1)?.authorization
      await send()
      await send()
      expect(last()).toBe("Bearer token-1")
      now += 3_400_000
      await send()
      expect(last()).toBe("Bearer token-2")
      fake.script("push", refusal(401, "UNAUTHENTICATED"))
      expect(await send()).toMatchObject({ kind: "retry", reason: "token_refused" })
      await send()
      expect(last()).toBe("Bearer token-3")
      expect(tokens).toBe(3)
    } finally {
      await google.stop(true)
    }
  })

  test.each([
    [400, { error: "invalid_grant", error_description: "aCanary" }, "unusable"],
    [503, "<html>", "retry"],
    [200, { nothing: true }, "unusable"],
  ] as const)("a token endpoint that answers %p lets no message out", async (status, body, kind) => {
    const text = typeof body === "string" ? body : JSON.stringify(body)
    const google = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response(text, { status }) })
    try {
      const worker = workerAt(fake.url, 5_000, `http://127.0.0.1:${google.port}/token`)
      const outcome = await worker.send({ id: newDeliveryId(Date.now()), message, signal })
      expect(outcome.kind).toBe(kind)
      expect(JSON.stringify(outcome)).not.toContain("aCanary")
      expect(fake.calls).toEqual([])
    } finally {
      await google.stop(true)
    }
  })

  test("with a key that is none is unusable, and the key is not said", async () => {
    const worker = pushChannel({
      web: null,
      fcm: { serviceAccount: googleAccount("http://127.0.0.1:9/token", "aCanaryOfAKey"), apiRoot: fake.url },
      apns: null,
      capture: false,
    })
    const outcome = await worker.send({ id: newDeliveryId(Date.now()), message, signal })
    expect(outcome).toMatchObject({ kind: "unusable", reason: "bad_credential" })
    expect(JSON.stringify(outcome)).not.toContain("aCanary")
  })
})
