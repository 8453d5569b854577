import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import type { EventId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import { insertEvents } from "../store/events.ts"
import { endUnrouted } from "../store/plans.ts"
import { getRoute } from "../store/routes.ts"
import { incoming } from "../testing/builders.ts"
import { type Front, jsonOf, SERVICE_KEY, startFront, tokenFor } from "../testing/front.ts"
import { seedDeliveries } from "../testing/seed-deliveries.ts"
import { auditRoutes } from "./audit.ts"
import { deliveryRoutes } from "./deliveries.ts"
import { dlqRoutes } from "./dlq.ts"

let front: Front
beforeAll(async () => {
  front = await startFront((parts) => [deliveryRoutes(parts), dlqRoutes(parts), auditRoutes(parts)])
})
afterAll(() => front.stop())

const get = async (path: string, key?: string) =>
  jsonOf<JsonObject & { data: JsonObject[] }>(front.call(path, key === undefined ? {} : { key }))
const become = (id: string, status: string, reason: string | null = null): Promise<number> =>
  front.db.execute(
    `update deliveries set status = $2, reason = $3, attempt = 3, next_attempt_at = null, settled_at = now(), account = 'own'
    where id = $1`,
    [id, status, reason],
  )
const replay = (json: unknown, key?: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> =>
  front.call("/admin/dlq/replay", { json, headers, ...(key === undefined ? {} : { key }) })
const operatorOf = (business: string): Promise<string> =>
  tokenFor({ sub: "op", roles: ["admin"], tenants: [{ business }] })

/** Dead letters of a business that nobody else uses. */
const dead = async (business: string, count: number): Promise<readonly string[]> => {
  const ids = await seedDeliveries(
    front.db,
    Array.from({ length: count }, () => ({ business })),
  )
  for (const id of ids) await become(id, "dead", "attempts_exhausted")
  return ids
}

describe("dead letters", () => {
  test("are listed with their counts by cause, and by a filter", async () => {
    const ids = await seedDeliveries(front.db, [{ business: "dead" }, { business: "dead" }, { business: "dead" }])
    for (const id of ids.slice(0, 2)) await become(id, "dead", "attempts_exhausted")
    await become(ids[2] ?? "", "unknown", "timeout")
    const key = await operatorOf("dead")
    const body = await get("/admin/dlq", key)
    expect(body.data).toHaveLength(3)
    const cause = { channel: "telegram", account: "own", rule: "a-rule" }
    const silent = { ...cause, status: "unknown", reason: "timeout", count: 1 }
    expect(body["groups"]).toEqual([{ ...cause, status: "dead", reason: "attempts_exhausted", count: 2 }, silent])
    const some = await get("/admin/dlq?status=unknown&since=2020-01-01T00:00:00Z&limit=5", key)
    expect([some.data.length, some["groups"]]).toEqual([1, [silent]])
    const first = await get("/admin/dlq?limit=2", key)
    expect(first["page_info"]).toMatchObject({ has_more: true })
    expect((await get(`/admin/dlq?limit=2&after=${String(first.data[1]?.["id"])}`, key)).data).toHaveLength(1)
  })

  test("a filter with a word too many or a wrong one is refused with its pointer", async () => {
    const answer = await front.call("/admin/dlq?chanel=sms&status=odd&since=monday")
    expect(answer.status).toBe(422)
    expect(await answer.json()).toMatchObject({
      errors: [{ pointer: "?chanel" }, { pointer: "?status" }, { pointer: "?since" }],
    })
  })
})

describe("a replay", () => {
  test("of one queues it, wakes its channel and is in the audit log; the second is a conflict", async () => {
    const [id = ""] = await dead("one", 1)
    const mark = front.news.length
    const answer = await replay({ job_id: id })
    expect(answer.status).toBe(202)
    const body = await jsonOf<JsonObject>(answer)
    expect(body).toMatchObject({ replayed: 1, job_id: id, status: "queued" })
    expect(front.news.slice(mark).flat()).toEqual([{ kind: "deliveries_due", channels: ["telegram"] }])
    expect(await get(`/v1/deliveries/${id}`)).toMatchObject({ status: "queued", reason: "replayed" })
    expect((await replay({ job_id: id })).status).toBe(409)
    const audit = await get("/admin/audit?limit=1&verify=true")
    expect(audit).toMatchObject({
      data: [{ seq: body["audit"], action: "dlq.replay", detail: { asked: { job_id: id } } }],
    })
    expect(audit["first_broken"]).toBeNull()
  })

  test("of a filter says first what it would do, does it once, and says the same to whoever asks again", async () => {
    const key = await operatorOf("many")
    await dead("many", 3)
    const asked = { filter: { reason: "attempts_exhausted" }, per_second: 100 }
    const dry = await replay({ ...asked, dry_run: true }, key)
    expect([dry.status, await dry.json()]).toMatchObject([
      200,
      { dry_run: true, matched: 3, late: 0, groups: [{ count: 3 }] },
    ])
    expect((await get("/admin/dlq", key)).data).toHaveLength(3)
    const first = await replay({ ...asked, replay_id: "r1" }, key)
    const done = await jsonOf<JsonObject>(first)
    expect([first.status, done]).toMatchObject([
      202,
      { replayed: 3, left: 0, channels: { telegram: 3 }, replay_id: "r1" },
    ])
    const again = await replay(asked, key, { "idempotency-key": "r1" })
    expect([again.status, again.headers.get("idempotent-replayed"), await jsonOf<JsonObject>(again)]).toEqual([
      202,
      "true",
      done,
    ])
    expect((await replay({ filter: {}, replay_id: "r1" }, key)).status).toBe(422)
    expect((await get("/admin/dlq", key)).data).toHaveLength(0)
    const audit = await get("/admin/audit", key)
    expect(audit.data).toMatchObject([{ actor: "person:op", businesses: ["many"], detail: { replayed: 3 } }])
  })

  test("of another business cannot be done, and it looks as if there were none", async () => {
    const [id = ""] = await dead("b2", 1)
    const key = await operatorOf("b1")
    expect((await replay({ job_id: id }, key)).status).toBe(404)
    expect((await replay({ job_id: id, dry_run: true }, key)).status).toBe(404)
    expect(await jsonOf<JsonObject>(replay({ filter: { business_id: "b2" } }, key))).toMatchObject({ replayed: 0 })
    expect((await replay({ job_id: id }, SERVICE_KEY)).status).toBe(403)
    expect((await front.call("/admin/audit", { key: SERVICE_KEY })).status).toBe(403)
    expect(await jsonOf<JsonObject>(replay({ job_id: id, dry_run: true }))).toMatchObject({ matched: 1 })
  })

  test("of one whose rule's time is over is refused, and its preview says so", async () => {
    const [id = ""] = await dead("late", 1)
    await front.db.execute("update deliveries set expires_at = now() where id = $1", [id])
    expect(await jsonOf<JsonObject>(replay({ job_id: id, dry_run: true }))).toMatchObject({ matched: 0, late: 1 })
    expect((await replay({ job_id: id })).status).toBe(409)
  })

  test.each([
    [{ job_id: "dlv_1" }, "/job_id"],
    [{}, "/job_id"],
    [{ job_id: "dlv_1", filter: {} }, "/job_id"],
    [{ filter: { chanel: "sms" } }, "/filter/chanel"],
    [{ filter: { channel: "pigeon" } }, "/filter/channel"],
    [{ filter: [] }, "/filter"],
    [{ filter: {}, per_second: 0 }, "/per_second"],
    [{ filter: {}, dry_run: "yes" }, "/dry_run"],
    [{ filter: {}, replay_id: "" }, "/replay_id"],
    [{ filter: {}, all: true }, "/all"],
    [{ filter: { toString: "telegram" } }, "/filter/toString"],
    [{ job_id: "evt_01m7yse497e528j64yfawj800q", dry_run: "yes" }, "/dry_run"],
    [{ job_id: "evt_01m7yse497e528j64yfawj800q", all: true }, "/all"],
    [{ filter: { reason: "a\0b" } }, "/filter/reason"],
    [[], ""],
  ])("that is asked for as %j is refused at %j", async (json, pointer) => {
    const answer = await replay(json)
    expect([answer.status, await jsonOf<JsonObject>(answer)]).toMatchObject([422, { errors: [{ pointer }] }])
  })

  test("by an id that differs in the header and the body is refused", async () => {
    expect((await replay({ filter: {}, replay_id: "a" }, undefined, { "idempotency-key": "b" })).status).toBe(422)
  })
})

describe("an event of which something failed", () => {
  test("is routed again by its id, once for each time that it fails, and the audit log says who wished it", async () => {
    const [stored] = await insertEvents(front.db, [incoming()], Date.now())
    const id = String(stored?.id)
    expect((await replay({ job_id: id })).status).toBe(409)
    await endUnrouted(front.db, id as EventId, "r1", "a hub ended 3 times while it routed this event: nobody is told")
    expect((await replay({ job_id: id }, await operatorOf("others"))).status).toBe(404)
    expect(await jsonOf<JsonObject>(replay({ job_id: id, dry_run: true }))).toMatchObject({ replayed: 0, matched: 1 })
    expect(await front.db.query("select from routing_queue")).toEqual([])
    const answer = await replay({ job_id: id })
    expect(answer.status).toBe(202)
    expect(await answer.json()).toMatchObject({ replayed: 1, job_id: id, status: "queued" })
    expect(await front.db.query("select event_id, attempts, crashes from routing_queue")).toEqual([
      { event_id: id, attempts: 1, crashes: 0 },
    ])
    expect(await getRoute(front.db, id as EventId)).toBeNull()
    expect((await get("/admin/audit")).data[0]).toMatchObject({ action: "event.route", detail: { event_id: id } })
    expect((await replay({ job_id: id })).status).toBe(409)
    expect(await jsonOf<JsonObject>(replay({ job_id: id, dry_run: true }))).toMatchObject({ matched: 0 })
    for (const dry_run of [true, false])
      expect((await replay({ job_id: "evt_01m7yse497e528j64yfawj800q", dry_run })).status).toBe(404)
  })
})
