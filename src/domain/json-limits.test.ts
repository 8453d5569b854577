import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { Json } from "./json.ts"
import { checkJson, JSON_LIMITS, pointerTo, writeJson } from "./json-limits.ts"

const parse = (text: string): Json => JSON.parse(text) as Json
const pointers = (value: Json): readonly string[] => checkJson(value).map(({ pointer }) => pointer)
const nested = (depth: number): Json => parse("[".repeat(depth) + "]".repeat(depth))

describe("JSON that may be stored", () => {
  test("is left alone", () => {
    expect(checkJson(parse('{"a":[1,-0,1.5e300,"ü","😀",null,true,{}],"":""}'))).toEqual([])
  })

  test("is at most 32 deep", () => {
    expect(checkJson(nested(JSON_LIMITS.depth))).toEqual([])
    expect(checkJson(nested(JSON_LIMITS.depth + 1))).toHaveLength(1)
  })

  test("is walked no deeper than the limit, however deep it is", () => {
    expect(checkJson(nested(100_000))).toEqual([{ pointer: "/0".repeat(32), detail: "nested more than 32 deep" }])
  })

  test("is written down at once, or not at all where it is so deep that this would take seconds", () => {
    expect(writeJson({ a: [1, "b", null] })).toBe('{"a":[1,"b",null]}')
    const began = performance.now()
    for (const depth of [30_000, 100_000]) expect(writeJson([{ deep: nested(depth) }])).toBeNull()
    expect(performance.now() - began).toBeLessThan(1_000)
  })

  test("has at most 1,000 keys in all", () => {
    const object = (keys: number): Json => Object.fromEntries(Array.from({ length: keys }, (_, i) => [`k${i}`, i]))
    expect(checkJson(object(1_000))).toEqual([])
    expect(pointers(object(1_001))).toEqual([""])
    expect(pointers([object(600), object(600)])).toEqual([""])
  })

  test("has no NUL, half pair, unreal number or trap, each named by its pointer", () => {
    const value = parse(
      '{"a":["ok","\\u0000"],"b/c":{"d~e":"\\ud800"},"n":-1e999,"x":{"__proto__":1,"prototype":2,"constructor":3}}',
    )
    expect(pointers(value)).toEqual(["/a/1", "/b~1c/d~0e", "/n", "/x/__proto__", "/x/prototype", "/x/constructor"])
    expect(pointers({ "\0": 1 })).toEqual([""])
    expect(pointers("\udfff")).toEqual([""])
  })

  test("may be one long string: how long is for the size of the whole to say", () => {
    expect(checkJson({ data_base64: "A".repeat(250_000) })).toEqual([])
  })

  test("stops counting after a handful of errors", () => {
    expect(checkJson(Array.from({ length: 1_000 }, () => "\0"))).toHaveLength(JSON_LIMITS.errors)
  })

  test("any value is judged without a throw, and what passes survives UTF-8", () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: "binary" }), (given) => {
        const value = given as Json // fast-check's word for the same thing
        if (checkJson(value).length > 0) return
        const text = JSON.stringify(value)
        expect(Buffer.from(text).toString()).toBe(text)
      }),
    )
  })
})

test("a pointer escapes what RFC 6901 says", () => {
  expect(pointerTo("/a", "b/c~d")).toBe("/a/b~1c~0d")
  expect(pointerTo("", 3)).toBe("/3")
})
