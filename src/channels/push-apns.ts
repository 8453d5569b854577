/** Apple's push service: HTTP/2, and a token of our own making that it takes for an hour. */
import { importPKCS8, SignJWT } from "jose"
import type { Outcome } from "../domain/delivery.ts"
import type { JsonObject } from "../domain/json.ts"
import type { PushMessage } from "../domain/message.ts"
import type { Secret } from "../domain/secret.ts"
import { Http2Line } from "./http2-line.ts"
import type { PushSender } from "./push.ts"
import { fitting, placeOf, ttlSeconds } from "./push-words.ts"
import { type Answer, detailOf, jsonBody, messageIdOf, retryAfterMs, textField, withoutAnswer } from "./reading.ts"

export interface ApnsAccount {
  /** The text of the .p8 file. */
  readonly key: Secret
  readonly keyId: string
  readonly teamId: string
  /** The app's bundle id. */
  readonly topic: string
  /** Without a slash at the end; null: Apple's. */
  readonly apiRoot: string | null
  readonly deadlineMs?: number
  readonly wall?: () => number
}

const APPLE = "https://api.push.apple.com"
const DEADLINE_MS = 15_000
/** Apple wants a new one every 20 to 60 minutes. */
const TOKEN_MS = 2_400_000

interface Token {
  readonly text: string
  readonly madeAt: number
}

/** One message a try, all on one connection. */
export function apnsSender(account: ApnsAccount): PushSender {
  const { keyId, teamId, topic, wall = Date.now } = account
  const line = new Http2Line(account.apiRoot ?? APPLE)
  let kept: Token | null = null

  const tokenNow = async (): Promise<Token | null> => {
    const madeAt = wall()
    if (kept !== null && madeAt - kept.madeAt < TOKEN_MS) return kept
    try {
      const text = await new SignJWT()
        .setProtectedHeader({ alg: "ES256", kid: keyId })
        .setIssuer(teamId)
        .setIssuedAt(Math.floor(madeAt / 1_000))
        .sign(await importPKCS8(account.key.reveal(), "ES256"))
      kept = { text, madeAt }
      return kept
    } catch {
      // What is thrown may quote the key.
      return null
    }
  }

  return async ({ id, message, signal }) => {
    const token = await tokenNow()
    if (token === null) return { kind: "unusable", reason: "bad_credential", detail: "APNS_KEY is no P-256 key" }
    const ttl = ttlSeconds(message, wall())
    const headers = {
      authorization: `bearer ${token.text}`,
      "content-type": "application/json",
      "apns-topic": topic,
      "apns-push-type": "alert",
      "apns-priority": message.priority === "low" ? "5" : "10",
      // 0: now or never.
      "apns-expiration": String(ttl === 0 ? 0 : Math.floor(wall() / 1_000) + ttl),
      "apns-collapse-id": placeOf(id, message),
    }
    const path = `/3/device/${encodeURIComponent(message.device.token)}`
    const deadlineMs = account.deadlineMs ?? DEADLINE_MS
    const body = JSON.stringify(fitting(message, wordsOf))
    const seen = await line.post({ path, headers, body, signal, deadlineMs })
    if (seen.kind !== "answered") return withoutAnswer(seen, true)
    const reason = textField(jsonBody(seen), "reason")
    if (reason === "ExpiredProviderToken") {
      if (kept === token) kept = null
      return { kind: "retry", reason: "token_refused", detail: reason, retryAfterMs: 0 }
    }
    return outcomeOf(seen, reason, wall(), [message.device.token, token.text, keyId, teamId])
  }
}

const wordsOf = ({ title, text, actionUrl, actionLabel }: PushMessage): JsonObject => ({
  aps: { alert: { title, body: text }, sound: "default" },
  ...(actionUrl === null ? {} : { action_url: actionUrl }),
  ...(actionLabel === null ? {} : { action_label: actionLabel }),
})

/** Apple's words for "this device has no such app any more". */
const GONE: ReadonlySet<string> = new Set(["BadDeviceToken", "ExpiredToken", "Unregistered"])
const BAD_TOPIC: ReadonlySet<string> = new Set(["BadTopic", "MissingTopic", "TopicDisallowed"])

function outcomeOf(answer: Answer, reason: string | null, wallMillis: number, privates: readonly string[]): Outcome {
  const { status, headers } = answer
  const detail = detailOf(`${status} ${reason ?? ""}`, privates)
  if (status === 200) return { kind: "delivered", providerMessageId: messageIdOf(headers.get("apns-id")) }
  const wish = retryAfterMs(headers, wallMillis)
  if (status === 429) return { kind: "retry", reason: "rate_limited", detail, retryAfterMs: wish }
  if (status >= 500) return { kind: "retry", reason: "provider_error", detail, retryAfterMs: wish }
  if (reason !== null && GONE.has(reason)) return { kind: "rejected", reason: "device_gone", detail }
  if (reason === "DeviceTokenNotForTopic") return { kind: "rejected", reason: "other_app", detail }
  if (reason !== null && BAD_TOPIC.has(reason)) return { kind: "unusable", reason: "bad_topic", detail }
  if (status >= 300 && status < 400) return { kind: "unusable", reason: "redirected", detail }
  if (status === 403 || status === 404 || status === 405) return { kind: "unusable", reason: "bad_credential", detail }
  return { kind: "rejected", reason: status === 413 ? "too_large" : "bad_request", detail }
}
