import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { eventually } from "./testing/eventually.ts"
import { jsonOf, SERVICE_KEY, tokenFor } from "./testing/front.ts"
import { type Folders, ruleFolders } from "./testing/rule-fixtures.ts"
import { startTestHub, type TestHub } from "./testing/start-hub.ts"

const RULES = `rules:
  - name: overdue
    event_type: invoice.overdue
    conditions:
      - { field: days_overdue, operator: gte, value: 7 }
      - { field: severity, operator: gte, value: medium }
    actions:
      - type: notify
        to: { roles: [accountant], users: [{ var: payload.owner_id }] }
        channels: [inapp, email]
        template: invoice
        escalate: [{ after: 15m, channels: [sms] }]
  - name: pump
    event_type: pump.down
    actions:
      - type: notify
        to: { roles: [accountant] }
        channels: [email]
        failover: [sms, voice]
        template: invoice
        escalate: [{ after: 5m, channels: [sms] }, { after: 15m, channels: [voice], to: { roles: [cook] } }]
        until: read
  - name: quiet
    event_type: pump.down
    conditions: { ">": [{ var: payload.days_overdue }, 1] }
    actions:
      - { type: notify, to: { roles: [nobody-has-it] }, channels: [inapp], template: invoice, delay: 5m }
      - { type: notify, to: { roles: [nobody-has-it] }, channels: [inapp], template: invoice }
      - { type: broadcast, topic: "resources:b1", event: pump_down }
  - name: gathered
    event_type: invoice.*
    actions:
      - { type: notify, to: { roles: [accountant] }, channels: [inapp], template: invoice, digest: { window: 1h } }
  - name: hooks
    event_type: invoice.overdue
    source: another
    actions:
      - { type: webhook, url: "https://erp.example/hook" }
`
const TEMPLATE = "---\ntitle: Invoice <%= it.payload.number %>\n---\nDear <%= it.recipient.name ?? 'reader' %>"

let folders: Folders
let hub: TestHub
beforeAll(async () => {
  folders = await ruleFolders({ "rules/a.yaml": RULES, "templates/invoice/default.eta": TEMPLATE })
  hub = await startTestHub({ HUB_RULES_DIR: folders.rulesDir, HUB_TEMPLATES_DIR: folders.templatesDir })
  const put = (id: string, json: object) => hub.call(`/v1/recipients/${id}`, { method: "PUT", json })
  await put("ann", { business_id: "b1", roles: ["accountant"], name: "Ann", email: "ann@example.com" })
  await put("bob", { business_id: "b1", roles: ["accountant"], location_ids: ["l2"] })
  await put("cook", { business_id: "b1", roles: ["cook"] })
  await put("far", { business_id: "b2", roles: ["accountant"], name: "Farah" })
})
afterAll(async () => {
  await hub.remove()
  await folders.remove()
})

const to = (role: string) => ({ roles: [role], users: [], lists: [], everyone: false })
const EVENT = {
  type: "invoice.overdue",
  source: "erp",
  business_id: "b1",
  location_id: "l1",
  severity: "high",
  payload: { days_overdue: 9, number: "INV-1" },
}

interface Explained {
  readonly rules: readonly {
    readonly rule: string
    readonly matched: boolean
    readonly reason: string
    readonly notes: readonly string[]
    readonly clauses: { holds: boolean; children: { text: string; holds: boolean; decides: boolean }[] } | null
    readonly audience: {
      people: number
      told: { recipient: string; channels: { channel: string; reason: string }[] }[]
    }
    readonly messages: readonly { channel: string; message: Record<string, string> | null; problem: string | null }[]
    readonly later: readonly Record<"kind" | "due_at" | "channels" | "to" | "until", unknown>[]
    readonly failures: readonly string[]
    readonly why_not: string | null
  }[]
}
const explain = (json: object, key?: string) =>
  hub.call("/v1/rules/explain", { json, ...(key === undefined ? {} : { key }) })
const explained = (json: object, key?: string) => jsonOf<Explained>(explain(json, key))
const adminOf = (business: string) => tokenFor({ sub: "boss", roles: ["admin"], tenants: [{ business }] })

