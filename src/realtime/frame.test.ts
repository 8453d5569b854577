import { describe, expect, test } from "bun:test"
import type { Json } from "../domain/json.ts"
import { serializerFor, serializerV1, serializerV2 } from "./frame.ts"

describe("frames", () => {
  test("a broadcast is what encoding the whole frame would give, whatever its names hold", () => {
    const payload = { text: 'quotes " and \\ and ü and \u2028', n: 1.5 }
    for (const topic of ["resources:b-1", 'a"b', "ü"]) {
      const text = JSON.stringify(payload)
      expect(JSON.parse(serializerV2.broadcast(topic, "e", text))).toEqual([null, null, topic, "e", payload])
      expect(JSON.parse(serializerV1.broadcast(topic, "e", text))).toEqual({ ref: null, event: "e", payload, topic })
    }
  })

  test("refs of every JSON type are kept as they are", () => {
    for (const ref of [null, 1, 1.5, "1", true, [1], { a: [] }]) {
      const frame = serializerV2.decode(JSON.stringify([ref, ref, "t", "e", {}]))
      expect([frame?.joinRef, frame?.ref]).toEqual([ref, ref])
    }
  })

  test("a ref that is longer than any client's makes no frame: it would be kept for as long as its topic is joined", () => {
    const longest = "x".repeat(1_000)
    const [text, list] = [`${longest}x`, Array.from({ length: 400 }, () => [])]
    for (const serializer of [serializerV1, serializerV2]) {
      const decode = (joinRef: Json, ref: Json) => {
        const [topic, event, payload] = ["t", "e", {}]
        const frame = serializer === serializerV1 ? { join_ref: joinRef, ref, topic, event, payload } : null
        return serializer.decode(JSON.stringify(frame ?? [joinRef, ref, topic, event, payload]))
      }
      expect(decode(longest, longest)).toMatchObject({ joinRef: longest, ref: longest })
      for (const ref of [text, list, { text }]) expect([decode(ref, "1"), decode("1", ref)]).toEqual([null, null])
    }
  })

  test("a binary push is read, and a name over 255 bytes is never written", () => {
    const raw = new Uint8Array(Buffer.from("0001010d0431327265736f75726365733a622d316563686f0102", "hex"))
    expect(serializerV2.decode(raw)).toEqual({
      joinRef: "1",
      ref: "2",
      topic: "resources:b-1",
      event: "echo",
      payload: Uint8Array.of(1, 2),
    })
    expect(() => serializerV2.broadcastBinary("x".repeat(256), "e", new Uint8Array())).toThrow("at most 255")
  })

  test("versions are chosen as Phoenix chooses them", () => {
    const chosen = [null, "1.0.0", "1.0.7", "2.0.0", "2.0.9"].map((vsn) => serializerFor(vsn)?.version)
    expect(chosen).toEqual(["1", "1", "1", "2", "2"])
    for (const vsn of ["", "2", "2.0", "2.1.0", "9.0.0", "abc", "2.0.0-rc", "1.1.0"])
      expect(serializerFor(vsn)).toBeNull()
  })
})
