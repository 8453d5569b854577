/** Slack: by the bot, or by incoming webhook, the hub's own or one that a recipient named, which is an untrusted URL. */
import type { Outcome } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import type { Secret } from "../domain/secret.ts"
import type { ChannelWorker, Earlier } from "./channel.ts"
import { openLine } from "./provider-fetch.ts"
import { type Answer, detailOf, neverAsked, retryAfterMs, withoutAnswer } from "./reading.ts"
import { type SlackWords, slackWords } from "./slack-blocks.ts"
import { type SlackBotOptions, sayBySlack } from "./slack-bot.ts"
import { guardUrl, type Resolve } from "./url-guard.ts"

export interface SlackOptions {
  /** The hub's own webhook; null: only recipients' webhooks are reachable. */
  readonly webhookUrl: Secret | null
  /** Default: none, and whom only it reaches is not told. */
  readonly bot?: Pick<SlackBotOptions, "token" | "apiRoot"> | null
  /** What the button carries by which a delivery is acknowledged. Default: there is none, as nobody would hear it. */
  readonly acknowledge?: ((id: DeliveryId) => string) | null
  /** Whether a recipient's webhook may be on this machine: development. */
  readonly loopback: boolean
  readonly resolve?: Resolve
  readonly deadlineMs?: number
  readonly wall?: () => number
}

/** One post a try. Loads the SDK on the first one. */
export function slackChannel(options: SlackOptions): ChannelWorker<"slack"> {
  const wall = options.wall ?? Date.now
  return {
    channel: "slack",
    async send({ id, message, earlier, signal }) {
      const asks = message.acknowledge === true ? (options.acknowledge?.(id) ?? null) : null
      const words = slackWords(message, asks)
      if (message.botTo !== undefined) return byBot(options, message.botTo, { ...words, signal }, earlier ?? null)
      const own = message.webhookUrl === null || message.webhookUrl === options.webhookUrl?.reveal()
      const url = message.webhookUrl ?? options.webhookUrl?.reveal() ?? null
      if (url === null) return { kind: "rejected", reason: "no_webhook", detail: "no webhook is configured" }
      const guarded = own ? null : await guardUrl(url, options)
      if (guarded?.kind === "refused")
        return { kind: "rejected", reason: "url_refused", detail: `the recipient's webhook URL is ${guarded.reason}` }
      if (guarded?.kind === "unresolved")
        return { kind: "retry", reason: "unreachable", detail: "unresolved", retryAfterMs: null }

      const { IncomingWebhook } = await import("@slack/webhook")
      const line = openLine({ signal, deadlineMs: options.deadlineMs, pins: guarded?.pins })
      const webhook = new IncomingWebhook(guarded?.url ?? url, { fetch: line.fetch, retryConfig: { retries: 0 } })
      const privates = [url, ...new URL(url).pathname.split("/").filter((part) => part.length >= 8)]
      const failure = await webhook.send({ ...words, unfurl_links: false, unfurl_media: false }).then(
        () => null,
        (error: unknown) => error,
      )
      const seen = line.seen()
      if (seen === null) throw neverAsked("slack", failure, privates)
      return seen.kind === "answered" ? outcomeOf(seen, own, wall(), privates) : withoutAnswer(seen, false)
    },
  }
}

async function byBot(
  options: SlackOptions,
  to: string,
  words: SlackWords & { readonly signal: AbortSignal },
  earlier: Earlier | null,
): Promise<Outcome> {
  const { bot, deadlineMs, wall } = options
  if (bot === undefined || bot === null)
    return { kind: "unusable", reason: "bad_credential", detail: "no bot token is configured" }
  return sayBySlack({ ...bot, deadlineMs, wall }, { to, ...words }, earlier)
}

function outcomeOf(answer: Answer, own: boolean, wallMillis: number, privates: readonly string[]): Outcome {
  const { status } = answer
  const detail = detailOf(`${status} ${answer.body}`, privates)
  if (status === 408 || status === 429 || status >= 500) {
    const reason = status === 429 ? "rate_limited" : "provider_error"
    return { kind: "retry", reason, detail, retryAfterMs: retryAfterMs(answer.headers, wallMillis) }
  }
  if (status >= 200 && status < 300)
    return answer.body.trim() === "ok"
      ? { kind: "delivered", providerMessageId: null }
      : { kind: "unknown", reason: "unreadable_answer", detail }
  if (status === 400 || status === 413 || status === 422) return { kind: "rejected", reason: "bad_request", detail }
  // 403 action_prohibited, 404 no_service, 410 channel_is_archived, and redirects: the webhook itself is no good.
  // Ours stops the channel. A recipient's is a dead address, to which nothing goes for a month, on Slack's own word alone:
  // a page of whatever server stands there may be another one tomorrow.
  if (own) return { kind: "unusable", reason: "bad_webhook", detail }
  const dead = status === 410 || DEAD.test(answer.body.trim())
  return { kind: "rejected", reason: dead ? "address_dead" : "bad_webhook", detail }
}

/** How Slack says that a webhook is no more, or may not post where it leads to. */
const DEAD =
  /^(no_service|no_service_id|no_team|no_active_hooks|invalid_token|team_disabled|action_prohibited|channel_not_found|channel_is_archived|user_not_found|posting_to_general_channel_denied)$/
