/** Every change of what people agree to, and every act of an operator, is in the audit log: through a whole hub. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { keysCreate, keysRevoke } from "./cli/keys.ts"
import { eventually } from "./testing/eventually.ts"
import { jsonOf, SERVICE_KEY, tokenFor } from "./testing/front.ts"
import { runCommand } from "./testing/hub-command.ts"
import { startTestHub, type TestHub, testEnvironment } from "./testing/start-hub.ts"

let hub: TestHub
const folder = mkdtempSync(join(tmpdir(), "hub-audited-"))
beforeAll(async () => {
  hub = await startTestHub()
})
afterAll(async () => {
  await hub.remove()
  rmSync(folder, { recursive: true, force: true })
})

interface Entry {
  readonly action: string
  readonly actor: string
  readonly businesses: readonly string[] | null
  readonly detail: Readonly<Record<string, unknown>>
}
const entries = async (): Promise<readonly Entry[]> =>
  (await jsonOf<{ data: readonly Entry[] }>(hub.call("/admin/audit"))).data
/** What was noted of it, oldest first. */
async function noted(doing: () => Promise<unknown>): Promise<readonly Entry[]> {
  const before = (await entries()).length
  await doing()
  const after = await entries()
  return after.slice(0, after.length - before).toReversed()
}
const ok = async (answer: Promise<Response>): Promise<void> => expect((await answer).status).toBeLessThan(300)

test("a change of preferences is noted with who made it, and what changes nothing is not", async () => {
  const key = await tokenFor({ sub: "ann", business_id: "b1" })
  const no = { channels: { sms: false } }
  expect(await noted(() => ok(hub.call("/v1/prefs", { method: "PUT", key, json: no })))).toMatchObject([
    {
      action: "preferences.change",
      actor: "person:ann",
      businesses: ["b1"],
      detail: { recipient_id: "ann", channels: { sms: false } },
    },
  ])
  expect(await noted(() => ok(hub.call("/v1/prefs", { method: "PUT", key, json: no })))).toEqual([])
  await ok(hub.call("/v1/recipients/ann", { method: "PUT", key: SERVICE_KEY, json: { business_id: "b1" } }))
  const yes = { channels: { sms: true } }
  expect(await noted(() => ok(hub.call("/v1/recipients/ann/prefs", { key: SERVICE_KEY, json: yes })))).toMatchObject([
    { action: "preferences.change", actor: "key:setting-2", detail: { channels: { sms: true } } },
  ])
})

test("a browser's yes and no are noted, once for however many pages say it", async () => {
  const key = await tokenFor({ sub: "ann", business_id: "b1" })
  const endpoint = "https://push.example.com/1"
  const p256dh = Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 1)]).toString("base64url")
  const json = { endpoint, keys: { p256dh, auth: Buffer.alloc(16, 1).toString("base64url") } }
  const on = () => ok(hub.call("/v1/push/subscriptions", { key, json }))
  const off = () => ok(hub.call("/v1/push/subscriptions", { method: "DELETE", key, json: { endpoint } }))
  const actions = (await noted(async () => [await on(), await on(), await off()])).map(({ action, actor }) => [
    action,
    actor,
  ])
  expect(actions).toEqual([
    ["push.subscribe", "person:ann"],
    ["push.unsubscribe", "person:ann"],
  ])
})

test("STOP and START are noted by the address's hash, and no address is", async () => {
  const phone = "+9647701234567"
  await ok(hub.call("/v1/recipients/tom", { method: "PUT", json: { business_id: "b1", phone } }))
  const json = { type: "MARGIN_CALL", source: "risk", severity: "high", business_id: "b1", payload: MARGIN }
  await ok(hub.call("/v1/events", { json }))
  const [delivery] = await eventually(
    () => jsonOf<{ data: readonly { id: string }[] }>(hub.call("/v1/outbox?channel=sms")).then(({ data }) => data),
    (data) => data.length === 1,
    { withinMs: 10_000, what: "the text message" },
  )
  const answer = (text: string) => () =>
    ok(hub.call("/admin/outbox/answers", { json: { delivery_id: delivery?.id, answer: "reply", text } }))
  const stopped = await noted(answer("STOP"))
  expect(stopped).toMatchObject([
    { action: "outbox.answer", actor: "key:setting-1" },
    { action: "address.stop", detail: { channel: "sms", reason: "stop" } },
  ])
  expect(await noted(answer("START"))).toMatchObject([
    { action: "outbox.answer" },
    { action: "address.resume", actor: stopped[1]?.actor ?? "?" },
  ])
  expect(JSON.stringify(await entries())).not.toContain("9647701234567")
})

const MARGIN = {
  account_id: "acc-1",
  account_name: "Al Noor",
  trader_id: "tom",
  margin_required: 2,
  equity: 1,
  shortfall: 1,
  currency: "IQD",
}

test("keys that are made and revoked, recipients that are deleted, parts that are restarted: each is noted", async () => {
  const env = testEnvironment(hub.databaseUrl, folder)
  const made = await noted(() => runCommand(keysCreate, ["--name", "erp", "--business", "b1"], env))
  expect(made).toMatchObject([
    { action: "key.create", actor: "cli", businesses: ["b1"], detail: { name: "erp", scope: "service" } },
  ])
  const id = String(made[0]?.detail["id"])
  expect(await noted(() => runCommand(keysRevoke, [id], env))).toMatchObject([{ action: "key.revoke", detail: { id } }])
  expect(await noted(() => runCommand(keysRevoke, [id], env))).toEqual([])
  const remove = () => hub.call("/v1/recipients/tom", { method: "DELETE", key: SERVICE_KEY })
  expect(await noted(remove)).toMatchObject([
    { action: "recipient.delete", actor: "key:setting-2", detail: { recipient_id: "tom", everywhere: true } },
  ])
  expect(await noted(remove)).toEqual([])
  const restart = () => ok(hub.call("/admin/actors/router/restart", { method: "POST" }))
  expect(await noted(restart)).toMatchObject([{ action: "actor.restart", detail: { actor: "router" } }])
  const fail = () =>
    ok(hub.call("/admin/outbox/failures", { json: { channel: "sms", failure: "rate_limited", times: 1 } }))
  expect(await noted(fail)).toMatchObject([{ action: "outbox.fail", detail: { channel: "sms" } }])
  const { first_broken } = await jsonOf<{ first_broken: number | null }>(hub.call("/admin/audit?verify=true"))
  expect(first_broken).toBeNull()
})

test("whoever adds an operator's action decides here that it is noted", async () => {
  const { paths } = await jsonOf<{ paths: Record<string, Record<string, unknown>> }>(hub.call("/openapi.json"))
  const acts = Object.entries(paths).flatMap(([path, methods]) =>
    path.startsWith("/admin/") ? Object.keys(methods).flatMap((method) => (method === "get" ? [] : [path])) : [],
  )
  expect(acts.sort()).toEqual([
    "/admin/actors/{id}/restart",
    "/admin/dlq/replay",
    "/admin/outbox/answers",
    "/admin/outbox/failures",
    "/admin/sockets/kick",
  ])
})
