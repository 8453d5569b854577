/** Words, numbers and JSON that programs stumble over, and changes of JSON and of bytes: what fuzz inputs are made of. */
import fc from "fast-check"
import type { Json } from "../domain/json.ts"

export const NASTY_TEXT: readonly string[] = [
  "",
  " ",
  "\0",
  "\0", // what PostgreSQL cannot hold is tried more often than the rest
  "\0",
  "a\0b",
  "\ud800",
  "\udc00x",
  "\u202e",
  "\ufeff",
  "é̂".normalize("NFD"),
  "😀",
  "ｂ１",
  "null",
  "undefined",
  "NaN",
  "true",
  "-1",
  "0",
  "1e999",
  "9007199254740993",
  "__proto__",
  "constructor",
  "prototype",
  "toString",
  "hasOwnProperty",
  "*",
  ">",
  "..",
  "../../etc/passwd",
  "..%2f..%2fetc",
  "%00",
  "%",
  "%zz",
  "%c0%ae",
  "%ed%a0%80",
  "+",
  "a b",
  "a/b",
  "a\\b",
  "a:b",
  "a-b-c",
  "'; drop table events; --",
  '" or 1=1',
  "{{1+1}}",
  "<%= 1 %>",
  "$" + "{1}",
  "<script>",
  "\r\nX-Injected: 1",
  "2026-01-01T00:00:00Z",
  "2026-13-45T99:99:99Z",
  "-000001-01-01T00:00:00Z",
  "9999-12-31T23:59:60.999999999+14:00",
  "+275760-09-13T00:00:00.001Z",
  "evt_00000000000000000000000000",
  "evt_zzzzzzzzzzzzzzzzzzzzzzzzzz",
  "ntf_00000000000000000000000000",
  "dlv_00000000000000000000000000",
  "b1",
  "u1",
  "l1",
  "x".repeat(300),
]
/** Rare, because moving them is most of what a run costs. */
const LONG_TEXT = ["é".repeat(70_000), "x".repeat(66_000), '"'.repeat(30_000)]

/** Numbers as they are written: some of them no value of JavaScript has. */
const NASTY_NUMBERS = [
  "0",
  "-0",
  "-1",
  "1.5",
  "1e15",
  "1e308",
  "1e309",
  "-1e999",
  "1E+400",
  "9007199254740993",
  "5e-324",
]
const MARK = "\u0001number:"

export const nastyText: fc.Arbitrary<string> = fc.oneof(
  { weight: 300, arbitrary: fc.constantFrom(...NASTY_TEXT) },
  { weight: 100, arbitrary: fc.string({ unit: "binary", maxLength: 24 }) },
  { weight: 1, arbitrary: fc.constantFrom(...LONG_TEXT) },
)

const nest = (depth: number, shape: number): Json => {
  let value: Json = 1
  for (let i = 0; i < depth; i++) value = shape % 2 === 0 ? [value] : { a: value }
  return value
}

export const nastyJson: fc.Arbitrary<Json> = fc.oneof(
  { weight: 60, arbitrary: nastyText },
  { weight: 40, arbitrary: fc.constantFrom(...NASTY_NUMBERS).map((written) => MARK + written) },
  { weight: 30, arbitrary: fc.constantFrom<Json>(null, true, false, 0, {}, [], [[]], [{}], { a: null }) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom(31, 32, 33, 200), fc.nat(1)).map(([depth, shape]) => nest(depth, shape)),
  },
  { weight: 1, arbitrary: fc.constantFrom(999, 1_001).map((n) => Array.from({ length: n }, (_, i): Json => i)) },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(1_000, 1_001)
      .map((n): Json => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, i]))),
  },
  { weight: 15, arbitrary: fc.json({ maxDepth: 3 }).map((text) => JSON.parse(text) as Json) }, // it generates JSON
)

const OPS = ["set", "set", "set", "delete", "add", "add proto", "wrap", "double key", "swap"] as const
interface Change {
  readonly at: number
  readonly op: (typeof OPS)[number]
  readonly value: Json
  readonly name: string
}

