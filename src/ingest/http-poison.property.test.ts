/** Catalogue 9 over HTTP: whatever poison is planted among good events, it is refused alone, and its neighbours are stored. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { JsonObject } from "../domain/json.ts"
import { type Front, jsonOf, startFront } from "../testing/front.ts"
import { createAccept } from "./accept.ts"
import { ingestRoutes } from "./http.ts"
import { createRejections } from "./rejections.ts"
import { repeatedNames } from "./repeated-names.ts"

let front: Front
beforeAll(async () => {
  front = await startFront((parts) => [
    ingestRoutes({ ...parts, accept: createAccept(parts), rejections: createRejections(parts) }),
  ])
})
afterAll(() => front.stop())

const event = (payload: string, more = ""): string => `{"type":"t","source":"poison","payload":${payload}${more}}`
const deep = (depth: number): string => `{"a":${"[".repeat(depth)}${"]".repeat(depth)}}`
const keys = (count: number): string => `{${Array.from({ length: count }, (_, n) => `"k${n}":${n}`).join(",")}}`

/** JSON text of events that no one may store, and where each is wrong: raw, because no encoder would write some of them. */
const POISON: Readonly<Record<string, readonly [text: string, pointer: string]>> = {
  "a NUL": [event('{"a":"x\\u0000y"}'), "/payload/a"],
  "a NUL in a name": [event('{"a\\u0000":1}'), "/payload"],
  "half a surrogate pair": [event('{"a":["\\ud800"]}'), "/payload/a/0"],
  "the other half": [event('{"a":"x\\udc00"}'), "/payload/a"],
  "half a pair in a name": [event('{"\\udfff":1}'), "/payload"],
  "a pair the wrong way round": [event('{"a":"\\udc00\\ud800"}'), "/payload/a"],
  "a number beyond a double": [event('{"a":1e400}'), "/payload/a"],
  "one below": [event('{"a":[-1e999999]}'), "/payload/a/0"],
  "309 digits": [event(`{"a":${"9".repeat(310)}}`), "/payload/a"],
  "a depth of 33": [event(deep(31)), `/payload/a${"/0".repeat(30)}`],
  "a depth of 5,000": [event(deep(5_000)), `/payload/a${"/0".repeat(30)}`],
  "1,001 keys": [event(keys(999)), ""],
  __proto__: [event('{"__proto__":{"admin":true}}'), "/payload/__proto__"],
  "__proto__ in its escapes": [event('{"\\u005f_proto__":1}'), "/payload/__proto__"],
  "constructor.prototype": [event('{"a":{"constructor":{"prototype":{}}}}'), "/payload/a/constructor"],
  "__proto__ beside the fields": [event("{}", ',"__proto__":{"type":"u"}'), "/__proto__"],
  "a NUL in the key": [event("{}", ',"idempotency_key":"a\\u0000"'), "/idempotency_key"],
  "a key of 256 characters": [event("{}", `,"idempotency_key":"${"k".repeat(256)}"`), "/idempotency_key"],
  "a type that is a list": ['{"type":["t"],"source":"poison"}', "/type"],
  "a payload that is text": [event('"text"'), "/payload"],
  "a list": ["[]", ""],
  null: ["null", ""],
  "a number": ["-0", ""],
  text: ['"event"', ""],
  "an unknown field": [event("{}", ',"xyzzyplugh":1'), "/xyzzyplugh"],
  "a name twice": [event('{"amount":1,"amount":1}'), "/payload/amount"],
  "a name twice, once in its escapes": [event('{"a":{"b":[{"x":1,"\\u0078":2}]}}'), "/payload/a/b/0/x"],
  "a field twice": [event("{}", ',"business_id":"b1","business_id":"b2"'), "/business_id"],
  "a lone surrogate in a CloudEvent": [
    '{"specversion":"1.0","id":"1","source":"poison","type":"t","x":"\\ud800"}',
    "/x",
  ],
}
/** Ordinary, and odd but sound. */
const sound = fc.oneof(
  fc
    .jsonValue({ maxDepth: 3, stringUnit: "grapheme" })
    .filter((value) => !/__proto__|constructor|prototype|\\u0000/.test(JSON.stringify(value))),
  fc.constantFrom(
    5e-324,
    1.7976931348623157e308,
    -1.7976931348623157e308,
    "\u{1F600}",
    "\ufeff",
    "\u2028",
    "\uffff",
    "",
  ),
)

