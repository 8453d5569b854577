import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { SENDING_CHANNELS, type SendingChannel } from "../domain/channel.ts"
import type { Outcome } from "../domain/delivery.ts"
import { newDeliveryId } from "../domain/ids.ts"
import type { Message } from "../domain/message.ts"
import { PROVIDER_FAILURES, type ProviderFailure } from "../domain/provider-failure.ts"
import { Secret } from "../domain/secret.ts"
import { type Behaviour, type FakeProviders, startFakeProviders } from "../testing/fake-providers.ts"
import { googleAccount } from "../testing/google-account.ts"
import { someMessage } from "../testing/seed-deliveries.ts"
import { captureChannel } from "./capture.ts"
import { type ChannelWorker, forAnyMessage } from "./channel.ts"
import { emailChannel } from "./email.ts"
import { failing, failureSwitch } from "./failing.ts"
import { pushChannel } from "./push.ts"
import { slackChannel } from "./slack.ts"
import { smsChannel } from "./sms.ts"
import { telegramChannel } from "./telegram.ts"
import { voiceChannel } from "./voice.ts"
import { webhookChannel } from "./webhook.ts"

const send = (worker: ChannelWorker, message: Message, signal = new AbortController().signal): Promise<Outcome> =>
  worker.send({ id: newDeliveryId(Date.now()), message, signal })
const captured = (channel: SendingChannel, hangMs = 15_000) => {
  const failures = failureSwitch()
  const worker = failing(captureChannel(channel), failures, hangMs)
  return { failures, send: (signal?: AbortSignal) => send(worker, someMessage(channel, "hi"), signal) }
}

describe("a captured channel", () => {
  test("fails as often as was said, then captures again", async () => {
    const { failures, send } = captured("telegram")
    failures.plan("telegram", { failure: "rate_limited", left: 2, retryAfterMs: 7_000 })
    const throttled = { kind: "retry", reason: "rate_limited", retryAfterMs: 7_000 } as const
    expect(await send()).toMatchObject(throttled)
    expect(failures.of("telegram")?.left).toBe(1)
    expect(await send()).toMatchObject(throttled)
    expect(failures.of("telegram")).toBeNull()
    expect(await send()).toEqual({ kind: "captured" })
  })

  test("fails alone, and is well again at once when that is said", async () => {
    const { failures, send } = captured("sms")
    failures.plan("telegram", { failure: "gone", left: 9, retryAfterMs: null })
    expect(await send()).toEqual({ kind: "captured" })
    failures.plan("sms", { failure: "gone", left: 9, retryAfterMs: null })
    failures.plan("sms", null)
    expect(await send()).toEqual({ kind: "captured" })
  })

  test("hangs until its deadline, or until the try is called off", async () => {
    const { failures, send } = captured("sms", 1)
    failures.plan("sms", { failure: "hang", left: 1, retryAfterMs: null })
    expect(await send()).toMatchObject({ kind: "unknown", reason: "timeout" })
    const long = captured("email")
    long.failures.plan("email", { failure: "hang", left: 2, retryAfterMs: null })
    const aborter = new AbortController()
    const cut = long.send(aborter.signal)
    aborter.abort()
    expect(await cut).toMatchObject({ kind: "retry", reason: "aborted" })
    expect(await long.send(aborter.signal)).toMatchObject({ kind: "retry", reason: "aborted" })
  })
})

describe("what it says is what the real channel says", () => {
  let fake: FakeProviders
  beforeAll(async () => {
    fake = await startFakeProviders()
  })
  afterAll(() => fake.stop())

  const real = (channel: SendingChannel): ChannelWorker => {
    const twilio = { accountSid: "AC1", authToken: new Secret("secret"), from: "+15550001111", apiRoot: fake.url }
    switch (channel) {
      case "telegram":
        return forAnyMessage(telegramChannel({ token: new Secret("1:x"), apiRoot: fake.url }))
      case "slack":
        return forAnyMessage(slackChannel({ webhookUrl: new Secret(fake.slackWebhook()), loopback: true }))
      case "email":
        return forAnyMessage(emailChannel({ apiKey: new Secret("re_x"), from: "h@example.com", baseUrl: fake.url }))
      case "sms":
        return forAnyMessage(smsChannel(twilio))
      case "voice":
        return forAnyMessage(voiceChannel({ ...twilio, keyPressed: null }))
      case "push": {
        const fcm = { serviceAccount: googleAccount(`${fake.url}/token`), apiRoot: fake.url }
        return forAnyMessage(pushChannel({ web: null, fcm, apns: null, capture: false }))
      }
      case "webhook":
        return forAnyMessage(webhookChannel({ secrets: new Map(), loopback: true }))
    }
  }
  /** Of somebody whose address is gone: of Slack only a recipient's own webhook can be. */
  const messageFor = (channel: SendingChannel, failure: ProviderFailure): Message => {
    if (channel === "webhook") return { channel, url: fake.systemWebhook(), secret: null, body: "{}" }
    const message = someMessage(channel, "hi")
    return message.channel === "slack" && failure === "gone"
      ? { ...message, webhookUrl: fake.slackWebhook("of-somebody") }
      : message
  }
  const answer = (status: number, body: unknown = {}): Behaviour => ({ kind: "answer", status, body })
  const GONE: Record<SendingChannel, Behaviour> = {
    email: answer(422, { name: "validation_error", message: "Invalid `to` field" }),
    sms: answer(400, { code: 21614, message: "not a mobile number" }),
    voice: answer(400, { code: 21217, message: "not a number" }),
    telegram: answer(403, { ok: false, error_code: 403, description: "Forbidden: bot was blocked by the user" }),
    slack: answer(410, "channel_is_archived"),
    push: answer(404, { error: { status: "NOT_FOUND", details: [{ errorCode: "UNREGISTERED" }] } }),
    webhook: answer(410),
  }
  const behaviourOf = (channel: SendingChannel, failure: Exclude<ProviderFailure, "hang">): Behaviour => {
    switch (failure) {
      case "rate_limited":
        return { kind: "answer", status: 429, headers: { "retry-after": "7" }, body: "slow down" }
      case "server_error":
        return answer(500)
      case "answer_lost":
        return { kind: "reset" }
      case "gone":
        return GONE[channel]
      case "bad_credential":
        return channel === "slack" ? answer(403, "invalid_token") : answer(401, { code: 20003 })
    }
  }

  for (const channel of SENDING_CHANNELS) {
    test(`of ${channel}, whatever its provider does`, async () => {
      for (const failure of PROVIDER_FAILURES) {
        if (failure === "hang") continue // a lost answer that takes 15 s
        fake.script(channel, behaviourOf(channel, failure))
        const message = messageFor(channel, failure)
        const theirs = await send(real(channel), message)
        fake.reset()
        const failures = failureSwitch()
        failures.plan(channel, { failure, left: 1, retryAfterMs: 7_000 })
        const ours = await send(failing(captureChannel(channel), failures), message)
        const shape = ({ kind, ...rest }: Outcome) => ({ failure, kind, reason: "reason" in rest ? rest.reason : null })
        expect(shape(ours)).toEqual(shape(theirs))
        if (failure === "rate_limited") expect(ours).toMatchObject({ retryAfterMs: 7_000 })
      }
    })
  }
})
