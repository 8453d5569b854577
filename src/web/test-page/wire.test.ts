import { expect, test } from "bun:test"
import { decode, encode, hidden, inBytes, sizeOf } from "./wire.ts"

const message = { join_ref: "3", ref: "4", topic: "resources:b1", event: "ping", payload: { a: 1 } }

test("a message is five in a row in version 2, an object of the same parts in version 1, and is read back from both", () => {
  expect(encode("2.0.0", message)).toBe('["3","4","resources:b1","ping",{"a":1}]')
  expect(JSON.parse(encode("1.0.0", message))).toEqual(message)
  for (const version of ["1.0.0", "2.0.0"] as const) expect(decode(encode(version, message))).toEqual(message)
})

test("a frame of version 1 that has no join_ref is one for whoever joined", () => {
  expect(decode('{"topic":"t","event":"e","payload":{},"ref":null}')).toEqual({
    join_ref: null,
    ref: null,
    topic: "t",
    event: "e",
    payload: {},
  })
})

test("a secret is nowhere in what is shown, however often it stands there; without one nothing changes", () => {
  expect(hidden('["s3cret",{"a":"Bearer s3cret"}]', ["s3cret", ""])).toBe('["•••",{"a":"Bearer •••"}]')
  expect(hidden("plain", ["", ""])).toBe("plain")
})

test("a size is in bytes, not in letters", () => {
  expect(sizeOf("شركة")).toBe(8)
  expect([847, 1_240, 12_400].map(inBytes)).toEqual(["847 B", "1.24 kB", "12.4 kB"])
})
