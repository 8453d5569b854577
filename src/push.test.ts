/** From a browser that subscribes and an app that registers to what each of a person's devices is told: through a whole hub. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { browserPush } from "./testing/browser-push.ts"
import { eventually } from "./testing/eventually.ts"
import { type FakeProviders, startFakeProviders } from "./testing/fake-providers.ts"
import { jsonOf, tokenFor } from "./testing/front.ts"
import { googleAccount } from "./testing/google-account.ts"
import { type Folders, PLAIN_TEMPLATE, ruleFolders } from "./testing/rule-fixtures.ts"
import { startTestHub, type TestHub } from "./testing/start-hub.ts"

let folders: Folders
let fake: FakeProviders
let hub: TestHub
beforeAll(async () => {
  folders = await ruleFolders({
    "rules/news.yaml": `
rules:
  - name: news
    event_type: news
    actions:
      - { type: notify, to: { users: [ann] }, channels: [inapp, push, voice], template: plain, update: payload.about }
`,
    ...PLAIN_TEMPLATE,
  })
  fake = await startFakeProviders()
  hub = await startTestHub({
    HUB_RULES_DIR: folders.rulesDir,
    HUB_TEMPLATES_DIR: folders.templatesDir,
    FCM_SERVICE_ACCOUNT: googleAccount(`${fake.url}/token`).reveal(),
    FCM_API_ROOT: fake.url,
  })
}, 30_000)
afterAll(async () => {
  await hub.remove()
  await Promise.all([fake.stop(), folders.remove()])
}, 30_000)

interface Listed {
  readonly data: readonly {
    readonly id: string
    readonly channel: string
    readonly status: string
    readonly reason: string | null
    readonly notification_ids: readonly string[]
    readonly message?: { readonly platform?: string }
  }[]
}

/** What became of each delivery of a new event, once all have ended. */
async function toldOf(about: string): Promise<readonly string[]> {
  const json = { type: "news", source: "test", business_id: "b1", payload: { about } }
  const { id } = await jsonOf<{ id: string }>(hub.call("/v1/events", { json }))
  const { data } = await eventually(
    () => jsonOf<Listed>(hub.call(`/v1/deliveries?event_id=${id}`)),
    (listed) =>
      listed.data.length > 0 && !listed.data.some(({ status }) => ["queued", "sending", "retrying"].includes(status)),
    { withinMs: 10_000, what: "deliveries that have ended" },
  )
  return data.map(({ channel, status, reason }) => [channel, status, reason].filter(Boolean).join(" ")).toSorted()
}

test("each device of a person is told by its own service, and one that is gone is forgotten", async () => {
  const ann = await tokenFor({ sub: "ann", business_id: "b1" })
  const recipient = {
    business_id: "b1",
    phone: "+9647701234567",
    device_tokens: [
      { platform: "android", token: "android-token" },
      { platform: "ios", token: "ios-token" },
      { platform: "toaster", token: "toaster-token" },
    ],
  }
  await hub.call("/v1/recipients/ann", { method: "PUT", json: recipient })
  const { subscription } = browserPush(fake.pushEndpoint("ann"))
  const subscribed = await hub.call("/v1/push/subscriptions", { key: ann, json: subscription })
  expect(subscribed.status).toBe(204)

  // Apple's device has no account here, nor has the phone: captured.
  expect(await toldOf("x")).toEqual(["push captured", "push delivered", "push delivered", "voice captured"])
  expect(
    fake
      .callsOf("push")
      .map(({ path }) => path.split("/")[1])
      .toSorted(),
  ).toEqual(["push", "v1"])
  const outbox = await jsonOf<Listed>(hub.call("/v1/outbox"))
  expect(outbox.data.map(({ channel, message }) => [channel, message])).toEqual(
    expect.arrayContaining([
      ["push", expect.objectContaining({ platform: "ios", title: "News", text: "Something happened.", to: null })],
      ["voice", expect.objectContaining({ to: "+9647701234567", text: "Something happened.", language: null })],
    ]),
  )
  expect(JSON.stringify(outbox)).not.toContain("ios-token")

  const body = { error: { code: 404, status: "NOT_FOUND", details: [{ errorCode: "UNREGISTERED" }] } }
  fake.always("push", { kind: "answer", status: 404, body })
  const gone = ["push captured", "push dead device_gone", "push dead device_gone", "voice captured"]
  expect(await toldOf("y")).toEqual(gone)
  await eventually(
    () => jsonOf<{ device_tokens: readonly { platform: string }[] }>(hub.call("/v1/recipients/ann")),
    ({ device_tokens }) => device_tokens.map(({ platform }) => platform).join() === "ios,toaster",
    { withinMs: 10_000, what: "a recipient without the device" },
  )
  const left = await eventually(
    () => toldOf("z"),
    ({ length }) => length === 2,
    { withinMs: 10_000, what: "nobody but whoever is left" },
  )
  expect(left).toEqual(["push captured", "voice captured"])
}, 20_000)

test("later news of the same thing takes the place of the earlier on the device", async () => {
  fake.reset()
  const json = { business_id: "b1", device_tokens: [{ platform: "android", token: "new" }] }
  await hub.call("/v1/recipients/ann", { method: "PUT", json })
  for (const about of ["one", "one", "two"]) await toldOf(about)
  const topics = fake.callsOf("push").map(({ body }) => /"collapse_key":"([\w-]{32})"/.exec(JSON.stringify(body))?.[1])
  expect(topics[0]).toBeDefined()
  expect(topics[1]).toBe(topics[0])
  expect(topics[2]).not.toBe(topics[0])
}, 20_000)
