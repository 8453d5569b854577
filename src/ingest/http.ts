/**
 * Events in over HTTP (contract §5.1, §5.2): bytes → JSON → one of the spellings → placed in the caller's tenancy →
 * `accept`. An answer of 2xx is given only after the commit.
 */
import type { EventId } from "../domain/ids.ts"
import { isJsonObject, type Json } from "../domain/json.ts"
import { writeJson } from "../domain/json-limits.ts"
import { BATCH_BYTES, decode, EVENT_BYTES, mediaType, parseJson, readBytes, unsupported } from "../http/body.ts"
import { invalid, type Problem, problem, unavailable } from "../http/problem.ts"
import { type Answer, type Call, json, type Reply, type RouteFile } from "../http/route.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Emitter } from "../telemetry/bus.ts"
import type { Accept } from "./accept.ts"
import { isBinary } from "./cloudevents.ts"
import { fromBinary } from "./cloudevents-binary.ts"
import { type Bringer, withHeaderKey } from "./draft.ts"
import { KEY_LENGTH } from "./fields.ts"
import { BATCH_DOC, EVENT_DOC, INGEST_SCHEMAS, RESOURCE_DOC } from "./http-docs.ts"
import {
  ambiguous,
  type Item,
  notStored,
  prepare,
  type ReadItem,
  readAny,
  readCloud,
  readResource,
  resultsOf,
} from "./item.ts"
import type { RateLimits } from "./rate-limit.ts"
import { type Passed, passage, tooMany, UNLIMITED } from "./rate-limit-answer.ts"
import { callerOf } from "./rate-limit-keys.ts"
import type { Rejections } from "./rejections.ts"
import { type Held, noteItems, noteRequest } from "./rejections-http.ts"
import { type JsonPath, repeatedErrors, repeatedIn } from "./repeated-names.ts"

export interface IngestOptions {
  readonly accept: Accept
  readonly clock: Clock
  readonly telemetry: Emitter
  /** Null: nothing is limited. */
  readonly limits?: RateLimits | null
  /** Where a sample of what is refused is kept. Default: nowhere. */
  readonly rejections?: Pick<Rejections, "note">
}

const MAX_BATCH = 1_000
/** Whoever would wait longer than this for a commit is told to come again: half of the second that an answer may take. */
const LONGEST_WAIT_MS = 500
const JSON_TYPE = "application/json"
const ANY_CLOUD_TYPE = "application/cloudevents"
const CLOUD_TYPE = "application/cloudevents+json"
const CLOUD_BATCH_TYPE = "application/cloudevents-batch+json"
const SINGLE_TYPES = [JSON_TYPE, CLOUD_TYPE, CLOUD_BATCH_TYPE]
const BATCH_TYPES = [JSON_TYPE, CLOUD_BATCH_TYPE]
const RESOURCE_TYPES = [JSON_TYPE]

/** How an endpoint reads, counts and answers. */
interface Door {
  readonly via: "http" | "resources"
  readonly status: { readonly accepted: number; readonly duplicate: number; readonly batch: number }
}
const EVENTS: Door = { via: "http", status: { accepted: 201, duplicate: 200, batch: 200 } }
const RESOURCES: Door = { via: "resources", status: { accepted: 202, duplicate: 202, batch: 202 } }

