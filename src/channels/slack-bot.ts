/** Slack by bot token: a message into a conversation, which can be changed later and answered in its thread. */
import type { Outcome } from "../domain/delivery.ts"
import type { Secret } from "../domain/secret.ts"
import { openLine } from "./provider-fetch.ts"
import { type Answer, detailOf, jsonBody, neverAsked, retryAfterMs, textField, withoutAnswer } from "./reading.ts"
import type { SlackWords } from "./slack-blocks.ts"

export interface SlackBotOptions {
  readonly token: Secret
  /** Without a slash at the end. */
  readonly apiRoot: string
  readonly deadlineMs?: number | undefined
  readonly wall?: (() => number) | undefined
}

export type SlackCall =
  | { readonly method: "chat.postMessage"; readonly threadTs?: string }
  /** In the conversation that the message was posted to, which has another id than the person. */
  | { readonly method: "chat.update"; readonly ts: string }

/** What came of it. `gone`: of an update, there is no such message to change, and nothing was. */
export type SlackSeen =
  | { readonly kind: "outcome"; readonly outcome: Outcome; readonly posted: SlackPlace | null }
  | { readonly kind: "gone" }

/** Where a message is. */
export interface SlackPlace {
  readonly conversation: string
  readonly ts: string
}

/** One call of the Web API. `to`: a person, a channel or a conversation. Loads the SDK on the first one. */
export async function callSlack(
  options: SlackBotOptions,
  call: SlackCall,
  { to, signal, ...said }: { readonly to: string; readonly signal: AbortSignal } & SlackWords,
): Promise<SlackSeen> {
  const { WebClient } = await import("@slack/web-api")
  const token = options.token.reveal()
  const line = openLine({ signal, deadlineMs: options.deadlineMs })
  const client = new WebClient(token, {
    slackApiUrl: `${options.apiRoot}/`,
    fetch: line.fetch,
    retryConfig: { retries: 0 },
    rejectRateLimitedCalls: true,
    logger: SILENT,
  })
  const words = { channel: to, ...said, unfurl_links: false, unfurl_media: false }
  const asked =
    call.method === "chat.update"
      ? client.chat.update({ channel: to, ...said, ts: call.ts })
      : client.chat.postMessage({ ...words, ...(call.threadTs === undefined ? {} : { thread_ts: call.threadTs }) })
  const failure: unknown = await asked.then(
    () => null,
    (error: unknown) => error,
  )
  const seen = line.seen()
  const privates = [token, to]
  if (seen === null) throw neverAsked("slack", failure, privates)
  // To change a message to the same words again is harmless.
  if (seen.kind !== "answered")
    return { kind: "outcome", outcome: withoutAnswer(seen, call.method === "chat.update"), posted: null }
  return read(seen, call, (options.wall ?? Date.now)(), privates)
}

const nothing = (): void => {}
/** The client logs what it was asked to send. */
const SILENT = {
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  setLevel: nothing,
  setName: nothing,
  getLevel: () => "error" as never, // an enum of the SDK, whose module is not loaded here
}

/** Ours: the token, what it may do, or its workspace. */
const UNUSABLE: ReadonlySet<string> = new Set([
  "invalid_auth",
  "not_authed",
  "account_inactive",
  "token_revoked",
  "token_expired",
  "no_permission",
  "missing_scope",
  "not_allowed_token_type",
  "org_login_required",
  "ekm_access_denied",
  "accesslimited",
  "access_denied",
  "team_access_not_granted",
  "team_not_found",
  "enterprise_is_restricted",
])
const RETRY: ReadonlySet<string> = new Set([
  "service_unavailable",
  "internal_error",
  "fatal_error",
  "request_timeout",
  "team_added_to_org",
])
const RATE_LIMITED: ReadonlySet<string> = new Set(["ratelimited", "rate_limited", "message_limit_exceeded"])
/** One conversation's trouble, so it stops nobody else: there is nobody there, or the bot may not speak there. */
const DEAD: ReadonlySet<string> = new Set([
  "channel_not_found",
  "user_not_found",
  "users_not_found",
  "user_disabled",
  "user_not_visible",
  "is_archived",
  "is_inactive",
  "not_in_channel",
  "cannot_dm_bot",
  "messages_tab_disabled",
  "restricted_action",
  "restricted_action_read_only_channel",
])
/** Of an update: deleted, too old, or not ours any more. */
const GONE: ReadonlySet<string> = new Set([
  "message_not_found",
  "cant_update_message",
  "edit_window_closed",
  "update_failed",
  "channel_not_found",
])

function read(answer: Answer, call: SlackCall, wallMillis: number, privates: readonly string[]): SlackSeen {
  const { status } = answer
  const body = jsonBody(answer)
  const error = textField(body, "error") ?? ""
  const detail = detailOf(`${status} ${error === "" ? answer.body : error}`, privates)
  const wish = retryAfterMs(answer.headers, wallMillis)
  const outcome = (made: Outcome): SlackSeen => ({ kind: "outcome", outcome: made, posted: null })
  if (status === 429 || RATE_LIMITED.has(error))
    return outcome({ kind: "retry", reason: "rate_limited", detail, retryAfterMs: wish })
  if (status >= 500 || RETRY.has(error))
    return outcome({ kind: "retry", reason: "provider_error", detail, retryAfterMs: wish })
  if (status >= 200 && status < 300) {
    const [ts, conversation] = [textField(body, "ts"), textField(body, "channel")]
    if (body?.["ok"] === true && ts !== null) {
      const posted = conversation === null ? null : { conversation, ts }
      return { kind: "outcome", outcome: { kind: "delivered", providerMessageId: ts }, posted }
    }
    if (error === "") return outcome({ kind: "unknown", reason: "unreadable_answer", detail })
  } else if (status < 400) return outcome({ kind: "unusable", reason: "redirected", detail })
  else if (status === 401 || status === 403) return outcome({ kind: "unusable", reason: "bad_credential", detail })
  if (UNUSABLE.has(error)) return outcome({ kind: "unusable", reason: "bad_credential", detail })
  if (call.method === "chat.update" && GONE.has(error)) return { kind: "gone" }
  if (DEAD.has(error)) return outcome({ kind: "rejected", reason: "address_dead", detail })
  return outcome({ kind: "rejected", reason: "bad_request", detail })
}
