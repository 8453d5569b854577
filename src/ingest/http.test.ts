import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import { asEventId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import { getEvent } from "../store/events.ts"
import { B1_KEY, type CallOptions, type Front, SERVICE_KEY, startFront, tokenFor } from "../testing/front.ts"
import { createAccept } from "./accept.ts"
import { ingestRoutes } from "./http.ts"

let front: Front
beforeAll(async () => {
  front = await startFront((parts) => [ingestRoutes({ ...parts, accept: createAccept(parts) })])
})
afterAll(() => front.stop())

interface Answered {
  readonly status: number
  readonly body: JsonObject
  readonly headers: Headers
}
const answered = async (response: Response): Promise<Answered> => ({
  status: response.status,
  body: (await response.json()) as JsonObject,
  headers: response.headers,
})
const post = async (json: unknown, options: CallOptions = {}, path = "/v1/events"): Promise<Answered> =>
  answered(await front.call(path, { json, ...options }))
const postRaw = async (
  body: string,
  type: string,
  headers: Record<string, string> = {},
  path = "/v1/events",
): Promise<Answered> => answered(await front.call(path, { body, headers: { "content-type": type, ...headers } }))
const stored = async (answer: Answered) => {
  const event = await getEvent(
    front.db,
    asEventId(String(answer.body["id"])) ??
      (() => {
        throw new Error(JSON.stringify(answer))
      })(),
  )
  if (event === null) throw new Error("not stored")
  return event
}
const errorsOf = (answer: Answered): unknown => answer.body["errors"]

const ERP = {
  event_type: "stock.low",
  source_module: "inventory",
  producer_idempotency_key: "s-1",
  severity: "warning",
  occurred_at: "2025-01-08T10:00:00",
  business_id: 12,
  branch_id: "br-1",
  correlation_id: "c-1",
  payload: { sku: "A-1" },
}
const TRADING = {
  type: "ORDER_FILLED",
  producer: "oms",
  dedupe_key: "d-1",
  event_id: "e-1",
  business_id: "b1",
  payload: { qty: 2 },
}
const CLOUD = {
  specversion: "1.0",
  id: "ce-1",
  source: "/erp/sales",
  type: "order.created",
  time: "2025-01-08T13:00:00+03:00",
  businessid: "b1",
  locationid: "l1",
  correlationid: "c-2",
  severity: "high",
  subject: "order/7",
  traceparent: "00-ab",
  data: { order: 7 },
}

describe("the four spellings of an event", () => {
  test("the canonical one needs a type and a source, and has defaults for the rest", async () => {
    const before = Date.now()
    const answer = await post({ type: "invoice.overdue", source: "invoicing" })
    expect(answer.status).toBe(201)
    expect(answer.body).toEqual({ id: expect.stringMatching(/^evt_/), status: "accepted" })
    const event = await stored(answer)
    expect(event).toMatchObject({
      type: "invoice.overdue",
      source: "invoicing",
      severity: "info",
      business: "default",
      location: null,
      payload: {},
      idempotencyKey: null,
    })
    expect(event.occurredAt).toBeGreaterThanOrEqual(before)
  })

  test("a JSON null is a field that was not given", async () => {
    const answer = await post({
      type: "t",
      source: "s",
      severity: null,
      payload: null,
      occurred_at: null,
      business_id: null,
      location_id: null,
      idempotency_key: null,
      correlation_id: null,
    })
    expect(await stored(answer)).toMatchObject({ severity: "info", business: "default", payload: {} })
  })

  test("the ERP's, with its branch and a time without an offset", async () => {
    expect(await stored(await post(ERP))).toMatchObject({
      type: "stock.low",
      source: "inventory",
      idempotencyKey: "s-1",
      severity: "warning",
      occurredAt: Date.UTC(2025, 0, 8, 10),
      business: "12",
      location: "br-1",
      correlationId: "c-1",
      payload: { sku: "A-1" },
    })
  })

  test("the trading house's, keyed by dedupe_key, else by event_id", async () => {
    expect(await stored(await post(TRADING))).toMatchObject({
      type: "ORDER_FILLED",
      source: "oms",
      idempotencyKey: "d-1",
    })
    const { dedupe_key: _, ...without } = TRADING
    expect(await stored(await post(without))).toMatchObject({ idempotencyKey: "e-1" })
  })

  const cloudEvent = {
    type: "order.created",
    source: "/erp/sales",
    idempotencyKey: "ce-1",
    severity: "high",
    business: "b1",
    location: "l1",
    correlationId: "c-2",
    occurredAt: Date.UTC(2025, 0, 8, 10),
    payload: { order: 7 },
    extensions: { subject: "order/7", traceparent: "00-ab" },
  }

  test("a structured CloudEvent, by its content type or by its fields", async () => {
    expect(
      await stored(await postRaw(JSON.stringify(CLOUD), "application/cloudevents+json; charset=utf-8")),
    ).toMatchObject(cloudEvent)
    const again = await post(CLOUD)
    expect(again.status).toBe(200)
    expect(again.body["status"]).toBe("duplicate")
  })

  test("a binary CloudEvent, whose attributes are headers", async () => {
    const { data, ...attributes } = { ...CLOUD, id: "ce-bin", subject: "%D8%B7%D9%84%D8%A8" }
    const headers = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, value]))
    const event = await stored(await postRaw(JSON.stringify(data), "application/json", headers))
    expect(event).toMatchObject({
      ...cloudEvent,
      idempotencyKey: "ce-bin",
      extensions: { subject: "طلب", datacontenttype: "application/json" },
    })
  })

  const data: readonly [string, string, string, Record<string, unknown>][] = [
    ["a list", "[1,2]", "application/json", { data: [1, 2] }],
    ["text", "hello", "text/plain", { data: "hello" }],
    ["bytes", "hello", "application/octet-stream", { data_base64: "aGVsbG8=" }],
    ["nothing", "", "application/json", {}],
  ]
  for (const [what, body, type, payload] of data)
    test(`CloudEvents data that is ${what} is wrapped`, async () => {
      const headers = { "ce-specversion": "1.0", "ce-id": `w-${what}`, "ce-source": "s", "ce-type": "t" }
      expect((await stored(await postRaw(body, type, headers))).payload).toEqual(payload as JsonObject)
    })

  test("structured data may be base64", async () => {
    const event = { specversion: "1.0", id: "b64", source: "s", type: "t", data_base64: "aGk=" }
    expect((await stored(await post(event))).payload).toEqual({ data_base64: "aGk=" })
    expect(errorsOf(await post({ ...event, data: 1 }))).toEqual([
      { pointer: "/data_base64", detail: "expected either data or data_base64" },
    ])
  })
})