export function ingestRoutes(options: IngestOptions): RouteFile {
  const { accept, clock, telemetry, limits = null, rejections } = options

  const rejected = (door: Door, code: string, count: number): void =>
    telemetry.emit({ kind: "event_rejected", via: door.via, code, count })

  const isOverloaded = (): boolean => (accept.expectedWaitMs?.() ?? 0) > LONGEST_WAIT_MS

  const bringerOf = (call: Call): Bringer => ({
    tenancy: call.principal.tenancy,
    now: clock.wall().getTime(),
  })

  /** The request is taken as a whole or refused as a whole: every event counts, read or not, also one that is a repeat. */
  const within = async (set: RateLimits, call: Call, items: readonly Item[]): Promise<Passed | Problem> => {
    const events = items.flatMap((item) => (item.kind === "ready" ? [item.incoming.event] : []))
    const unread = items.length - events.length
    return passage(await set.admit({ caller: callerOf(call.principal), events, unread }))
  }

  const single = async (
    call: Call,
    door: Door,
    read: ReadItem,
    { value, repeated }: Pick<Body, "value" | "repeated">,
  ): Promise<Reply | Problem> => {
    const key = headerKey(call)
    if (key !== null && typeof key !== "string") return key
    const item =
      repeated.length > 0
        ? ambiguous(repeated)
        : prepare(value, read, (draft) => withHeaderKey(draft, key), bringerOf(call))
    const passed = limits === null ? UNLIMITED : await within(limits, call, [item])
    if (passed.kind === "problem") return passed
    if (item.kind === "refused") return item.problem
    const results = await accept([item.incoming], door.via)
    if (typeof results === "string") return shed(results)
    const [result] = results
    if (result === undefined) throw new Error("accept gave no result")
    switch (result.kind) {
      case "accepted":
        return answer(door.status.accepted, result.id, "accepted", passed.headers)
      case "duplicate":
        return answer(door.status.duplicate, result.id, "duplicate", {
          ...passed.headers,
          "idempotent-replayed": "true",
        })
      case "reused":
      case "unstorable":
        return notStored(result, item.keyPointer)
    }
  }

  /** Each item has its own result: good ones are accepted whatever the others are. `steps` lead from the body to the list. */
  const many = async (
    call: Call,
    door: Door,
    read: ReadItem,
    values: readonly Json[],
    { bytes, repeated }: Body,
    steps: 0 | 1 = 0,
  ): Promise<Reply | Problem> => {
    const large = bytes > EVENT_BYTES
    const twice = new Map(repeated.map((path) => [path[steps], path.slice(steps + 1)]))
    const key = headerKey(call)
    if (key !== null && typeof key !== "string") return key
    if (values.length === 0 || values.length > MAX_BATCH)
      return invalid([{ pointer: "", detail: `expected 1 to ${MAX_BATCH} events; got ${values.length}` }])
    const bringer = bringerOf(call)
    const items = values.map((value, index) => {
      if (large && isTooLarge(value)) return tooLargeItem
      const path = twice.get(index)
      if (path !== undefined) return ambiguous([path])
      const own = key === null ? null : `${key}:${index}`
      return prepare(value, read, (draft) => withHeaderKey(draft, draft.idempotencyKey ?? own), bringer)
    })
    const passed = limits === null ? UNLIMITED : await within(limits, call, items)
    if (passed.kind === "problem") return passed
    const ready = items.flatMap((item) => (item.kind === "ready" ? [item.incoming] : []))
    const stored = ready.length === 0 ? [] : await accept(ready, door.via)
    if (typeof stored === "string") return shed(stored)
    const { results, refusals } = resultsOf(items, stored)
    for (const [code, count] of refusals) rejected(door, code, count)
    if (refusals.size > 0) noteItems(rejections, call, door.via, values, items, stored)
    return json(door.status.batch, { results }, passed.headers)
  }

  const postEvent = async (call: Call, held: Held): Promise<Reply | Problem> => {
    const { headers } = call.request
    const type = mediaType(call.request)
    if (type === CLOUD_BATCH_TYPE) return postBatch(call, held)
    // Another format of CloudEvents (Avro, Protobuf) may carry the headers too; its data is not the body.
    if (!type.startsWith(ANY_CLOUD_TYPE) && isBinary(headers)) {
      const bytes = await readBytes(call.request, EVENT_BYTES)
      if ("kind" in bytes) return bytes
      held.bytes = bytes
      const read = fromBinary(headers, type, bytes)
      return "kind" in read ? read : single(call, EVENTS, readCloud, { value: read.event, repeated: read.repeated })
    }
    const body = await readBody(call.request, type, SINGLE_TYPES, EVENT_BYTES, held)
    if ("kind" in body) return body
    if (Array.isArray(body.value))
      return invalid([{ pointer: "", detail: "expected one event; a list goes to /v1/events/batch" }])
    return single(call, EVENTS, type === CLOUD_TYPE ? readCloud : readAny, body)
  }

  const postBatch = async (call: Call, held: Held): Promise<Reply | Problem> => {
    const type = mediaType(call.request)
    const body = await readBody(call.request, type, BATCH_TYPES, BATCH_BYTES, held)
    if ("kind" in body) return body
    const steps = type === JSON_TYPE && isJsonObject(body.value) ? 1 : 0
    const values = steps === 1 && isJsonObject(body.value) ? eventsOf(body.value) : body.value
    const above = body.repeated.filter((path) => path.length <= steps)
    if (above.length > 0) return invalid(repeatedErrors(above))
    if (!Array.isArray(values))
      return invalid([{ pointer: "", detail: 'expected a list of events or {"events": [...]} alone' }])
    // An empty batch of CloudEvents is a batch (JSON format §4.3).
    if (type === CLOUD_BATCH_TYPE && values.length === 0) return json(EVENTS.status.batch, { results: [] })
    return many(call, EVENTS, type === JSON_TYPE ? readAny : readCloud, values, body, steps)
  }

  const postResource = async (call: Call, held: Held): Promise<Reply | Problem> => {
    const body = await readBody(call.request, mediaType(call.request), RESOURCE_TYPES, BATCH_BYTES, held)
    if ("kind" in body) return body
    if (Array.isArray(body.value)) return many(call, RESOURCES, readResource, body.value, body)
    if (body.bytes <= EVENT_BYTES) return single(call, RESOURCES, readResource, body)
    return problem("too_large", `a message has at most ${EVENT_BYTES} bytes; got ${body.bytes}`)
  }

  const counted =
    (door: Door, handle: (call: Call, held: Held) => Promise<Reply | Problem>) =>
    async (call: Call): Promise<Answer> => {
      // Refused before anything of the body is read: a refusal must cost less than what it saves.
      const limited = limits?.refusesCaller(callerOf(call.principal)) ?? null
      const held: Held = { bytes: null }
      const given = limited !== null ? tooMany(limited) : isOverloaded() ? shed("overloaded") : await handle(call, held)
      if (given.kind === "problem") {
        rejected(door, given.code, 1)
        noteRequest(rejections, call, door.via, given, held)
      }
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

/** Parsed, not yet checked; `bytes` is its size, `repeated` the names that stand twice in it. */
interface Body {
  readonly value: Json
  readonly bytes: number
  readonly repeated: readonly JsonPath[]
}

async function readBody(
  request: Request,
  type: string,
  types: readonly string[],
  limit: number,
  held: Held,
): Promise<Body | Problem> {
  if (!types.includes(type)) return unsupported(type, types)
  const bytes = await readBytes(request, limit)
  if ("kind" in bytes) return bytes
  held.bytes = bytes
  const text = decode(bytes)
  if (typeof text !== "string") return text
  const parsed = parseJson(text)
  if ("kind" in parsed) return parsed
  // One step to the events of a list, two to those of `{"events": [...]}`.
  const repeated = repeatedIn(text, parsed.value, Array.isArray(parsed.value) ? 1 : 2)
  return { value: parsed.value, bytes: bytes.byteLength, repeated }
}

/** The list in `{"events": [...]}`; null where anything else stands beside it. */
const eventsOf = (body: { readonly [key: string]: Json }): Json =>
  Object.keys(body).length === 1 ? (body["events"] ?? null) : null

const tooLargeItem: Item = {
  kind: "refused",
  problem: invalid([{ pointer: "", detail: `larger than ${EVENT_BYTES} bytes` }]),
}

/** Asked only in bodies larger than one event may be. A value too deep to be written down is left to `checkJson`. */
const isTooLarge = (value: Json): boolean => Buffer.byteLength(writeJson(value) ?? "") > EVENT_BYTES

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
