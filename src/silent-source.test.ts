/** A source falls silent: from the rule files to the inbox, in a whole hub with the shipped rules. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { cp, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openDatabase } from "./store/database.ts"
import { eventually } from "./testing/eventually.ts"
import { jsonOf } from "./testing/front.ts"
import { startTestHub, type TestHub } from "./testing/start-hub.ts"

const rulesDir = await mkdtemp(join(tmpdir(), "hub-silent-"))
let hub: TestHub
beforeAll(async () => {
  await cp(join(import.meta.dir, "../rules"), rulesDir, { recursive: true })
  const sources = "sources:\n  - { source: zoho, business_id: b1, expect: { per: 6h } }\n"
  await writeFile(join(rulesDir, "own.yaml"), sources)
  hub = await startTestHub({ HUB_RULES_DIR: rulesDir })
})
afterAll(async () => {
  await hub.remove()
  await rm(rulesDir, { recursive: true, force: true })
})

interface Delivery {
  readonly channel: string
  readonly status: string
}
interface Trace {
  readonly event: object
  readonly notifications: readonly { readonly recipient: string; readonly deliveries: readonly Delivery[] }[]
}
const eventsOf = async (type: string): Promise<readonly { readonly id: string }[]> =>
  (await jsonOf<{ data: readonly { id: string }[] }>(hub.call(`/v1/events?type=${type}`))).data
/** The trace of the one event of a type, once all who are told of it were. */
async function told(type: string): Promise<Trace> {
  const [event] = await eventually(
    () => eventsOf(type),
    (found) => found.length > 0,
    { withinMs: 15_000, what: type },
  )
  return eventually(
    () => jsonOf<Trace>(hub.call(`/v1/events/${event?.id}/trace`)),
    ({ notifications }) =>
      notifications.length > 0 &&
      notifications.every(({ deliveries }) => deliveries.every(({ status }) => status === "captured")),
    { withinMs: 15_000, what: `who was told of ${type}` },
  )
}

test("its managers are told, in the inbox and by mail, that nothing comes, and that it is back; operators see it meanwhile", async () => {
  const manager = { business_id: "b1", roles: ["manager"], email: "m@example.com", name: "Mona", locale: "ar" }
  expect((await hub.call("/v1/recipients/mona", { method: "PUT", json: manager })).status).toBeLessThan(300)
  const other = { business_id: "b1", roles: ["admin"], email: "o@example.com", name: "Otto" }
  expect((await hub.call("/v1/recipients/otto", { method: "PUT", json: other })).status).toBeLessThan(300)
  const part = async () =>
    (await jsonOf<{ parts: { sources: Record<string, unknown> } }>(hub.call("/health/detailed"))).parts.sources
  expect(await part()).toEqual({ status: "up", promised: 1, silent: [] })
  expect(await jsonOf<unknown>(hub.call("/v1/rules"))).toMatchObject({
    sources: [{ source: "zoho", business_id: "b1", expected: "1 event per 6h", at: "rules/own.yaml:2:5" }],
  })

  // As another node leaves it that dies between noticing and telling: nobody has six hours for a test.
  const db = openDatabase({ url: hub.databaseUrl, max: 1, applicationName: "test" })
  await db.execute(`insert into silent_sources (source, business_id, key, expected, since, noticed_at, seen)
    values ('zoho', 'b1', 'a silence', '1 event per 6h', now() - interval '6 hours', now(), 0)`)
  await db.close()
  await writeFile(join(rulesDir, "other.yaml"), "sources:\n  - { source: tills, expect: { per: 2d } }\n")

  const silent = await told("source.silent")
  expect(silent.event).toMatchObject({ severity: "high", source: "hub", business_id: "b1" })
  const captured = { deliveries: [{ channel: "email", status: "captured" }] }
  const recipients = (trace: Trace): readonly string[] => trace.notifications.map(({ recipient }) => recipient).sort()
  expect(recipients(silent)).toEqual(["mona", "otto"])
  expect(silent.notifications).toMatchObject([captured, captured])
  const outbox = await (await hub.call("/v1/outbox")).text()
  for (const subject of ["لا شيء يصل من zoho", "Nothing comes from zoho"]) expect(outbox).toContain(subject)
  const degraded = {
    status: "degraded",
    promised: 2,
    count: 1,
    silent: [{ source: "zoho", expected: "1 event per 6h" }],
  }
  // It may have been told before the new file was loaded.
  await eventually(part, ({ promised }) => promised === 2, { withinMs: 10_000, what: "the second promise" })
  expect(await part()).toMatchObject(degraded)
  expect(await (await hub.call("/metrics")).text()).toContain("\nhub_silent_sources 1\n")

  const spoken = { type: "invoice.updated", source: "zoho", business_id: "b1", idempotency_key: "back" }
  expect((await hub.call("/v1/events", { json: spoken })).status).toBe(201)
  expect(recipients(await told("source.resumed"))).toEqual(["mona", "otto"])
  await eventually(part, ({ status }) => status === "up", { withinMs: 5_000, what: "the part `sources`" })
  expect([await eventsOf("source.silent"), await eventsOf("source.resumed")].map(({ length }) => length)).toEqual([
    1, 1,
  ])
}, 40_000)
