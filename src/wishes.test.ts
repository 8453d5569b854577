/** From a wish and a list, said over HTTP, to what is sent: through a whole hub. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { openDatabase } from "./store/database.ts"
import { eventually } from "./testing/eventually.ts"
import { jsonOf, tokenFor } from "./testing/front.ts"
import { type Folders, PLAIN_TEMPLATE, ruleFolders } from "./testing/rule-fixtures.ts"
import { startTestHub, type TestHub } from "./testing/start-hub.ts"

let folders: Folders
let hub: TestHub
beforeAll(async () => {
  folders = await ruleFolders({
    "rules/offers.yaml": `
rules:
  - name: offer
    event_type: offer.made
    actions:
      - { type: notify, to: { lists: [vip] }, channels: [inapp, email, sms], template: plain, category: offers }
`,
    ...PLAIN_TEMPLATE,
  })
  hub = await startTestHub({ HUB_RULES_DIR: folders.rulesDir, HUB_TEMPLATES_DIR: folders.templatesDir })
}, 30_000)
afterAll(async () => {
  await hub.remove()
  await folders.remove()
}, 30_000)

const ok = async (answer: Promise<Response>): Promise<void> => expect((await answer).status).toBeLessThan(300)
const hourOf = (offset: number): string => `${new Date(Date.now() + offset * 3_600_000).toISOString().slice(11, 13)}:00`

interface Trace {
  readonly status: string
  readonly notifications: readonly {
    readonly recipient: string
    readonly inbox: boolean
    readonly deliveries: readonly {
      readonly channel: string
      readonly status: string
      readonly reason: string | null
    }[]
  }[]
}

test("who is on a list is told as they wish: here not at all, there only when the night is over", async () => {
  for (const [n, id] of ["ann", "bob", "cid"].entries()) {
    const json = { business_id: "b1", email: `${id}@example.com`, phone: `+964770123456${n}` }
    await ok(hub.call(`/v1/recipients/${id}`, { method: "PUT", json }))
  }
  for (const id of ["ann", "bob"]) {
    await ok(hub.call(`/v1/lists/vip/members/${id}?business_id=b1`, { method: "PUT" }))
  }
  const key = await tokenFor({ sub: "ann", business_id: "b1" })
  const wishes = {
    categories: { offers: { email: false } },
    quiet_hours: { from: hourOf(-2), to: hourOf(3), timezone: "UTC" },
  }
  await ok(hub.call("/v1/prefs", { method: "PUT", key, json: wishes }))

  const event = { type: "offer.made", source: "shop", business_id: "b1", payload: {} }
  const { id } = await jsonOf<{ id: string }>(hub.call("/v1/events", { json: event }))
  const { notifications } = await eventually(
    () => jsonOf<Trace>(hub.call(`/v1/events/${id}/trace`)),
    (trace) =>
      trace.notifications.flatMap(({ deliveries }) => deliveries).filter(({ status }) => status === "captured")
        .length === 2,
    { withinMs: 10_000, what: "the offer" },
  )
  const told = notifications.map(({ recipient, inbox, deliveries }) => [
    recipient,
    inbox,
    Object.fromEntries(deliveries.map(({ channel, status, reason }) => [channel, reason === null ? status : reason])),
  ])
  expect(told.toSorted()).toEqual([
    ["ann", true, { email: "preference_category", sms: "quiet_hours" }],
    ["bob", true, { email: "captured", sms: "captured" }],
  ])
})

test("what was held for the morning is asked about again, as often as it is due: held, and dropped where the answer is no", async () => {
  const db = openDatabase({ url: hub.databaseUrl })
  const held = () =>
    db.query<{ status: string; reason: string; waits: boolean; asked: number }>(
      `select status, reason, coalesce(next_attempt_at > now() + interval '1 minute', false) as waits, forgiven as asked
       from deliveries d where channel = 'sms' and status <> 'captured'`,
    )
  const asked = async (times: number): Promise<unknown> => {
    await db.execute("update deliveries set next_attempt_at = now() where status = 'scheduled'")
    const [row] = await eventually(held, ([one]) => one?.asked === times, { withinMs: 10_000, what: "the question" })
    return row
  }
  const key = await tokenFor({ sub: "ann", business_id: "b1" })
  expect(await asked(1)).toEqual({ status: "scheduled", reason: "quiet_hours", waits: true, asked: 1 })
  await ok(hub.call("/v1/prefs", { method: "PUT", key, json: { channels: { sms: false } } }))
  expect(await asked(2)).toEqual({ status: "suppressed", reason: "preference_channel", waits: false, asked: 2 })
  await db.close()
})
