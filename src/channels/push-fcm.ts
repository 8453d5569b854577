/** Firebase Cloud Messaging, HTTP v1: an access token for our service account, and a message to one device. */
import { importPKCS8, SignJWT } from "jose"
import type { Outcome } from "../domain/delivery.ts"
import { isJsonObject, type JsonObject } from "../domain/json.ts"
import type { PushMessage } from "../domain/message.ts"
import type { Secret } from "../domain/secret.ts"
import { openLine } from "./provider-fetch.ts"
import type { PushSender } from "./push.ts"
import { fitting, placeOf, ttlSeconds } from "./push-words.ts"
import {
  type Answer,
  detailOf,
  jsonBody,
  messageIdOf,
  numberField,
  retryAfterMs,
  textField,
  withoutAnswer,
} from "./reading.ts"

export interface FcmAccount {
  /** The service account's JSON. */
  readonly serviceAccount: Secret
  /** Without a slash at the end; null: Google's. */
  readonly apiRoot: string | null
  readonly deadlineMs?: number
  readonly wall?: () => number
}

const GOOGLE = "https://fcm.googleapis.com"
const GOOGLE_TOKENS = "https://oauth2.googleapis.com/token"
const SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
const HOUR_SECONDS = 3_600
/** Left of a token's time when it is no longer used. */
const MARGIN_MS = 300_000
/** Both requests of a try must end within the try. */
const TOKEN_DEADLINE_MS = 5_000
const SEND_DEADLINE_MS = 10_000

interface Token {
  readonly text: string
  readonly untilMs: number
  readonly fresh: boolean
}

/** One message a try; before it, once an hour, an access token. */
export function fcmSender(account: FcmAccount): PushSender {
  const { apiRoot, wall = Date.now } = account
  const known = accountOf(account.serviceAccount)
  let kept: Token | null = null

  const tokenFor = async (signal: AbortSignal): Promise<Token | Outcome> => {
    if (kept !== null && wall() < kept.untilMs) return { ...kept, fresh: false }
    if (known === null) return unusable("the service account's JSON cannot be read")
    const asked = await askToken(known, { signal, deadlineMs: account.deadlineMs ?? TOKEN_DEADLINE_MS, wall: wall() })
    if (!("kind" in asked)) kept = asked
    return asked
  }

  return async ({ id, message, signal }) => {
    const token = await tokenFor(signal)
    if ("kind" in token) return token
    const project = encodeURIComponent(known?.projectId ?? "")
    const line = openLine({ signal, deadlineMs: account.deadlineMs ?? SEND_DEADLINE_MS })
    const body = JSON.stringify({ message: wordsOf(message, placeOf(id, message), ttlSeconds(message, wall())) })
    const headers = { authorization: `Bearer ${token.text}`, "content-type": "application/json" }
    // What went wrong is in the line's record, which knows more than what was thrown.
    await line
      .fetch(`${apiRoot ?? GOOGLE}/v1/projects/${project}/messages:send`, { method: "POST", headers, body })
      .catch(() => null)
    const seen = line.seen()
    if (seen === null) throw new Error("push: nothing was asked")
    if (seen.kind !== "answered") return withoutAnswer(seen, true)
    if (seen.status === 401) {
      kept = null
      // Somebody has taken back a token that was good: the next one says whether the account still is.
      if (!token.fresh) return { kind: "retry", reason: "token_refused", detail: "401", retryAfterMs: 0 }
    }
    return outcomeOf(seen, wall(), [message.device.token, token.text])
  }
}

const unusable = (detail: string): Outcome => ({ kind: "unusable", reason: "bad_credential", detail })

interface ServiceAccount {
  readonly projectId: string
  readonly email: string
  readonly privateKey: string
  readonly tokenUri: string
}

function accountOf(secret: Secret): ServiceAccount | null {
  const parsed: unknown = JSON.parse(secret.reveal()) // the settings' reader has seen that it is JSON
  const account = isJsonObject(parsed) ? parsed : null
  const [projectId, email, privateKey] = ["project_id", "client_email", "private_key"].map((key) =>
    textField(account, key),
  )
  if (projectId == null || email == null || privateKey == null) return null
  return { projectId, email, privateKey, tokenUri: textField(account, "token_uri") ?? GOOGLE_TOKENS }
}

