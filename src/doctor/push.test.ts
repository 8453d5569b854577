import { afterAll, afterEach, beforeAll, expect, test } from "bun:test"
import { generateKeyPairSync } from "node:crypto"
import { tmpdir } from "node:os"
import { loadConfig } from "../config.ts"
import { systemClock } from "../runtime/clock.ts"
import { type Behaviour, type FakeProviders, startFakeProviders } from "../testing/fake-providers.ts"
import { googleAccount } from "../testing/google-account.ts"
import { testEnvironment } from "../testing/start-hub.ts"
import { providerChecks } from "./providers.ts"

const { privateKey: APNS_KEY } = generateKeyPairSync("ec", {
  namedCurve: "P-256",
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
})
const SID = `AC${"0123456789abcdef".repeat(2)}`

let fake: FakeProviders
beforeAll(async () => {
  fake = await startFakeProviders()
})
afterEach(() => fake.reset())
afterAll(() => fake.stop())

/** What each check of the channels finds with these settings: `push (FCM): ok`. */
async function found(settings: Readonly<Record<string, string>>): Promise<readonly string[]> {
  const environment = testEnvironment("postgres://127.0.0.1/x", `${tmpdir()}/hub-doctor-push`)
  const loaded = loadConfig({ ...environment, ...settings }, false)
  if (loaded.errors) throw new Error(JSON.stringify(loaded.errors))
  const signal = new AbortController().signal
  const checked = await Promise.all(providerChecks(loaded.ok, systemClock).map((check) => check.run(signal)))
  return checked.flatMap(({ findings }) => findings.map(({ check, status }) => `${check}: ${status}`))
}
const accounts = () => ({
  FCM_SERVICE_ACCOUNT: googleAccount(`${fake.url}/token`).reveal(),
  FCM_API_ROOT: fake.url,
  APNS_KEY,
  APNS_KEY_ID: "KEY1234567",
  APNS_TEAM_ID: "TEAM123456",
  APNS_TOPIC: "com.example.erp",
  APNS_API_ROOT: fake.apnsUrl,
})

test("without accounts of push there is nobody to ask, and the keys for browsers are there in development", async () => {
  const all = await found({})
  expect(all).toContain("push (browsers): ok")
  expect(all.filter((line) => line.startsWith("push"))).toHaveLength(1)
  expect(all).toContain("voice: ok")
})

test.each<readonly [string, Behaviour, string]>([
  ["know us, and no such device", { kind: "answer", status: 400, body: { reason: "BadDeviceToken" } }, "ok"],
  ["do not know us", { kind: "answer", status: 403, body: { reason: "InvalidProviderToken" } }, "fail"],
  ["are ill", { kind: "answer", status: 503 }, "warn"],
])("Google and Apple %s, and nobody's device is told", async (_, behaviour, status) => {
  fake.always("push", behaviour)
  const all = await found(accounts())
  expect(all).toContain(`push (FCM): ${status}`)
  expect(all).toContain(`push (APNs): ${status}`)
  for (const { path, body } of fake.callsOf("push")) expect(`${path} ${JSON.stringify(body)}`).toContain("0".repeat(64))
})

test.each([
  ["is the account's and can call", [{ capabilities: { voice: true } }], "ok"],
  ["cannot call", [{ capabilities: { voice: false } }], "fail"],
  ["is not the account's own", [], "warn"],
])("the number that calls %s", async (_, numbers, status) => {
  const twilio = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request) =>
      new URL(request.url).searchParams.get("PhoneNumber") === "+15005550006"
        ? Response.json({ incoming_phone_numbers: numbers })
        : Response.json({ status: "active", type: "Full" }),
  })
  const settings = {
    TWILIO_ACCOUNT_SID: SID,
    TWILIO_AUTH_TOKEN: "twilio-token-that-nobody-may-see",
    TWILIO_VOICE_PHONE_NUMBER: "+15005550006",
    TWILIO_API_ROOT: `http://127.0.0.1:${twilio.port}`,
  }
  try {
    expect(await found(settings)).toContain(`voice: ${status}`)
  } finally {
    await twilio.stop(true)
  }
})
