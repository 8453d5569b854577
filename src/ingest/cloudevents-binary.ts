/**
 * Binary CloudEvents over HTTP (HTTP binding §3.1): attributes are `ce-*` headers, the body is the data. What a header
 * cannot say for certain, because it came twice or is not encoded, is refused: an event is never stored as a guess.
 */
import type { JsonObject } from "../domain/json.ts"
import { decode, parseJson } from "../http/body.ts"
import { invalid, type Problem } from "../http/problem.ts"
import { type BinaryData, structured } from "./cloudevents.ts"
import { type JsonPath, repeatedIn } from "./repeated-names.ts"

/** What tells one event from another. A header that comes twice arrives here joined by a comma and a space. */
const IDENTIFYING = ["specversion", "id", "source", "type", "correlationid"] as const

const JSON_DATA = /^[^/]+\/(?:json|.*\+json)$/
const TEXT_DATA = /^(?:text\/.*|[^/]+\/(?:xml|.*\+xml))$/
const CHARSET = /;\s*charset\s*=\s*"?([^";\s]+)/i

/** `repeated`: names that stand twice in its data. */
export interface BinaryEvent {
  readonly event: JsonObject
  readonly repeated: readonly JsonPath[]
}

/** A binary CloudEvent as the structured one that it equals. `type`: the media type of the `content-type` header. */
export function fromBinary(headers: Headers, type: string, bytes: Uint8Array): BinaryEvent | Problem {
  const contentType = headers.get("content-type") ?? ""
  const data = dataOf(type, contentType, bytes)
  if (data.kind === "problem") return data
  // It must not be there (§3.1.1), but the specification's own examples have it beside an equal Content-Type.
  const said = headers.get("ce-datacontenttype")
  if (said !== null && said.toLowerCase() !== contentType.toLowerCase())
    return invalid([{ pointer: "/datacontenttype", detail: "differs from the header Content-Type" }])
  const twice = IDENTIFYING.filter((name) => headers.get(`ce-${name}`)?.includes(", "))
  if (twice.length > 0)
    return invalid(
      twice.map((name) => ({ pointer: `/${name}`, detail: "sent twice, or with a space that is not percent-encoded" })),
    )
  const read = structured(headers, contentType, data)
  return "errors" in read ? invalid(read.errors) : { event: read.event, repeated: data.repeated }
}

type Data = BinaryData & Pick<BinaryEvent, "repeated">

/** The same data, structured or binary, becomes the same payload: a repeat in the other mode is a repeat. */
function dataOf(type: string, contentType: string, bytes: Uint8Array): Data | Problem {
  if (bytes.byteLength === 0) return { kind: "none", repeated: [] }
  const isJson = JSON_DATA.test(type)
  const charset = CHARSET.exec(contentType)?.[1]?.toLowerCase() ?? "utf-8"
  if (!isJson && !(TEXT_DATA.test(type) && (charset === "utf-8" || charset === "us-ascii")))
    return { kind: "bytes", bytes: Buffer.from(bytes), repeated: [] }
  const text = decode(bytes)
  if (typeof text !== "string") return text
  if (!isJson) return { kind: "value", value: text, repeated: [] }
  const parsed = parseJson(text)
  if ("kind" in parsed) return parsed
  return {
    kind: "value",
    value: parsed.value,
    repeated: repeatedIn(text, parsed.value, 1).map((path) => ["data", ...path]),
  }
}
