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
): Buffer =>
  sha256(
    `[${JSON.stringify(type)},"${severity}",${location === null ? "null" : `"${location}"`},${canonical(payload)}]`,
  )

export const sha256 = (text: string): Buffer => new Bun.CryptoHasher("sha256").update(text).digest()

/** JSON with sorted keys and no space. The value must be within `JSON_LIMITS`. */
export function canonical(value: Json): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`
  const object = value as JsonObject // neither null nor a list
  const parts = Object.keys(object)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonical(object[key] ?? null)}`)
  return `{${parts.join(",")}}`
}
