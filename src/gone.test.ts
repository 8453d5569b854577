/** Somebody who is gone, through a whole hub: refused once, then not asked for again, and told by what is left. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { eventually } from "./testing/eventually.ts"
import { type FakeProviders, startFakeProviders } from "./testing/fake-providers.ts"
import { jsonOf } from "./testing/front.ts"
import { type Folders, PLAIN_TEMPLATE, ruleFolders } from "./testing/rule-fixtures.ts"
import { startTestHub, type TestHub } from "./testing/start-hub.ts"

let folders: Folders
let providers: FakeProviders
let hub: TestHub
beforeAll(async () => {
  folders = await ruleFolders({
    "rules/a.yaml": `
rules:
  - name: alarm
    event_type: alarm.raised
    actions:
      - { type: notify, channels: [telegram], failover: [sms], template: plain }
  - name: note
    event_type: note.made
    actions:
      - { type: notify, channels: [slack], template: plain }
`,
    ...PLAIN_TEMPLATE,
  })
  providers = await startFakeProviders()
  hub = await startTestHub({
    HUB_RULES_DIR: folders.rulesDir,
    HUB_TEMPLATES_DIR: folders.templatesDir,
    TELEGRAM_BOT_TOKEN: "4711:test-token",
    TELEGRAM_API_ROOT: providers.url,
    SLACK_BOT_TOKEN: "xoxb-test",
    SLACK_API_ROOT: providers.url,
    TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}`,
    TWILIO_AUTH_TOKEN: "token-0123456789abcdef",
    TWILIO_FROM: "+15005550006",
    TWILIO_API_ROOT: providers.url,
  })
  const ann = { business_id: "b1", telegram_chat_id: "991", phone: "+9647701234567", slack_user_id: "U991" }
  await hub.call("/v1/recipients/ann", { method: "PUT", json: ann })
}, 30_000)
afterAll(async () => {
  await hub.remove()
  await providers.stop()
  await folders.remove()
}, 30_000)

interface Trace {
  readonly notifications: readonly {
    readonly deliveries: readonly {
      readonly channel: string
      readonly status: string
      readonly reason: string | null
    }[]
  }[]
}
/** What became of an event's deliveries, once they all have ended. */
async function endOf(type: string, deliveries: number) {
  const event = { type, source: "erp", business_id: "b1", payload: { user_id: "ann" } }
  const { id } = await jsonOf<{ id: string }>(hub.call("/v1/events", { json: event }))
  const done = ["delivered", "dead", "suppressed"]
  return eventually(
    async () => {
      const { notifications } = await jsonOf<Trace>(hub.call(`/v1/events/${id}/trace`))
      const all = notifications.flatMap((each) => each.deliveries)
      return all.map(({ channel, status, reason }) => `${channel} ${status} ${reason ?? ""}`.trim()).toSorted()
    },
    (seen) => seen.length === deliveries && seen.every((each) => done.some((status) => each.includes(status))),
    { withinMs: 20_000, what: `${deliveries} deliveries of ${type} have ended` },
  )
}

test("a bot that was blocked is not sent by again, until a month is over; the next channel is due at once", async () => {
  const blocked = { ok: false, error_code: 403, description: "Forbidden: bot was blocked by the user" }
  providers.script("telegram", { kind: "answer", status: 403, body: blocked })
  expect(await endOf("alarm.raised", 2)).toEqual(["sms delivered", "telegram dead blocked_by_recipient"])
  expect(await endOf("alarm.raised", 2)).toEqual(["sms delivered", "telegram suppressed gone"])
  expect(providers.callsOf("telegram")).toHaveLength(1)
  // It says nothing about what she wishes.
  expect(await jsonOf(hub.call("/v1/recipients/ann/prefs"))).toMatchObject({ channels: {} })

  await hub.db.execute("update suppressions set since = now() - interval '31 days' where reason = 'gone'")
  expect(await endOf("alarm.raised", 1)).toEqual(["telegram delivered"])
})

test("whom Slack does not know is not asked for again", async () => {
  providers.script("slack", { kind: "answer", status: 200, body: { ok: false, error: "user_not_found" } })
  expect(await endOf("note.made", 1)).toEqual(["slack dead address_dead"])
  expect(await endOf("note.made", 1)).toEqual(["slack suppressed gone"])
  expect(providers.callsOf("slack")).toHaveLength(1)
})

test("what is refused for the message's sake says nothing of the address", async () => {
  await hub.db.execute("truncate suppressions")
  providers.script("slack", { kind: "answer", status: 200, body: { ok: false, error: "msg_too_long" } })
  expect(await endOf("note.made", 1)).toEqual(["slack dead bad_request"])
  expect(await endOf("note.made", 1)).toEqual(["slack delivered"])
})
