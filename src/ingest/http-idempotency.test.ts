/** The answers to a repeat (contract §5.1), exactly, when many repeats come at once to two nodes over one database. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import type { JsonObject } from "../domain/json.ts"
import { type CallOptions, jsonOf } from "../testing/front.ts"
import { startTestHub, type TestHub } from "../testing/start-hub.ts"

let nodes: readonly TestHub[] = []
beforeAll(async () => {
  const first = await startTestHub()
  nodes = [first, await startTestHub({ DATABASE_URL: first.databaseUrl })]
}, 60_000)
afterAll(async () => {
  // The first one's database is the one of both.
  for (const node of nodes.toReversed()) await node.remove()
}, 60_000)

interface Answered {
  readonly status: number
  readonly body: JsonObject
  readonly replayed: string | null
}
/** Each call to the next node. */
let turn = 0
async function call(path: string, options: CallOptions): Promise<Answered> {
  const node = nodes[turn++ % nodes.length]
  if (node === undefined) throw new Error("no node")
  const response = await node.call(path, options)
  const body = (await response.json()) as JsonObject // every answer of the door is an object
  return { status: response.status, body, replayed: response.headers.get("idempotent-replayed") }
}
const post = (json: unknown, options: CallOptions = {}): Promise<Answered> => call("/v1/events", { json, ...options })
const storedIn = async (source: string): Promise<readonly JsonObject[]> =>
  (await jsonOf<{ data: readonly JsonObject[] }>((nodes[0] as TestHub).call(`/v1/events?source=${source}&limit=200`)))
    .data // started above

const REPEATS = 50
const times = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n))

describe(`${REPEATS} repeats at once on two nodes`, () => {
  test("are one event for each key: the first is 201, all others 200 with Idempotent-Replayed, with one id", async () => {
    const keys = times(20, (n) => `race-${n}`)
    const event = { type: "t", source: "race", business_id: "b1", payload: { a: 1, b: [1, 2] } }
    const answers = await Promise.all(
      keys.flatMap((key) =>
        times(REPEATS, async (n) => ({
          key,
          // As a field, as a header, and as both: it is one key.
          answer: await (n % 3 === 0
            ? post({ ...event, idempotency_key: key })
            : post(n % 3 === 1 ? event : { ...event, idempotency_key: key }, { headers: { "idempotency-key": key } })),
        })),
      ),
    )
    for (const key of keys) {
      const mine = answers.filter((one) => one.key === key).map(({ answer }) => answer)
      const [first, ...more] = mine.filter(({ status }) => status === 201)
      expect(more).toEqual([])
      const id = String(first?.body["id"])
      expect(first).toEqual({ status: 201, body: { id, status: "accepted" }, replayed: null })
      const repeats = mine.filter((answer) => answer !== first)
      expect(repeats).toEqual(
        times(REPEATS - 1, () => ({ status: 200, body: { id, status: "duplicate" }, replayed: "true" })),
      )
    }
    expect((await storedIn("race")).map((event) => event["idempotency_key"]).toSorted()).toEqual(keys.toSorted())
  }, 60_000)

  test("of two contents under one key are one event; the other content is refused, naming it, and never dropped", async () => {
    const of = (a: number) => ({ type: "t", source: "torn", idempotency_key: "torn", payload: { a } })
    const answers = await Promise.all(times(REPEATS, async (n) => ({ a: n % 2, answer: await post(of(n % 2)) })))
    const winner = answers.find(({ answer }) => answer.status === 201)
    const id = String(winner?.answer.body["id"])
    for (const { a, answer } of answers) {
      if (answer === winner?.answer) continue
      if (a === winner?.a) expect(answer).toEqual({ status: 200, body: { id, status: "duplicate" }, replayed: "true" })
      else {
        expect(answer).toMatchObject({ status: 422, replayed: null, body: { code: "idempotency_key_reused" } })
        expect(answer.body["detail"]).toContain(id)
      }
    }
    expect((await storedIn("torn")).map((event) => event["payload"])).toEqual([{ a: winner?.a ?? -1 }])
  }, 30_000)

  test("of a resource message are one event, pushed once; all are 202", async () => {
    const message = { type: "resource_updated", resourceType: "r", businessId: "b1", resourceId: "once" }
    const answers = await Promise.all(times(REPEATS, () => call("/api/notifications", { json: message })))
    expect(answers.every(({ status }) => status === 202)).toBe(true)
    expect(answers.filter(({ body }) => body["status"] === "accepted")).toHaveLength(1)
    expect(answers.filter(({ replayed }) => replayed === "true")).toHaveLength(REPEATS - 1)
    expect(new Set(answers.map(({ body }) => body["id"])).size).toBe(1)
  }, 30_000)

  test("inside batches are one event too", async () => {
    const batch = times(10, (n) => ({ type: "t", source: "batches", idempotency_key: `k-${n}` }))
    const answers = await Promise.all(
      times(REPEATS, (n) => call("/v1/events/batch", { json: n % 2 === 0 ? batch : batch.toReversed() })),
    )
    const results = answers.flatMap(({ body }) => body["results"] as readonly JsonObject[]) // contract §5.1
    expect(results.filter(({ status }) => status === "accepted")).toHaveLength(batch.length)
    expect(results.filter(({ status }) => status === "duplicate")).toHaveLength(batch.length * (REPEATS - 1))
    expect(await storedIn("batches")).toHaveLength(batch.length)
  }, 30_000)
})

