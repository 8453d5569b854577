import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import type { JsonObject } from "../domain/json.ts"
import { eventually } from "../testing/eventually.ts"
import { jsonOf, SERVICE_KEY, tokenFor } from "../testing/front.ts"
import { type Folders, ruleFolders } from "../testing/rule-fixtures.ts"
import { startTestHub, type TestHub } from "../testing/start-hub.ts"

let folders: Folders
/** Rules that need no account. */
let quiet: Folders
let hub: TestHub
beforeAll(async () => {
  folders = await ruleFolders({
    "rules/a.yaml": `rules:
  - name: call-them
    event_type: margin.call
    actions:
      - { type: notify, to: { users: [{ var: payload.who }] }, channels: [inapp, sms, voice, telegram, slack, email], template: call }
`,
    "templates/call/default.eta": "---\ntitle: Margin call\n---\nShort.",
    "templates/call/email.eta": "---\nsubject: Margin call\n---\n<p>Short.</p>",
  })
  quiet = await ruleFolders({
    "rules/a.yaml":
      "rules: [{ name: n, event_type: e, actions: [{ type: notify, to: { everyone: true }, channels: [inapp], template: call }] }]",
    "templates/call/default.eta": "---\ntitle: T\n---\nx",
  })
  hub = await startTestHub({ HUB_RULES_DIR: folders.rulesDir, HUB_TEMPLATES_DIR: folders.templatesDir })
})
afterAll(async () => {
  await hub.remove()
  await folders.remove()
  await quiet.remove()
})

let people = 0
/** Somebody new was told on every channel; answers the captured delivery of each. */
async function told(): Promise<{ readonly who: string; readonly of: (channel: string) => string }> {
  people += 1
  const who = `u${people}`
  const address = { phone: `+96477012345${10 + people}`, telegram_chat_id: `99${people}`, email: `${who}@example.com` }
  await hub.call(`/v1/recipients/${who}`, { method: "PUT", json: { business_id: "b1", ...address } })
  const json = { type: "margin.call", source: "t", business_id: "b1", payload: { who } }
  const { id } = await jsonOf<{ id: string }>(hub.call("/v1/events", { json }))
  const { data } = await eventually(
    async () => jsonOf<{ data: JsonObject[] }>(hub.call(`/v1/deliveries?event_id=${id}&status=captured`)),
    ({ data }) => data.length === 5,
    { withinMs: 20_000, what: "captured deliveries" },
  )
  return { who, of: (channel) => String(data.find((one) => one["channel"] === channel)?.["id"]) }
}
const answer = (delivery_id: string, json: JsonObject, key?: string): Promise<Response> =>
  hub.call("/admin/outbox/answers", { json: { delivery_id, ...json }, ...(key === undefined ? {} : { key }) })
const taken = (delivery: string, json: JsonObject): Promise<JsonObject> => jsonOf<JsonObject>(answer(delivery, json))
const acknowledged = async (who: string): Promise<boolean> => {
  const token = await tokenFor({ sub: who, business_id: "b1" })
  const { data } = await jsonOf<{ data: JsonObject[] }>(hub.call("/v1/notifications", { key: token }))
  return data[0]?.["acknowledged_at"] !== null
}

describe("an answer to a captured message", () => {
  test("acknowledges everywhere: by a button, by a key, by a word", async () => {
    const ways: readonly (readonly [string, JsonObject])[] = [
      ["telegram", { answer: "acknowledge" }],
      ["slack", { answer: "acknowledge" }],
      ["voice", { answer: "acknowledge" }],
      ["sms", { answer: "reply", text: "ok" }],
    ]
    for (const [channel, json] of ways) {
      const { who, of } = await told()
      expect(await acknowledged(who)).toBe(false)
      expect(await taken(of(channel), json)).toMatchObject({ what: "acknowledge", effect: "done" })
      expect(await acknowledged(who)).toBe(true)
    }
  })

  test("stops and resumes by the words of its reader, and says in return what the hub says", async () => {
    const { of } = await told()
    expect(await taken(of("sms"), { answer: "reply", text: "توقف" })).toMatchObject({
      what: "stop",
      effect: "done",
      said: expect.stringContaining("START"),
    })
    expect(await taken(of("sms"), { answer: "reply", text: "STOP" })).toMatchObject({ what: "stop", effect: "known" })
    expect(await taken(of("sms"), { answer: "reply", text: "START" })).toMatchObject({ what: "start", effect: "done" })
    expect(await taken(of("telegram"), { answer: "reply", text: "/stop" })).toMatchObject({ what: "stop" })
  })

  test("is an event that rules can match, where it says something of its own", async () => {
    const { who, of } = await told()
    for (const channel of ["sms", "telegram", "slack", "email"]) {
      const said = { answer: "reply", text: `who calls by ${channel}?` }
      expect(await taken(of(channel), said)).toMatchObject({ what: "reply", effect: "done" })
    }
    const { data } = await jsonOf<{ data: JsonObject[] }>(hub.call("/v1/events?type=reply.received"))
    const first = await jsonOf<{ payload: JsonObject }>(hub.call(`/v1/events/${String(data[0]?.["id"])}`))
    expect(first.payload).toMatchObject({ text: expect.stringContaining("who calls by"), user_id: who })
    expect(data).toHaveLength(4)
  })

  test("may be a provider's report, which stands at the delivery", async () => {
    const { of } = await told()
    const report = async (channel: string, receipt: string): Promise<unknown> => {
      const effect = (await taken(of(channel), { answer: "receipt", receipt }))["effect"]
      return [effect, (await jsonOf<JsonObject>(hub.call(`/v1/deliveries/${of(channel)}`)))["receipt"]]
    }
    expect(await report("email", "opened")).toEqual(["done", "opened"])
    expect(await report("email", "bounced")).toEqual(["done", "bounced"])
    expect(await report("sms", "undelivered")).toEqual(["done", "undelivered"])
    expect(await report("voice", "delivered")).toEqual(["done", "delivered"])
  })

  test("is refused where the channel has none such, where nobody may see it, and where it cannot be read", async () => {
    const { of } = await told()
    expect((await answer(of("slack"), { answer: "receipt", receipt: "opened" })).status).toBe(409)
    expect((await answer(of("email"), { answer: "acknowledge" })).status).toBe(409)
    expect((await answer("dlv_1", { answer: "acknowledge" })).status).toBe(422)
    expect((await answer(of("sms"), { answer: "reply", text: " " })).status).toBe(422)
    expect((await answer(of("sms"), { answer: "dance" })).status).toBe(422)
    expect((await answer(of("sms"), { answer: "acknowledge" }, SERVICE_KEY)).status).toBe(403)
    const other = await tokenFor({ sub: "op", roles: ["admin"], tenants: [{ business: "b2" }] })
    expect((await answer(of("sms"), { answer: "acknowledge" }, other)).status).toBe(404)
  })

  test("has no way in production", async () => {
    const production = await startTestHub({
      NODE_ENV: "production",
      HUB_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString("base64")}`,
      HUB_RULES_DIR: quiet.rulesDir,
      HUB_TEMPLATES_DIR: quiet.templatesDir,
    })
    try {
      for (const path of ["/admin/outbox/answers", "/admin/outbox/failures"])
        expect((await production.call(path, { json: { channel: "sms", failure: "gone" } })).status).toBe(404)
      expect((await production.call("/admin/outbox")).status).toBe(404)
    } finally {
      await production.remove()
    }
  })
})
