/**
 * What a message of the stream holds (contract §5.3): an event of §5.1 in any spelling, a CloudEvent, or messages of §5.2
 * under `hub.resources.`. NATS is trusted like a service key without limits: whose an event is stands in its body.
 */
import { asBusinessId, type BusinessId } from "../domain/ids.ts"
import { isJsonObject, type Json } from "../domain/json.ts"
import { writeJson } from "../domain/json-limits.ts"
import { BATCH_BYTES, decode, EVENT_BYTES, parseJson } from "../http/body.ts"
import { invalid, type Problem, problem } from "../http/problem.ts"
import { isBinary } from "./cloudevents.ts"
import { fromBinary } from "./cloudevents-binary.ts"
import type { Draft, ReadDraft } from "./draft.ts"
import { KEY_LENGTH } from "./fields.ts"
import { ambiguous, type Item, prepare, type ReadItem, readAny, readCloud, readResource } from "./item.ts"
import { type JsonPath, repeatedIn } from "./repeated-names.ts"

export interface StreamMessage {
  readonly subject: string
  readonly data: Uint8Array
  readonly headers: Iterable<readonly [string, readonly string[]]>
  readonly sequence: string
  /** Sequence and time in the stream: the same for each redelivery, another after the stream was wiped. */
  readonly place: string
  readonly redelivered: boolean
  /** It is durable, or was before. */
  ack(): void
  /** It can never be an event, and is kept with the rejected. */
  term(): void
  /** Still in hand: the time to ack begins anew. */
  working(): void
  /** Not now, not here: some node may have it after so many milliseconds. Default 2,000. */
  nak(delayMs?: number): void
}

/** The events of a message, and whose each of them says that it is. */
export interface ReadMessage {
  readonly kind: "items"
  /** A message that is a list is one message all the same: its events are stored one by one. */
  readonly list: boolean
  readonly items: readonly Item[]
  readonly businesses: readonly (BusinessId | null)[]
}

const RESOURCES = "hub.resources."
const MAX_LIST = 1_000
const JSON_TYPE = "application/json"
const CLOUD = "application/cloudevents"
const CLOUD_BATCH = "application/cloudevents-batch"

/** Reads a message; `now` in milliseconds since the Unix epoch. Refusals never quote it. */
export function readMessage(message: StreamMessage, now: number): ReadMessage | Problem {
  const { data } = message
  if (data.byteLength > BATCH_BYTES) return tooLarge(BATCH_BYTES, data.byteLength)
  const headers = headersOf(message)
  if ("kind" in headers) return headers
  const messageId = messageIdOf(message)
  if (messageId.length > KEY_LENGTH)
    return problem("malformed", `the header Nats-Msg-Id holds 1 to ${KEY_LENGTH} characters`)
  const given = message.subject.startsWith(RESOURCES) ? json(data, readResource) : readEvents(headers, data)
  if (given.kind === "problem") return given
  const { value, read, repeated } = given
  const bringer = { tenancy: "*", now } as const
  if (!Array.isArray(value)) {
    if (data.byteLength > EVENT_BYTES) return tooLarge(EVENT_BYTES, data.byteLength)
    const item =
      repeated.length > 0 ? ambiguous(repeated) : prepare(value, read, keyFrom(message.place, messageId, ""), bringer)
    return { kind: "items", list: false, items: [item], businesses: [businessOf(value)] }
  }
  if (value.length === 0 || value.length > MAX_LIST)
    return invalid([{ pointer: "", detail: `expected 1 to ${MAX_LIST} events; got ${value.length}` }])
  const twice = new Map(repeated.map(([at, ...path]) => [at, path]))
  const items = value.map((each: Json, index): Item => {
    const path = twice.get(index)
    if (path !== undefined) return ambiguous([path])
    if (data.byteLength > EVENT_BYTES && sizeOf(each) > EVENT_BYTES)
      return { kind: "refused", problem: invalid([{ pointer: "", detail: `larger than ${EVENT_BYTES} bytes` }]) }
    return prepare(each, read, keyFrom(message.place, messageId, `:${index}`), bringer)
  })
  return { kind: "items", list: true, items, businesses: value.map(businessOf) }
}

