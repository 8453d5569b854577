/** Reads the fields of one object that came in, and gathers what is wrong with them, each under its pointer. */
import { HUB_SOURCE, isSeverity, SEVERITY_RANK, type Severity } from "../domain/event.ts"
import { asBusinessId, asLocationId, type BusinessId, type LocationId } from "../domain/ids.ts"
import { isJsonObject, type Json, type JsonObject } from "../domain/json.ts"
import { type FieldError, JSON_LIMITS, pointerTo } from "../domain/json-limits.ts"
import { parseTime } from "../domain/rfc3339.ts"

/** Names (type, source) are indexed together with a key, and an index entry of PostgreSQL holds some 2,700 bytes. */
const NAME_LENGTH = 256
export const KEY_LENGTH = 255

export interface Fields {
  readonly object: JsonObject
  readonly errors: FieldError[]
}

/** The field's value; null for a missing one and for a JSON null, which many encoders write for "not set". */
export const given = (fields: Fields, name: string): Json =>
  Object.hasOwn(fields.object, name) ? (fields.object[name] ?? null) : null

export function wrong(fields: Fields, name: string, detail: string): null {
  if (fields.errors.length < JSON_LIMITS.errors) fields.errors.push({ pointer: pointerTo("", name), detail })
  return null
}

/** A required name such as a type: 1 to 256 characters. "" after an error. */
export function requiredName(fields: Fields, name: string): string {
  const value = given(fields, name)
  if (value === null) wrong(fields, name, "required")
  else if (typeof value !== "string") wrong(fields, name, "expected a string")
  else if (value.length === 0 || value.length > NAME_LENGTH)
    wrong(fields, name, `expected 1 to ${NAME_LENGTH} characters`)
  else return value
  return ""
}

/** Who sent it. Refused is the hub's own name. */
export function sourceName(fields: Fields, name: string): string {
  const source = requiredName(fields, name)
  if (source === HUB_SOURCE)
    wrong(fields, name, "reserved: the hub's own events have this source; name the system that sends this")
  return source
}

/** An optional key such as a correlation id: 1 to 255 characters; whole numbers are taken as their strings. */
export function optionalKey(fields: Fields, name: string): string | null {
  const value = given(fields, name)
  if (value === null) return null
  const text = Number.isSafeInteger(value) ? String(value) : value
  if (typeof text !== "string") return wrong(fields, name, "expected a string")
  return text.length > 0 && text.length <= KEY_LENGTH
    ? text
    : wrong(fields, name, `expected 1 to ${KEY_LENGTH} characters`)
}

export function severity(fields: Fields, name: string): Severity {
  const value = given(fields, name)
  if (value === null) return "info"
  if (isSeverity(value)) return value
  wrong(fields, name, `expected one of ${Object.keys(SEVERITY_RANK).join(", ")}`)
  return "info"
}

/** Milliseconds since the Unix epoch; null where none is given. */
export function time(fields: Fields, name: string): number | null {
  const value = given(fields, name)
  if (value === null) return null
  const millis = typeof value === "string" ? parseTime(value) : null
  return millis ?? wrong(fields, name, "expected an RFC 3339 time such as 2025-01-08T10:00:00Z")
}

const ID_FORM = "expected 1 to 64 characters of A-Z a-z 0-9 _ . -"

export function business(fields: Fields, name: string): BusinessId | null {
  const value = given(fields, name)
  return value === null ? null : (asBusinessId(value) ?? wrong(fields, name, ID_FORM))
}

export function location(fields: Fields, name: string): LocationId | null {
  const value = given(fields, name)
  return value === null ? null : (asLocationId(value) ?? wrong(fields, name, ID_FORM))
}

export function payload(fields: Fields, name: string): JsonObject {
  const value = given(fields, name)
  if (value === null) return {}
  if (isJsonObject(value)) return value
  wrong(fields, name, "expected an object")
  return {}
}
