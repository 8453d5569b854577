import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { readMessage, type StreamMessage } from "./jetstream-message.ts"

const NOW = Date.UTC(2026, 2, 2, 9)

const message = (
  body: string | Uint8Array,
  head: Readonly<Record<string, string | readonly string[]>> = {},
  subject = "hub.events.x",
): StreamMessage => ({
  subject,
  data: typeof body === "string" ? new TextEncoder().encode(body) : body,
  headers: Object.entries(head).map(([name, value]) => [name, typeof value === "string" ? [value] : value] as const),
  sequence: "7",
  place: "7:1700000000000000001",
  redelivered: false,
  ack() {},
  term() {},
  working() {},
  nak() {},
})

/** The stored events' fields in short, or the refusals. */
const read = (...given: Parameters<typeof message>) => {
  const found = readMessage(message(...given), NOW)
  if (found.kind === "problem") return found.code
  return found.items.map((item) => (item.kind === "ready" ? item.incoming.event : item.problem.errors))
}
const keyOf = (...given: Parameters<typeof message>) => {
  const [event] = read(...given)
  return typeof event === "object" && "idempotencyKey" in event ? event.idempotencyKey : event
}

describe("the key of a message", () => {
  const bare = '{"type":"a","source":"b"}'
  test("is its body's, else Nats-Msg-Id, else its place in the stream", () => {
    expect(keyOf('{"type":"a","source":"b","idempotency_key":"own"}', { "Nats-Msg-Id": "m" })).toBe("own")
    expect(keyOf(bare, { "nats-msg-id": "m" })).toBe("m")
    expect(keyOf(bare)).toBe("nats:7:1700000000000000001")
    expect(keyOf(bare, { "Nats-Msg-Id": "" })).toBe("nats:7:1700000000000000001")
  })
  test("of a list's events has their index", () => {
    expect(read(`[${bare},${bare}]`, { "Nats-Msg-Id": "m" })).toMatchObject([
      { idempotencyKey: "m:0" },
      { idempotencyKey: "m:1" },
    ])
  })
  test("of a resource message without any is its hash, so that a repeat is not pushed again", () => {
    const resource = '{"type":"resource_updated","resourceType":"bay","resourceId":"r","businessId":"b1"}'
    expect(keyOf(resource, {}, "hub.resources.b1")).toMatch(/^[0-9a-f]{64}$/)
    expect(keyOf(resource, { "Nats-Msg-Id": "m" }, "hub.resources.b1")).toBe("m")
    expect(read(resource, {}, "hub.events.b1")).not.toMatchObject([{ type: "resource.updated" }])
  })
})

test("the hub's own name is nobody's source outside, in any form", () => {
  expect(read('{"type":"source.silent","source":"hub"}')).toMatchObject([[{ pointer: "/source" }]])
  expect(read('[{"type":"a","source":"hub-2"},{"type":"a","source":"hub"}]')).toMatchObject([
    { source: "hub-2" },
    [{ pointer: "/source" }],
  ])
  const binary = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "hub", "ce-type": "t" }
  expect(read("{}", binary)).toMatchObject([[{ pointer: "/source" }]])
})

test("a name that stands twice is refused, as over HTTP, and alone: of two amounts nobody knows which was meant", () => {
  const good = '{"type":"a","source":"b"}'
  const twice = '{"type":"a","source":"b","payload":{"amount":1,"amount":2}}'
  expect(read(twice)).toMatchObject([[{ pointer: "/payload/amount" }]])
  expect(read(`[${good},${twice}]`)).toMatchObject([{ type: "a" }, [{ pointer: "/payload/amount" }]])
  const cloud = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t" }
  expect(read('{"amount":1,"amount":2}', cloud)).toMatchObject([[{ pointer: "/data/amount" }]])
  const resource =
    '{"type":"resource_updated","resourceType":"bay","resourceId":"r","businessId":"b1","businessId":"b2"}'
  expect(read(resource, {}, "hub.resources.b1")).toMatchObject([[{ pointer: "/businessId" }]])
})

describe("a CloudEvent", () => {
  const binary = { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "/s", "ce-type": "t" }
  test("in a batch is as many events as it has", () => {
    const one = '{"specversion":"1.0","id":"1","source":"/s","type":"t"}'
    const type = { "Content-Type": "application/cloudevents-batch+json; charset=utf-8" }
    expect(read(`[${one},${one}]`, type)).toHaveLength(2)
  })
  test("called one by its content type must be one", () => {
    const type = { "content-type": "application/cloudevents+json" }
    expect(read('{"type":"a","source":"b"}', type)).toMatchObject([[{ pointer: "/specversion" }, { pointer: "/id" }]])
  })
  test("takes its headers in any case, and what is not ASCII in them as it is", () => {
    const head = { ...binary, "Ce-Subject": "köln 東京", "CE-BusinessId": "b9" }
    expect(read("{}", head)).toMatchObject([{ business: "b9", extensions: { subject: "köln 東京" } }])
  })
  test("whose id comes twice is refused: it is never stored as a guess", () => {
    expect(read("{}", { ...binary, "ce-id": ["1", "2"] })).toBe("invalid")
  })
})

test("whatever is in a message, reading it gives events or refusals and never throws", () => {
  const name = fc.oneof(
    fc.constantFrom("ce-id", "ce-type", "ce-source", "ce-specversion", "ce-", "ce-data", "content-type", "Nats-Msg-Id"),
    fc.string({ maxLength: 12 }),
  )
  const value = fc.oneof(
    fc.constantFrom("1.0", "application/cloudevents+json", "application/json", "text/plain; charset=x", "%", "%ff"),
    fc.string({ unit: "binary", maxLength: 30 }),
  )
  const event = fc.record(
    { type: fc.jsonValue(), source: fc.jsonValue(), specversion: fc.constant("1.0"), payload: fc.jsonValue() },
    { requiredKeys: [] },
  )
  const body = fc.oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.string({ unit: "binary" }),
    fc.json({ maxDepth: 40 }),
    event.map((v) => JSON.stringify(v)),
    fc.array(event, { maxLength: 5 }).map((v) => JSON.stringify(v)),
  )
  const heads = fc.dictionary(name, fc.oneof(value, fc.array(value, { maxLength: 3 })), { maxKeys: 6 })
  const subject = fc.constantFrom("hub.events.x", "hub.resources.x", "hub.events.", "")
  fc.assert(
    fc.property(body, heads, subject, (b, h, s) => {
      const found = readMessage(message(b, h, s), NOW)
      if (found.kind === "items") {
        expect(found.items.length).toBeGreaterThan(0)
        expect(found.businesses).toHaveLength(found.items.length)
      }
      // A redelivery reads the same.
      expect(readMessage(message(b, h, s), NOW)).toEqual(found)
    }),
    { numRuns: process.env["FAULTS"] === "full" ? 100_000 : 500 },
  )
}, 900_000)
