import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { DEFAULT_RETRY, type Outcome, settle } from "../domain/delivery.ts"
import type { HubEvent } from "../domain/event.ts"
import type { DeliveryId, RuleName } from "../domain/ids.ts"
import { isJsonObject, type JsonObject } from "../domain/json.ts"
import type { Plan } from "../domain/plan.ts"
import type { Database, Queryable, SqlValue } from "../store/database.ts"
import { claimDue, settleMany } from "../store/deliveries.ts"
import { getEvent, insertEvents } from "../store/events.ts"
import { routeBatch } from "../store/plans.ts"
import { incoming } from "../testing/builders.ts"
import { B1_KEY, type Front, jsonOf, SERVICE_KEY, startFront, tokenFor } from "../testing/front.ts"
import { seedDeliveries } from "../testing/seed-deliveries.ts"
import { seedNotifications } from "../testing/seed-notifications.ts"
import { deliveryRoutes } from "./deliveries.ts"
import { traceOf, traceRoutes } from "./trace.ts"

let front: Front
beforeAll(async () => {
  front = await startFront((parts) => [deliveryRoutes(parts), traceRoutes(parts)])
})
afterAll(() => front.stop())

const get = async (
  path: string,
  key?: string,
): Promise<{ status: number; body: JsonObject & { data: JsonObject[] } }> => {
  const answer = await front.call(path, key === undefined ? {} : { key })
  return { status: answer.status, body: await jsonOf<JsonObject & { data: JsonObject[] }>(answer) }
}

describe("deliveries", () => {
  test("are found by notification, status and channel, and read one by one", async () => {
    const [item] = await seedNotifications(front.db, "ann", ["one"])
    const { body } = await get(`/v1/deliveries?notification_id=${item?.id}&status=queued&channel=sms`, SERVICE_KEY)
    expect(body.data).toHaveLength(1)
    const one = await get(`/v1/deliveries/${String(body.data[0]?.["id"])}`, SERVICE_KEY)
    expect(one.body).toMatchObject({
      event_id: item?.event,
      notification_ids: [item?.id],
      rule: "a-rule",
      status: "queued",
      attempts: [],
    })
    expect((await get(`/v1/deliveries?notification_id=${item?.id}&status=dead`, SERVICE_KEY)).body.data).toEqual([])
  })

  test("say of each try what the provider said and why it is or is not the last one", async () => {
    const [id = ""] = await seedDeliveries(front.db, [{ channel: "voice" }])
    const outcomes: readonly Outcome[] = [
      { kind: "retry", reason: "provider_error", detail: "502", retryAfterMs: null },
      { kind: "retry", reason: "rate_limited", detail: "429", retryAfterMs: 60_000 },
      { kind: "unusable", reason: "bad_credential", detail: "401" },
      { kind: "unknown", reason: "timeout", detail: "no answer" },
      { kind: "rejected", reason: "bad_number", detail: "21211" },
    ]
    const seen: unknown[] = []
    for (const outcome of outcomes) {
      await front.db.execute("update deliveries set next_attempt_at = now() where id = $1", [id])
      const claimed = await claimDue(front.db, { channel: "voice", limit: 1, owner: "a", leaseMs: 15_000 })
      expect((await get(`/v1/deliveries/${id}`)).body["next"]).toMatchObject({ again: true, code: "sending" })
      const items = claimed.map(({ attempt, tries, ageMs }) => {
        const settlement = settle({ attempt: tries, ageMs }, outcome, DEFAULT_RETRY, 0.5)
        return { id: id as DeliveryId, attempt, outcome, settlement } // seeded under that id
      })
      await settleMany(front.db, "a", items)
      const { next } = (await get(`/v1/deliveries/${id}`)).body
      seen.push(isJsonObject(next) ? [next["again"], next["code"], typeof next["at"]] : next)
    }
    expect(seen).toEqual([
      [true, "backoff", "string"],
      [true, "throttled", "string"],
      [true, "account", "string"],
      [true, "may_repeat", "string"],
      [false, "permanent", "object"],
    ])
    const { body } = await get(`/v1/deliveries/${id}`)
    expect(body).toMatchObject({
      status: "dead",
      next_attempt_at: null,
      next: { at: null, sentence: expect.stringContaining("It is among the dead letters") },
      attempts: [
        { outcome: "retry", reason: "provider_error", detail: "502", next: { again: true, code: "backoff" } },
        { detail: "429", next: { code: "throttled", sentence: expect.stringContaining("asked for patience") } },
        { outcome: "unusable", next: { again: true, code: "account" } },
        { outcome: "unknown", next: { again: true, code: "may_repeat" } },
        { detail: "21211", next: { again: false, code: "permanent", at: null } },
      ],
    })
  })

  test("a wrong filter is refused with its pointer", async () => {
    const { status, body } = await get("/v1/deliveries?status=odd&channel=pigeon&event_id=evt_1", SERVICE_KEY)
    expect(status).toBe(422)
    expect(body["errors"]).toMatchObject([{ pointer: "?status" }, { pointer: "?channel" }, { pointer: "?event_id" }])
  })

  test("of another business are 404 one by one and absent from the list", async () => {
    const [id] = await seedDeliveries(front.db, [{ business: "b9" }])
    expect((await get(`/v1/deliveries/${id}`, B1_KEY)).status).toBe(404)
    expect((await get("/v1/deliveries?limit=200", B1_KEY)).body.data.map((d) => d["id"])).not.toContain(id)
    expect((await get(`/v1/deliveries/${id}`, SERVICE_KEY)).status).toBe(200)
  })

  test("are not for people without a role", async () => {
    expect((await get("/v1/deliveries", await tokenFor({ sub: "u1", business_id: "b1" }))).status).toBe(403)
  })
})

