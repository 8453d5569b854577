/**
 * CloudEvents 1.0: structured (the whole event is the body) and binary (attributes are `ce-*` headers, the body is the
 * data). Attributes that have no field of their own are kept as extensions.
 */
import type { Json, JsonObject } from "../domain/json.ts"
import { isJsonObject } from "../domain/json.ts"
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
    source: read.requiredName(fields, "source"),
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
    else extensions[name] = value
  }
  return extensions
}

/** True where the attributes travel as headers. */
export const isBinary = (headers: Headers): boolean => headers.has("ce-specversion") || headers.has("ce-id")

/** A binary CloudEvent as the structured one that it equals. `type`: the body's media type; `data`: the body as it was read. */
export function structured(headers: Headers, type: string, data: BinaryData): JsonObject {
  const event: Record<string, Json> = {}
  for (const [name, value] of headers) if (name.startsWith("ce-")) event[name.slice(3)] = unescaped(value)
  if (type !== "") event["datacontenttype"] = type
  switch (data.kind) {
    case "none":
      return event
    case "value":
      return { ...event, data: data.value }
    case "bytes":
      return { ...event, data_base64: data.bytes.toString("base64") }
  }
}

export type BinaryData =
  | { readonly kind: "none" }
  | { readonly kind: "value"; readonly value: Json }
  | { readonly kind: "bytes"; readonly bytes: Buffer }

/** Header values carry anything but plain ASCII percent-encoded (CloudEvents HTTP binding §3.1.3.2). */
function unescaped(value: string): string {
  if (!value.includes("%")) return value
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}
