/**
 * Frames as they travel, in both versions of the protocol: what the stock client hands over becomes text here and back,
 * so that the page can show every frame as it was on the wire.
 */
import { fields, text } from "../shared/fields.ts"

/** `vsn` of the socket: an array of five, or an object of the same parts. */
export type Version = "2.0.0" | "1.0.0"

/** The five parts under the client's own names. */
export interface Message {
  readonly join_ref: unknown
  readonly ref: unknown
  readonly topic: string
  readonly event: string
  readonly payload: unknown
}

/** A message of the client as text. */
export function encode(version: Version, message: object): string {
  const of = readParts(message)
  return version === "2.0.0"
    ? JSON.stringify([of.join_ref, of.ref, of.topic, of.event, of.payload])
    : JSON.stringify({ topic: of.topic, event: of.event, payload: of.payload, ref: of.ref, join_ref: of.join_ref })
}

/** A frame of the hub. Throws where it is none: the client would not know what to do with it either. */
export function decode(raw: string): Message {
  const found: unknown = JSON.parse(raw)
  if (!Array.isArray(found)) return readParts(found)
  const [join_ref, ref, topic, event, payload] = found
  return readParts({ join_ref, ref, topic, event, payload })
}

function readParts(value: unknown): Message {
  const of = fields(value) ?? {}
  return {
    // A version 1 frame of the hub has no join_ref.
    join_ref: of["join_ref"] ?? null,
    ref: of["ref"] ?? null,
    topic: text(of["topic"]),
    event: text(of["event"]),
    payload: of["payload"],
  }
}

/** The text without what must not be shown, wherever it stands. */
export function hidden(raw: string, secrets: readonly string[]): string {
  return secrets.reduce((shown, secret) => (secret === "" ? shown : shown.replaceAll(secret, "•••")), raw)
}

const encoder = new TextEncoder()

/** Bytes on the wire. */
export const sizeOf = (raw: string): number => encoder.encode(raw).length

/** `847 B`, `12.4 kB` */
export function inBytes(size: number): string {
  return size < 1_000 ? `${size} B` : `${(size / 1_000).toFixed(size < 10_000 ? 2 : 1)} kB`
}
