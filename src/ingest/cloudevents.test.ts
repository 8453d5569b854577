/**
 * CloudEvents at the door, in the three content modes. The cases follow, one for one, the examples of the specification's
 * JSON format (§3.2, §4.3) and HTTP binding (§3.1 to §3.3), with data of our own.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import type { HubEvent } from "../domain/event.ts"
import { asEventId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import { getEvent } from "../store/events.ts"
import { ADMIN_KEY, type Front, startFront } from "../testing/front.ts"
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
}
async function send(
  headers: Record<string, string>,
  body: string | Uint8Array,
  path = "/v1/events",
): Promise<Answered> {
  // As bytes, so that no content type is added where there is none.
  const bytes = typeof body === "string" ? Buffer.from(body) : Buffer.from(body)
  const response = await front.call(path, { method: "POST", headers, body: bytes })
  return { status: response.status, body: (await response.json()) as JsonObject } // every answer of the door is an object
}
const sendStructured = (event: unknown, type = "application/cloudevents+json; charset=utf-8"): Promise<Answered> =>
  send({ "content-type": type }, JSON.stringify(event))
async function stored({ status, body }: Answered): Promise<HubEvent> {
  const id = asEventId(String(body["id"]))
  const event = id === null ? null : await getEvent(front.db, id)
  if (event === null) throw new Error(`${status} ${JSON.stringify(body)}`)
  return event
}
const pointers = ({ body }: Answered): readonly unknown[] =>
  (body["errors"] as readonly JsonObject[]).map(({ pointer }) => pointer) // a refusal by pointer lists them

let serial = 0
/** Attributes as in the specification's examples: with an extension that is text and one that is a number. */
const attributes = (changes: JsonObject = {}): Record<string, JsonObject[string]> => ({
  specversion: "1.0",
  type: "com.example.order.placed",
  source: "/shop/north",
  id: `cases-${++serial}`,
  time: "2024-04-05T17:31:00Z",
  comexampletext: "value",
  comexamplenumber: 5,
  ...changes,
})
const asHeaders = (event: JsonObject): Record<string, string> =>
  Object.fromEntries(Object.entries(event).map(([name, value]) => [`ce-${name}`, String(value)]))

interface Example {
  readonly what: string
  /** `datacontenttype`, where the example has one; in binary mode it is the content type. */
  readonly type?: string
  /** Of the binary example, where it is another one than the structured. */
  readonly binaryType?: string
  readonly structured: JsonObject
  readonly binary: string | Uint8Array
  readonly payload: JsonObject
}
const thrift = new Uint8Array([0x80, 0x01, 0x00, 0x02, 0xff, 0x00])
const EXAMPLES: readonly Example[] = [
  {
    what: "bytes of a type of their own",
    type: "application/vnd.apache.thrift.binary",
    structured: { data_base64: "gAEAAv8A" },
    binary: thrift,
    payload: { data_base64: "gAEAAv8A" },
  },
  {
    what: "an XML document",
    type: "application/xml",
    structured: { data: '<order paid="yes"/>' },
    binary: '<order paid="yes"/>',
    payload: { data: '<order paid="yes"/>' },
  },
  {
    what: "a JSON object",
    type: "application/json",
    structured: { data: { customer: "abc", lines: 123, paid: true } },
    binary: '{ "customer": "abc", "lines": 123, "paid": true }',
    payload: { customer: "abc", lines: 123, paid: true },
  },
  { what: "a JSON number", type: "application/json", structured: { data: 1.5 }, binary: "1.5", payload: { data: 1.5 } },
  {
    what: "a JSON string, its type left out",
    binaryType: "application/json",
    structured: { data: "just a string" },
    binary: '"just a string"',
    payload: { data: "just a string" },
  },
  {
    what: "bytes of no type, although they would be JSON",
    structured: { data_base64: "eyAieHl6IjogMTIzIH0=" },
    binary: '{ "xyz": 123 }',
    payload: { data_base64: "eyAieHl6IjogMTIzIH0=" },
  },
  { what: "no data", structured: {}, binary: "", payload: {} },
  {
    what: "JSON by a suffix, in capitals and with parameters",
    type: "Application/VND.Example+JSON; charset=UTF-8; v=1",
    structured: { data: { a: 1 } },
    binary: '{"a":1}',
    payload: { a: 1 },
  },
  { what: "text/json", type: "text/json", structured: { data: { a: 1 } }, binary: '{"a":1}', payload: { a: 1 } },
  {
    what: "text",
    type: "text/plain;charset=utf-8",
    structured: { data: "غداً" },
    binary: "غداً",
    payload: { data: "غداً" },
  },
]

