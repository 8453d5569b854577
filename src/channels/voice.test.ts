import { afterAll, beforeAll, expect, test } from "bun:test"
import { newDeliveryId } from "../domain/ids.ts"
import type { VoiceMessage } from "../domain/message.ts"
import { Secret } from "../domain/secret.ts"
import { testChannelContract } from "../testing/channel-contract.ts"
import { type FakeProviders, startFakeProviders } from "../testing/fake-providers.ts"
import { callScript, spokenLanguage, type VoiceOptions, voiceChannel } from "./voice.ts"

const SID = `AC${"0123456789abcdef".repeat(2)}`
const TOKEN = "canarytwilioauthtoken0123456789a"
const PHONE = "+9647701234567"
const message: VoiceMessage = {
  channel: "voice",
  to: PHONE,
  text: 'Margin call: short of <5 & "6"',
  language: "ar",
  actionUrl: null,
  actionLabel: null,
}
const refusal = (status: number, code: number, headers = {}) => ({
  kind: "answer" as const,
  status,
  headers,
  body: { code, status, message: `The number ${PHONE} is no good` },
})
const options = (apiRoot: string): VoiceOptions => ({
  accountSid: SID,
  authToken: new Secret(TOKEN),
  from: "+15005550006",
  apiRoot,
  keyPressed: null,
})

testChannelContract({
  channel: "voice",
  worker: (url, deadlineMs) => voiceChannel({ ...options(url), deadlineMs }),
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
      title: "a country that the account may not call is rejected",
      behaviour: refusal(400, 21215),
      expected: { kind: "rejected", reason: "bad_request" },
    },
    {
      title: "a wrong token is unusable",
      behaviour: refusal(401, 20003),
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "a number that is not ours to call from is unusable",
      behaviour: refusal(400, 21210),
      expected: { kind: "unusable", reason: "bad_sender" },
    },
    {
      title: "an account that is closed is unusable",
      behaviour: refusal(403, 10001),
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "too many calls at once are retried",
      behaviour: refusal(400, 10004),
      expected: { kind: "retry", reason: "rate_limited" },
    },
    {
      title: "a 503 that names a time was no call and is retried",
      behaviour: refusal(503, 20503, { "retry-after": "3" }),
      expected: { kind: "retry", reason: "provider_error", retryAfterMs: 3_000 },
    },
    {
      title: "a 503 that names none may have been a call",
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

test("a call reads the words twice, in the language that they are in", async () => {
  const worker = voiceChannel(options(fake.url))
  const outcome = await worker.send({ id: newDeliveryId(Date.now()), message, signal: new AbortController().signal })
  expect(outcome).toEqual({ kind: "delivered", providerMessageId: `CA${"1".padStart(32, "0")}` })
  expect(fake.calls[0]).toMatchObject({
    path: `/2010-04-01/Accounts/${SID}/Calls.json`,
    authorization: `Basic ${btoa(`${SID}:${TOKEN}`)}`,
    body: {
      To: PHONE,
      From: "+15005550006",
      Timeout: "30",
      Twiml: '<Response><Say language="arb" loop="2">Margin call: short of &lt;5 &amp; &quot;6&quot;</Say></Response>',
    },
  })
})

test("a pressed key is asked for where somebody answers it", () => {
  const script = callScript({ text: "Press a key.", language: null }, "https://hub.example/v1/inbound/twilio?a=1&b=2")
  expect(script).toBe(
    '<Response><Gather input="dtmf" numDigits="1" action="https://hub.example/v1/inbound/twilio?a=1&amp;b=2" method="POST">' +
      '<Say loop="2">Press a key.</Say><Say>Press any key to acknowledge.</Say></Gather></Response>',
  )
})

test("whatever the words are, the script is XML, says them alone, and fits into a request", () => {
  const nasty = `</Say><Dial>+1900</Dial>\u0000\u0008\ud800 & "quoted" 'too' 😀`
  expect(callScript({ text: nasty, language: null }, null)).toBe(
    '<Response><Say loop="2">&lt;/Say&gt;&lt;Dial&gt;+1900&lt;/Dial&gt;\ufffd &amp; &quot;quoted&quot; &apos;too&apos; 😀</Say></Response>',
  )
  const long = callScript({ text: "&".repeat(5_000), language: "en-gb" }, null)
  expect(long.length).toBeLessThan(4_000)
  expect(long).toEndWith("&amp;</Say></Response>")
})

test.each([
  ["ar-iq", "arb"],
  ["en-gb", "en-GB"],
  ["en-za", "en-US"],
  ["pt-br", "pt-BR"],
  ["ku", null],
  [null, null],
])("the locale %p is read by the voice %p", (locale, voice) => {
  expect(spokenLanguage(locale)).toBe(voice)
})
