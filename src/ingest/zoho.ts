/**
 * Zoho Books' webhooks in (contract §5.4): bytes → signature → record → `accept`. Nothing is parsed before the signature
 * holds, and 2xx is given only after the commit.
 */
import { asBusinessId } from "../domain/ids.ts"
import type { Json } from "../domain/json.ts"
import type { Secret } from "../domain/secret.ts"
import { decode, EVENT_BYTES, mediaType, parseJson, readBytes, unsupported } from "../http/body.ts"
import { invalid, type Problem, problem } from "../http/problem.ts"
import type { Call, Reply, RouteFile } from "../http/route.ts"
import type { Draft } from "./draft.ts"
import { type WebhookOptions, webhookDoor } from "./webhook-door.ts"
import { notSigned } from "./webhook-signature.ts"
import { ZOHO_DOC } from "./zoho-docs.ts"
import { jsonIn, readZoho, type ZohoInput } from "./zoho-record.ts"
import { isZohoSigned, type ZohoMessage, zohoMessage } from "./zoho-signature.ts"

export interface ZohoOptions extends WebhookOptions {
  /** Null: every request is refused. */
  readonly secret: Secret | null
}

const TYPES = ["application/json", "application/x-www-form-urlencoded", "text/plain"]

export function zohoRoutes(options: ZohoOptions): RouteFile {
  const door = webhookDoor("zoho", options)

  const post = async (call: Call): Promise<Reply | Problem> => {
    const { request } = call
    const body = await readBytes(request, EVENT_BYTES)
    if ("kind" in body) return door.answered(body)
    const type = mediaType(request)
    const message = zohoMessage(queryOf(request.url), type, body)
    const signed = isZohoSigned(message, request.headers.get("x-zoho-webhook-signature"), options.secret)
    if (message === null || !signed) return door.answered(notSigned())
    const business = asBusinessId(call.params["business"])
    return door.take({ business, origin: "zoho", body }, () => {
      if (business === null) return problem("unknown_business", "expected the id of a business")
      if (type !== "" && !type.endsWith("+json") && !TYPES.includes(type)) return unsupported(type, TYPES)
      return draftOf({ business, message })
    })
  }

  return {
    routes: [{ method: "POST", path: "/v1/sources/zoho/:business", access: "open", doc: ZOHO_DOC, handle: post }],
  }
}

function draftOf(input: Omit<ZohoInput, "body">): Draft | Problem {
  const body = jsonOf(input.message)
  if ("kind" in body) return body
  const found = readZoho({ ...input, body: body.value })
  return "errors" in found ? invalid(found.errors) : found.draft
}

function jsonOf(message: ZohoMessage): { readonly value: Json } | Problem {
  const bytes = jsonIn(message)
  if (bytes === null) return { value: null }
  const text = decode(bytes)
  return typeof text === "string" ? parseJson(text) : text
}

function queryOf(url: string): string {
  const start = url.indexOf("?")
  return start === -1 ? "" : url.slice(start + 1)
}
