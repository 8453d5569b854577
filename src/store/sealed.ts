/**
 * Opaque columns: payloads, addresses and rendered words are bytes that only store opens. Today the seal is a version
 * byte before JSON; encryption becomes another version, and old rows stay readable.
 */
import type { Json } from "../domain/json.ts"

const PLAIN_JSON = 1
const PLAIN_BYTES = 2

/** Seals any JSON-shaped value. The value must be free of functions and cycles. */
export const seal = (value: unknown): Buffer => sealText(JSON.stringify(value))

/** Seals JSON that is text already. */
export function sealText(text: string): Buffer {
  const bytes = Buffer.allocUnsafe(Buffer.byteLength(text) + 1)
  bytes[0] = PLAIN_JSON
  bytes.write(text, 1)
  return bytes
}

/** Seals bytes as they are. */
export function sealBytes(bytes: Uint8Array): Buffer {
  const sealed = Buffer.allocUnsafe(bytes.byteLength + 1)
  sealed[0] = PLAIN_BYTES
  sealed.set(bytes, 1)
  return sealed
}

/** Opens what `sealBytes` made. Throws on a version that this build does not know. */
export function openBytes(sealed: Buffer): Buffer {
  if (sealed[0] !== PLAIN_BYTES) throw new Error(`sealed bytes of unknown version ${String(sealed[0])}`)
  return sealed.subarray(1)
}

/** What `seal` made, as the JSON text that it was: for what goes out as it came. Throws on a version that this build does not know. */
export function openText(bytes: Buffer): string {
  if (bytes[0] !== PLAIN_JSON) throw new Error(`sealed column of unknown version ${String(bytes[0])}`)
  return bytes.toString("utf8", 1)
}

const open = (bytes: Buffer): Json => JSON.parse(openText(bytes)) as Json // seal wrote it

/** Opens a column whose shape `seal` was given at the one place that writes it. */
export const openAs = <T>(bytes: Buffer): T => open(bytes) as T // the caller names the type that its own insert sealed
