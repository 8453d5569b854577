import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { createPublicKey, generateKeyPairSync } from "node:crypto"
import { jwtVerify } from "jose"
import { newDeliveryId } from "../domain/ids.ts"
import type { PushMessage } from "../domain/message.ts"
import { Secret } from "../domain/secret.ts"
import { testChannelContract } from "../testing/channel-contract.ts"
import { type FakeProviders, startFakeProviders } from "../testing/fake-providers.ts"
import { pushChannel } from "./push.ts"
import type { ApnsAccount } from "./push-apns.ts"

const DEVICE = "canaryofadevicetoken00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"
const PEM = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey.export({
  type: "pkcs8",
  format: "pem",
}) as string // of the pem format
const [KEY_ID, TEAM_ID] = ["CANARYKEY1", "CANARYTEAM"]
const workerAt = (apiRoot: string, change: Partial<ApnsAccount> = {}) =>
  pushChannel({
    web: null,
    fcm: null,
    apns: { key: new Secret(PEM), keyId: KEY_ID, teamId: TEAM_ID, topic: "com.example.erp", apiRoot, ...change },
    capture: false,
  })
const message: PushMessage = {
  channel: "push",
  device: { platform: "ios", token: DEVICE },
  title: "Invoice INV-1 is overdue",
  text: "9 days",
  priority: "normal",
  expiresAt: null,
  topic: null,
  actionUrl: "https://erp.example/invoices/1",
  actionLabel: null,
}
const refusal = (status: number, reason: string) => ({ kind: "answer" as const, status, body: { reason } })

testChannelContract({
  channel: "push",
  name: "push (APNs)",
  urlOf: (fake) => fake.apnsUrl,
  worker: (url, deadlineMs) => workerAt(url, { deadlineMs }),
  message: () => message,
  canaries: [DEVICE, KEY_ID, TEAM_ID, PEM.split("\n")[1] ?? ""],
  idempotent: true,
  serverError: "retry",
  readsSuccess: false,
  cases: [
    {
      title: "a device from which the app was deleted is gone",
      behaviour: refusal(410, "Unregistered"),
      expected: { kind: "rejected", reason: "device_gone" },
    },
    {
      title: "a token that is none is a device that is gone",
      behaviour: refusal(400, "BadDeviceToken"),
      expected: { kind: "rejected", reason: "device_gone" },
    },
    {
      title: "a token of another app is rejected",
      behaviour: refusal(400, "DeviceTokenNotForTopic"),
      expected: { kind: "rejected", reason: "other_app" },
    },
    {
      title: "a key that Apple does not know is unusable",
      behaviour: refusal(403, "InvalidProviderToken"),
      expected: { kind: "unusable", reason: "bad_credential" },
    },
    {
      title: "an app that the key is not for is unusable",
      behaviour: refusal(400, "TopicDisallowed"),
      expected: { kind: "unusable", reason: "bad_topic" },
    },
    {
      title: "a token of ours that is too old is made anew",
      behaviour: refusal(403, "ExpiredProviderToken"),
      expected: { kind: "retry", reason: "token_refused" },
    },
    {
      title: "words that are too many are rejected",
      behaviour: refusal(413, "PayloadTooLarge"),
      expected: { kind: "rejected", reason: "too_large" },
    },
    {
      title: "too many for one device are waited for",
      behaviour: refusal(429, "TooManyRequests"),
      expected: { kind: "retry", reason: "rate_limited" },
    },
    {
      title: "a server that shuts down is tried again",
      behaviour: refusal(503, "Shutdown"),
      expected: { kind: "retry", reason: "provider_error" },
    },
  ],
})

describe("APNs", () => {
  let fake: FakeProviders
  beforeAll(async () => {
    fake = await startFakeProviders()
  })
  afterEach(() => fake.reset())
  afterAll(() => fake.stop())
  const send = (worker: ReturnType<typeof workerAt>, change: Partial<PushMessage> = {}) =>
    worker.send({
      id: newDeliveryId(Date.now()),
      message: { ...message, ...change },
      signal: new AbortController().signal,
    })
  const tokenOf = (place: number): string => fake.calls.at(place)?.authorization?.replace("bearer ", "") ?? ""

  test("is told the words and the link, under a token that our key signed", async () => {
    expect(await send(workerAt(fake.apnsUrl))).toEqual({ kind: "delivered", providerMessageId: "apns-1" })
    expect(fake.calls[0]).toMatchObject({
      path: `/3/device/${DEVICE}`,
      body: {
        aps: { alert: { title: "Invoice INV-1 is overdue", body: "9 days" }, sound: "default" },
        action_url: "https://erp.example/invoices/1",
      },
    })
    const { payload, protectedHeader } = await jwtVerify(tokenOf(0), createPublicKey(PEM))
    expect(protectedHeader).toEqual({ alg: "ES256", kid: KEY_ID })
    expect(payload.iss).toBe(TEAM_ID)
  })

  test("is told no more than it takes, whatever the words and the link are", async () => {
    const many = { title: "字".repeat(200), text: "字".repeat(500), actionLabel: "字".repeat(200) }
    const actionUrl = `https://erp.example/${"x".repeat(1_900)}`
    await send(workerAt(fake.apnsUrl), { ...many, actionUrl })
    const body = fake.calls[0]?.body
    expect(Buffer.byteLength(JSON.stringify(body))).toBeLessThanOrEqual(4_096)
    expect(body).toMatchObject({ action_url: actionUrl, aps: { alert: { title: many.title } } })
  })

  test("takes a token for 40 minutes, and a new one when one was too old", async () => {
    let now = Date.now()
    const worker = workerAt(fake.apnsUrl, { wall: () => now })
    await send(worker)
    now += 2_000_000
    await send(worker)
    expect(tokenOf(1)).toBe(tokenOf(0))
    now += 500_000
    await send(worker)
    expect(tokenOf(2)).not.toBe(tokenOf(0))
    now += 1_000
    fake.script("push", refusal(403, "ExpiredProviderToken"))
    await send(worker)
    await send(worker)
    expect(tokenOf(3)).toBe(tokenOf(2))
    expect(tokenOf(4)).not.toBe(tokenOf(3))
  })

  test("is spoken with on one connection, and on another after that one broke", async () => {
    const worker = workerAt(fake.apnsUrl)
    const many = await Promise.all(Array.from({ length: 100 }, () => send(worker)))
    expect(many.filter(({ kind }) => kind === "delivered")).toHaveLength(100)
    fake.script("push", { kind: "reset" })
    expect(await send(worker)).toMatchObject({ kind: "retry", reason: "connection_lost" })
    expect(await send(worker)).toMatchObject({ kind: "delivered" })
  })

  test("that hangs takes no later message down with it", async () => {
    const worker = workerAt(fake.apnsUrl, { deadlineMs: 150 })
    fake.script("push", { kind: "hang" })
    expect(await send(worker)).toMatchObject({ kind: "retry", reason: "timeout" })
    expect(await send(worker)).toMatchObject({ kind: "delivered" })
  })
})