export const change: fc.Arbitrary<Change> = fc.record({
  at: fc.nat(),
  op: fc.constantFrom(...OPS),
  value: nastyJson,
  name: nastyText,
})

type Tree = Record<string, Json> | Json[]
const isTree = (value: Json | undefined): value is Tree => typeof value === "object" && value !== null

/** A copy of the example with these changes, as text; numbers stand as they were written, keys may stand twice. */
export function changed(example: Json, changes: readonly Change[]): string {
  const root: { value: Json } = { value: structuredClone(example) }
  for (const { at, op, value: drawn, name } of changes) {
    const value = structuredClone(drawn) // what was drawn is drawn again: it must not be changed
    const places: { readonly holder: Tree; readonly key: string }[] = []
    const visit = (holder: Tree, key: string): void => {
      places.push({ holder, key })
      const below = (holder as Record<string, Json>)[key] // lists are read by their indexes too
      if (isTree(below) && places.length < 500) for (const inner of Object.keys(below)) visit(below, inner)
    }
    visit(root, "value")
    const place = places[at % places.length]
    if (place === undefined) continue
    const holder = place.holder as Record<string, Json> // as above
    const here = holder[place.key]
    switch (op) {
      case "set":
        holder[place.key] = value
        break
      case "delete":
        if (Array.isArray(holder)) holder.splice(Number(place.key), 1)
        else if (place.key !== "value") delete holder[place.key]
        break
      case "add":
        if (isTree(here) && !Array.isArray(here)) define(here, name, value)
        else if (Array.isArray(here)) here.push(value)
        break
      case "add proto":
        if (isTree(here) && !Array.isArray(here)) define(here, "__proto__", value)
        break
      case "wrap":
        holder[place.key] = at % 2 === 0 ? [here ?? null] : { a: here ?? null }
        break
      case "double key":
        if (isTree(here) && !Array.isArray(here)) define(here, `${Object.keys(here)[0] ?? "a"}\u0001twice`, value)
        break
      case "swap":
        holder[place.key] = typeof here === "string" ? 1 : typeof here === "object" ? "[object]" : String(here)
        break
    }
  }
  return written(root.value)
}

const define = (into: Record<string, Json>, name: string, value: Json): void =>
  void Object.defineProperty(into, name, { value, enumerable: true, configurable: true, writable: true })

/** As `JSON.stringify`, but marked numbers and keys stand as they are meant. */
export const written = (value: Json): string =>
  JSON.stringify(value)
    .replace(/"\\u0001number:([^"]*)"/g, "$1")
    .replaceAll("\\u0001twice", "")

export interface ByteChange {
  readonly at: number
  readonly op: "flip" | "cut" | "drop" | "insert" | "repeat"
  readonly byte: number
}

export const byteChange: fc.Arbitrary<ByteChange> = fc.record({
  at: fc.nat(),
  op: fc.constantFrom("flip", "flip", "cut", "drop", "insert", "repeat"),
  byte: fc.oneof(fc.nat(255), fc.constantFrom(0, 9, 10, 13, 32, 34, 44, 58, 92, 123, 125, 255)),
})

export function withBytes(bytes: Buffer, changes: readonly ByteChange[]): Buffer {
  let now = bytes
  for (const { at, op, byte } of changes) {
    if (now.length === 0) return now
    const place = at % now.length
    switch (op) {
      case "flip":
        now = Buffer.from(now)
        now[place] = byte
        break
      case "cut":
        now = now.subarray(0, place)
        break
      case "drop":
        now = Buffer.concat([now.subarray(0, place), now.subarray(place + 1 + (byte % 8))])
        break
      case "insert":
        now = Buffer.concat([now.subarray(0, place), Buffer.alloc(1 + (byte % 4), byte), now.subarray(place)])
        break
      case "repeat":
        now = Buffer.concat([now.subarray(0, place), now.subarray(Math.max(0, place - 40)), now.subarray(place)])
        break
    }
  }
  return now
}
