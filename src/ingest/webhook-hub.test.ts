/** Signed webhooks in a whole hub: from a change in Zoho to somebody's inbox, and what operators see of strangers. */
import { afterAll, beforeAll, expect, test } from "bun:test"
import { Webhook } from "standardwebhooks"
import type { JsonObject } from "../domain/json.ts"
import { eventually } from "../testing/eventually.ts"
import { jsonOf, tokenFor } from "../testing/front.ts"
import { startTestHub, type TestHub } from "../testing/start-hub.ts"
import { zohoRequest } from "../testing/zoho-sender.ts"

const ZOHO = "mysecretkey12"
const CRM = `whsec_${Buffer.alloc(32, 1).toString("base64")}`

let hub: TestHub
beforeAll(async () => {
  hub = await startTestHub({ ZOHO_WEBHOOK_SECRET: ZOHO, HUB_WEBHOOK_SOURCES: `crm:b1:${CRM}` })
  const accountant = { memberships: [{ business_id: "b1", roles: ["accountant"] }] }
  expect((await hub.call("/v1/recipients/acc-1", { method: "PUT", json: accountant })).status).toBeLessThan(300)
})
afterAll(() => hub.remove())

test("an invoice that is paid in Zoho Books is in the accountant's inbox, once", async () => {
  const paid = async (number: string): Promise<number> => {
    const invoice = { invoice_id: "982", invoice_number: number, amount: 40.6, currency: "USD" }
    const query = [
      ["entity", "invoice"],
      ["op", "paid"],
    ] as const
    const { path, ...request } = zohoRequest("b1", { query, body: JSON.stringify({ invoice }) }, ZOHO)
    return (await hub.call(path, request)).status
  }
  expect([await paid("INV-7"), await paid("INV-7"), await paid("INV-8")]).toEqual([201, 200, 201])
  const key = await tokenFor({ sub: "acc-1", business_id: "b1" })
  const titles = async () => {
    const { data } = await jsonOf<{ data: readonly JsonObject[] }>(hub.call("/v1/notifications", { key }))
    return data.map(({ title }) => title)
  }
  const wanted = ["Invoice INV-8 is paid", "Invoice INV-7 is paid"]
  const settled = { withinMs: 10_000, what: "the inbox" }
  expect(await eventually(titles, (found) => found.includes(wanted[0] ?? ""), settled)).toEqual(wanted)
})

test("a Standard Webhook is an event that its business can read", async () => {
  const body = JSON.stringify({ type: "lead.won", data: { id: 1 } })
  const at = new Date()
  const answer = await hub.call("/v1/sources/webhook/crm", {
    method: "POST",
    key: null,
    body,
    headers: {
      "content-type": "application/json",
      "webhook-id": "msg_1",
      "webhook-timestamp": String(Math.floor(at.getTime() / 1_000)),
      "webhook-signature": new Webhook(CRM).sign("msg_1", at, body),
    },
  })
  expect(answer.status).toBe(201)
  const { id } = await jsonOf<{ id: string }>(answer)
  const key = await tokenFor({ sub: "boss", role: "admin", business_id: "b1" })
  expect(await jsonOf(hub.call(`/v1/events/${id}`, { key }))).toMatchObject({
    type: "lead.won",
    source: "crm",
    business_id: "b1",
    payload: { id: 1 },
  })
})

test("strangers are counted, and what its sender should mend is in the list of the rejected", async () => {
  await hub.call("/v1/sources/zoho/b1", { method: "POST", key: null, body: "{}" })
  await hub.call("/v1/sources/webhook/crm", { method: "POST", key: null, body: "{}" })
  const { path, ...request } = zohoRequest("b1", { query: [["entity", "payslip"]], body: "{}" }, ZOHO)
  expect((await hub.call(path, request)).status).toBe(422)
  const metrics = await (await hub.call("/metrics")).text()
  for (const via of ["zoho", "webhook"])
    expect(metrics).toContain(`hub_events_rejected_total{via="${via}",code="unauthenticated"} 1`)
  const { data } = await jsonOf<{ data: readonly JsonObject[] }>(hub.call("/admin/rejected"))
  expect(data).toMatchObject([{ via: "zoho", code: "invalid", business_id: "b1", raw: "{}" }])
})
