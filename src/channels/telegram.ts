/** Telegram by grammY: one `sendMessage`, the link as a button where Telegram takes it. */
import { ACKNOWLEDGE_LABEL } from "../domain/answer-button.ts"
import type { Outcome } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import { isJsonObject } from "../domain/json.ts"
import type { TelegramMessage } from "../domain/message.ts"
import type { Secret } from "../domain/secret.ts"
import type { ChannelWorker } from "./channel.ts"
import { openLine } from "./provider-fetch.ts"
import {
  type Answer,
  detailOf,
  jsonBody,
  messageIdOf,
  neverAsked,
  numberField,
  retryAfterMs,
  secondsToMs,
  textField,
  withoutAnswer,
} from "./reading.ts"

export interface TelegramOptions {
  readonly token: Secret
  /** Without a slash at the end. */
  readonly apiRoot: string
  /** What the button carries by which a delivery is acknowledged. Default: there is none, as nobody would hear it. */
  readonly acknowledge?: ((id: DeliveryId) => string) | null
  readonly deadlineMs?: number
  readonly wall?: () => number
}

/** Groups that became supergroups under another id, as Telegram told us. */
const MAX_MIGRATIONS = 1_000

/** One message a try. Loads the SDK on the first one. */
export function telegramChannel(options: TelegramOptions): ChannelWorker<"telegram"> {
  const wall = options.wall ?? Date.now
  const migrated = new Map<string, string>()

  const remember = (chat: string, next: number): void => {
    if (migrated.size >= MAX_MIGRATIONS) migrated.clear()
    migrated.set(chat, String(next))
  }

  return {
    channel: "telegram",
    async send({ id, message, signal }) {
      const { Api } = await import("grammy")
      const line = openLine({ signal, deadlineMs: options.deadlineMs })
      const token = options.token.reveal()
      const chat = migrated.get(message.chatId) ?? message.chatId
      const fetch = line.fetch as unknown as typeof globalThis.fetch // grammY types it as node-fetch's; it calls url and init
      const api = new Api(token, { apiRoot: options.apiRoot, fetch, sensitiveLogs: false })
      const failure = await api
        .sendMessage(chat, bodyOf(message), {
          parse_mode: "HTML",
          link_preview_options: { is_disabled: true },
          ...buttonsOf(message, message.acknowledge === true ? (options.acknowledge?.(id) ?? null) : null),
        })
        .then(
          () => null,
          (error: unknown) => error,
        )
      const seen = line.seen()
      if (seen === null) throw neverAsked("telegram", failure, [token, chat])
      if (seen.kind !== "answered") return withoutAnswer(seen, false)
      const next = migrationOf(seen)
      if (next !== null) remember(message.chatId, next)
      return outcomeOf(seen, wall(), [token, chat])
    },
  }
}

/** Telegram refuses a whole message for a button to a place that is not on the public web. */
const takesButton = (url: string): boolean => {
  const parsed = URL.parse(url)
  return (
    parsed?.protocol === "https:" && parsed.hostname.includes(".") && !/^[\d.]+$|\.local(host)?$/.test(parsed.hostname)
  )
}

/** One below the other. `acknowledge`: what that button carries; null: it has none. */
function buttonsOf({ actionUrl, actionLabel }: TelegramMessage, acknowledge: string | null) {
  const open = actionUrl !== null && takesButton(actionUrl) ? [[{ text: actionLabel ?? "Open", url: actionUrl }]] : []
  const have = acknowledge === null ? [] : [[{ text: ACKNOWLEDGE_LABEL, callback_data: acknowledge }]]
  const rows = [...have, ...open]
  return rows.length === 0 ? {} : { reply_markup: { inline_keyboard: rows } }
}

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;")

const bodyOf = (message: TelegramMessage): string =>
  message.actionUrl === null || takesButton(message.actionUrl)
    ? message.html
    : `${message.html}\n\n${escaped(message.actionLabel ?? "Open")}: ${escaped(message.actionUrl)}`

function migrationOf(answer: Answer): number | null {
  const parameters = jsonBody(answer)?.["parameters"]
  return isJsonObject(parameters) ? numberField(parameters, "migrate_to_chat_id") : null
}

function outcomeOf(answer: Answer, wallMillis: number, privates: readonly string[]): Outcome {
  const body = jsonBody(answer)
  const description = textField(body, "description") ?? ""
  const detail = detailOf(`${answer.status} ${description}`, privates)
  const { status } = answer
  if (status === 429) {
    const parameters = body?.["parameters"]
    const seconds = isJsonObject(parameters) ? numberField(parameters, "retry_after") : null
    const wish = seconds === null ? retryAfterMs(answer.headers, wallMillis) : secondsToMs(seconds)
    return { kind: "retry", reason: "rate_limited", detail, retryAfterMs: wish }
  }
  if (status >= 500)
    return { kind: "retry", reason: "provider_error", detail, retryAfterMs: retryAfterMs(answer.headers, wallMillis) }
  if (status === 200 && body?.["ok"] === true) {
    const result = body["result"]
    return {
      kind: "delivered",
      providerMessageId: messageIdOf(isJsonObject(result) ? numberField(result, "message_id") : null),
    }
  }
  if (status >= 200 && status < 300) return { kind: "unknown", reason: "unreadable_answer", detail }
  if (status >= 300 && status < 400) return { kind: "unusable", reason: "redirected", detail }
  if (status === 401 || status === 404) return { kind: "unusable", reason: "bad_credential", detail }
  if (status === 409) return { kind: "unusable", reason: "conflict", detail }
  if (status === 403) return { kind: "rejected", reason: "blocked_by_recipient", detail }
  if (migrationOf(answer) !== null) return { kind: "retry", reason: "chat_migrated", detail, retryAfterMs: 0 }
  if (/chat not found|user not found|PEER_ID_INVALID/i.test(description))
    return { kind: "rejected", reason: "address_not_found", detail }
  return { kind: "rejected", reason: /parse entities/i.test(description) ? "malformed_message" : "bad_request", detail }
}
