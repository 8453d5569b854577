import { describe, expect, test } from "bun:test"
import { createHmac } from "node:crypto"
import fc from "fast-check"
import { Webhook } from "standardwebhooks"
import { type SignedMessage, signedBy } from "./standard-webhook-signature.ts"

const KEYS = [Buffer.alloc(24, 1), Buffer.alloc(32, 2), Buffer.alloc(64, 3)]
const NOW = 1_767_603_600
const STRANGER = Buffer.alloc(32, 9)

/** Signs whatever it is given, sound or not. */
const signature = (key: Buffer, id: string, timestamp: string, body: Uint8Array): string =>
  `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.`).update(body).digest("base64")}`
const message = (key: Buffer, id: string, timestamp: string, body: Uint8Array): SignedMessage => ({
  id,
  timestamp,
  body,
  signature: signature(key, id, timestamp, body),
})
const at = (given: SignedMessage, keys: readonly Buffer[] = KEYS, now = NOW * 1_000) => signedBy(given, keys, now)

const id = fc.stringMatching(/^[\x21-\x7e]{1,40}$/)
const body = fc.uint8Array({ maxLength: 64 })

describe("a message", () => {
  test("signed by their library with one of the keys is known by that key", () => {
    fc.assert(
      fc.property(id, fc.string({ unit: "grapheme" }), fc.nat(KEYS.length - 1), (name, text, n) => {
        const signed = new Webhook((KEYS[n] ?? STRANGER).toString("base64")).sign(name, new Date(NOW * 1_000), text)
        const given = { id: name, timestamp: String(NOW), signature: signed, body: Buffer.from(text) }
        expect(at(given)).toBe(n)
      }),
    )
  })

  test("is signed as bytes, whether they are text or not", () => {
    fc.assert(
      fc.property(id, body, fc.nat(), fc.integer({ min: 1, max: 255 }), (name, bytes, index, by) => {
        fc.pre(bytes.length > 0)
        const given = message(STRANGER, name, String(NOW), bytes)
        expect(at(given, [STRANGER])).toBe(0)
        const changed = Uint8Array.from(bytes)
        changed[index % bytes.length] = ((bytes[index % bytes.length] ?? 0) + by) & 0xff
        expect(at({ ...given, body: changed }, [STRANGER])).toBeNull()
      }),
    )
  })

  test("is good for 300 seconds before and after its time, and no longer", () => {
    const given = message(STRANGER, "m", String(NOW), Buffer.from("{}"))
    for (const seconds of [-300, -299.5, 0, 300, 300.999])
      expect(at(given, [STRANGER], (NOW + seconds) * 1_000)).toBe(0)
    for (const seconds of [-300.001, -86_400, 301, 86_400])
      expect(at(given, [STRANGER], (NOW + seconds) * 1_000)).toBeNull()
  })

  test.each([
    "",
    "abc",
    `${NOW}.5`,
    `${NOW}e0`,
    ` ${NOW}`,
    `+${NOW}`,
    `0${NOW}`,
    "1767603600000000000000",
    "NaN",
    "-1",
  ])("whose time is written %p is refused, though it be signed so", (timestamp) =>
    expect(at(message(STRANGER, "m", timestamp, Buffer.from("{}")), [STRANGER])).toBeNull(),
  )

  test.each(["", "a b", "a, a", "ü", "\t"])("whose id is %p is refused, though it be signed so", (name) => {
    expect(at(message(STRANGER, name, String(NOW), Buffer.from("{}")), [STRANGER])).toBeNull()
  })

  test("of a source without a key, or with an empty one, is refused", () => {
    for (const key of [STRANGER, Buffer.alloc(0), Buffer.alloc(32)]) {
      const given = message(key, "m", String(NOW), Buffer.from("{}"))
      expect(at(given, [])).toBeNull()
      expect(at(given, [Buffer.alloc(0)])).toBeNull()
    }
  })

  test("is looked for among sixteen signatures at most", () => {
    const given = message(STRANGER, "m", String(NOW), Buffer.from("{}"))
    const others = (n: number) => `v1,${"A".repeat(43)}= `.repeat(n)
    expect(at({ ...given, signature: others(15) + given.signature }, [STRANGER])).toBe(0)
    expect(at({ ...given, signature: others(16) + given.signature }, [STRANGER])).toBeNull()
  })
})
