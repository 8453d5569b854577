/**
 * Phoenix's two wire formats, byte for byte as Phoenix 1.8 writes them (key order included): pure functions between
 * frames and text or bytes. Which of them a socket speaks is settled at its handshake and never changes.
 */
import type { Json } from "../domain/json.ts"
import { decodeBinary, encodeBinaryBroadcast, encodeBinaryPush, encodeBinaryReply } from "./frame-binary.ts"
import { decodeV1, encodeV1 } from "./frame-v1.ts"

/** JSON, or the raw bytes of a binary frame. */
export type Payload = Json | Uint8Array<ArrayBuffer>

/** What a client sent. Refs are echoed whatever their JSON type is. */
export interface Incoming {
  readonly joinRef: Json
  readonly ref: Json
  readonly topic: string
  readonly event: string
  readonly payload: Payload
}

export type Encoded = string | Uint8Array<ArrayBuffer>
export type ReplyStatus = "ok" | "error"

export interface Serializer {
  /** The part of `vsn` that matters; also a part of the names of what a socket subscribes to. */
  readonly version: "1" | "2"
  /** Null: malformed, which ends the connection with 1011. */
  decode(raw: string | Uint8Array<ArrayBuffer>): Incoming | null
  reply(joinRef: Json, ref: Json, topic: string, status: ReplyStatus, response: Payload): Encoded
  /** To one client. `ref` is null but for `phx_close` and `phx_error`. */
  push(joinRef: Json, ref: Json, topic: string, event: string, payload: Payload): Encoded
  /** To everyone on the topic; `payload` is encoded JSON already and goes out as it is. */
  broadcast(topic: string, event: string, payload: string): string
  broadcastBinary(topic: string, event: string, data: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>
}

const isBytes = (payload: Payload): payload is Uint8Array<ArrayBuffer> => payload instanceof Uint8Array

/** Refs are echoed, and echoing one that is nested 100,000 deep takes most of a second. */
const DEEPEST_REF = 8

/** They are kept while their topics are joined: a hundred of 240 kB, written as empty lists, were 660 MB of one socket. */
const MOST_REF_CHARS = 1_000

/** False: nobody's ref, only someone's attack. */
export function isRef(value: Json): boolean {
  if (typeof value === "string") return value.length <= MOST_REF_CHARS
  if (typeof value !== "object" || value === null) return true
  return isShallow(value, 0) && JSON.stringify(value).length <= MOST_REF_CHARS
}

function isShallow(value: Json, depth: number): boolean {
  if (typeof value !== "object" || value === null) return true
  return depth < DEEPEST_REF && Object.values(value).every((inner: Json) => isShallow(inner, depth + 1))
}

function decodeText(raw: string): Incoming | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(raw)
  } catch {
    return null
  }
  if (!Array.isArray(parsed) || parsed.length < 5) return null
  // JSON.parse gives Json and nothing else; elements beyond the fifth are ignored, as Phoenix does.
  const [joinRef, ref, topic, event, payload] = parsed as Json[]
  if (typeof topic !== "string" || typeof event !== "string") return null
  if (!isRef(joinRef ?? null) || !isRef(ref ?? null)) return null
  return { joinRef: joinRef ?? null, ref: ref ?? null, topic, event, payload: payload ?? null }
}

export const serializerV2: Serializer = {
  version: "2",
  decode: (raw) => (typeof raw === "string" ? decodeText(raw) : decodeBinary(raw)),
  reply: (joinRef, ref, topic, status, response) =>
    isBytes(response)
      ? encodeBinaryReply(joinRef, ref, topic, status, response)
      : JSON.stringify([joinRef, ref, topic, "phx_reply", { status, response }]),
  push: (joinRef, ref, topic, event, payload) =>
    isBytes(payload)
      ? encodeBinaryPush(joinRef, topic, event, payload)
      : JSON.stringify([joinRef, ref, topic, event, payload]),
  broadcast: (topic, event, payload) => `[null,null,${JSON.stringify(topic)},${JSON.stringify(event)},${payload}]`,
  broadcastBinary: encodeBinaryBroadcast,
}

/** V1 has no binary frames: bytes in are malformed, bytes out are a bug of ours. */
const noBytes = (): never => {
  throw new Error("version 1 of the protocol has no binary frames")
}

export const serializerV1: Serializer = {
  version: "1",
  decode: (raw) => (typeof raw === "string" ? decodeV1(raw) : null),
  reply: (_joinRef, ref, topic, status, response) =>
    isBytes(response) ? noBytes() : encodeV1(topic, "phx_reply", { status, response }, ref),
  push: (_joinRef, ref, topic, event, payload) => (isBytes(payload) ? noBytes() : encodeV1(topic, event, payload, ref)),
  broadcast: (topic, event, payload) =>
    `{"ref":null,"event":${JSON.stringify(event)},"payload":${payload},"topic":${JSON.stringify(topic)}}`,
  broadcastBinary: noBytes,
}

/** `~> 1.0.0` and `~> 2.0.0` are spoken; no `vsn` means 1.0.0; anything else is refused (null). */
export function serializerFor(vsn: string | null): Serializer | null {
  if (vsn === null || /^1\.0\.\d{1,9}$/.test(vsn)) return serializerV1
  return /^2\.0\.\d{1,9}$/.test(vsn) ? serializerV2 : null
}