describe("one event, structured and binary", () => {
  for (const { what, type, binaryType = type, structured, binary, payload } of EXAMPLES)
    test(`with ${what} is the same event`, async () => {
      const event = attributes()
      const first = await sendStructured({
        ...event,
        subject: null,
        ...(type === undefined ? {} : { datacontenttype: type }),
        ...structured,
      })
      expect(first.status).toBe(201)
      expect(await stored(first)).toMatchObject({
        type: "com.example.order.placed",
        source: "/shop/north",
        idempotencyKey: String(event["id"]),
        occurredAt: Date.UTC(2024, 3, 5, 17, 31),
        payload,
        extensions: {
          comexampletext: "value",
          comexamplenumber: 5,
          ...(type === undefined ? {} : { datacontenttype: type }),
        },
      })
      const again = await send(
        { ...asHeaders(event), ...(binaryType === undefined ? {} : { "content-type": binaryType }) },
        binary,
      )
      expect(again).toEqual({ status: 200, body: { id: first.body["id"] ?? "", status: "duplicate" } })
    })

  test("binary alone keeps the whole content type, and extensions as the text that headers are", async () => {
    const event = attributes()
    const answer = await send({ ...asHeaders(event), "content-type": "application/json; charset=utf-8" }, '{"a":1}')
    expect((await stored(answer)).extensions).toEqual({
      comexampletext: "value",
      comexamplenumber: "5",
      datacontenttype: "application/json; charset=utf-8",
    })
  })

  test("structured is what the content type says, whatever headers repeat it", async () => {
    const event = attributes()
    const headers = { ...asHeaders({ ...event, type: "other" }), "content-type": "application/cloudevents+json" }
    expect(await stored(await send(headers, JSON.stringify({ ...event, data: { a: 1 } })))).toMatchObject({
      type: "com.example.order.placed",
      payload: { a: 1 },
    })
  })

  test("text in another charset is kept as bytes", async () => {
    const headers = { ...asHeaders(attributes()), "content-type": "text/plain; charset=iso-8859-1" }
    expect((await stored(await send(headers, new Uint8Array([0xe9])))).payload).toEqual({ data_base64: "6Q==" })
  })

  test("placeholder text where base64 should be is refused by its pointer", async () => {
    const answer = await sendStructured({ ...attributes(), data_base64: "... base64 encoded string ..." })
    expect([answer.status, pointers(answer)]).toEqual([422, ["/data_base64"]])
  })
})