describe("a key on two nodes", () => {
  test("is apart for each tenant and for each source", async () => {
    const places = [
      { business_id: "b1", source: "apart-1" },
      { business_id: "b2", source: "apart-1" },
      { business_id: "b1", source: "apart-2" },
    ]
    const answers = await Promise.all(places.map((place) => post({ type: "t", idempotency_key: "same", ...place })))
    expect(answers.map(({ status }) => status)).toEqual([201, 201, 201])
    expect(new Set(answers.map(({ body }) => body["id"])).size).toBe(3)
    const others = await Promise.all(
      places.map((place) => post({ type: "t", idempotency_key: "same", ...place, payload: { other: true } })),
    )
    // Each names its own tenant's earlier event, never another's.
    for (const [n, other] of others.entries()) {
      expect(other.status).toBe(422)
      expect(other.body["detail"]).toContain(String(answers[n]?.body["id"]))
    }
  })

  test("that is refused leaves no trace: the corrected event is new under it", async () => {
    const wrong = { type: "t", source: "mended", idempotency_key: "k", payload: [] }
    expect((await post(wrong)).status).toBe(422)
    expect((await post({ ...wrong, payload: {} })).status).toBe(201)
  })

  test("does not compare what may differ in a repeat: time, correlation, spelling, order of names", async () => {
    const first = await post({
      type: "t",
      source: "same",
      idempotency_key: "k",
      occurred_at: "2024-01-01T00:00:00Z",
      payload: { a: 1, b: 2 },
    })
    const again = await post({
      event_type: "t",
      source_module: "same",
      producer_idempotency_key: "k",
      correlation_id: "c",
      payload: { b: 2, a: 1.0 },
    })
    expect(again).toEqual({ status: 200, body: { id: first.body["id"] ?? "", status: "duplicate" }, replayed: "true" })
  })

  test("as header and field that differ is refused, and so is a header that is empty or too long", async () => {
    const event = { type: "t", source: "differ", idempotency_key: "field" }
    const differ = await post(event, { headers: { "idempotency-key": "header" } })
    expect(differ).toMatchObject({ status: 422, body: { errors: [{ pointer: "/idempotency_key" }] } })
    for (const key of ["", "k".repeat(256)])
      expect((await post(event, { headers: { "idempotency-key": key } })).status).toBe(400)
    expect(await storedIn("differ")).toEqual([])
  })
})
