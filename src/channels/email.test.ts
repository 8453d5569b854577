import { afterAll, beforeAll, expect, test } from "bun:test"
import { newDeliveryId } from "../domain/ids.ts"
import type { EmailMessage } from "../domain/message.ts"
import { Secret } from "../domain/secret.ts"
import { testChannelContract } from "../testing/channel-contract.ts"
import { type FakeProviders, startFakeProviders } from "../testing/fake-providers.ts"
import { emailChannel } from "./email.ts"

const KEY = "re_canary_0123456789abcdef"
const ADDRESS = "canary.reader@example.com"
const message: EmailMessage = {
  channel: "email",
  to: ADDRESS,
  subject: "Invoice INV-1 is overdue",
  html: "<p>Invoice INV-1</p>",
  text: "Invoice INV-1",
  actionUrl: null,
  actionLabel: null,
}
const refusal = (status: number, name: string) => ({
  kind: "answer" as const,
  status,
  body: { statusCode: status, name, message: `${name} for ${ADDRESS}` },
})
const options = (url: string) => ({ apiKey: new Secret(KEY), from: "Hub <hub@example.com>", baseUrl: url })

testChannelContract({
  channel: "email",
  worker: (url, deadlineMs) => emailChannel({ ...options(url), deadlineMs }),
  message: () => message,
  canaries: [KEY, ADDRESS],
  idempotent: true,
  serverError: "retry",
  cases: [
    {
      title: "an address that Resend refuses is rejected",
      behaviour: refusal(422, "validation_error"),
      expected: { kind: "rejected", reason: "bad_request" },
    },
    {
      title: "a wrong key is unusable",
      behaviour: refusal(401, "missing_api_key"),
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "a key that was revoked is unusable: Resend says so with a 400, as of a field",
      behaviour: {
        kind: "answer",
        status: 400,
        body: { statusCode: 400, name: "validation_error", message: "API key is invalid" },
      },
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "an unverified domain is unusable",
      behaviour: refusal(403, "validation_error"),
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "a used-up quota is unusable",
      behaviour: refusal(429, "daily_quota_exceeded"),
      expected: { kind: "unusable", reason: "quota_exceeded" },
    },
    {
      title: "a try that Resend is still working on is retried",
      behaviour: refusal(409, "concurrent_idempotent_requests"),
      expected: { kind: "retry", reason: "still_in_progress" },
    },
    {
      title: "a key that was used with other words is never sent blindly again",
      behaviour: refusal(409, "invalid_idempotent_request"),
      expected: { kind: "rejected", reason: "idempotency_conflict" },
    },
    {
      title: "a place where there is no such API is unusable, and costs no mail",
      behaviour: refusal(404, "not_found"),
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "a place that takes no posts is unusable",
      behaviour: refusal(405, "method_not_allowed"),
      expected: { kind: "unusable", reason: "bad_credential" },
    },
  ],
})

let fake: FakeProviders
beforeAll(async () => {
  fake = await startFakeProviders()
})
afterAll(() => fake.stop())

test("every try of an e-mail carries the delivery's id as its idempotency key", async () => {
  const id = newDeliveryId(Date.now())
  const worker = emailChannel(options(fake.url))
  fake.script("email", { kind: "answer", status: 500 })
  for (const kind of ["retry", "delivered"] as const)
    expect(await worker.send({ id, message, signal: new AbortController().signal })).toMatchObject({ kind })
  expect(fake.calls.map((call) => call.idempotencyKey)).toEqual([id, id])
  expect(fake.calls[0]).toMatchObject({ to: ADDRESS, authorization: `Bearer ${KEY}` })
  expect(fake.calls[0]?.body).toMatchObject({ subject: message.subject, html: message.html, text: message.text })
})

test("an e-mail says that nobody wrote it, so that an absence does not answer; what has a link to stop it carries that too", async () => {
  const worker = emailChannel(options(fake.url))
  const headers = async (change: Partial<EmailMessage>) => {
    const signal = new AbortController().signal
    await worker.send({ id: newDeliveryId(Date.now()), message: { ...message, ...change }, signal })
    return fake.callsOf("email").at(-1)?.body["headers"]
  }
  expect(await headers({})).toEqual({ "Auto-Submitted": "auto-generated" })
  expect(await headers({ unsubscribeUrl: "https://hub.example/v1/unsubscribe/t" })).toEqual({
    "Auto-Submitted": "auto-generated",
    "List-Unsubscribe": "<https://hub.example/v1/unsubscribe/t>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
  })
})
