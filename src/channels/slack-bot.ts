/** Slack by bot token: a message into a conversation, which can be changed later and answered in its thread. */
import type { Outcome } from "../domain/delivery.ts"
import type { Secret } from "../domain/secret.ts"
import type { Earlier } from "./channel.ts"
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

type SlackCall =
  | { readonly method: "chat.postMessage"; readonly threadTs?: string }
  /** In the conversation that the message was posted to, which has another id than the person. */
  | { readonly method: "chat.update"; readonly ts: string }

/** What came of it. `gone`: there is no such message to change or to answer, and nothing was said. */
type SlackSeen =
  | { readonly kind: "outcome"; readonly outcome: Outcome; readonly posted: SlackPlace | null }
  | { readonly kind: "gone" }

/** Where a message is. */
interface SlackPlace {
  readonly conversation: string
  readonly ts: string
}

type Said = SlackWords & {
  /** A person, a channel or a conversation. */
  readonly to: string
  readonly signal: AbortSignal
}

/**
 * A message, in the place of an earlier one or beneath it where there is one. An earlier one that was deleted, or is too
 * old to be changed, is left alone: the message is a new one then.
 */
export async function sayBySlack(options: SlackBotOptions, said: Said, earlier: Earlier | null): Promise<Outcome> {
  const place = earlier === null ? null : placeOf(earlier.reference)
  if (place !== null && earlier?.how === "change") {
    const changed = await callSlack(
      options,
      { method: "chat.update", ts: place.ts },
      { ...said, to: place.conversation },
    )
    if (changed.kind === "outcome") return withReference(changed.outcome, place)
  }
  if (place !== null && earlier?.how === "answer") {
    const beneath = { method: "chat.postMessage", threadTs: place.ts } as const
    const answered = await callSlack(options, beneath, { ...said, to: place.conversation })
    if (answered.kind === "outcome") return answered.outcome
  }
  const seen = await callSlack(options, { method: "chat.postMessage" }, said)
  if (seen.kind === "gone") throw new Error("a new message cannot be gone")
  return seen.posted === null ? seen.outcome : withReference(seen.outcome, seen.posted)
}

const withReference = (outcome: Outcome, { conversation, ts }: SlackPlace): Outcome =>
  outcome.kind === "delivered" ? { ...outcome, reference: `${conversation} ${ts}` } : outcome

function placeOf(reference: string): SlackPlace | null {
  const [conversation, ts] = reference.split(" ")
  return conversation === undefined || ts === undefined ? null : { conversation, ts }
}

/** One call of the Web API. Loads the SDK on the first one. */
async function callSlack(options: SlackBotOptions, call: SlackCall, { to, signal, ...said }: Said): Promise<SlackSeen> {
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
      ? // Without any, those of before would stay.
        client.chat.update({ channel: to, blocks: [], ...said, ts: call.ts })
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
  "messages_tab_disabled",
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
  "restricted_action",
  "restricted_action_read_only_channel",
])
/** Of an earlier message: deleted, too old, or not ours any more. */
const GONE: ReadonlySet<string> = new Set([
  "message_not_found",
  "cant_update_message",
  "edit_window_closed",
  "thread_not_found",
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
  // Without a word of Slack's it is no answer of its API: a wrong root.
  if (UNUSABLE.has(error) || (status === 404 && error === ""))
    return outcome({ kind: "unusable", reason: "bad_credential", detail })
  const about = call.method === "chat.update" || call.threadTs !== undefined
  if (about && GONE.has(error)) return { kind: "gone" }
  if (DEAD.has(error)) return outcome({ kind: "rejected", reason: "address_dead", detail })
  return outcome({ kind: "rejected", reason: "bad_request", detail })
}
