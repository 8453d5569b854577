/**
 * Binary frames of version 2: a kind, one-byte lengths, the names, and the rest is data. A name longer than 255 bytes
 * cannot be written, which is a bug of the caller's.
 */
import type { Json } from "../domain/json.ts"
import type { Incoming } from "./frame.ts"

const PUSH = 0
const REPLY = 1
const BROADCAST = 2
const MOST_NAME_BYTES = 255

const decoder = new TextDecoder("utf-8", { fatal: true })
const encoder = new TextEncoder()

/** A client's push: `00 joinRef ref topic event` lengths, then the four names, then data. Null: malformed. */
export function decodeBinary(raw: Uint8Array<ArrayBuffer>): Incoming | null {
  const [kind, joinRefSize, refSize, topicSize, eventSize] = raw
  if (kind !== PUSH || joinRefSize === undefined || refSize === undefined) return null
  if (topicSize === undefined || eventSize === undefined) return null
  let at = 5
  const take = (size: number): string => {
    const text = decoder.decode(raw.subarray(at, at + size))
    at += size
    return text
  }
  if (raw.length < at + joinRefSize + refSize + topicSize + eventSize) return null
  try {
    const [joinRef, ref, topic, event] = [take(joinRefSize), take(refSize), take(topicSize), take(eventSize)]
    return {
      joinRef: joinRef === "" ? null : joinRef,
      ref: ref === "" ? null : ref,
      topic,
      event,
      // A copy: the socket's buffer is only ours during the call.
      payload: raw.slice(at),
    }
  } catch {
    return null
  }
}

export const encodeBinaryReply = (joinRef: Json, ref: Json, topic: string, status: string, data: Uint8Array) =>
  pack(REPLY, [refText(joinRef), refText(ref), topic, status], data)

export const encodeBinaryPush = (joinRef: Json, topic: string, event: string, data: Uint8Array) =>
  pack(PUSH, [refText(joinRef), topic, event], data)

export const encodeBinaryBroadcast = (topic: string, event: string, data: Uint8Array) =>
  pack(BROADCAST, [topic, event], data)

/** Bytes have no null and no numbers: nothing, or the text. */
const refText = (ref: Json): string => (ref === null ? "" : typeof ref === "string" ? ref : JSON.stringify(ref))

function pack(kind: number, names: readonly string[], data: Uint8Array): Uint8Array<ArrayBuffer> {
  const encoded = names.map((name) => encoder.encode(name))
  const longest = Math.max(...encoded.map((bytes) => bytes.length))
  if (longest > MOST_NAME_BYTES) throw new Error(`a name in a binary frame has ${longest} bytes, at most 255 fit`)
  return new Uint8Array(Buffer.concat([Uint8Array.of(kind, ...encoded.map((bytes) => bytes.length)), ...encoded, data]))
}
