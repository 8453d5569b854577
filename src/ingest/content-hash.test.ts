import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import type { Json, JsonObject } from "../domain/json.ts"
import { canonical } from "../domain/json.ts"
import { contentHash } from "./content-hash.ts"

const shuffled = (value: Json): Json => {
  if (Array.isArray(value)) return value.map(shuffled)
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, item]) => [key, shuffled(item)]),
  )
}

describe("the content hash", () => {
  test("is the same for any order of keys, and the text says the same", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (given) => {
        const value = given as Json // fast-check's word for the same thing
        fc.pre(!JSON.stringify(value).includes("__proto__"))
        expect(canonical(shuffled(value))).toBe(canonical(value))
        expect(JSON.parse(canonical(value))).toEqual(JSON.parse(JSON.stringify(value)))
      }),
    )
  })

  const base = ["t", "high", null, { a: [1, { b: "x" }] }] as const
  const hash = (payload: JsonObject): string => contentHash(base[0], base[1], base[2], payload).toString("hex")
  const others: readonly [string, JsonObject][] = [
    ["a changed value", { a: [1, { b: "y" }] }],
    ["a moved item", { a: [{ b: "x" }, 1] }],
    ["a number as a string", { a: ["1", { b: "x" }] }],
    ["one field more", { a: [1, { b: "x" }], c: null }],
    ["a value that imitates its neighbours", { a: '[1,{"b":"x"}]' }],
  ]
  for (const [what, payload] of others) test(`differs for ${what}`, () => expect(hash(payload)).not.toBe(hash(base[3])))

  test("differs for another type, severity or location with the same payload", () => {
    const hashes = [
      contentHash("t", "high", null, {}),
      contentHash("u", "high", null, {}),
      contentHash("t", "error", null, {}),
    ].map(String)
    expect(new Set(hashes).size).toBe(3)
  })
})
