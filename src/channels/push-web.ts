/**
 * Push to browsers (RFC 8030, encrypted as of RFC 8291, signed as of RFC 8292). Whoever subscribes names the endpoint, which
 * is therefore not trusted; nor are its words.
 */
import type { Outcome } from "../domain/delivery.ts"
import { parsePushSubscription } from "../domain/push-subscription.ts"
import type { Priority } from "../domain/rule.ts"
import type { Secret } from "../domain/secret.ts"
import { openLine } from "./provider-fetch.ts"
import type { PushSender } from "./push.ts"
import { fitting, placeOf, ttlSeconds } from "./push-words.ts"
import { type Answer, retryAfterMs, withoutAnswer } from "./reading.ts"
import { guardUrl, type Resolve } from "./url-guard.ts"

export interface WebPushAccount {
  /** The pair in base64url. */
  readonly publicKey: string
  readonly privateKey: Secret
  /** `mailto:` or https: whom a push service may ask about us. */
  readonly subject: string
  /** Whether an endpoint may be on this machine: development. */
  readonly loopback: boolean
  readonly resolve?: Resolve
  readonly deadlineMs?: number
  readonly wall?: () => number
}

const URGENCY = { low: "low", normal: "normal", high: "high" } as const satisfies Record<Priority, string>

/** One post a try. Loads the library on the first one. */
export function webPushSender(account: WebPushAccount): PushSender {
  const wall = account.wall ?? Date.now
  return async ({ id, message, signal }) => {
    const subscription = parsePushSubscription(message.device.token)
    if (subscription === null) return MALFORMED
    const guarded = await guardUrl(subscription.endpoint, account)
    if (guarded.kind === "refused")
      return { kind: "rejected", reason: "url_refused", detail: `the subscription's endpoint is ${guarded.reason}` }
    if (guarded.kind === "unresolved")
      return { kind: "retry", reason: "unreachable", detail: "unresolved", retryAfterMs: null }

    const { default: webPush } = await import("web-push")
    const place = placeOf(id, message)
    const options = {
      vapidDetails: { ...account, privateKey: account.privateKey.reveal() },
      TTL: ttlSeconds(message, wall()),
      urgency: URGENCY[message.priority],
      topic: place,
      contentEncoding: "aes128gcm",
    } as const
    const written = fitting(message, ({ title, text, actionUrl }) => ({
      title,
      body: text,
      url: actionUrl,
      tag: place,
    }))
    const words = JSON.stringify(written)
    let request: ReturnType<typeof webPush.generateRequestDetails>
    try {
      request = webPush.generateRequestDetails(subscription, words, options)
    } catch {
      // Keys of the right length that are no point of the curve. What is thrown may quote them.
      return MALFORMED
    }
    const line = openLine({ signal, deadlineMs: account.deadlineMs, pins: guarded.pins })
    const headers = Object.entries(request.headers).map(([name, value]): [string, string] => [name, String(value)])
    const body = request.body === null ? null : new Uint8Array(request.body)
    // What went wrong is in the line's record, which knows more than what was thrown.
    await line.fetch(guarded.url, { method: "POST", headers, body }).catch(() => null)
    const seen = line.seen()
    if (seen === null) throw new Error("push: nothing was asked")
    return seen.kind === "answered" ? outcomeOf(seen, wall()) : withoutAnswer(seen, true)
  }
}

const MALFORMED: Outcome = { kind: "rejected", reason: "bad_subscription", detail: "no subscription of a browser" }

function outcomeOf({ status, headers }: Answer, wallMillis: number): Outcome {
  const detail = `the push service answered ${status}`
  if (status >= 200 && status < 300) return { kind: "delivered", providerMessageId: null }
  if (status === 429 || status >= 500) {
    const reason = status === 429 ? "rate_limited" : "provider_error"
    return { kind: "retry", reason, detail, retryAfterMs: retryAfterMs(headers, wallMillis) }
  }
  if (status === 404 || status === 410) return { kind: "rejected", reason: "device_gone", detail }
  // Our keys or our subject, so the subscription is kept.
  if (status === 400 || status === 401 || status === 403) return { kind: "unusable", reason: "bad_credential", detail }
  return { kind: "rejected", reason: status === 413 ? "too_large" : "bad_request", detail }
}
