/** JSON as a type, so that what comes from outside is never `any`. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export type JsonObject = { readonly [key: string]: Json }

/** True for a JSON object: no array, no null. */
export const isJsonObject = (value: unknown): value is JsonObject =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** JSON with its keys in one order, whatever order they came in. The value must have passed `checkJson`. */
export const canonical = (value: Json): string => JSON.stringify(ordered(value))

// A copy and one native stringify is twice as fast as writing the text by hand.
function ordered(value: Json): Json {
  if (Array.isArray(value)) return value.map(ordered)
  if (!isJsonObject(value)) return value
  const copy: Record<string, Json> = {}
  for (const key of Object.keys(value).sort()) {
    const item = value[key] ?? null
    copy[key] = typeof item === "object" ? ordered(item) : item
  }
  return copy
}
