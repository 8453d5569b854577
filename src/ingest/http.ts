/**
 * Events in over HTTP (contract §5.1, §5.2): bytes → JSON → one of the spellings → placed in the caller's tenancy →
 * `accept`. An answer of 2xx is given only after the commit.
 */
import type { EventId } from "../domain/ids.ts"
import { isJsonObject, type Json } from "../domain/json.ts"
import { BATCH_BYTES, decode, EVENT_BYTES, mediaType, parseJson, readBytes, unsupported } from "../http/body.ts"
import { invalid, type Problem, problem, unavailable } from "../http/problem.ts"
import { type Answer, type Call, json, type Reply, type RouteFile } from "../http/route.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Emitter } from "../telemetry/bus.ts"
import type { Accept } from "./accept.ts"
import { type BinaryData, isBinary, structured } from "./cloudevents.ts"
import { type Bringer, withHeaderKey } from "./draft.ts"
import { KEY_LENGTH } from "./fields.ts"
import { BATCH_DOC, EVENT_DOC, INGEST_SCHEMAS, RESOURCE_DOC } from "./http-docs.ts"
import { type Item, notStored, prepare, type ReadItem, readAny, readCloud, readResource, resultsOf } from "./item.ts"

export interface IngestOptions {
  readonly accept: Accept
  readonly clock: Clock
  readonly telemetry: Emitter
}

const MAX_BATCH = 1_000
const JSON_TYPE = "application/json"
const CLOUD_TYPE = "application/cloudevents+json"
const CLOUD_BATCH_TYPE = "application/cloudevents-batch+json"

/** How an endpoint reads, counts and answers. */
interface Door {
  readonly via: string
  readonly status: { readonly accepted: number; readonly duplicate: number; readonly batch: number }
}
const EVENTS: Door = { via: "http", status: { accepted: 201, duplicate: 200, batch: 200 } }
const RESOURCES: Door = { via: "resources", status: { accepted: 202, duplicate: 202, batch: 202 } }

export function ingestRoutes(options: IngestOptions): RouteFile {
  const { accept, clock, telemetry } = options

  const rejected = (door: Door, code: string, count: number): void =>
    telemetry.emit({ kind: "event_rejected", via: door.via, code, count })

  const bringerOf = (call: Call): Bringer => ({
    tenancy: call.principal.tenancy,
    now: clock.wall().getTime(),
  })

  const single = async (call: Call, door: Door, read: ReadItem, value: Json): Promise<Reply | Problem> => {
    const key = headerKey(call)
    if (key !== null && typeof key !== "string") return key
    const item = prepare(value, read, (draft) => withHeaderKey(draft, key), bringerOf(call))
    if (item.kind === "refused") return item.problem
    const results = await accept([item.incoming], door.via)
    if (typeof results === "string") return shed(results)
    const [result] = results
    if (result === undefined) throw new Error("accept gave no result")
    switch (result.kind) {
      case "accepted":
        return answer(door.status.accepted, result.id, "accepted")
      case "duplicate":
        return answer(door.status.duplicate, result.id, "duplicate", { "idempotent-replayed": "true" })
      case "reused":
      case "unstorable":
        return notStored(result, item.keyPointer)
    }
  }

  /** Each item has its own result: good ones are accepted whatever the others are. `large`: one may be over the limit. */
  const many = async (
    call: Call,
    door: Door,
    read: ReadItem,
    values: readonly Json[],
    large: boolean,
  ): Promise<Reply | Problem> => {
    const key = headerKey(call)
    if (key !== null && typeof key !== "string") return key
    if (values.length === 0 || values.length > MAX_BATCH)
      return invalid([{ pointer: "", detail: `expected 1 to ${MAX_BATCH} events; got ${values.length}` }])
    const bringer = bringerOf(call)
    const items = values.map((value, index) => {
      if (large && isTooLarge(value)) return tooLargeItem
      const own = key === null ? null : `${key}:${index}`
      return prepare(value, read, (draft) => withHeaderKey(draft, draft.idempotencyKey ?? own), bringer)
    })
    const ready = items.flatMap((item) => (item.kind === "ready" ? [item.incoming] : []))
    const stored = ready.length === 0 ? [] : await accept(ready, door.via)
    if (typeof stored === "string") return shed(stored)
    const { results, refusals } = resultsOf(items, stored)
    for (const [code, count] of refusals) rejected(door, code, count)
    return json(door.status.batch, { results })
  }

  const postEvent = async (call: Call): Promise<Reply | Problem> => {
    const { headers } = call.request
    const type = mediaType(call.request)
    if (type === CLOUD_BATCH_TYPE) return postBatch(call)
    if (type !== CLOUD_TYPE && isBinary(headers)) {
      const bytes = await readBytes(call.request, EVENT_BYTES)
      if ("kind" in bytes) return bytes
      const data = binaryData(type, bytes)
      return data.kind === "problem" ? data : single(call, EVENTS, readCloud, structured(headers, type, data))
    }
    const body = await readBody(call.request, [JSON_TYPE, CLOUD_TYPE, CLOUD_BATCH_TYPE], EVENT_BYTES)
    if ("kind" in body) return body
    if (Array.isArray(body.value))
      return invalid([{ pointer: "", detail: "expected one event; a list goes to /v1/events/batch" }])
    return single(call, EVENTS, type === CLOUD_TYPE ? readCloud : readAny, body.value)
  }

  const postBatch = async (call: Call): Promise<Reply | Problem> => {
    const type = mediaType(call.request)
    const body = await readBody(call.request, [JSON_TYPE, CLOUD_BATCH_TYPE], BATCH_BYTES)
    if ("kind" in body) return body
    const values = type === JSON_TYPE && isJsonObject(body.value) ? eventsOf(body.value) : body.value
    if (!Array.isArray(values))
      return invalid([{ pointer: "", detail: 'expected a list of events or {"events": [...]} alone' }])
    return many(call, EVENTS, type === JSON_TYPE ? readAny : readCloud, values, body.bytes > EVENT_BYTES)
  }

  const postResource = async (call: Call): Promise<Reply | Problem> => {
    const body = await readBody(call.request, [JSON_TYPE], BATCH_BYTES)
    if ("kind" in body) return body
    const large = body.bytes > EVENT_BYTES
    if (Array.isArray(body.value)) return many(call, RESOURCES, readResource, body.value, large)
    if (!large) return single(call, RESOURCES, readResource, body.value)
    return problem("too_large", `a message has at most ${EVENT_BYTES} bytes; got ${body.bytes}`)
  }

  const counted =
    (door: Door, handle: (call: Call) => Promise<Reply | Problem>) =>
    async (call: Call): Promise<Answer> => {
      const given = await handle(call)
      if (given.kind === "problem") rejected(door, given.code, 1)
      return given
    }

  return {
    routes: [
      { method: "POST", path: "/v1/events", access: "service", doc: EVENT_DOC, handle: counted(EVENTS, postEvent) },
      {
        method: "POST",
        path: "/v1/events/batch",
        access: "service",
        doc: BATCH_DOC,
        handle: counted(EVENTS, postBatch),
      },
      {
        method: "POST",
        path: "/api/notifications",
        access: "service",
        doc: RESOURCE_DOC,
        handle: counted(RESOURCES, postResource),
      },
    ],
    schemas: INGEST_SCHEMAS,
  }
}

