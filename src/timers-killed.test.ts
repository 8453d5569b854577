/** Rules in time survive a kill: what was to happen later happens once, by whoever is there then. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { type Database, openDatabase } from "./store/database.ts"
import { upsertRecipients } from "./store/recipients.ts"
import { business, recipient } from "./testing/builders.ts"
import { eventually } from "./testing/eventually.ts"
import { SERVICE_KEY } from "./testing/front.ts"
import { type HubProcess, startHubProcess } from "./testing/hub-process.ts"
import { type TestDatabase, testDatabase } from "./testing/postgres.ts"
import { type Folders, PLAIN_TEMPLATE, ruleFolders } from "./testing/rule-fixtures.ts"

const rule = (name: string, type: string, more: string): string => `
  - name: ${name}
    event_type: ${type}
    actions:
      - { type: notify, to: { roles: [r] }, channels: [inapp, sms], template: plain, ${more} }`

let database: TestDatabase
let db: Database
let folders: Folders
beforeAll(async () => {
  database = await testDatabase()
  db = openDatabase({ url: database.url })
  const rules = [
    rule("waits", "test.waits", "delay: 3s"),
    rule("gathers", "test.gathers", "digest: { window: 3s }"),
    rule("climbs", "test.climbs", "escalate: [{ after: 3s, channels: [sms] }, { after: 4s, channels: [sms] }]"),
  ]
  folders = await ruleFolders({ ...PLAIN_TEMPLATE, "rules/a.yaml": `rules:${rules.join("")}\n` })
  const member = { business: business("b1"), locations: null, roles: ["r"] }
  await upsertRecipients(db, [recipient("ann", { phone: "+9647700000001", memberships: [member] })], null)
})
afterAll(async () => {
  await db.close()
  await folders.remove()
  await database.drop()
})

const start = (): Promise<HubProcess> =>
  startHubProcess({
    databaseUrl: database.url,
    settings: { HUB_RULES_DIR: folders.rulesDir, HUB_TEMPLATES_DIR: folders.templatesDir },
  })

test("a hub that is killed with open timers fires them all after its restart, and each once", async () => {
  const killed = await start()
  const types = ["test.waits", "test.waits", "test.gathers", "test.gathers", "test.gathers", "test.climbs"]
  for (const type of types) {
    const answer = await fetch(`http://127.0.0.1:${killed.port}/v1/events`, {
      method: "POST",
      headers: { authorization: `Bearer ${SERVICE_KEY}`, "content-type": "application/json" },
      body: JSON.stringify({ type, source: "tests", business_id: "b1", payload: {} }),
    })
    expect(answer.status).toBe(201)
  }
  const timers = () =>
    db.query<{ rule: string; step: number; outcome: string | null }>(
      "select rule, step, outcome from timers order by rule, step",
    )
  await eventually(timers, (all) => all.length === 4, { withinMs: 5_000, everyMs: 10, what: "timers of the events" })
  killed.signal("SIGKILL")
  expect(await killed.exited).toBe("SIGKILL")
  expect((await timers()).map(({ outcome }) => outcome)).toContain(null)

  const next = await start()
  const done = (all: readonly { readonly outcome: string | null }[]): boolean =>
    all.length === 5 && all.every(({ outcome }) => outcome !== null)
  expect(await eventually(timers, done, { withinMs: 15_000, what: "the timers" })).toEqual([
    { rule: "climbs", step: 0, outcome: "fired" },
    { rule: "climbs", step: 1, outcome: "fired" },
    { rule: "gathers", step: 0, outcome: "fired" },
    { rule: "waits", step: 0, outcome: "fired" },
    { rule: "waits", step: 0, outcome: "fired" },
  ])
  const told = await db.query(`select n.rule, count(distinct n.id)::int as items, count(d.id)::int as messages
    from notifications n left join deliveries d on n.id = any(d.notification_ids) where n.inbox group by n.rule order by n.rule`)
  expect(told).toEqual([
    { rule: "climbs", items: 1, messages: 3 },
    { rule: "gathers", items: 1, messages: 1 },
    { rule: "waits", items: 2, messages: 2 },
  ])
  expect(await db.query("select 1 from timers where done_at < due_at")).toEqual([])
  next.signal("SIGTERM")
  expect(await next.exited).toBe(0)
}, 40_000)