describe("what the running rules make of a pasted event", () => {
  test("each rule of its type: its clauses, whom it tells where, in which words, and what comes later", async () => {
    const { rules } = await explained({ event: EVENT })
    expect(rules.map(({ rule, matched }) => [rule, matched])).toEqual([
      ["overdue", true],
      ["gathered", true],
      ["hooks", false],
    ])
    expect(rules[0]).toMatchObject({
      reason: expect.stringContaining("payload.days_overdue (9) >= 7"),
      clauses: { holds: true },
      audience: { people: 1, told: [{ recipient: "ann", channels: [{ channel: "email", status: "queued" }] }] },
      messages: [
        { channel: "inapp", message: { title: "Invoice INV-1", body: "Dear Ann" } },
        { channel: "email", message: { subject: "Invoice INV-1" } },
        { channel: "sms", message: { text: expect.any(String) } },
      ],
      later: [{ kind: "escalate", channels: ["sms"], to: { roles: ["accountant"] }, until: "acknowledged" }],
      failures: [],
    })
    // Of what is gathered it is told who would hear of it.
    expect(rules[1]).toMatchObject({ audience: { told: [{ recipient: "ann" }] }, later: [{ kind: "digest" }] })
    expect(rules[1]?.reason).toContain("gathered in a digest, 1 of 100 events")
    expect(rules[2]).toMatchObject({ clauses: null, reason: expect.stringContaining("event.source") })
    expect(JSON.stringify(rules)).not.toContain("ann@example.com")
  })

  test("a clause that fails is found among those that hold", async () => {
    const { rules } = await explained({ event: { ...EVENT, severity: "low" }, rule: "overdue" })
    expect(rules).toHaveLength(1)
    const clauses = JSON.stringify(rules[0]?.clauses)
    expect(rules[0]?.clauses?.holds).toBe(false)
    expect(clauses).toContain('"text":"payload.days_overdue (9) >= 7","holds":true,"decides":false')
    expect(clauses).toMatch(/"text":"event.severity \(\\"low\\"\) is at least[^}]*"holds":false,"decides":true/)
    expect(rules[0]).toMatchObject({ messages: [], audience: { people: 0 }, why_not: null })
    const asked = await explained({ event: { ...EVENT, severity: "low" }, rule: "overdue", recipient: "ann" })
    expect(asked.rules[0]?.why_not).toMatch(/^the rule does not match: event\.severity \("low"\) is at least/)
  })

  test("each step that would follow, with its time, its channels and whom it tells", async () => {
    const { rules } = await explained({ event: { ...EVENT, type: "pump.down" } })
    const [first, quiet] = rules
    // Beside the condition, what decided: on the page the clauses stand in the place of the whole sentence.
    expect(quiet).toMatchObject({
      notes: [
        "nobody is told: nobody in business b1, location l1, has the role nobody-has-it",
        "broadcast as pump_down to resources:b1",
      ],
    })
    expect(first?.later).toEqual([
      { kind: "escalate", due_at: expect.any(String), channels: ["sms"], to: to("accountant"), until: "read" },
      { kind: "escalate", due_at: expect.any(String), channels: ["voice"], to: to("cook"), until: "read" },
      { kind: "failover", due_at: null, channels: ["sms", "voice"], to: to("accountant"), until: null },
    ])
    const asked = await explained({ event: { ...EVENT, type: "pump.down" }, recipient: "cook" })
    expect(asked.rules[0]?.why_not).toBe(
      "cook is not accountant in business b1, but cook; a later step is for them, unless somebody reacts before",
    )
    const [soon = "", late = ""] = (first?.later ?? []).map(({ due_at }) => String(due_at))
    expect(Date.parse(late) - Date.parse(soon)).toBe(600_000)
  })

  test("words that cannot be written are a problem of their rule and channel", async () => {
    const { rules } = await explained({ event: { ...EVENT, payload: { days_overdue: 8 } }, rule: "overdue" })
    expect(rules[0]?.messages[0]).toMatchObject({
      channel: "inapp",
      message: null,
      problem: expect.stringContaining("number"),
    })
    expect(rules[0]?.failures.length).toBeGreaterThan(0)
  })

  test("of a person who was asked for, why or why not", async () => {
    const why = async (recipient: string, key?: string) =>
      (await explained({ event: EVENT, recipient, rule: "overdue" }, key)).rules[0]
    expect((await why("ann"))?.why_not).toBeNull()
    expect((await why("bob"))?.why_not).toBe("bob does not belong to location l1 of business b1")
    expect((await why("cook"))?.why_not).toBe(
      "cook is not named by the event and not accountant in business b1, but cook",
    )
    // Another tenant's people and those who are nobody are the same.
    expect((await why("far"))?.why_not).toBe("far is no recipient of business b1")
    expect(JSON.stringify(await why("far", await adminOf("b1")))).not.toContain("Farah")
    expect((await why("nobody"))?.why_not).toBe("nobody is no recipient of business b1")
  })

  test("stores nothing", async () => {
    const rows = () =>
      hub.db.query(`select (select count(*) from events) + (select count(*) from notifications)
        + (select count(*) from gates) + (select count(*) from timers) + (select count(*) from recipients) as n`)
    const before = await rows()
    await explained({ event: { ...EVENT, payload: { ...EVENT.payload, owner_id: "new-person" } } })
    expect(await rows()).toEqual(before)
  })

  test("takes a recorded event by its id, where the caller may see it", async () => {
    const { id } = await jsonOf<{ id: string }>(hub.call("/v1/events", { json: EVENT }))
    expect((await explained({ event: id })).rules[0]).toMatchObject({ rule: "overdue", matched: true })
    expect((await explain({ event: id }, await adminOf("b1"))).status).toBe(200)
    await matchedOften("overdue", 1)
    expect((await explain({ event: id }, await adminOf("b2"))).status).toBe(404)
  })

  test("is for operators, and of another tenant's business there is none", async () => {
    expect((await explain({ event: EVENT }, SERVICE_KEY)).status).toBe(403)
    expect((await explain({ event: EVENT }, await adminOf("b2"))).status).toBe(404)
    expect((await explain({ event: EVENT }, await adminOf("b1"))).status).toBe(200)
  })

  test("what is wrong is pointed at", async () => {
    const pointers = async (json: object) =>
      (await jsonOf<{ errors: { pointer: string }[] }>(explain(json))).errors.map(({ pointer }) => pointer)
    expect(await pointers({})).toEqual(["/event"])
    expect(await pointers({ event: { source: "s" }, recipient: "a b", extra: 1 })).toEqual(["/extra", "/recipient"])
    expect(await pointers({ event: { source: "s" } })).toEqual(["/event/type"])
    expect(await pointers({ event: "nonsense" })).toEqual(["/event"])
    expect((await explain({ event: { ...EVENT, payload: { a: "x".repeat(300_000) } } })).status).toBe(413)
  })
})

interface Running {
  readonly rules: readonly { readonly name: string; readonly lately: Record<string, unknown> }[]
}
const lately = async () => new Map((await jsonOf<Running>(hub.call("/v1/rules"))).rules.map((r) => [r.name, r.lately]))
const matchedOften = (rule: string, times: number) =>
  eventually(lately, (all) => Number(all.get(rule)?.["matched"]) >= times, { withinMs: 5_000, what: "matches" })

test("the running set and the metrics say what each rule did lately", async () => {
  const before = Number((await lately()).get("overdue")?.["matched"])
  await hub.call("/v1/events", { json: { ...EVENT, payload: { days_overdue: 1, number: "INV-2" } } })
  await hub.call("/v1/events", { json: { ...EVENT, payload: { days_overdue: 8, number: "INV-3" } } })
  const now = await matchedOften("overdue", before + 1)
  expect(now.get("overdue")).toMatchObject({ matched: before + 1, last_matched_at: expect.any(String) })
  expect(Number(now.get("overdue")?.["notified"])).toBe(before + 1)
  expect(now.get("hooks")).toEqual({ matched: 0, notified: 0, suppressed: 0, failed: 0, last_matched_at: null })
  const metrics = await (await hub.call("/metrics")).text()
  expect(metrics).toContain(`hub_rule_matches_total{rule="overdue"} ${before + 1}`)
  expect(metrics).toMatch(/hub_rules_info\{revision="[0-9a-f]+"\} 1/)
  expect(metrics).toContain("hub_rules_loaded_timestamp_seconds ")
})
