/** E-mail by Resend. The delivery's id is the idempotency key, so a try without an answer is simply made again. */
import type { Response as ResendResponse } from "resend"
import type { Outcome } from "../domain/delivery.ts"
import { DELIVERY_TAG } from "../domain/receipt.ts"
import type { Secret } from "../domain/secret.ts"
import type { ChannelWorker } from "./channel.ts"
import { mailHeaders } from "./mail-headers.ts"
import { openLine, type ProviderFetch } from "./provider-fetch.ts"
import {
  type Answer,
  detailOf,
  jsonBody,
  messageIdOf,
  neverAsked,
  retryAfterMs,
  textField,
  withoutAnswer,
} from "./reading.ts"

export interface EmailOptions {
  readonly apiKey: Secret
  readonly from: string
  /** Without a slash at the end. */
  readonly baseUrl: string
  readonly deadlineMs?: number
  readonly wall?: () => number
}

/** One e-mail a try, HTML and text. Loads the SDK on the first one. */
export function emailChannel(options: EmailOptions): ChannelWorker<"email"> {
  const wall = options.wall ?? Date.now
  return {
    channel: "email",
    async send({ id, message, signal }) {
      const key = options.apiKey.reveal()
      const line = openLine({ signal, deadlineMs: options.deadlineMs })
      const resend = await resendOver(line.fetch, key, options.baseUrl)
      const failure = await resend.emails
        .send(
          {
            from: options.from,
            to: message.to,
            subject: message.subject,
            html: message.html,
            text: message.text,
            headers: mailHeaders(message),
            tags: [{ name: DELIVERY_TAG, value: id }],
          },
          { idempotencyKey: id },
        )
        .then(
          () => null,
          (error: unknown) => error,
        )
      const seen = line.seen()
      const privates = [key, message.to]
      if (seen === null) throw neverAsked("email", failure, privates)
      return seen.kind === "answered" ? outcomeOf(seen, wall(), privates) : withoutAnswer(seen, true)
    },
  }
}

/** The SDK calls the global fetch; this one method is all of its transport, so this is where ours goes in. */
async function resendOver(fetch: ProviderFetch, key: string, baseUrl: string) {
  const { Resend } = await import("resend")
  class ResendOverLine extends Resend {
    override async fetchRequest<T>(path: string, init: RequestInit = {}): Promise<ResendResponse<T>> {
      await fetch(`${baseUrl}${path}`, init)
      // Nobody reads it: the outcome comes from the line's record of the exchange.
      return { data: {} as T, error: null, headers: null }
    }
  }
  return new ResendOverLine(key, { baseUrl })
}

/** Quotas end at a date, not with this message. */
const QUOTAS = new Set(["daily_quota_exceeded", "monthly_quota_exceeded"])

/** Of a key that it knew once Resend says so with a 400, by the name that it has for a field that is wrong. */
const REVOKED = /^API key is invalid/i

function outcomeOf(answer: Answer, wallMillis: number, privates: readonly string[]): Outcome {
  const { status } = answer
  const body = jsonBody(answer)
  const name = textField(body, "name") ?? ""
  const message = textField(body, "message") ?? ""
  const detail = detailOf(`${status} ${name} ${message}`, privates)
  const wish = retryAfterMs(answer.headers, wallMillis)
  if (status >= 200 && status < 300) {
    const id = textField(body, "id")
    return id === null
      ? { kind: "retry", reason: "unreadable_answer", detail, retryAfterMs: wish }
      : { kind: "delivered", providerMessageId: messageIdOf(id) }
  }
  if (status === 429)
    return QUOTAS.has(name)
      ? { kind: "unusable", reason: "quota_exceeded", detail }
      : { kind: "retry", reason: "rate_limited", detail, retryAfterMs: wish }
  if (status >= 500 || status === 408) return { kind: "retry", reason: "provider_error", detail, retryAfterMs: wish }
  // 404 and 405 are about no mail: RESEND_BASE_URL leads to something else.
  if (status === 401 || status === 403 || status === 404 || status === 405 || REVOKED.test(message))
    return { kind: "unusable", reason: "bad_credential", detail }
  if (status >= 300 && status < 400) return { kind: "unusable", reason: "redirected", detail }
  if (status === 409 && name === "concurrent_idempotent_requests")
    return { kind: "retry", reason: "still_in_progress", detail, retryAfterMs: wish }
  // The key was used with another body: the first one may be with its reader, so it is never sent blindly again.
  if (status === 409) return { kind: "rejected", reason: "idempotency_conflict", detail }
  return { kind: "rejected", reason: "bad_request", detail }
}