describe("what is wrong with an event is said by its pointer", () => {
  const base = { type: "t", source: "s" }
  const cases: readonly [string, unknown, readonly [string, RegExp][]][] = [
    [
      "no fields",
      {},
      [
        ["/type", /required/],
        ["/source", /required/],
      ],
    ],
    ["no object", "text", [["", /object/]]],
    ["a number", 5, [["", /object/]]],
    ["a list", [base], [["", /batch/]]],
    [
      "types of the wrong kind",
      { type: 1, source: "", payload: [] },
      [
        ["/type", /string/],
        ["/source", /1 to 256/],
        ["/payload", /object/],
      ],
    ],
    ["the hub's own name", { type: "source.silent", source: "hub" }, [["/source", /reserved: the hub's own events/]]],
    ["it in the ERP spelling", { event_type: "t", source_module: "hub" }, [["/source_module", /reserved/]]],
    ["it in the trading spelling", { type: "t", producer: "hub" }, [["/producer", /reserved/]]],
    ["it in a CloudEvent", { ...CLOUD, source: "hub" }, [["/source", /reserved/]]],
    ["a typing error", { ...base, severty: "high" }, [["/severty", /`severity`/]]],
    ["an unknown word", { ...base, xyzzyplugh: 1 }, [["/xyzzyplugh", /^unknown field$/]]],
    ["an odd name", { ...base, "a/b~c": 1 }, [["/a~1b~0c", /unknown/]]],
    ["a mix of spellings", { ...base, event_type: "t" }, [["/event_type", /ERP spelling.*`type`/]]],
    [
      "another mix",
      { event_type: "t", source_module: "s", source: "s" },
      [["/source", /canonical spelling.*`source_module`/]],
    ],
    ["a third mix", { type: "t", producer: "p", idempotency_key: "k" }, [["/idempotency_key", /`dedupe_key`/]]],
    [
      "two branches",
      { event_type: "t", source_module: "s", location_id: "a", branch_id: "b" },
      [["/branch_id", /differs/]],
    ],
    ["an unknown severity", { ...base, severity: "HIGH" }, [["/severity", /critical/]]],
    ["a time that is none", { ...base, occurred_at: "2025-02-30T00:00:00Z" }, [["/occurred_at", /RFC 3339/]]],
    ["a time as a number", { ...base, occurred_at: 1736330400 }, [["/occurred_at", /RFC 3339/]]],
    ["a business that is no id", { ...base, business_id: "a b" }, [["/business_id", /64/]]],
    ["a location that is no id", { ...base, location_id: "x".repeat(65) }, [["/location_id", /64/]]],
    ["an endless key", { ...base, idempotency_key: "k".repeat(256) }, [["/idempotency_key", /255/]]],
    ["a NUL", { ...base, payload: { a: "x\0y" } }, [["/payload/a", /NUL/]]],
    ["half a surrogate pair", { ...base, payload: { a: ["\ud800"] } }, [["/payload/a/0", /surrogate/]]],
    ["half a pair in a name", { ...base, payload: { "\udc00": 1 } }, [["/payload", /surrogate/]]],
    [
      "too many keys",
      { ...base, payload: Object.fromEntries(Array.from({ length: 1_000 }, (_, i) => [`k${i}`, i])) },
      [["", /1000 keys/]],
    ],
    ["a CloudEvent of another version", { ...CLOUD, specversion: "0.3" }, [["/specversion", /1\.0/]]],
    ["a CloudEvent without an id", { ...CLOUD, id: undefined }, [["/id", /required/]]],
    ["an extension with capitals", { ...CLOUD, businessId: "b1" }, [["/businessId", /lower-case/]]],
    ["an extension that is an object", { ...CLOUD, ext: {} }, [["/ext", /string/]]],
  ]
  for (const [what, json, expected] of cases)
    test(`${what} is 422`, async () => {
      const answer = await post(json)
      expect(answer.status).toBe(422)
      expect(answer.body["code"]).toBe("invalid")
      expect(errorsOf(answer)).toEqual(
        expected.map(([pointer, detail]) => ({ pointer, detail: expect.stringMatching(detail) })),
      )
    })

  const raw: readonly [string, string, string][] = [
    ["a numeral beyond a double", '{"type":"t","source":"s","payload":{"a":1e400}}', "/payload/a"],
    ["the prototype's name", '{"type":"t","source":"s","payload":{"__proto__":{"x":1}}}', "/payload/__proto__"],
    ["the constructor's name", '{"type":"t","source":"s","payload":{"constructor":1}}', "/payload/constructor"],
    [
      "a payload nested 33 deep",
      `{"type":"t","source":"s","payload":{"a":${"[".repeat(31)}${"]".repeat(31)}}}`,
      `/payload/a${"/0".repeat(30)}`,
    ],
  ]
  for (const [what, body, pointer] of raw)
    test(`${what} is 422`, async () => {
      const answer = await postRaw(body, "application/json")
      expect(answer.status).toBe(422)
      expect(errorsOf(answer)).toEqual([{ pointer, detail: expect.any(String) }])
    })

  test("a payload nested 32 deep is fine", async () => {
    expect(
      (
        await postRaw(
          `{"type":"t","source":"s","payload":{"a":${"[".repeat(30)}${"]".repeat(30)}}}`,
          "application/json",
        )
      ).status,
    ).toBe(201)
  })

  test("a refusal is counted by its code", async () => {
    await post({})
    expect(front.emitted.findLast((event) => event.kind === "event_rejected")).toEqual({
      kind: "event_rejected",
      via: "http",
      code: "invalid",
      count: 1,
    })
  })
})

describe("the same key", () => {
  const event = {
    type: "t",
    source: "keys",
    business_id: "b1",
    location_id: "l1",
    severity: "low",
    payload: { a: 1, b: [{ c: 1, d: 2 }] },
  }

  test("with the same content is a duplicate, however its encoder orders keys", async () => {
    const first = await post({ ...event, idempotency_key: "same" })
    expect(first.status).toBe(201)
    expect(first.headers.get("idempotent-replayed")).toBeNull()
    const again = await post({
      idempotency_key: "same",
      payload: { b: [{ d: 2, c: 1 }], a: 1 },
      severity: "low",
      location_id: "l1",
      business_id: "b1",
      source: "keys",
      type: "t",
      occurred_at: "2020-01-01T00:00:00Z",
    })
    expect(again.status).toBe(200)
    expect(again.body).toEqual({ id: first.body["id"] ?? "", status: "duplicate" })
    expect(again.headers.get("idempotent-replayed")).toBe("true")
  })

  for (const [what, change] of Object.entries({
    type: { type: "u" },
    severity: { severity: "info" },
    location: { location_id: null },
    payload: { payload: { a: 2 } },
  }))
    test(`with another ${what} is refused, naming the earlier event`, async () => {
      const key = `reuse-${what}`
      const first = await post({ ...event, idempotency_key: key })
      const other = await post({ ...event, idempotency_key: key, ...change })
      expect(other.status).toBe(422)
      expect(other.body).toMatchObject({
        code: "idempotency_key_reused",
        detail: expect.stringContaining(String(first.body["id"])),
      })
      expect(errorsOf(other)).toEqual([{ pointer: "/idempotency_key", detail: expect.any(String) }])
    })

  test("of another business or source is another event", async () => {
    await post({ ...event, idempotency_key: "wide" })
    expect((await post({ ...event, idempotency_key: "wide", business_id: "b2" })).status).toBe(201)
    expect((await post({ ...event, idempotency_key: "wide", source: "other" })).status).toBe(201)
  })

  test("sent a hundred times at once is one event", async () => {
    const answers = await Promise.all(Array.from({ length: 100 }, () => post({ ...event, idempotency_key: "race" })))
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(1)
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(99)
    expect(new Set(answers.map(({ body }) => body["id"])).size).toBe(1)
  })

  test("may come as a header; given twice it must agree", async () => {
    const headers = { "idempotency-key": "header" }
    const first = await post(event, { headers })
    expect(await stored(first)).toMatchObject({ idempotencyKey: "header" })
    expect((await post({ ...event, idempotency_key: "header" }, { headers })).status).toBe(200)
    const other = await post({ event_type: "t", source_module: "keys", producer_idempotency_key: "other" }, { headers })
    expect(other.status).toBe(422)
    expect(errorsOf(other)).toEqual([
      { pointer: "/producer_idempotency_key", detail: expect.stringContaining("Idempotency-Key") },
    ])
    expect((await post(event, { headers: { "idempotency-key": "k".repeat(256) } })).status).toBe(400)
  })
})

describe("who may publish, and for whom", () => {
  const event = { type: "t", source: "who" }

  test("a person may not, the roles service and system and admin may", async () => {
    expect((await post(event, { key: await tokenFor({ sub: "u1" }) })).status).toBe(403)
    for (const role of ["service", "system", "admin"])
      expect((await post(event, { key: await tokenFor({ sub: "u1", roles: [role] }) })).status).toBe(201)
    expect((await post(event, { key: null })).status).toBe(401)
  })

  test("an event without a business is the caller's only one's", async () => {
    expect(await stored(await post(event, { key: B1_KEY }))).toMatchObject({ business: "b1" })
  })

  test("another tenant's business is not there", async () => {
    const answer = await post({ ...event, business_id: "b2" }, { key: B1_KEY })
    expect(answer.status).toBe(404)
    expect(answer.body).toMatchObject({ code: "unknown_business", errors: [{ pointer: "/business_id" }] })
    const cloud = await post({ ...CLOUD, businessid: "b2" }, { key: B1_KEY })
    expect(cloud.body).toMatchObject({ code: "unknown_business", errors: [{ pointer: "/businessid" }] })
  })

  test("a publisher of some locations may publish for those", async () => {
    const key = await tokenFor({ sub: "pos", roles: ["service"], business_id: "b1", location_ids: ["l1"] })
    expect((await post({ ...event, location_id: "l1" }, { key })).status).toBe(201)
    for (const location_id of ["l2", null]) {
      const answer = await post({ ...event, location_id }, { key })
      expect(answer.status).toBe(404)
      expect(answer.body).toMatchObject({ code: "unknown_location", errors: [{ pointer: "/location_id" }] })
    }
  })

  test("a caller of several businesses has to say which", async () => {
    const key = await tokenFor({ sub: "s", roles: ["service"], tenants: [{ business: "b1" }, { business: "b2" }] })
    expect((await post(event, { key })).body).toMatchObject({
      code: "unknown_business",
      errors: [{ detail: "say which of your businesses" }],
    })
  })
})

describe("POST /v1/events/batch", () => {
  const batch = (json: unknown, options: CallOptions = {}): Promise<Answered> => post(json, options, "/v1/events/batch")
  const good = (key: string) => ({ type: "t", source: "batch", idempotency_key: key })

  test("accepts the good ones whatever the others are", async () => {
    const answer = await batch({
      events: [
        good("a"),
        { type: "t" },
        ERP,
        5,
        good("a"),
        { ...good("a"), payload: { x: 1 } },
        CLOUD,
        { ...good("n"), payload: { a: "\0" } },
      ],
    })
    expect(answer.status).toBe(200)
    const id = expect.stringMatching(/^evt_/)
    expect(answer.body).toEqual({
      results: [
        { index: 0, status: "accepted", id },
        { index: 1, status: "invalid", errors: [{ pointer: "/source", detail: "required" }] },
        { index: 2, status: "duplicate", id },
        { index: 3, status: "invalid", errors: [{ pointer: "", detail: "expected an object" }] },
        { index: 4, status: "duplicate", id },
        {
          index: 5,
          status: "invalid",
          errors: [{ pointer: "/idempotency_key", detail: expect.stringContaining("evt_") }],
        },
        { index: 6, status: "duplicate", id },
        { index: 7, status: "invalid", errors: [{ pointer: "/payload/a", detail: expect.any(String) }] },
      ],
    })
  })

  test("takes a thousand, as a list too, and no more", async () => {
    const many = Array.from({ length: 1_000 }, (_, i) => good(`m${i}`))
    const answer = await batch(many)
    expect((answer.body["results"] as JsonObject[]).every(({ status }) => status === "accepted")).toBe(true)
    expect((await batch([...many, good("one more")])).status).toBe(422)
    expect((await batch([])).status).toBe(422)
    expect((await batch({ events: [good("x")], more: 1 })).status).toBe(422)
  })

  test("an event over 256 KiB is invalid among good ones, and 8 MiB is the end", async () => {
    const large = { type: "t", source: "s", payload: { a: Array.from({ length: 5 }, () => "x".repeat(60_000)) } }
    const answer = await batch([large, good("small")])
    expect(answer.body["results"]).toMatchObject([
      { index: 0, status: "invalid" },
      { index: 1, status: "accepted" },
    ])
    expect((await post(large)).status).toBe(413)
    const huge = await batch(
      Array.from({ length: 140 }, () => ({ type: "t", source: "s", payload: { a: "x".repeat(60_000) } })),
    )
    expect(huge.status).toBe(413)
    expect(huge.body["code"]).toBe("too_large")
  })

  test("an event of 250 KB is accepted, be it one string", async () => {
    expect((await post({ type: "t", source: "s", payload: { receipt: "A".repeat(250_000) } })).status).toBe(201)
  })

  test("a CloudEvents batch goes there, and to /v1/events", async () => {
    const body = JSON.stringify([
      { ...CLOUD, id: "cb-1" },
      { type: "t", source: "s" },
    ])
    for (const path of ["/v1/events/batch", "/v1/events"]) {
      const answer = await postRaw(body, "application/cloudevents-batch+json", {}, path)
      expect(answer.status).toBe(200)
      expect(answer.body["results"]).toMatchObject([
        { index: 0, id: expect.any(String) },
        { index: 1, status: "invalid" },
      ])
    }
  })

  test("a key in the header numbers the events that have none", async () => {
    const events = [
      { type: "t", source: "hb" },
      { type: "t", source: "hb", idempotency_key: "own" },
    ]
    await batch(events, { headers: { "idempotency-key": "req-1" } })
    const again = await batch(events, { headers: { "idempotency-key": "req-1" } })
    expect(again.body["results"]).toMatchObject([{ status: "duplicate" }, { status: "duplicate" }])
  })
})

describe("POST /api/notifications", () => {
  const message = {
    type: "resource_updated",
    resourceType: "reservation",
    businessId: "business-123",
    locationId: "location-456",
    resourceId: "resource-789",
    shardId: "shard-001",
    timestamp: "2025-01-08T10:00:00.000Z",
  }
  const tell = (json: unknown, options: CallOptions = {}): Promise<Answered> =>
    post(json, { key: SERVICE_KEY, ...options }, "/api/notifications")
  const pushes = () => front.news.flat().filter((some) => some.kind === "stream_message")

  test("is an event, pushed to the location and to the business once committed, and a repeat is not pushed again", async () => {
    const before = pushes().length
    const first = await tell(message)
    expect(first.status).toBe(202)
    expect(first.body).toEqual({ id: expect.stringMatching(/^evt_/), status: "accepted" })
    expect(await stored(first)).toMatchObject({
      type: "resource.updated",
      source: "resources",
      business: "business-123",
      location: "location-456",
      occurredAt: Date.UTC(2025, 0, 8, 10),
      payload: message,
    })
    const pushed = pushes().slice(before)
    expect(pushed.map(({ stream, event, position }) => [stream, event, position])).toEqual([
      ["resources:business-123:location-456", "resource_update", 1],
      ["resources:business-123", "resource_update", 1],
    ])
    for (const { payload } of pushed) expect(JSON.parse(payload)).toEqual({ ...message, _offset: 1 })

    const again = await tell(Object.fromEntries(Object.entries(message).reverse()))
    expect(again.status).toBe(202)
    expect(again.body).toEqual({ id: first.body["id"] ?? "", status: "duplicate" })
    expect(again.headers.get("idempotent-replayed")).toBe("true")
    expect(pushes()).toHaveLength(before + 2)
  })

  test("without a location goes to the business alone", async () => {
    const before = pushes().length
    const { locationId: _, ...without } = message
    await tell({ ...without, businessId: 77, data: { guests: 4 } })
    const pushed = pushes().slice(before)
    expect(pushed.map(({ stream }) => String(stream))).toEqual(["resources:77"])
    expect(JSON.parse(pushed[0]?.payload ?? "")).toMatchObject({ businessId: 77, data: { guests: 4 } })
  })

  test("takes a list, item by item", async () => {
    const answer = await tell([
      { ...message, resourceId: "r1" },
      { ...message, type: "resource_moved" },
      message,
      { ...message, type: "resource_deleted" },
    ])
    expect(answer.status).toBe(202)
    expect(answer.body["results"]).toMatchObject([
      { index: 0, status: "accepted" },
      { index: 1, status: "invalid", errors: [{ pointer: "/type" }] },
      { index: 2, status: "duplicate" },
      { index: 3, status: "accepted" },
    ])
  })

  test("with a key in the header is known by that key", async () => {
    const headers = { "idempotency-key": "res-1" }
    expect((await tell({ ...message, resourceId: "k" }, { headers })).body["status"]).toBe("accepted")
    expect((await tell({ ...message, resourceId: "k" }, { headers })).body["status"]).toBe("duplicate")
    expect((await tell({ ...message, resourceId: "other" }, { headers })).body["code"]).toBe("idempotency_key_reused")
  })

  test("says what is wrong by pointer, and whose it is not", async () => {
    expect(errorsOf(await tell({}))).toEqual(
      ["/type", "/resourceType", "/resourceId", "/businessId"].map((pointer) => ({
        pointer,
        detail: expect.any(String),
      })),
    )
    expect(errorsOf(await tell({ ...message, locationID: "x" }))).toEqual([
      { pointer: "/locationID", detail: expect.stringContaining("`locationId`") },
    ])
    expect(errorsOf(await tell({ ...message, data: [] }))).toEqual([{ pointer: "/data", detail: "expected an object" }])
    expect((await tell(message, { key: B1_KEY })).body).toMatchObject({
      status: 404,
      code: "unknown_business",
      errors: [{ pointer: "/businessId" }],
    })
    expect((await tell(message, { key: await tokenFor({ sub: "u1" }) })).status).toBe(403)
  })
})
