import { afterAll, beforeAll, expect, test } from "bun:test"
import { newDeliveryId } from "../domain/ids.ts"
import type { SmsMessage } from "../domain/message.ts"
import { Secret } from "../domain/secret.ts"
import { testChannelContract } from "../testing/channel-contract.ts"
import { type FakeProviders, startFakeProviders } from "../testing/fake-providers.ts"
import { smsChannel } from "./sms.ts"

const SID = `AC${"0123456789abcdef".repeat(2)}`
const TOKEN = "canarytwilioauthtoken0123456789a"
const PHONE = "+9647701234567"
const message: SmsMessage = {
  channel: "sms",
  to: PHONE,
  text: "Invoice INV-1 & more",
  actionUrl: null,
  actionLabel: null,
}
const refusal = (status: number, code: number, headers = {}) => ({
  kind: "answer" as const,
  status,
  headers,
  body: { code, status, message: `The number ${PHONE} is no good` },
})
const options = (url: string) => ({
  accountSid: SID,
  authToken: new Secret(TOKEN),
  from: "+15005550006",
  apiRoot: url,
})

testChannelContract({
  channel: "sms",
  worker: (url, deadlineMs) => smsChannel({ ...options(url), deadlineMs }),
  message: () => message,
  canaries: [SID, TOKEN, PHONE, btoa(`${SID}:${TOKEN}`)],
  idempotent: false,
  serverError: "unknown",
  cases: [
    {
      title: "a wrong number is rejected",
      behaviour: refusal(400, 21211),
      expected: { kind: "rejected", reason: "bad_number" },
    },
    {
      title: "a person who wrote STOP is rejected",
      behaviour: refusal(400, 21610),
      expected: { kind: "rejected", reason: "unsubscribed" },
    },
    {
      title: "a country that the account may not write to is rejected",
      behaviour: refusal(403, 21408),
      expected: { kind: "rejected", reason: "bad_request" },
    },
    {
      title: "a wrong token is unusable",
      behaviour: refusal(401, 20003),
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "a sender that cannot write SMS is unusable",
      behaviour: refusal(400, 21606),
      expected: { kind: "unusable", reason: "bad_sender" },
    },
    {
      title: "a trial account's unverified number is unusable",
      behaviour: refusal(400, 21608),
      expected: { kind: "unusable", reason: "bad_sender" },
    },
    {
      title: "a landline is rejected",
      behaviour: refusal(400, 21635),
      expected: { kind: "rejected", reason: "bad_number" },
    },
    ...[21601, 21607, 21661].map((code) => ({
      title: `a number that we cannot write from (${code}) is unusable`,
      behaviour: refusal(400, code),
      expected: { kind: "unusable", reason: "bad_sender" } as const,
    })),
    ...[21701, 21703, 21704, 21705].map((code) => ({
      title: `a messaging service that cannot send (${code}) is unusable`,
      behaviour: refusal(400, code),
      expected: { kind: "unusable", reason: "bad_sender" } as const,
    })),
    {
      title: "a sender whose queue at Twilio is full is waited for",
      behaviour: refusal(400, 21611),
      expected: { kind: "retry", reason: "rate_limited" },
    },
    {
      title: "too many requests are retried",
      behaviour: refusal(429, 20429),
      expected: { kind: "retry", reason: "rate_limited" },
    },
    {
      title: "a 503 that names a time was not sent and is retried",
      behaviour: refusal(503, 20503, { "retry-after": "3" }),
      expected: { kind: "retry", reason: "provider_error", retryAfterMs: 3_000 },
    },
    {
      title: "a 503 that names none may have been sent",
      behaviour: refusal(503, 20503),
      expected: { kind: "unknown", reason: "provider_error" },
    },
  ],
})

let fake: FakeProviders
beforeAll(async () => {
  fake = await startFakeProviders()
})
afterAll(() => fake.stop())

test("an SMS goes out under the account, from the sender", async () => {
  const worker = smsChannel(options(fake.url))
  const outcome = await worker.send({ id: newDeliveryId(Date.now()), message, signal: new AbortController().signal })
  expect(outcome).toEqual({ kind: "delivered", providerMessageId: `SM${"1".padStart(32, "0")}` })
  expect(fake.calls[0]).toMatchObject({
    path: `/2010-04-01/Accounts/${SID}/Messages.json`,
    authorization: `Basic ${btoa(`${SID}:${TOKEN}`)}`,
    body: { To: PHONE, From: "+15005550006", Body: "Invoice INV-1 & more" },
  })
})

test("a messaging service stands in for the sender", async () => {
  const worker = smsChannel({ ...options(fake.url), from: "MG123" })
  await worker.send({ id: newDeliveryId(Date.now()), message, signal: new AbortController().signal })
  expect(fake.calls.at(-1)?.body).toMatchObject({ MessagingServiceSid: "MG123" })
})