describe("a batch", () => {
  test("of bytes and JSON is two events, and one that is wrong does not fail the other", async () => {
    const batch = [
      attributes({ datacontenttype: "application/octet-stream", data_base64: "gAE=" }),
      attributes({ type: "com.example.order.paid", data: { a: 1 } }),
      attributes({ specversion: "0.3" }),
    ]
    const { status, body } = await send(
      { "content-type": "application/cloudevents-batch+json; charset=UTF-8" },
      JSON.stringify(batch),
    )
    expect(status).toBe(200)
    expect(body["results"]).toMatchObject([
      { index: 0, status: "accepted" },
      { index: 1, status: "accepted" },
      { index: 2, status: "invalid", errors: [{ pointer: "/specversion" }] },
    ])
  })

  test("that is empty is a batch", async () => {
    for (const path of ["/v1/events", "/v1/events/batch"])
      expect(await send({ "content-type": "application/cloudevents-batch+json" }, "[]", path)).toEqual({
        status: 200,
        body: { results: [] },
      })
  })

  test("in another format is not taken, nor is an event in one, headers or not", async () => {
    for (const type of [
      "application/cloudevents+avro",
      "application/cloudevents-batch+protobuf",
      "application/cloudevents+xml",
    ])
      for (const headers of [{}, asHeaders(attributes())])
        expect((await send({ ...headers, "content-type": type }, "x")).status).toBe(415)
  })
})

describe("attributes", () => {
  const good: readonly [string, JsonObject, Partial<HubEvent>][] = [
    ["a time without a fraction", { time: "2024-01-02T03:04:05Z" }, { occurredAt: Date.UTC(2024, 0, 2, 3, 4, 5) }],
    [
      "a time with nine digits and an offset",
      { time: "2024-01-02T03:04:05.123456789+03:00" },
      { occurredAt: Date.UTC(2024, 0, 2, 0, 4, 5, 123) },
    ],
    ["a source that is a URN", { source: "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66" }, {}],
    [
      "extensions of each type: boolean, integer, text, bytes, URI, time",
      {
        flag: false,
        count: -2147483648,
        word: "x",
        raw: "gAE=",
        link: "https://a.example/b",
        at: "2024-01-02T03:04:05Z",
      },
      { extensions: expect.objectContaining({ flag: false, count: -2147483648, at: "2024-01-02T03:04:05Z" }) },
    ],
    [
      "optional ones of the specification",
      { subject: "order/7", dataschema: "https://a.example/schema" },
      { extensions: expect.objectContaining({ subject: "order/7", dataschema: "https://a.example/schema" }) },
    ],
    ["null, which is one that was left out", { subject: null, time: null, flag: null }, {}],
  ]
  for (const [what, changes, expected] of good)
    test(`may be ${what}`, async () => {
      expect(await stored(await sendStructured(attributes(changes)))).toMatchObject(expected as object) // matchers among it
    })

  const bad: readonly [string, JsonObject, readonly string[]][] = [
    ["another version", { specversion: "1.1" }, ["/specversion"]],
    ["a version that is a number", { specversion: 1.0 }, ["/specversion"]],
    ["no version", { specversion: null }, ["/specversion"]],
    ["no id", { id: null }, ["/id"]],
    ["an empty id", { id: "" }, ["/id"]],
    ["no type and no source", { type: null, source: "" }, ["/type", "/source"]],
    ["a time that is none", { time: "yesterday" }, ["/time"]],
    ["a subject that is a number", { subject: 7 }, ["/subject"]],
    ["a name with capitals, an underscore or a dash", { aB: 1, a_b: 1, "a-b": 1 }, ["/aB", "/a_b", "/a-b"]],
    ["an extension that is a list", { list: [1] }, ["/list"]],
    ["both kinds of data", { data: 1, data_base64: "gAE=" }, ["/data_base64"]],
    ["base64 of another alphabet", { data_base64: "gAE_" }, ["/data_base64"]],
    ["base64 without its padding", { data_base64: "gAE" }, ["/data_base64"]],
  ]
  for (const [what, changes, expected] of bad)
    test(`that have ${what} are refused by pointer`, async () => {
      const answer = await sendStructured(attributes(changes))
      expect([answer.status, pointers(answer)]).toEqual([422, expected])
    })
})

