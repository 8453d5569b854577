/** From a commercial mail to nobody being mailed any more, and from a link in a text message to an ended escalation. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { eventually } from "./testing/eventually.ts"
import { type FakeProviders, startFakeProviders } from "./testing/fake-providers.ts"
import { jsonOf } from "./testing/front.ts"
import { type Folders, ruleFolders } from "./testing/rule-fixtures.ts"
import { startTestHub, type TestHub } from "./testing/start-hub.ts"

let folders: Folders
let providers: FakeProviders
let hub: TestHub
beforeAll(async () => {
  folders = await ruleFolders({
    "rules/a.yaml": `
rules:
  - name: offer
    event_type: offer.made
    actions:
      - { type: notify, channels: [email], template: offer, category: offers, commercial: true }
  - name: alarm
    event_type: alarm.raised
    actions:
      - type: notify
        channels: [inapp, sms]
        template: alarm
        escalate: [{ after: 1h, channels: [sms] }]
        until: acknowledged
`,
    "templates/offer/email.eta":
      '---\nsubject: An offer\n---\n<p>Cheap. <a href="<%= it.links.preferences %>">Choose</a></p>',
    "templates/alarm/default.eta": "---\ntitle: An alarm\n---\nAn alarm. I have it: <%= it.links.acknowledge %>",
  })
  providers = await startFakeProviders()
  hub = await startTestHub({
    HUB_RULES_DIR: folders.rulesDir,
    HUB_TEMPLATES_DIR: folders.templatesDir,
    RESEND_API_KEY: "re_test",
    RESEND_BASE_URL: providers.url,
    EMAIL_FROM: "Hub <hub@example.com>",
    EMAIL_POSTAL_ADDRESS: "1 Rose Street, Basra",
    TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}`,
    TWILIO_AUTH_TOKEN: "token-0123456789abcdef",
    TWILIO_FROM: "+15005550006",
    TWILIO_API_ROOT: providers.url,
  })
}, 30_000)
afterAll(async () => {
  await hub.remove()
  await providers.stop()
  await folders.remove()
}, 30_000)

const publish = async (type: string, user: string): Promise<string> => {
  const event = { type, source: "shop", business_id: "b1", payload: { user_id: user } }
  return (await jsonOf<{ id: string }>(hub.call("/v1/events", { json: event }))).id
}
interface Trace {
  readonly notifications: readonly {
    readonly deliveries: readonly { readonly status: string; readonly reason: string | null }[]
  }[]
}
const trace = (id: string) => jsonOf<Trace>(hub.call(`/v1/events/${id}/trace`))
/** The link's path, on whatever port this hub listens. */
const pathOf = (link: string | undefined): string => new URL(link ?? "").pathname
const ask = (path: string, method: string) => hub.call(path, { method, key: null })

test("a commercial mail is stopped by one click of the mail program, and the next one is not sent", async () => {
  await hub.call("/v1/recipients/ann", { method: "PUT", json: { business_id: "b1", email: "ann@example.com" } })
  await publish("offer.made", "ann")
  const [mail] = await providers.waitFor(1, "email")
  const body = mail?.body as { html: string; text: string; headers: Record<string, string> } // as Resend takes it
  const link = /^<(.+)>$/.exec(body.headers["List-Unsubscribe"] ?? "")?.[1]
  expect(body.headers["List-Unsubscribe-Post"]).toBe("List-Unsubscribe=One-Click")
  expect(body.html).toContain(`<a href="${link}">Unsubscribe</a>`)
  expect(body.text).toEndWith(`1 Rose Street, Basra\nUnsubscribe: ${link}`)
  expect((await ask(pathOf(/"([^"]+preferences[^"]+)"/.exec(body.html)?.[1]), "GET")).status).toBe(200)

  expect((await ask(pathOf(link), "GET")).status).toBe(200)
  expect((await ask(pathOf(link), "POST")).status).toBe(200)
  expect(await jsonOf(hub.call("/v1/recipients/ann/prefs"))).toMatchObject({ categories: { offers: { email: false } } })
  const next = await publish("offer.made", "ann")
  const { notifications } = await eventually(
    () => trace(next),
    (seen) => seen.notifications.length > 0,
    { withinMs: 20_000, what: "the second offer is decided" },
  )
  expect(notifications[0]?.deliveries).toMatchObject([{ status: "suppressed", reason: "preference_category" }])
  expect(providers.callsOf("email")).toHaveLength(1)
})

test("the link in a text message acknowledges for whoever has it, and only its button does", async () => {
  await hub.call("/v1/recipients/bob", { method: "PUT", json: { business_id: "b1", phone: "+9647701234567" } })
  const event = await publish("alarm.raised", "bob")
  const [call] = await providers.waitFor(1, "sms")
  const path = pathOf(/https?:\S+/.exec(call?.text ?? "")?.[0])
  const item = async () => {
    const { data } = await jsonOf<{ data: readonly { acknowledged_at: string | null; body: string }[] }>(
      hub.call("/v1/notifications?recipient_id=bob"),
    )
    return data[0]
  }
  expect((await ask(path, "GET")).status).toBe(200)
  expect(await item()).toMatchObject({ acknowledged_at: null })
  expect((await ask(path, "POST")).status).toBe(200)
  expect(await item()).toMatchObject({ acknowledged_at: expect.any(String) })
  const open = await hub.db.query("select from timers where event_id = $1 and done_at is null", [event])
  expect(open).toHaveLength(0)
  const own = /https?:\S+/.exec((await item())?.body ?? "")?.[0]
  expect((await ask(pathOf(own), "POST")).status).toBe(200)
  expect((await ask(path.slice(0, -3), "POST")).status).toBe(404)
})
