/**
 * Standard Webhooks in (contract §5.4): any JSON of a configured source. A message's id is its event's key, so that a
 * replay, on whatever node, finds the event for as long as it is kept, which is longer than a timestamp is good for.
 */
import { asBusinessId, type BusinessId } from "../domain/ids.ts"
import { isJsonObject, type Json } from "../domain/json.ts"
import { checkJson, SIGNED_KEYS } from "../domain/json-limits.ts"
import type { Secret } from "../domain/secret.ts"
import { decode, EVENT_BYTES, mediaType, parseJson, readBytes, unsupported } from "../http/body.ts"
import { invalid, type Problem, problem } from "../http/problem.ts"
import type { Call, Reply, RouteFile } from "../http/route.ts"
import type { Draft } from "./draft.ts"
import * as read from "./fields.ts"
import { signedBy } from "./standard-webhook-signature.ts"
import { STANDARD_WEBHOOK_DOC } from "./webhook-docs.ts"
import { type WebhookOptions, webhookDoor } from "./webhook-door.ts"
import { notSigned } from "./webhook-signature.ts"

/** One entry of the setting; several of one name: either may have signed. */
export interface WebhookSource {
  readonly name: string
  readonly business: string
  /** Reveals `whsec_…`. */
  readonly secret: Secret
}

export interface StandardWebhookOptions extends WebhookOptions {
  readonly sources: readonly WebhookSource[]
}

export function standardWebhookRoutes(options: StandardWebhookOptions): RouteFile {
  const { clock } = options
  const door = webhookDoor("webhook", options)
  const sources = options.sources.map((source) => ({ ...source, business: businessOf(source) }))

  const post = async (call: Call): Promise<Reply | Problem> => {
    const { request, params } = call
    const { headers } = request
    const body = await readBytes(request, EVENT_BYTES)
    if ("kind" in body) return door.answered(body)
    const entries = sources.filter(({ name }) => name === params["name"])
    const id = headers.get("webhook-id")
    const timestamp = headers.get("webhook-timestamp")
    const signer = signedBy(
      { id, timestamp, signature: headers.get("webhook-signature"), body },
      entries.map(({ secret }) => keyOf(secret)),
      clock.wall().getTime(),
    )
    const source = signer === null ? undefined : entries[signer]
    if (source === undefined || id === null) return door.answered(notSigned())
    const { name, business } = source
    return door.take({ business, origin: name, body }, () => {
      const found = jsonOf(mediaType(request), body)
      if ("kind" in found) return found
      if (id.length > read.KEY_LENGTH)
        return problem("malformed", `the header webhook-id holds 1 to ${read.KEY_LENGTH} characters`)
      return draftOf({ source: name, business, id, signedAt: Number(timestamp) * 1_000 }, found.value)
    })
  }

  return {
    routes: [
      {
        method: "POST",
        path: "/v1/sources/webhook/:name",
        access: "open",
        doc: STANDARD_WEBHOOK_DOC,
        handle: post,
      },
    ],
  }
}

/** What the signature and the setting say of a message. */
interface Envelope {
  readonly source: string
  readonly business: BusinessId
  readonly id: string
  /** Milliseconds since the Unix epoch. */
  readonly signedAt: number
}

/** `{type, timestamp, data}`, as the specification advises; anything else is whole its payload. */
function draftOf({ source, business, id, signedAt }: Envelope, value: Json): Draft {
  // What is wrong with these fields is no error: a payload may be anything.
  const fields: read.Fields = { object: isJsonObject(value) ? value : {}, errors: [] }
  const type = read.requiredName(fields, "type")
  const data = read.given(fields, "data")
  const payload = type === "" || data === null ? value : data
  return {
    type: type === "" ? "webhook.received" : type,
    source,
    severity: "info",
    business,
    location: null,
    occurredAt: read.time(fields, "timestamp") ?? signedAt,
    idempotencyKey: id,
    correlationId: null,
    payload: isJsonObject(payload) ? payload : { data: payload },
    extensions: {},
    pushed: false,
    pointers: { business: "", location: "", key: "webhook-id" },
  }
}

const JSON_TYPE = "application/json"

function jsonOf(type: string, body: Uint8Array): { readonly value: Json } | Problem {
  if (type !== JSON_TYPE && !type.endsWith("+json")) return unsupported(type, [JSON_TYPE])
  const text = decode(body)
  const parsed = typeof text === "string" ? parseJson(text) : text
  if ("kind" in parsed) return parsed
  const unfit = checkJson(parsed.value, SIGNED_KEYS)
  return unfit.length > 0 ? invalid(unfit) : parsed
}

const PREFIX = "whsec_"

function keyOf(secret: Secret): Buffer {
  const text = secret.reveal()
  return Buffer.from(text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text, "base64")
}

function businessOf({ business }: WebhookSource): BusinessId {
  const id = asBusinessId(business)
  if (id === null) throw new Error("HUB_WEBHOOK_SOURCES names a business that is no id")
  return id
}
