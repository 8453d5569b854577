import { expect, test } from "bun:test"
import { newDeliveryId } from "../domain/ids.ts"
import { Secret } from "../domain/secret.ts"
import { startSmtpServer } from "../testing/smtp-server.ts"
import { type ChannelSettings, channelCatalogue, twilioAnswers } from "./catalogue.ts"

const bare: ChannelSettings = {
  production: false,
  telegram: { botToken: null, apiRoot: "https://api.telegram.org", webhookSecret: null },
  slack: { webhookUrl: null, botToken: null, signingSecret: null, apiRoot: "https://slack.com/api" },
  email: {
    from: null,
    postalAddress: null,
    resendApiKey: null,
    resendBaseUrl: "https://api.resend.com",
    resendWebhookSecret: null,
    smtpUrl: null,
  },
  twilio: { accountSid: null, authToken: null, from: null, voiceFrom: null, apiRoot: "https://api.twilio.com" },
  vapid: null,
  fcm: { serviceAccount: null, apiRoot: null },
  apns: { key: null, keyId: null, teamId: null, topic: null, apiRoot: null },
  webhookSecrets: [],
}
const modes = (settings: ChannelSettings) =>
  Object.fromEntries(channelCatalogue(settings).map(({ channel, mode }) => [channel, mode]))

test("without credentials a person's channel is captured in development and absent in production", () => {
  expect(modes(bare)).toEqual({
    email: "captured",
    sms: "captured",
    voice: "captured",
    telegram: "captured",
    slack: "captured",
    push: "captured",
    webhook: "captured",
  })
  const { webhook, ...others } = modes({ ...bare, production: true })
  expect(new Set(Object.values(others))).toEqual(new Set(["absent"]))
  expect(webhook).toBe("live")
})

test("a channel with all of its credentials is live, and half of them are none", () => {
  const secret = new Secret("x")
  const settings = {
    ...bare,
    telegram: { ...bare.telegram, botToken: secret },
    email: { ...bare.email, resendApiKey: secret },
    twilio: { ...bare.twilio, accountSid: "AC1", authToken: secret, from: "+1" },
    fcm: { serviceAccount: new Secret("{}"), apiRoot: null },
  }
  expect(modes(settings)).toMatchObject({ email: "captured", sms: "live", telegram: "live", slack: "captured" })
  expect(modes(settings)).toMatchObject({ voice: "captured", push: "live" })
  const calling = { ...settings, twilio: { ...settings.twilio, from: null, voiceFrom: "+1" } }
  expect(modes(calling)).toMatchObject({ sms: "captured", voice: "live" })
})

test("e-mail goes by the mail server, where one is set, instead of Resend", async () => {
  const server = await startSmtpServer()
  try {
    const smtpUrl = new Secret(`smtp://127.0.0.1:${server.port}`)
    const email = { ...bare.email, from: "hub@example.com", smtpUrl }
    expect(modes({ ...bare, production: true, email })).toMatchObject({ email: "live" })
    const both = channelCatalogue({ ...bare, email: { ...email, resendApiKey: new Secret("re_x") } })
    const worker = both.find(({ channel }) => channel === "email")?.worker
    const message = { channel: "email" as const, to: "u1@example.com", subject: "Hi", html: "<p>Hi</p>", text: "Hi" }
    await worker?.send({
      id: newDeliveryId(0),
      message: { ...message, actionUrl: null, actionLabel: null },
      signal: new AbortController().signal,
    })
    expect(server.mails.map(({ to }) => to)).toEqual([["u1@example.com"]])
  } finally {
    await server.stop()
  }
})

test("a captured message goes nowhere, and a message for another channel is refused as a bug", async () => {
  const request = {
    id: newDeliveryId(0),
    message: { channel: "sms" as const, to: "+1", text: "hi", actionUrl: null, actionLabel: null },
    signal: new AbortController().signal,
  }
  const captured = channelCatalogue(bare).find(({ channel }) => channel === "sms")
  expect(await captured?.worker?.send(request)).toEqual({ kind: "captured" })
  const telegram = channelCatalogue({ ...bare, telegram: { ...bare.telegram, botToken: new Secret("x") } })
  const worker = telegram.find(({ channel }) => channel === "telegram")?.worker
  expect(() => worker?.send(request)).toThrow("message for sms")
})

test("Twilio is told where to report only where it can reach the hub", () => {
  const id = newDeliveryId(0)
  const told = (publicUrl: string, apiRoot = "https://api.twilio.com") =>
    twilioAnswers(apiRoot, { publicUrl, button: () => "" })?.(id) ?? null
  expect(told("https://hub.example.com/prefix")).toBe(`https://hub.example.com/prefix/v1/inbound/twilio?delivery=${id}`)
  for (const here of [
    "http://localhost:4000",
    "http://hub:4000",
    "http://10.0.0.7",
    "http://hub.internal",
    "http://[::1]",
  ])
    expect([here, told(here)]).toEqual([here, null])
  expect(told("http://localhost:4000", "http://127.0.0.1:9")).toContain("http://localhost:4000/v1/inbound/twilio")
  expect(twilioAnswers("https://api.twilio.com", null)).toBeNull()
})
