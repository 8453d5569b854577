/**
 * CloudEvents 1.0: structured (the whole event is the body) and binary (attributes are `ce-*` headers, the body is the
 * data). Attributes that have no field of their own are kept as extensions.
 */
import type { Json, JsonObject } from "../domain/json.ts"
import { isJsonObject } from "../domain/json.ts"
import { type FieldError, JSON_LIMITS, pointerTo } from "../domain/json-limits.ts"
import type { Draft, ReadDraft } from "./draft.ts"
import * as read from "./fields.ts"

const OWN_FIELDS = new Set([
  "specversion",
  "id",
  "source",
  "type",
  "time",
  "severity",
  "businessid",
  "locationid",
  "correlationid",
  "data",
  "data_base64",
])
/** Optional attributes of the specification that the hub keeps as extensions; the others are of any simple type. */
const TEXT_ATTRIBUTES = new Set(["subject", "dataschema", "datacontenttype"])
const EXTENSION_NAME = /^[a-z0-9]{1,64}$/
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/** Reads a structured CloudEvent. */
export function readCloudEvent(object: JsonObject): ReadDraft {
  const fields: read.Fields = { object, errors: [] }
  if (read.given(fields, "specversion") !== "1.0") read.wrong(fields, "specversion", 'expected "1.0"')
  const key = read.optionalKey(fields, "id")
  if (read.given(fields, "id") === null) read.wrong(fields, "id", "required")
  const draft: Draft = {
    type: read.requiredName(fields, "type"),
    source: read.sourceName(fields, "source"),
    severity: read.severity(fields, "severity"),
    business: read.business(fields, "businessid"),
    location: read.location(fields, "locationid"),
    occurredAt: read.time(fields, "time"),
    idempotencyKey: key,
    correlationId: read.optionalKey(fields, "correlationid"),
    payload: dataOf(fields),
    extensions: extensionsOf(fields),
    pushed: false,
    pointers: { business: "/businessid", location: "/locationid", key: "/id" },
  }
  return fields.errors.length > 0 ? { errors: fields.errors } : { draft }
}

/** Data that is no object becomes `{"data": …}` or `{"data_base64": …}` (contract §5.1). */
function dataOf(fields: read.Fields): JsonObject {
  const data = read.given(fields, "data")
  const encoded = read.given(fields, "data_base64")
  if (encoded === null) return data === null ? {} : isJsonObject(data) ? data : { data }
  if (data !== null) read.wrong(fields, "data_base64", "expected either data or data_base64")
  if (typeof encoded !== "string" || !BASE64.test(encoded)) read.wrong(fields, "data_base64", "expected base64")
  return { data_base64: encoded }
}

function extensionsOf(fields: read.Fields): JsonObject {
  const extensions: Record<string, Json> = {}
  for (const [name, value] of Object.entries(fields.object)) {
    if (OWN_FIELDS.has(name) || value === null) continue
    if (!EXTENSION_NAME.test(name))
      read.wrong(fields, name, "unknown field; an extension's name is lower-case letters and digits")
    else if (typeof value === "object") read.wrong(fields, name, "an extension is a string, a number, true or false")
    else if (TEXT_ATTRIBUTES.has(name) && typeof value !== "string") read.wrong(fields, name, "expected a string")
    else extensions[name] = value
  }
  return extensions
}

/** True where the attributes travel as headers. */
export const isBinary = (headers: Headers): boolean => headers.has("ce-specversion") || headers.has("ce-id")

/**
 * A binary CloudEvent as the structured one that it equals, or what its headers do not say. `type`: of the data; `data`:
 * the body as it was read.
 */
export function structured(
  headers: Headers,
  type: string,
  data: BinaryData,
): { readonly event: JsonObject } | { readonly errors: readonly FieldError[] } {
  // As own fields, whatever their names: `ce-__proto__` is refused like any other unknown name.
  const attributes: [string, Json][] = []
  const errors: FieldError[] = []
  for (const [name, value] of headers) {
    if (!name.startsWith("ce-")) continue
    const attribute = name.slice(3)
    const text = unescaped(value)
    if (attribute === "data" || attribute === "data_base64")
      errors.push({ pointer: pointerTo("", attribute), detail: "the data is the body, no header" })
    else if (text === null)
      errors.push({
        pointer: pointerTo("", attribute),
        detail: "expected ASCII, anything else percent-encoded as UTF-8",
      })
    else attributes.push([attribute, text])
  }
  if (errors.length > 0) return { errors: errors.slice(0, JSON_LIMITS.errors) }
  if (type !== "") attributes.push(["datacontenttype", type])
  switch (data.kind) {
    case "none":
      break
    case "value":
      attributes.push(["data", data.value])
      break
    case "bytes":
      attributes.push(["data_base64", data.bytes.toString("base64")])
  }
  return { event: Object.fromEntries(attributes) }
}

export type BinaryData =
  | { readonly kind: "none" }
  | { readonly kind: "value"; readonly value: Json }
  | { readonly kind: "bytes"; readonly bytes: Buffer }

const QUOTED = /"((?:[^"\\]|\\.)*)"/g
const ENCODED = /(?:%[0-9a-fA-F]{2})+/g

/**
 * A header's value (CloudEvents HTTP binding §3.1.3.2): quoted strings are opened, then what is percent-encoded is decoded,
 * once; a lone `%` is itself. Null where it is no UTF-8, or not ASCII in the first place.
 */
function unescaped(value: string): string | null {
  if (/[^\x20-\x7e\t]/.test(value)) return null
  if (!value.includes("%") && !value.includes('"')) return value
  const open = value.replace(QUOTED, (_, inner: string) => inner.replace(/\\(.)/g, "$1"))
  try {
    return open.replace(ENCODED, decodeURIComponent)
  } catch {
    return null
  }
}
