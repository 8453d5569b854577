/**
 * The resources server's message (contract §5.2), `camelCase` because its clients are. It is an event like any other, so
 * rules see it, and its body is pushed as it came to whoever watches the place.
 */

import type { JsonObject } from "../domain/json.ts"
import { nearest } from "../domain/nearest.ts"
import type { Draft, ReadDraft } from "./draft.ts"
import * as read from "./fields.ts"

const EVENT_TYPES: Readonly<Record<string, string>> = {
  resource_created: "resource.created",
  resource_updated: "resource.updated",
  resource_deleted: "resource.deleted",
  resource_patched: "resource.patched",
}
const NAMES = [
  "type",
  "resourceType",
  "businessId",
  "locationId",
  "resourceId",
  "shardId",
  "timestamp",
  "data",
] as const

/** Reads one message. */
export function readResourceMessage(object: JsonObject): ReadDraft {
  const fields: read.Fields = { object, errors: [] }
  for (const name of Object.keys(object)) {
    if (NAMES.some((known) => known === name)) continue
    const near = nearest(name, NAMES)
    read.wrong(fields, name, `unknown field${near === null ? "" : `; did you mean \`${near}\`?`}`)
  }
  const given = read.given(fields, "type")
  const type = typeof given === "string" && Object.hasOwn(EVENT_TYPES, given) ? EVENT_TYPES[given] : undefined
  if (type === undefined) read.wrong(fields, "type", `expected one of ${Object.keys(EVENT_TYPES).join(", ")}`)
  for (const name of ["resourceType", "resourceId"])
    if (read.optionalKey(fields, name) === null && read.given(fields, name) === null)
      read.wrong(fields, name, "required")
  read.optionalKey(fields, "shardId")
  read.payload(fields, "data")
  const business = read.business(fields, "businessId")
  if (read.given(fields, "businessId") === null) read.wrong(fields, "businessId", "required")
  const draft: Draft = {
    type: type ?? "",
    source: "resources",
    severity: "info",
    business,
    location: read.location(fields, "locationId"),
    occurredAt: read.time(fields, "timestamp"),
    idempotencyKey: null,
    correlationId: null,
    payload: object,
    extensions: {},
    pushed: true,
    pointers: { business: "/businessId", location: "/locationId", key: "" },
  }
  return fields.errors.length > 0 ? { errors: fields.errors } : { draft }
}
