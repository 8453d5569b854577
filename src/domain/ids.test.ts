import { describe, expect, test } from "bun:test"
import fc from "fast-check"
import { asBusinessId, asDeliveryId, asEventId, asRecipientId, idFloor, newEventId } from "./ids.ts"

const ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
/** The 128 bits behind an id. */
const uuidOf = (id: string): bigint =>
  [...id.slice(4)].reduce((bits, char) => (bits << 5n) | BigInt(ALPHABET.indexOf(char)), 0n)

describe("an id that the hub makes", () => {
  test("is a UUIDv7 of the given time behind its prefix", () => {
    // Just ahead of any id made before in this process: the clock of ids never steps back.
    let wall = Date.now() + 1_000
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), (later) => {
        wall += later
        const uuid = uuidOf(newEventId(wall))
        expect(Number(uuid >> 80n)).toBe(wall)
        expect((uuid >> 76n) & 15n).toBe(7n)
        expect((uuid >> 62n) & 3n).toBe(2n)
        expect(uuid < 1n << 128n).toBe(true)
      }),
      { numRuns: 200 },
    )
  })

  test("is greater than every id before it, within a millisecond and when the clock steps back", () => {
    let last = ""
    for (let i = 0; i < 20_000; i++) {
      const id = newEventId(i % 7 === 0 ? 1_000 : Date.now())
      expect(id > last).toBe(true)
      last = id
    }
  })

  test("sorts behind the floor of its own time and before that of every later one", () => {
    const wall = Date.now() + 10_000_000
    const id = newEventId(wall)
    expect(id > idFloor("evt_", wall)).toBe(true)
    expect(id < idFloor("evt_", wall + 1)).toBe(true)
    expect(idFloor("evt_", -5) < idFloor("evt_", 1)).toBe(true)
  })

  test("is never the same twice", () => {
    expect(new Set(Array.from({ length: 100_000 }, () => newEventId(Date.now()))).size).toBe(100_000)
  })

  test("is known again, and nothing else is", () => {
    const id = newEventId(Date.now())
    expect(asEventId(id)).toBe(id)
    for (const wrong of [id.slice(0, -1), `${id}0`, id.toUpperCase(), id.replace("evt_", "dlv_"), "evt_", ""]) {
      expect(asEventId(wrong)).toBeNull()
    }
    expect(asDeliveryId(id)).toBeNull()
  })
})

describe("an id from outside", () => {
  test("is taken within its alphabet and length, numbers as their strings", () => {
    expect(asBusinessId("al-noor_1.x")).toBe(asBusinessId("al-noor_1.x"))
    expect(String(asBusinessId(42))).toBe("42")
    for (const wrong of ["", "a b", "a:b", "a".repeat(65), null, undefined, {}, Number.NaN])
      expect(asBusinessId(wrong)).toBeNull()
    expect(String(asRecipientId("cognito|7f3a@example.com"))).toBe("cognito|7f3a@example.com")
    expect(asRecipientId("a:b")).toBeNull()
  })
})