describe("a trace", () => {
  test("tells what was decided, who was told and what became of each message", async () => {
    const [item] = await seedNotifications(front.db, "bob", ["one"])
    const { body } = await get(`/v1/events/${item?.event}/trace`, SERVICE_KEY)
    expect(body).toMatchObject({
      event: { id: item?.event, type: "test.happened" },
      status: "routed",
      rules: [{ rule: "a-rule", matched: true, reason: "payload.n (1) >= 1 is true" }],
      notifications: [
        { id: item?.id, recipient: "bob", deliveries: [{ channel: "sms", status: "queued", reason: null }] },
      ],
    })
  })

  test.each(["routes", "notifications", "deliveries"])(
    "that is read while its router commits, just before its %s, shows all of what was stored or none",
    async (table) => {
      const [stored] = await insertEvents(front.db, [incoming()], Date.now())
      const event = stored === undefined ? null : await getEvent(front.db, stored.id)
      if (event === null) throw new Error("it was stored")
      const routedBefore = (asked: Queryable): Queryable => ({
        ...asked,
        async query<Row>(text: string, values?: readonly SqlValue[]) {
          // Routes whatever waits: the event too.
          if (text.includes(`from ${table} `)) await seedNotifications(front.db, "late", ["one"])
          return asked.query<Row>(text, values)
        },
      })
      const meanwhile: Database = {
        ...front.db,
        ...routedBefore(front.db),
        transaction: (run, first) => front.db.transaction((tx) => run(routedBefore(tx)), first),
      }
      const seen = [await traceOf(meanwhile, event), await traceOf(front.db, event)]
      const all = { status: "routed", notifications: [{ recipient: "late", deliveries: [{ channel: "sms" }] }] }
      expect(seen[0]).toMatchObject(seen[0]?.["status"] === "routed" ? all : { status: "waiting", notifications: [] })
      expect(seen[1]).toMatchObject(all)
    },
  )

  test("says of a rule that fits and could not be carried out both, in one entry", async () => {
    const [stored] = await insertEvents(front.db, [incoming()], Date.now())
    const rule = "a-rule" as RuleName // rule names need no check in a test
    const plan = (event: HubEvent): Plan => ({
      event,
      rulesRevision: "r1",
      decisions: [{ rule, matched: true, reason: "payload.n (1) >= 1 is true" }],
      failures: [{ rule, reason: "sms: it.payload.gone is missing" }],
      notifications: [],
      deliveries: [],
      newRecipients: [],
      timers: [],
      gathered: [],
      broadcasts: [],
    })
    await routeBatch(front.db, 10, async (events) => events.map(plan))
    const { body } = await get(`/v1/events/${stored?.id}/trace`, SERVICE_KEY)
    expect(body).toMatchObject({
      status: "failed",
      reason: "1 rule listens to this type of event, 1 matched, not all could be carried out",
      rules: [
        {
          rule: "a-rule",
          matched: true,
          failed: true,
          reason: "payload.n (1) >= 1 is true; sms: it.payload.gone is missing",
        },
      ],
    })
  })

  test("of an event that waits says so, and of another tenant's there is none", async () => {
    const [stored] = await insertEvents(front.db, [incoming({ business: incoming().event.business })], Date.now())
    const { body } = await get(`/v1/events/${stored?.id}/trace`, SERVICE_KEY)
    expect(body).toMatchObject({ status: "waiting", rules: [], notifications: [] })
    const key = await tokenFor({ sub: "s", roles: ["service"], tenants: [{ business: "b2" }] })
    expect((await get(`/v1/events/${stored?.id}/trace`, key)).status).toBe(404)
  })
})
