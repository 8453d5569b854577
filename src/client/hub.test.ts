/** The client against a real hub, with a line between them that fails as it is told to. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test"
import { eventually } from "../testing/eventually.ts"
import { SERVICE_KEY, tokenFor } from "../testing/front.ts"
import { cutAfter, cutBefore, type InFront, refuse, silent, startInFront } from "../testing/in-front.ts"
import { startTestHub, type TestHub } from "../testing/start-hub.ts"
import { Hub, HubProblem } from "./hub.ts"

let server: TestHub
let line: InFront
let hub: Hub

beforeAll(async () => {
  server = await startTestHub()
  line = await startInFront(`http://127.0.0.1:${server.port}`)
})
afterAll(async () => {
  await line.stop()
  await server.remove()
})
beforeEach(() => {
  hub = new Hub({ apiKey: SERVICE_KEY, baseUrl: line.url, retry: { baseMs: 1 } })
})

const uuid = (): string => crypto.randomUUID()
const overdue = (number: string) =>
  ({
    type: "invoice.overdue",
    source: "invoicing",
    business_id: "b1",
    payload: { invoice_id: number, invoice_number: number, days_overdue: 40, customer_name: "Dijla", amount: 5 },
  }) as const
const keysOf = (from: number): readonly unknown[] =>
  line.heard.slice(from).map(({ body }) => JSON.parse(body).idempotency_key)

describe("a publish over a line that fails", () => {
  test("makes one event when the hub said 503 twice, with how long to wait, and then takes it", async () => {
    const from = line.heard.length
    line.script(refuse(503, { "retry-after": "0" }), refuse(503, { "retry-after": "1" }))
    const began = performance.now()
    const { id, status } = await hub.events.publish(overdue("INV-1"))
    expect(status).toBe("accepted")
    expect(performance.now() - began).toBeGreaterThanOrEqual(1_000)
    const keys = keysOf(from)
    expect(keys).toHaveLength(3)
    expect(new Set(keys).size).toBe(1)
    expect((await hub.events.get(id)).idempotency_key).toBe(String(keys[0]))
  })

  test("is told `duplicate` when the connection was cut after the commit, and there is one event", async () => {
    const type = `cut.${uuid()}`
    line.script(cutAfter)
    const { id, status } = await hub.events.publish({ type, source: "s", payload: { a: 1 } })
    expect(status).toBe("duplicate")
    const stored = await Array.fromAsync(hub.events.list({ type }))
    expect(stored.map((event) => event.id)).toEqual([id])
  })

  test("goes on when the connection was cut before, when it is told 429, and when nobody answers", async () => {
    const from = line.heard.length
    const patient = new Hub({
      apiKey: SERVICE_KEY,
      baseUrl: line.url,
      retry: { baseMs: 1 },
      attemptTimeoutMs: 2_000,
    })
    line.script(cutBefore, refuse(429, { "retry-after": "0" }), silent)
    expect(await patient.events.publish(overdue("INV-2"))).toMatchObject({ status: "accepted" })
    expect(keysOf(from)).toHaveLength(4)
    expect(new Set(keysOf(from)).size).toBe(1)
  })

  test("ends by its deadline or its author's signal, and what it says is enough to go on with", async () => {
    const from = line.heard.length
    line.script(silent, silent)
    const late = await hub.events.publish(overdue("INV-3"), { timeoutMs: 1_000 }).catch((error: unknown) => error)
    expect(late).toMatchObject({ kind: "timeout", tries: 1, idempotencyKey: keysOf(from)[0] })

    const stop = new AbortController()
    const call = hub.events.publish(overdue("INV-3"), { idempotencyKey: "inv-3", signal: stop.signal })
    const aborted = call.catch((error: unknown) => error)
    await line.requests(from + 2)
    stop.abort()
    expect(await aborted).toMatchObject({ name: "AbortError", idempotencyKey: "inv-3" })
    expect(await hub.events.publish(overdue("INV-3"), { idempotencyKey: "inv-3" })).toMatchObject({
      status: "accepted",
    })
  })

  test("says that nobody is there when nobody listens", async () => {
    const closed = await startInFront("http://unused.test")
    await closed.stop()
    const nobody = new Hub({ apiKey: SERVICE_KEY, baseUrl: closed.url, retry: { baseMs: 1, attempts: 2 } })
    const error = await nobody.events.publish(overdue("INV-4")).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ kind: "unreachable", tries: 2 })
  })

  test("stores each event of a batch once when the connection was cut after the commit", async () => {
    const type = `batch.${uuid()}`
    const events = Array.from({ length: 1_005 }, (_, n) => ({ type, source: "s", payload: { n } }))
    line.script(cutAfter)
    const results = await hub.events.publishBatch(events)
    expect(results.map(({ index }) => index)).toEqual([...events.keys()])
    expect(results.map(({ status }) => status)).toEqual(events.map((_, n) => (n < 1_000 ? "duplicate" : "accepted")))
    const stored = await Array.fromAsync(hub.events.list({ type, limit: 200 }))
    expect(stored.map(({ payload }) => payload["n"]).toSorted((a, b) => Number(a) - Number(b))).toEqual([
      ...events.keys(),
    ])
  })

  test("that fails in the middle of a long list is finished with the list and the key of the error", async () => {
    const type = `rest.${uuid()}`
    const events = Array.from({ length: 1_200 }, (_, n) => ({ type, source: "s", payload: { n } }))
    line.script((_heard, pass) => pass(), refuse(400))
    const error = await hub.events.publishBatch(events).catch((thrown: unknown) => thrown)
    if (!(error instanceof HubProblem) || error.idempotencyKey === undefined) throw error
    const results = await hub.events.publishBatch(events, { idempotencyKey: error.idempotencyKey })
    expect(results.filter(({ status }) => status === "duplicate")).toHaveLength(1_000)
    expect(results.filter(({ status }) => status === "accepted")).toHaveLength(200)
  })
})

describe("events", () => {
  test("are taken with every field of the contract, and read again", async () => {
    const occurred = new Date("2026-01-05T09:00:00Z")
    const { id } = await hub.events.publish(
      {
        ...overdue("INV-10"),
        severity: "warning",
        occurred_at: occurred,
        location_id: 7,
        correlation_id: 42,
        business_id: "b1",
      },
      { idempotencyKey: "مفتاح-10" },
    )
    expect(await hub.events.get(id)).toEqual({
      id,
      type: "invoice.overdue",
      source: "invoicing",
      severity: "warning",
      business_id: "b1",
      location_id: "7",
      occurred_at: occurred.toISOString(),
      accepted_at: expect.any(String),
      correlation_id: "42",
      idempotency_key: "مفتاح-10",
      payload: overdue("INV-10").payload,
    })
  })

  test("of a batch stand or fall one by one, in their order", async () => {
    const results = await hub.events.publishBatch([
      overdue("INV-11"),
      { type: "", source: "s" },
      { ...overdue("INV-12"), idempotency_key: "own-12" },
    ])
    expect(results).toMatchObject([
      { index: 0, status: "accepted" },
      { index: 1, status: "invalid", errors: [{ pointer: "/type" }] },
      { index: 2, status: "accepted" },
    ])
    expect(await hub.events.publish(overdue("INV-12"), { idempotencyKey: "own-12" })).toMatchObject({
      status: "duplicate",
      id: results[2]?.status === "accepted" ? results[2].id : "",
    })
  })

  test("whose key belongs to other content are refused, with the code and the earlier event", async () => {
    const { id } = await hub.events.publish(overdue("INV-13"), { idempotencyKey: "inv-13" })
    const error = await hub.events.publish(overdue("INV-14"), { idempotencyKey: "inv-13" }).catch((e: unknown) => e)
    expect(error).toMatchObject({ kind: "problem", status: 422, code: "idempotency_key_reused", tries: 1 })
    expect(String(error)).toContain(id)
  })

  test("that are wrong are refused with pointers and the id of the request", async () => {
    const error = await hub.events
      .publish({ type: "x", source: "s", payload: { text: "\u0000" } })
      .catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      code: "invalid",
      errors: [{ pointer: "/payload/text" }],
      requestId: expect.stringMatching(/./),
    })
  })

  test("are listed page by page", async () => {
    const type = `many.${uuid()}`
    await hub.events.publishBatch(Array.from({ length: 7 }, (_, n) => ({ type, source: "s", payload: { n } })))
    const pages = await Array.fromAsync(hub.events.list({ type, limit: 3 }).pages())
    expect(pages.map(({ data }) => data.length)).toEqual([3, 3, 1])
    const first = await hub.events.list({ type, limit: 3 }).page()
    expect(first.page_info).toMatchObject({ has_more: true, after: first.data.at(-1)?.id })
    expect(await Array.fromAsync(hub.events.list({ type, until: "2020-01-01T00:00:00Z" }))).toEqual([])
    expect((await hub.events.stats()).events.by_type[type]).toBe(7)
  })

  test("are explained, and their deliveries are found", async () => {
    await hub.recipients.upsert("acc-1", { business_id: "b1", roles: ["accountant"], email: "acc-1@example.com" })
    const { id } = await hub.events.publish(overdue("INV-15"))
    const trace = await eventually(
      () => hub.events.trace(id),
      ({ status }) => status !== "waiting",
      { withinMs: 10_000, what: "the event is routed" },
    )
    expect(trace.rules.some(({ matched }) => matched)).toBe(true)
    const told = trace.notifications.find(({ recipient }) => recipient === "acc-1")
    expect(told?.inbox).toBe(true)
    const deliveries = await Array.fromAsync(hub.deliveries.list({ event_id: id }))
    expect(deliveries.map((delivery) => delivery.event_id)).toContain(id)
    const [first] = deliveries
    expect(await hub.deliveries.get(first?.id ?? "")).toMatchObject({ id: first?.id, rule: first?.rule })
  })
})

describe("resources", () => {
  const message = (id: string) =>
    ({
      type: "resource_updated",
      resourceType: "reservation",
      businessId: "b1",
      locationId: "l1",
      resourceId: id,
      data: { state: "seated" },
    }) as const

  test("are told of once, though the connection was cut after the commit", async () => {
    line.script(cutAfter)
    const { id, status } = await hub.resources.notify(message("r1"))
    expect(status).toBe("duplicate")
    expect(await hub.events.get(id)).toMatchObject({ type: "resource.updated", payload: message("r1") })
  })

  test("that change twice in the same way are told of twice, unless the key is the same", async () => {
    const first = await hub.resources.notify(message("r2"))
    expect(await hub.resources.notify(message("r2"))).toMatchObject({ status: "accepted" })
    const keyed = await hub.resources.notify(message("r2"), { idempotencyKey: "r2-3" })
    expect(await hub.resources.notify(message("r2"), { idempotencyKey: "r2-3" })).toEqual({
      id: keyed.id,
      status: "duplicate",
    })
    expect(keyed.id).not.toBe(first.id)
  })

  test("are told of in lists of any length, each message with a key of its own", async () => {
    const messages = Array.from({ length: 1_003 }, (_, n) => message(`many-${n}`))
    const results = await hub.resources.notify(messages, { idempotencyKey: "list" })
    expect(results.map(({ status }) => status)).toEqual(messages.map(() => "accepted"))
    const again = await hub.resources.notify(messages, { idempotencyKey: "list" })
    expect<unknown>(again).toEqual(results.map((result) => ({ ...result, status: "duplicate" })))
  })

  test("have keys that a header can carry", async () => {
    await expect(hub.resources.notify(message("r3"), { idempotencyKey: "مفتاح" })).rejects.toThrow(TypeError)
  })
})

describe("recipients", () => {
  test("are created, replaced, read, listed and deleted", async () => {
    const made = await hub.recipients.upsert("r|1@x", { business_id: "b1", roles: ["cashier"], name: "Noor" })
    expect(made).toMatchObject({ id: "r|1@x", name: "Noor", email: null })
    await hub.recipients.upsert("r|1@x", {
      memberships: [{ business_id: "b1", location_ids: ["l1"], roles: ["cashier"] }],
      email: "noor@example.com",
    })
    expect(await hub.recipients.get("r|1@x")).toMatchObject({ name: null, email: "noor@example.com" })
    expect((await Array.fromAsync(hub.recipients.list({ role: "cashier" }))).map(({ id }) => id)).toEqual(["r|1@x"])
    await hub.recipients.delete("r|1@x")
    await expect(hub.recipients.get("r|1@x")).rejects.toMatchObject({ code: "not_found" })
    await expect(hub.recipients.delete("r|1@x")).rejects.toMatchObject({ code: "not_found" })
  })

  test("are deleted though the connection was cut after it was done", async () => {
    await hub.recipients.upsert("gone", { business_id: "b1" })
    line.script(cutAfter)
    await hub.recipients.delete("gone")
  })

  test("of a batch stand or fall one by one", async () => {
    const many = Array.from({ length: 1_001 }, (_, n) => ({ id: `many-${n}` }))
    const results = await hub.recipients.upsertBatch([...many, { id: "bad", email: "nobody" }])
    expect(results).toHaveLength(1_002)
    expect(results.slice(0, -1).every(({ status }) => status === "created")).toBe(true)
    expect(results.at(-1)).toMatchObject({ index: 1_001, status: "invalid", errors: [{ pointer: "/email" }] })
  })
})

describe("preferences", () => {
  test("are a person's own by their token, and a service's business by the recipient's id", async () => {
    await hub.recipients.upsert("wisher", { business_id: "b1", timezone: "Asia/Baghdad" })
    const own = new Hub({ token: await tokenFor({ sub: "wisher", business_id: "b1" }), baseUrl: line.url }).preferences
    const quiet_hours = { from: "22:00", to: "07:00" }
    const said = await own.replace({ channels: { email: false }, quiet_hours })
    expect(said).toEqual({
      channels: { email: false },
      categories: {},
      severity_min: {},
      quiet_hours: { ...quiet_hours, timezone: "Asia/Baghdad" },
    })
    line.script(cutAfter)
    const changed = await hub.recipients
      .prefs("wisher")
      .change({ channels: { email: null }, severity_min: { sms: "high" } })
    expect(changed).toEqual({ ...said, channels: {}, severity_min: { sms: "high" } })
    expect(await own.get()).toEqual(changed)
    await expect(own.replace({ quiet_hours: { from: "22:00", to: "22:00" } })).rejects.toMatchObject({
      code: "invalid",
      errors: [{ pointer: "/quiet_hours/to" }],
    })
  })
})

describe("lists", () => {
  test("gain and lose their people, though a connection is cut", async () => {
    await hub.recipients.upsert("guest", { business_id: "b1" })
    const b1 = { business_id: "b1" }
    line.script(cutAfter)
    expect(await hub.lists.add("vip", "guest", b1)).toMatchObject({ recipient_id: "guest" })
    const members = await Array.fromAsync(hub.lists.members("vip", b1))
    expect(members.map(({ recipient_id }) => recipient_id)).toEqual(["guest"])
    expect(await Array.fromAsync(hub.lists.list(b1))).toContainEqual({ list: "vip", members: 1 })
    await expect(hub.lists.add("vip", "stranger", b1)).rejects.toMatchObject({ code: "not_found" })
    line.script(cutAfter)
    await hub.lists.remove("vip", "guest", b1)
    await expect(hub.lists.remove("vip", "guest", b1)).rejects.toMatchObject({ code: "not_found" })
  })
})

describe("notifications", () => {
  test("are read and marked by their person's token, and by a service that names the person", async () => {
    await hub.recipients.upsert("acc-2", { business_id: "b2", roles: ["accountant"] })
    const token = await tokenFor({ sub: "acc-2", tenants: [{ business: "b2" }] })
    const inbox = new Hub({ token, baseUrl: line.url }).notifications
    await hub.events.publish({ ...overdue("INV-20"), business_id: "b2" })
    const { unread_count } = await eventually(
      () => inbox.counts(),
      (counts) => counts.unread_count > 0,
      { withinMs: 10_000, what: "somebody is told" },
    )
    const page = await inbox.list({ status: "unread" }).page()
    expect(page.unread_count).toBe(unread_count)
    expect(page.notifications).toEqual(page.data)
    const [item] = await Array.fromAsync(inbox.list())
    const id = item?.id ?? ""
    expect<unknown>(await inbox.get(id)).toEqual(item)

    expect((await inbox.seen(id)).seen_at).toBeString()
    expect((await inbox.read(id)).read_at).toBeString()
    expect((await inbox.unread(id)).read_at).toBeNull()
    expect((await inbox.acknowledge(id)).acknowledged_at).toBeString()
    expect((await inbox.archive(id)).archived_at).toBeString()
    expect((await Array.fromAsync(inbox.list({ status: "archived" }))).map((each) => each.id)).toEqual([id])
    expect((await inbox.unarchive(id)).archived_at).toBeNull()

    const watched = hub.notifications.of("acc-2")
    expect((await watched.get(id)).id).toBe(id)
    expect((await watched.read(id)).read_at).toBeString()
    await inbox.unread(id)
    expect((await inbox.markAllRead()).unread_count).toBe(0)
    expect((await watched.counts()).unread_count).toBe(0)
    await inbox.delete(id)
    await expect(inbox.get(id)).rejects.toMatchObject({ code: "not_found" })
  })

  test("of no person are refused: a key has no inbox", async () => {
    await expect(hub.notifications.counts()).rejects.toMatchObject({ code: "forbidden", tries: 1 })
  })
})