type Planted = { readonly kind: "good"; readonly payload: unknown } | { readonly kind: "poison"; readonly name: string }
const planted: fc.Arbitrary<Planted> = fc.oneof(
  { weight: 3, arbitrary: sound.map((value) => ({ kind: "good", payload: { value } }) as const) },
  { weight: 1, arbitrary: fc.constantFrom(...Object.keys(POISON)).map((name) => ({ kind: "poison", name }) as const) },
)

let serial = 0
const postText = (path: string, text: string | Uint8Array): Promise<Response> =>
  front.call(path, { body: Buffer.from(text), headers: { "content-type": "application/json" } })
const countStored = async (): Promise<number> =>
  Number((await front.db.query<{ n: string }>("select count(*) as n from events"))[0]?.n)

describe("poison", () => {
  test("among good events is refused by its pointer, alone; each good neighbour is stored as it came", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(planted, { minLength: 1, maxLength: 30 }), fc.boolean(), async (items, isList) => {
        const batch = ++serial
        const texts = items.map((item, n) =>
          item.kind === "poison"
            ? (POISON[item.name]?.[0] ?? "")
            : JSON.stringify({ type: "t", source: "good", idempotency_key: `${batch}-${n}`, payload: item.payload }),
        )
        const list = `[${texts.join(",")}]`
        const before = await countStored()
        const response = await postText("/v1/events/batch", isList ? list : `{"events":${list}}`)
        expect(response.status).toBe(200)
        const { results } = await jsonOf<{ results: readonly JsonObject[] }>(response)
        expect(results).toMatchObject(
          items.map((item, index) =>
            item.kind === "good"
              ? { index, status: "accepted" }
              : { index, status: "invalid", errors: [{ pointer: POISON[item.name]?.[1] }] },
          ),
        )
        expect((await countStored()) - before).toBe(items.filter(({ kind }) => kind === "good").length)
        // What was stored says what was sent: the same content again is a repeat, to the last bit.
        const again = await jsonOf<{ results: readonly JsonObject[] }>(postText("/v1/events/batch", list))
        expect(again.results.map(({ status }) => status)).toEqual(
          items.map(({ kind }) => (kind === "good" ? "duplicate" : "invalid")),
        )
      }),
      { numRuns: 60 },
    )
  }, 120_000)

  for (const [name, [text, pointer]] of Object.entries(POISON))
    test(`${name}, sent alone, is 422 at ${pointer === "" ? "the whole" : pointer.slice(0, 40)}`, async () => {
      const response = await postText("/v1/events", text)
      expect(response.status).toBe(422)
      expect((await jsonOf<{ errors: readonly JsonObject[] }>(response)).errors[0]).toMatchObject({ pointer })
    })

  test("of great size is refused alone too: a depth of 100,000, a name of a megabyte, a text of a megabyte", async () => {
    const great = [
      event(deep(100_000)),
      event(`{"${"k".repeat(1_000_000)}":1}`),
      event(`{"a":"${"x".repeat(1_000_000)}"}`),
    ]
    const before = await countStored()
    const good = event("{}")
    const response = await postText("/v1/events/batch", `[${great.flatMap((text) => [good, text]).join(",")},${good}]`)
    expect(response.status).toBe(200)
    const { results } = await jsonOf<{ results: readonly JsonObject[] }>(response)
    expect(results.map(({ status }) => status)).toEqual([...great.flatMap(() => ["accepted", "invalid"]), "accepted"])
    expect(await countStored()).toBe(before + great.length + 1)
    for (const text of great) expect([413, 422]).toContain((await postText("/v1/events", text)).status)
  })

  test("never answers with 5xx and never leaves a mark on the prototype", () => {
    const problems = front.emitted.filter((some) => some.kind === "http_request" && some.status >= 500)
    expect(problems).toEqual([])
    expect(front.emitted.filter(({ kind }) => kind === "bug_found")).toEqual([])
    expect(Object.keys(Object.prototype)).toEqual([])
    expect("admin" in {}).toBe(false)
  })
})

