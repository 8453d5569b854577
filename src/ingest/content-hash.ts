/** The hash of what an event says: equal for a repeat, however its encoder orders keys; never equal for other content. */
import type { Severity } from "../domain/event.ts"
import type { LocationId } from "../domain/ids.ts"
import type { Json, JsonObject } from "../domain/json.ts"

/** SHA-256 over canonical JSON of type, severity, location and payload (contract §5.1). */
export const contentHash = (
  type: string,
  severity: Severity,
  location: LocationId | null,
  payload: JsonObject,
): Buffer => sha256(canonical([type, severity, location, payload]))

export const sha256 = (text: string): Buffer => new Bun.CryptoHasher("sha256").update(text).digest()

/** JSON with its keys in one order, whatever order they came in. The value must have passed `checkJson`. */
export const canonical = (value: Json): string => JSON.stringify(ordered(value))

// A copy and one native stringify is twice as fast as writing the text by hand.
function ordered(value: Json): Json {
  if (typeof value !== "object" || value === null) return value
  if (Array.isArray(value)) return value.map(ordered)
  const object = value as JsonObject // neither null nor a list
  const copy: Record<string, Json> = {}
  for (const key of Object.keys(object).sort()) {
    const item = object[key] ?? null
    copy[key] = typeof item === "object" ? ordered(item) : item
  }
  return copy
}