describe("attributes in headers", () => {
  const base = { "ce-specversion": "1.0", "ce-type": "t", "ce-source": "s", "content-type": "text/plain" }
  const subjectOf = async (value: string): Promise<unknown> =>
    (await stored(await send({ ...base, "ce-id": `h-${++serial}`, "ce-subject": value }, "x"))).extensions["subject"]

  const values: readonly [string, string, string][] = [
    ["percent-encoded beyond ASCII", "Euro%20%E2%82%AC%20%F0%9F%98%80", "Euro € 😀"],
    ["percent-encoded in lower case, and without need", "%e2%82%ac%41", "€A"],
    ["decoded once", "%2541", "%41"],
    ["a quoted string, as earlier versions had it", '"say \\"hi\\" %E2%82%AC"', 'say "hi" €'],
    ["partly quoted", 'a "b c" d', "a b c d"],
    ["with a quote that stays open", '5" pipe', '5" pipe'],
    ["with a lone percent sign", "100% of 5%zz", "100% of 5%zz"],
    ["a comma and a space", "Baghdad, Basra", "Baghdad, Basra"],
  ]
  for (const [what, given, expected] of values)
    test(`may be ${what}`, async () => {
      expect(await subjectOf(given)).toBe(expected)
    })

  const bad: readonly [string, Record<string, string>, string][] = [
    ["percent-encoded bytes that are no UTF-8", { "ce-subject": "%C0%A0" }, "/subject"],
    ["half a surrogate pair in UTF-8", { "ce-subject": "%ED%A0%80" }, "/subject"],
    ["a NUL", { "ce-subject": "a%00b" }, "/subject"],
    ["a letter that is not ASCII", { "ce-subject": "caf\u00e9" }, "/subject"],
    ["data", { "ce-data": "smuggled" }, "/data"],
    ["data in base64", { "ce-data_base64": "gAE=" }, "/data_base64"],
    ["the prototype's name", { "ce-__proto__": "x" }, "/__proto__"],
    ["a type of data that differs from the body's", { "ce-datacontenttype": "application/json" }, "/datacontenttype"],
    ["a name that is none", { "ce-a-b": "1" }, "/a-b"],
    ["another version", { "ce-specversion": "0.3" }, "/specversion"],
    ["a business that is no id", { "ce-businessid": "a b" }, "/businessid"],
  ]
  for (const [what, headers, pointer] of bad)
    test(`that say ${what} are refused by pointer`, async () => {
      const answer = await send({ ...base, "ce-id": `h-${++serial}`, ...headers }, "x")
      expect([answer.status, pointers(answer)]).toEqual([422, [pointer]])
    })

  test("that come twice where they identify the event are refused", async () => {
    for (const name of ["id", "type", "source", "correlationid"]) {
      const headers = new Headers({
        ...base,
        "ce-id": `h-${++serial}`,
        authorization: `Bearer ${ADMIN_KEY}`,
      })
      headers.append(`ce-${name}`, "once")
      headers.append(`ce-${name}`, "again")
      const response = await fetch(`${front.url}/v1/events`, { method: "POST", headers, body: "x" })
      expect(response.status).toBe(422)
      expect(await response.json()).toMatchObject({
        errors: [{ pointer: `/${name}`, detail: expect.stringContaining("twice") }],
      })
    }
  })

  test("that are not all there are named, one by one", async () => {
    const answer = await send({ "ce-id": "alone", "content-type": "application/json" }, "{}")
    expect([answer.status, pointers(answer)]).toEqual([422, ["/specversion", "/type", "/source"]])
  })

  test("may be repeated as Content-Type where they agree with it", async () => {
    const headers = { ...base, "ce-id": `h-${++serial}`, "ce-datacontenttype": "text/plain" }
    expect((await send(headers, "x")).status).toBe(201)
  })

  test("with data that is not what its type says are refused", async () => {
    const headers = { ...base, "ce-id": `h-${++serial}` }
    expect((await send({ ...headers, "content-type": "application/json" }, "I am no JSON")).status).toBe(400)
    expect((await send(headers, new Uint8Array([0xff]))).status).toBe(400)
  })
})