describe("a name that stands twice", () => {
  test("in the data of a binary CloudEvent is refused by its pointer", async () => {
    const response = await front.call("/v1/events", {
      body: '{"a":1,"a":2}',
      headers: {
        "ce-specversion": "1.0",
        "ce-id": "twice",
        "ce-type": "t",
        "ce-source": "s",
        "content-type": "application/json",
      },
    })
    expect(response.status).toBe(422)
    expect(await response.json()).toMatchObject({ errors: [{ pointer: "/data/a" }] })
  })

  test("around the events is refused as a whole, in a resource message by its pointer", async () => {
    const whole = await postText("/v1/events/batch", `{"events":[${event("{}")}],"events":[]}`)
    expect(whole.status).toBe(422)
    expect(await whole.json()).toMatchObject({ errors: [{ pointer: "/events" }] })
    const message =
      '{"type":"resource_updated","resourceType":"r","businessId":"b1","businessId":"b2","resourceId":"1"}'
    for (const text of [message, `[${message}]`])
      expect(await (await postText("/api/notifications", text)).text()).toContain('"/businessId"')
  })

  test("is found wherever it is put, and nothing else is", () => {
    const name = fc.oneof(
      fc.string({ unit: "binary", maxLength: 4 }),
      fc.constantFrom('"', "\\", '\\"', "{", "}", "[", ",", ":", "a"),
    )
    const value = fc.letrec<{ any: unknown }>((tie) => ({
      any: fc.oneof(
        { depthSize: "small" },
        name,
        fc.double(),
        fc.array(tie("any"), { maxLength: 4 }),
        fc.dictionary(name, tie("any"), { maxKeys: 4, noNullPrototype: true }),
      ),
    })).any
    fc.assert(
      fc.property(value, name, fc.constantFrom(undefined, 2), (inner, twice, indent) => {
        const text = JSON.stringify(inner, null, indent) ?? "null"
        expect(repeatedNames(text, 2)).toEqual([])
        const quoted = JSON.stringify(twice)
        const repeated = `[0, {"other": ${text}, ${quoted}: ${text}, "more": [${text}] , ${quoted} :1}]`
        expect(repeatedNames(repeated, 2)).toEqual([[1, twice]])
      }),
      { numRuns: 2_000 },
    )
  })
})

describe("bytes", () => {
  const good = event("{}")
  const whole: readonly [string, Uint8Array, number][] = [
    ["a byte order mark is overlooked", Buffer.from(`\ufeff${good}`), 201],
    ["UTF-16 is 400", Buffer.from(good, "utf16le"), 400],
    ["UTF-16 with its mark is 400", Buffer.from(`\ufeff${good}`, "utf16le"), 400],
    ["bytes that are no UTF-8 are 400", Buffer.from(good.replace("poison", "p\xff"), "latin1"), 400],
    ["an overlong form is 400", Buffer.from(good.replace("poison", "p\xc0\xaf"), "latin1"), 400],
    ["a surrogate written in UTF-8 is 400", Buffer.from(good.replace("poison", "p\xed\xa0\x80"), "latin1"), 400],
    ["a real NUL is 400", Buffer.from(good.replace("poison", "p\0")), 400],
    ["NaN is 400", Buffer.from(event('{"a":NaN}')), 400],
    ["a number with a zero in front is 400", Buffer.from(event('{"a":01}')), 400],
    ["a comma too many is 400", Buffer.from(event('{"a":1,}')), 400],
    ["two documents are 400", Buffer.from(`${good}\n${good}`), 400],
  ]
  for (const [what, bytes, status] of whole)
    test(what, async () => {
      expect((await postText("/v1/events", bytes)).status).toBe(status)
      // Such a body is no list either: nothing of it can be told apart, so nothing of it is taken.
      const list = status === 201 ? bytes : Buffer.concat([Buffer.from("["), bytes, Buffer.from("]")])
      const before = await countStored()
      if (status !== 201) expect((await postText("/v1/events/batch", list)).status).toBe(400)
      expect(await countStored()).toBe(before)
    })
})

describe("numbers are doubles", () => {
  const kept = async (text: string): Promise<unknown> => {
    const { id } = await jsonOf<{ id: string }>(postText("/v1/events", event(`{"n":${text}}`)))
    const [row] = await front.db.query<{ payload: Buffer }>("select payload from events where id = $1", [id])
    return /"n":([^}]+)/.exec(row?.payload.toString() ?? "")?.[1]
  }
  test("so a minus before zero is lost, and an integer beyond 2^53 is rounded: it belongs into a text", async () => {
    expect(await kept("-0")).toBe("0")
    expect(await kept("9007199254740993")).toBe("9007199254740992")
    expect(await kept("12345678901234567890")).toBe("12345678901234567000")
    expect(await kept('"12345678901234567890"')).toBe('"12345678901234567890"')
    expect(await kept("1e-400")).toBe("0")
  })
})
