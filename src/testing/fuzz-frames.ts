/**
 * What a hostile client writes on a socket: Phoenix frames of both versions that are well formed but senseless, frames that
 * are no Phoenix frames, and bytes that are no WebSocket frames. All are bytes on the wire, masked where they should be.
 */
import fc from "fast-check"
import type { Json } from "../domain/json.ts"
import { byteChange, change, changed, nastyJson, nastyText, withBytes, written } from "./fuzz-nasty.ts"

export type Version = "1.0.0" | "2.0.0"
export interface FrameInput {
  readonly bytes: Buffer
  /** The hub may end the connection for it; else it must answer what comes after it. */
  readonly mayEnd: boolean
}

const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const

/** One masked frame. `size` overrides what its header says of the length. */
export function wire(first: number, payload: Buffer, mask = true, size?: 16 | 64): Buffer {
  const { length } = payload
  const bit = mask ? 0x80 : 0
  const wide = size ?? (length > 65_535 ? 64 : length > 125 ? 16 : 7)
  const header = Buffer.alloc(wide === 64 ? 10 : wide === 16 ? 4 : 2)
  header[0] = first
  header[1] = bit | (wide === 64 ? 127 : wide === 16 ? 126 : length)
  if (wide === 16) header.writeUInt16BE(length & 0xffff, 2)
  if (wide === 64) header.writeBigUInt64BE(BigInt(length), 2)
  if (!mask) return Buffer.concat([header, payload])
  const key = [0x12, 0x34, 0x56, 0x78]
  const masked = Buffer.alloc(length)
  for (let i = 0; i < length; i++) masked[i] = (payload[i] ?? 0) ^ (key[i & 3] ?? 0)
  return Buffer.concat([header, Buffer.from(key), masked])
}
export const textFrame = (text: string): Buffer => wire(0x80 | OPCODE.text, Buffer.from(text))

