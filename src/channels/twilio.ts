/**
 * Twilio's REST API by its SDK, for SMS and calls. It takes no idempotency key, so an error after the request left may have
 * been a message.
 */
import type { RequestClient, Twilio } from "twilio"
import type { Outcome } from "../domain/delivery.ts"
import type { Secret } from "../domain/secret.ts"
import { openLine, type ProviderFetch } from "./provider-fetch.ts"
import {
  type Answer,
  detailOf,
  jsonBody,
  messageIdOf,
  neverAsked,
  numberField,
  retryAfterMs,
  textField,
  withoutAnswer,
} from "./reading.ts"

export interface TwilioAccount {
  readonly accountSid: string
  readonly authToken: Secret
  /** Without a slash at the end. */
  readonly apiRoot: string
  readonly deadlineMs?: number
  readonly wall?: () => number
}

/** How a request says where to report to. */
export const reportedTo = (url: string | undefined) => (url === undefined ? {} : { statusCallback: url })

/** One request about one number, and what its answer means. Loads the SDK on the first one. */
export async function askTwilio(
  account: TwilioAccount,
  about: { readonly channel: "sms" | "voice"; readonly to: string; readonly signal: AbortSignal },
  request: (client: Twilio) => Promise<unknown>,
): Promise<Outcome> {
  const { accountSid, authToken, apiRoot, deadlineMs, wall = Date.now } = account
  if (!accountSid.startsWith("AC"))
    return { kind: "unusable", reason: "bad_credential", detail: "the account SID does not start with AC" }
  const { default: twilio } = await import("twilio")
  const line = openLine({ signal: about.signal, deadlineMs })
  const token = authToken.reveal()
  const failure = await request(twilio(accountSid, token, { httpClient: httpClientOver(line.fetch, apiRoot) })).then(
    () => null,
    (error: unknown) => error,
  )
  const seen = line.seen()
  const privates = [token, accountSid, about.to]
  if (seen === null) throw neverAsked(about.channel, failure, privates)
  return seen.kind === "answered" ? outcomeOf(seen, wall(), privates) : withoutAnswer(seen, false)
}

interface TwilioRequest {
  readonly method: string
  readonly uri: string
  readonly username?: string
  readonly password?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly data?: Readonly<Record<string, unknown>>
}

/** The SDK's transport with another host: it has no option for a base URL, and its own client loses headers. */
function httpClientOver(fetch: ProviderFetch, apiRoot: string): RequestClient {
  const client = {
    async request({ method, uri, username = "", password = "", headers = {}, data = {} }: TwilioRequest) {
      const { pathname, search } = new URL(uri)
      const form = new URLSearchParams()
      for (const [name, value] of Object.entries(data))
        for (const one of Array.isArray(value) ? value : [value]) if (one !== undefined) form.append(name, String(one))
      const response = await fetch(`${apiRoot}${pathname}${search}`, {
        method: method.toUpperCase(),
        headers: { ...headers, authorization: `Basic ${btoa(`${username}:${password}`)}` },
        body: form,
      })
      const text = await response.text()
      return { statusCode: response.status, body: parsed(text), headers: Object.fromEntries(response.headers) }
    },
  }
  return client as unknown as RequestClient // `request` is the one method that the SDK calls; the class drags axios in
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Twilio's codes for "this account or this sender may not", whatever the status. */
const OUR_FAULT = new Set([
  10001, 10002, 20003, 20005, 20404, 21210, 21212, 21219, 21601, 21603, 21606, 21607, 21608, 21659, 21660, 21661, 21701,
  21703, 21704, 21705, 30034,
])
const BAD_NUMBER = new Set([13223, 13224, 21211, 21214, 21217, 21265, 21268, 21612, 21614, 21635])
const UNSUBSCRIBED = 21610
/** Requests, calls at once, and messages that wait at Twilio for their sender. */
const RATE_LIMITED = new Set([20429, 10004, 21611])

function outcomeOf(answer: Answer, wallMillis: number, privates: readonly string[]): Outcome {
  const { status } = answer
  const body = jsonBody(answer)
  const code = numberField(body, "code")
  const detail = detailOf(`${status} ${code ?? ""} ${textField(body, "message") ?? ""}`, privates)
  const wish = retryAfterMs(answer.headers, wallMillis)
  if (status >= 200 && status < 300) {
    const sid = textField(body, "sid")
    return sid === null
      ? { kind: "unknown", reason: "unreadable_answer", detail }
      : { kind: "delivered", providerMessageId: messageIdOf(sid) }
  }
  if (status === 429 || (code !== null && RATE_LIMITED.has(code)))
    return { kind: "retry", reason: "rate_limited", detail, retryAfterMs: wish }
  if (status === 503 && wish !== null) return { kind: "retry", reason: "provider_error", detail, retryAfterMs: wish }
  if (status >= 500) return { kind: "unknown", reason: "provider_error", detail }
  if (status >= 300 && status < 400) return { kind: "unusable", reason: "redirected", detail }
  if (status === 401 || (code !== null && OUR_FAULT.has(code)))
    return { kind: "unusable", reason: code === null || code < 21_000 ? "bad_credential" : "bad_sender", detail }
  if (code === UNSUBSCRIBED) return { kind: "rejected", reason: "unsubscribed", detail }
  if (code !== null && BAD_NUMBER.has(code)) return { kind: "rejected", reason: "bad_number", detail }
  // Without a code of Twilio's it is no answer of its API: a wrong root, or a wall in front of it.
  if (code === null && (status === 403 || status === 404)) return { kind: "unusable", reason: "bad_credential", detail }
  return { kind: "rejected", reason: "bad_request", detail }
}