/** A parsed body and how one event of it is read; `repeated` are the names that stand twice in it. */
interface Given {
  readonly kind: "given"
  readonly value: Json
  readonly repeated: readonly JsonPath[]
  readonly read: ReadItem
}

/** By the content type where it speaks of CloudEvents, else by the `ce-` headers, else any spelling in JSON. */
function readEvents(headers: Headers, data: Uint8Array): Given | Problem {
  const type = mediaTypeOf(headers.get("content-type"))
  if (type === CLOUD || type === `${CLOUD}+json` || type === `${CLOUD_BATCH}+json`) return json(data, readCloud)
  if (type.startsWith(CLOUD)) return problem("unsupported_media_type", `of CloudEvents, ${CLOUD}+json is taken here`)
  if (!isBinary(headers)) return json(data, readAny)
  // Without a type JSON is JSON: producers on NATS, where no client sets one by itself, mean that.
  const declared = headers.get("ce-datacontenttype") ?? headers.get("content-type") ?? (isJson(data) ? JSON_TYPE : null)
  if (declared !== null) headers.set("content-type", declared)
  headers.delete("ce-datacontenttype")
  const whole = fromBinary(headers, mediaTypeOf(declared), data)
  return "event" in whole ? { kind: "given", value: whole.event, repeated: whole.repeated, read: readCloud } : whole
}

function isJson(data: Uint8Array): boolean {
  const text = decode(data)
  return typeof text === "string" && !("kind" in parseJson(text))
}

function json(data: Uint8Array, read: ReadItem): Given | Problem {
  const text = decode(data)
  if (typeof text !== "string") return text
  const parsed = parseJson(text)
  return "kind" in parsed
    ? parsed
    : { kind: "given", value: parsed.value, repeated: repeatedIn(text, parsed.value, 1), read }
}

/**
 * The body's own key, else the message's id, else its place in the stream, because a redelivery is no second event. A
 * resource message without any is known by its hash (contract §5.2).
 */
const keyFrom =
  (place: string, messageId: string, suffix: string) =>
  (draft: Draft): ReadDraft => {
    if (draft.idempotencyKey !== null || (messageId === "" && draft.pushed)) return { draft }
    const idempotencyKey = `${messageId === "" ? `nats:${place}` : messageId}${suffix}`
    return { draft: { ...draft, idempotencyKey } }
  }

/** Of a CloudEvent; values in the ASCII that HTTP's reader takes, percent-encoded as a binding over HTTP would. */
function headersOf(message: StreamMessage): Headers | Problem {
  const headers = new Headers()
  for (const [name, values] of message.headers) {
    if (!/^(?:ce-.*|content-type)$/i.test(name)) continue
    if (!/^[\w-]+$/.test(name)) return problem("malformed", "a header's name is no CloudEvents attribute's")
    // One that comes twice is joined, as HTTP would, and refused like there.
    for (const value of values) headers.append(name, encoded(value))
  }
  return headers
}

const encoded = (value: string): string =>
  value.toWellFormed().replace(/[^\x20-\x7e]+/g, (found) => encodeURIComponent(found))

/** "" where there is none. */
function messageIdOf(message: StreamMessage): string {
  for (const [name, [value]] of message.headers) if (name.toLowerCase() === "nats-msg-id") return value ?? ""
  return ""
}

const mediaTypeOf = (header: string | null): string => (header ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? ""

const tooLarge = (limit: number, got: number): Problem =>
  problem("too_large", `a message has at most ${limit} bytes; got ${got}`)

/** A value too deep to be written down is left to `checkJson`. */
const sizeOf = (value: Json): number => Buffer.byteLength(writeJson(value) ?? "")

/** Whose a refused event would have been, as far as it says so in a form that can be. */
function businessOf(value: Json): BusinessId | null {
  if (!isJsonObject(value)) return null
  for (const name of ["business_id", "businessid", "businessId"])
    if (Object.hasOwn(value, name)) return asBusinessId(value[name])
  return null
}