const topic = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom(
      "resources:b1-l1",
      "resources:b1:l1",
      "resources:b1",
      "resources:a-b-c",
      "resources:",
      "resources:::",
      "notifications:u1",
      "notifications:u2",
      "dashboard",
      "phoenix",
      "chat:x",
      "agent:x",
      "*",
    ),
  },
  { weight: 1, arbitrary: nastyText.map((text) => `resources:${text.slice(0, 200)}`) },
  { weight: 1, arbitrary: nastyText },
)
const event = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.constantFrom(
      "phx_join",
      "phx_join",
      "phx_join",
      "phx_leave",
      "heartbeat",
      "phx_close",
      "phx_error",
      "phx_reply",
      "presence_state",
      "access_token",
      "resource_update",
      "read",
      "mark_read",
    ),
  },
  { weight: 1, arbitrary: nastyText },
)
/** The most that the hub takes. */
const REF_CHARS = 1_000
const reference = fc.oneof(
  fc.constantFrom<Json>("1", "2", "3", null, 1, "", "1"),
  nastyText.map((text) => text.slice(0, REF_CHARS)),
)
const JOINS: readonly Json[] = [
  {},
  { recover: { epoch: "x", offset: 0 } },
  { recover: { epoch: "x", offset: 9007199254740991 } },
  { recover: { epoch: null, offset: -1 } },
  { recover: [] },
  { presence: { name: "x" } },
  { presence: { __proto__: null, a: [] } },
  { token: "x" },
  [],
  null,
]
const payload = fc.oneof(
  { weight: 2, arbitrary: fc.constantFrom(...JOINS) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(...JOINS), fc.array(change, { maxLength: 3 }))
      .map(([join, changes]) => JSON.parse(legible(changed(join, changes))) as Json), // it was JSON
  },
  { weight: 1, arbitrary: nastyJson },
)
/** Numbers beyond a double read as null here; the text of other frames carries them. */
const legible = (text: string): string => (isJson(text) ? text : "null")
const isJson = (text: string): boolean => {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

const named = fc.record({ joinRef: reference, ref: reference, topic, event, payload })

const formed = (version: Version): fc.Arbitrary<string> =>
  named.map((given) =>
    version === "2.0.0"
      ? written([given.joinRef, given.ref, given.topic, given.event, given.payload])
      : written({
          topic: given.topic,
          event: given.event,
          payload: given.payload,
          ref: given.ref,
          join_ref: given.joinRef,
        }),
  )

const binary = named.map(({ joinRef, ref, topic: on, event: of, payload: data }) => {
  const names = [String(joinRef ?? ""), String(ref ?? ""), on, of].map((name) =>
    Buffer.from(name.toWellFormed()).subarray(0, 60),
  )
  // Cut within a letter would be no UTF-8, which is for those that may end.
  const clean = names.map((name) => Buffer.from(name.toString("utf8").replaceAll("\ufffd", "")))
  return Buffer.concat([Buffer.from([0, ...clean.map((name) => name.length)]), ...clean, Buffer.from(written(data))])
})

/** Does the hub's grammar allow the connection to live on after this? Only then is an end a failure. */
const stays = (version: Version): fc.Arbitrary<FrameInput> => {
  const text = formed(version)
    .map((one) => textFrame(one))
    .filter((one) => one.length < 262_144)
  const fragmented = formed(version)
    .filter((one) => one.length > 8 && one.length < 5_000)
    .map((one) => {
      const bytes = Buffer.from(one)
      const cut = bytes.length >> 1
      return Buffer.concat([
        wire(OPCODE.text, bytes.subarray(0, cut)),
        wire(0x80 | OPCODE.ping, Buffer.from("between")),
        wire(OPCODE.continuation, Buffer.alloc(0)),
        wire(0x80 | OPCODE.continuation, bytes.subarray(cut)),
      ])
    })
  const bytes = binary.map((one) => wire(0x80 | OPCODE.binary, one))
  const control = fc.constantFrom(
    wire(0x80 | OPCODE.ping, Buffer.alloc(0)),
    wire(0x80 | OPCODE.ping, Buffer.alloc(125, 1)),
    wire(0x80 | OPCODE.pong, Buffer.from("unasked")),
  )
  const all = [
    { weight: 10, arbitrary: text },
    { weight: 1, arbitrary: fragmented },
    { weight: 1, arbitrary: control },
    ...(version === "2.0.0" ? [{ weight: 3, arbitrary: bytes }] : []),
  ]
  return fc.oneof(...all).map((one) => ({ bytes: one, mayEnd: false }))
}

const deep = (depth: number): string => "[".repeat(depth) + "]".repeat(depth)
const NO_FRAMES: readonly string[] = [
  "",
  "{}",
  "[]",
  "[1,2,3,4]",
  "[null,null,null,null,null]",
  "[null,null,1,2,3]",
  '[{},{},"phoenix","heartbeat",{}]',
  `["1","${"r".repeat(REF_CHARS + 1)}","phoenix","heartbeat",{}]`,
  `[${deep(9)},"1","phoenix","heartbeat",{}]`,
  `[${deep(50_000)},"1","phoenix","heartbeat",{}]`,
  `[${deep(125_000)},"1","phoenix","heartbeat",{}]`,
  `["1","1","resources:b1","phx_join",${deep(50_000)}]`,
  '{"topic":"phoenix","event":"heartbeat","payload":{}}',
  '{"topic":1,"event":2,"payload":3,"ref":4}',
  '{"__proto__":{"topic":"a"},"event":"x","payload":{},"ref":1}',
  '{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"1","topic":"x"}',
  "null",
  "\ufeff[]",
  `["1","1","${"t".repeat(250_000)}","phx_join",{}]`,
  `["1","1","x","${"t".repeat(300_000)}",{}]`,
]
const masked = (first: number, bytes: readonly number[]): Buffer => wire(first, Buffer.from(bytes))
const NO_WEBSOCKET: readonly Buffer[] = [
  wire(0x81, Buffer.from("[]"), false),
  masked(0xc1, [91, 93]),
  masked(0xf1, [91, 93]),
  masked(0x83, [1]),
  masked(0x8b, [1]),
  masked(0x80, [91, 93]),
  masked(0x00, [91, 93]),
  Buffer.concat([masked(0x01, [91]), masked(0x81, [91, 93])]),
  wire(0x89, Buffer.alloc(126, 1)),
  masked(0x09, [1]),
  masked(0x88, []),
  masked(0x88, [3]),
  masked(0x88, [3, 232]),
  masked(0x88, [0, 0]),
  masked(0x88, [3, 236]),
  masked(0x88, [3, 237]),
  masked(0x88, [255, 255]),
  masked(0x88, [3, 232, 0xff, 0xfe]),
  masked(0x81, [0xff, 0xfe, 0xfd]),
  masked(0x81, [0xed, 0xa0, 0x80]),
  masked(0x82, []),
  masked(0x82, [0]),
  masked(0x82, [0, 255, 255, 255, 255]),
  masked(0x82, [0, 1, 1, 1, 1, 0xff, 0xff, 0xff, 0xff]),
  masked(0x82, [1, 0, 0, 0, 0]),
  masked(0x82, [255, 0, 0, 0, 0]),
  wire(0x81, Buffer.from("[]"), true, 16),
  wire(0x81, Buffer.from("[]"), true, 64),
  Buffer.from([0x81, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0]),
  Buffer.from([0x81, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
  Buffer.from([0x81, 0xfe]),
  Buffer.from("GET / HTTP/1.1\r\nHost: hub\r\n\r\n"),
  wire(0x81, Buffer.alloc(262_145, 32)),
  wire(0x82, Buffer.alloc(262_145, 0)),
]

const ends = (version: Version): fc.Arbitrary<FrameInput> =>
  fc
    .oneof(
      { weight: 4, arbitrary: fc.constantFrom(...NO_FRAMES).map(textFrame) },
      { weight: 4, arbitrary: fc.constantFrom(...NO_WEBSOCKET) },
      { weight: 3, arbitrary: nastyJson.map((json) => textFrame(written(json))) },
      {
        weight: 4,
        arbitrary: fc
          .tuple(formed(version), fc.array(byteChange, { minLength: 1, maxLength: 3 }))
          .map(([text, changes]) => wire(0x81, withBytes(Buffer.from(text), changes).subarray(0, 200_000))),
      },
      {
        weight: 2,
        arbitrary: fc
          .tuple(binary, fc.array(byteChange, { minLength: 1, maxLength: 3 }))
          .map(([bytes, changes]) => wire(0x82, withBytes(bytes, changes))),
      },
      { weight: 1, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 60 }).map((bytes) => Buffer.from(bytes)) },
      {
        weight: 1,
        arbitrary: fc
          .tuple(stays(version), fc.array(byteChange, { minLength: 1, maxLength: 2 }))
          .map(([{ bytes }, changes]) => withBytes(bytes, changes)),
      },
    )
    .map((bytes) => ({ bytes, mayEnd: true }))

/** Frames for one batch: a few that must be lived with, and one at the end that need not. */
export const frameBatch = (version: Version): fc.Arbitrary<readonly FrameInput[]> =>
  fc
    .tuple(fc.array(stays(version), { minLength: 14, maxLength: 26 }), ends(version))
    .map(([living, last]) => [...living, last])