/** The `Idempotency-Key` header, or null where there is none. */
function headerKey(call: Call): string | null | Problem {
  const key = call.request.headers.get("idempotency-key")
  if (key === null || (key.length > 0 && key.length <= KEY_LENGTH)) return key
  return problem("malformed", `the header Idempotency-Key holds 1 to ${KEY_LENGTH} characters`)
}

/** Parsed, not yet checked; `bytes` is its size. */
async function readBody(
  request: Request,
  types: readonly string[],
  limit: number,
): Promise<{ readonly value: Json; readonly bytes: number } | Problem> {
  const type = mediaType(request)
  if (!types.includes(type)) return unsupported(type, types)
  const bytes = await readBytes(request, limit)
  if ("kind" in bytes) return bytes
  const parsed = parse(bytes)
  return "kind" in parsed ? parsed : { value: parsed.value, bytes: bytes.byteLength }
}

function parse(bytes: Uint8Array): { readonly value: Json } | Problem {
  const text = decode(bytes)
  return typeof text === "string" ? parseJson(text) : text
}

/** The body of a binary CloudEvent by its media type. */
function binaryData(type: string, bytes: Uint8Array): BinaryData | Problem {
  if (bytes.byteLength === 0) return { kind: "none" }
  if (type === JSON_TYPE || type.endsWith("+json")) {
    const parsed = parse(bytes)
    return "kind" in parsed ? parsed : { kind: "value", value: parsed.value }
  }
  if (!type.startsWith("text/")) return { kind: "bytes", bytes: Buffer.from(bytes) }
  const text = decode(bytes)
  return typeof text === "string" ? { kind: "value", value: text } : text
}

/** The list in `{"events": [...]}`; null where anything else stands beside it. */
const eventsOf = (body: { readonly [key: string]: Json }): Json =>
  Object.keys(body).length === 1 ? (body["events"] ?? null) : null

const tooLargeItem: Item = {
  kind: "refused",
  problem: invalid([{ pointer: "", detail: `larger than ${EVENT_BYTES} bytes` }]),
}

/** Asked only in bodies larger than one event may be. A value too deep to be written down is left to `checkJson`. */
function isTooLarge(value: Json): boolean {
  try {
    return Buffer.byteLength(JSON.stringify(value)) > EVENT_BYTES
  } catch {
    return false
  }
}

const shed = (why: "overloaded" | "late"): Problem =>
  why === "overloaded"
    ? unavailable("too many events are waiting to be stored; nothing of this request was taken", 1)
    : unavailable("not stored in time; repeat it with the same idempotency key", 5)

/** Written by hand on the hot path: an id needs no escaping. */
const answer = (
  status: number,
  id: EventId,
  word: "accepted" | "duplicate",
  headers: Readonly<Record<string, string>> = {},
): Reply => ({
  kind: "reply",
  status,
  body: `{"id":"${id}","status":"${word}"}`,
  contentType: JSON_TYPE,
  headers,
})