/** RFC 7523: a signed assertion for a token. `wall`: milliseconds since the Unix epoch. */
async function askToken(
  { email, privateKey, tokenUri }: ServiceAccount,
  { signal, deadlineMs, wall }: { readonly signal: AbortSignal; readonly deadlineMs: number; readonly wall: number },
): Promise<Token | Outcome> {
  const seconds = Math.floor(wall / 1_000)
  let assertion: string
  try {
    assertion = await new SignJWT({ scope: SCOPE })
      .setProtectedHeader({ alg: "RS256", typ: "JWT" })
      .setIssuer(email)
      .setAudience(tokenUri)
      .setIssuedAt(seconds)
      .setExpirationTime(seconds + HOUR_SECONDS)
      .sign(await importPKCS8(privateKey, "RS256"))
  } catch {
    // What is thrown may quote the key.
    return unusable("the service account's private_key is no RSA key")
  }
  const line = openLine({ signal, deadlineMs })
  const body = new URLSearchParams({ grant_type: "urn:ietf:params:oauth:grant-type:jwt-bearer", assertion })
  await line.fetch(tokenUri, { method: "POST", body }).catch(() => null)
  const seen = line.seen()
  if (seen === null) throw new Error("push: no token was asked for")
  // No message has left yet, whatever became of this.
  if (seen.kind !== "answered")
    return { kind: "retry", reason: "unreachable", detail: `no access token: ${seen.reason}`, retryAfterMs: null }
  const answer = jsonBody(seen)
  const [text, lasts] = [textField(answer, "access_token"), numberField(answer, "expires_in")]
  if (seen.status === 200 && text !== null)
    return { text, untilMs: wall + (lasts ?? HOUR_SECONDS) * 1_000 - MARGIN_MS, fresh: true }
  const detail = detailOf(`no access token: ${seen.status} ${textField(answer, "error") ?? ""}`, [assertion, email])
  if (seen.status === 429 || seen.status >= 500)
    return { kind: "retry", reason: "provider_error", detail, retryAfterMs: retryAfterMs(seen.headers, wall) }
  return unusable(detail)
}

function wordsOf(message: PushMessage, place: string, ttl: number): JsonObject {
  const { device, priority, topic } = message
  return {
    token: device.token,
    ...fitting(message, ({ title, text, actionUrl, actionLabel }) => ({
      notification: { title, body: text },
      data: {
        ...(actionUrl === null ? {} : { action_url: actionUrl }),
        ...(actionLabel === null ? {} : { action_label: actionLabel }),
      },
    })),
    android: {
      priority: priority === "high" ? "HIGH" : "NORMAL",
      ttl: `${ttl}s`,
      // A device that is away is kept four of these, so only what is to be replaced has one.
      ...(topic === null ? {} : { collapse_key: topic }),
      notification: { tag: place },
    },
  }
}

function outcomeOf(answer: Answer, wallMillis: number, privates: readonly string[]): Outcome {
  const { status } = answer
  const body = jsonBody(answer)
  const error = isJsonObject(body?.["error"]) ? body["error"] : null
  const code = errorCode(error)
  const detail = detailOf(`${status} ${code ?? ""} ${textField(error, "message") ?? ""}`, privates)
  const wish = retryAfterMs(answer.headers, wallMillis)
  if (status === 200) {
    const name = textField(body, "name")
    // The same message once more takes its own place, so asking again is harmless.
    return name === null
      ? { kind: "retry", reason: "unreadable_answer", detail, retryAfterMs: null }
      : { kind: "delivered", providerMessageId: messageIdOf(name.split("/").at(-1) ?? name) }
  }
  if (status === 429) return { kind: "retry", reason: "rate_limited", detail, retryAfterMs: wish }
  if (status >= 500) return { kind: "retry", reason: "provider_error", detail, retryAfterMs: wish }
  if (code === "UNREGISTERED") return { kind: "rejected", reason: "device_gone", detail }
  if (code === "SENDER_ID_MISMATCH") return { kind: "rejected", reason: "other_app", detail }
  if (status >= 300 && status < 400) return { kind: "unusable", reason: "redirected", detail }
  // A project that is not there, an API that is not enabled, an account that may not.
  if (status === 401 || status === 403 || status === 404) return { kind: "unusable", reason: "bad_credential", detail }
  return { kind: "rejected", reason: "bad_request", detail }
}

/** FCM's own code, else Google's general one. */
function errorCode(error: JsonObject | null): string | null {
  const details: readonly unknown[] = Array.isArray(error?.["details"]) ? error["details"] : []
  for (const each of details) {
    const code = isJsonObject(each) ? textField(each, "errorCode") : null
    if (code !== null) return code
  }
  return textField(error, "status")
}
