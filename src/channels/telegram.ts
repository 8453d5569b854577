/** Telegram by grammY: a message or a change of an earlier one, the link as a button where Telegram takes it. */
import { ACKNOWLEDGE_LABEL } from "../domain/answer-button.ts"
import type { Outcome } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import { isJsonObject } from "../domain/json.ts"
import type { TelegramMessage } from "../domain/message.ts"
import type { Secret } from "../domain/secret.ts"
import type { ChannelWorker } from "./channel.ts"
import { type Exchange, openLine } from "./provider-fetch.ts"
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
    async send({ id, message, earlier, signal }) {
      const { Api } = await import("grammy")
      const token = options.token.reveal()
      const chat = migrated.get(message.chatId) ?? message.chatId
      const words = {
        parse_mode: "HTML",
        link_preview_options: { is_disabled: true },
        ...buttonsOf(message, message.acknowledge === true ? (options.acknowledge?.(id) ?? null) : null),
      } as const
      const call = async (ask: (api: InstanceType<typeof Api>) => Promise<unknown>): Promise<Exchange> => {
        const line = openLine({ signal, deadlineMs: options.deadlineMs })
        const fetch = line.fetch as unknown as typeof globalThis.fetch // grammY types it as node-fetch's; it calls url and init
        const failure = await ask(new Api(token, { apiRoot: options.apiRoot, fetch, sensitiveLogs: false })).then(
          () => null,
          (error: unknown) => error,
        )
        const seen = line.seen()
        if (seen === null) throw neverAsked("telegram", failure, [token, chat])
        return seen
      }
      const outcome = (seen: Exchange, change: boolean): Outcome => {
        // To change a message to the same words again is harmless.
        if (seen.kind !== "answered") return withoutAnswer(seen, change)
        const next = migrationOf(seen)
        if (next !== null) remember(message.chatId, next)
        return outcomeOf(seen, wall(), [token, chat])
      }
      const before = /^\d+$/.test(earlier?.reference ?? "") ? Number(earlier?.reference) : null
      if (before !== null && earlier?.how === "change") {
        const seen = await call((api) => api.editMessageText(chat, before, bodyOf(message), words))
        const change = seen.kind === "answered" ? changeOf(seen) : "tried"
        const reference = String(before)
        if (change === "same") return { kind: "delivered", providerMessageId: reference, reference }
        if (change === "tried") return withReference(outcome(seen, true), reference)
      }
      const beneath =
        before === null || earlier?.how !== "answer"
          ? {}
          : { reply_parameters: { message_id: before, allow_sending_without_reply: true } }
      const seen = await call((api) => api.sendMessage(chat, bodyOf(message), { ...words, ...beneath }))
      const sent = outcome(seen, false)
      const stays = earlier?.how === "answer" || sent.kind !== "delivered"
      return stays ? sent : withReference(sent, sent.providerMessageId)
    },
  }
}

const withReference = (outcome: Outcome, reference: string | null): Outcome =>
  outcome.kind === "delivered" && reference !== null ? { ...outcome, reference } : outcome

/** What Telegram says of a change: `gone`: there is no such message any more, or it is too old; `same`: it says so already. */
function changeOf(answer: Answer): "tried" | "gone" | "same" {
  if (answer.status !== 400) return "tried"
  const description = textField(jsonBody(answer), "description") ?? ""
  if (/message is not modified/i.test(description)) return "same"
  return /message to edit not found|message can't be edited|MESSAGE_ID_INVALID|no text in the message/i.test(
    description,
  )
    ? "gone"
    : "tried"
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

/** Telegram's, in UTF-16 units, once tags and entities are read. */
const MAX_TEXT = 4_096
const readLength = (html: string): number => html.replace(/<[^>]*>/g, "").replace(/&[#\w]{1,8};/g, "&").length

/** With the link written out where it can be no button; without it where Telegram would refuse the whole for its length. */
function bodyOf({ html, actionUrl, actionLabel }: TelegramMessage): string {
  if (actionUrl === null || takesButton(actionUrl)) return html
  const linked = `${html}\n\n${escaped(actionLabel ?? "Open")}: ${escaped(actionUrl)}`
  return readLength(linked) > MAX_TEXT ? html : linked
}

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
  // A 403 that is not Telegram's is a wall in front of it, and says nothing of whom it was for.
  if (status === 401 || status === 404 || (status === 403 && body?.["ok"] !== false))
    return { kind: "unusable", reason: "bad_credential", detail }
  if (status === 409) return { kind: "unusable", reason: "conflict", detail }
  if (status === 403) return { kind: "rejected", reason: "blocked_by_recipient", detail }
  if (migrationOf(answer) !== null) return { kind: "retry", reason: "chat_migrated", detail, retryAfterMs: 0 }
  if (/chat not found|user not found|PEER_ID_INVALID/i.test(description))
    return { kind: "rejected", reason: "address_not_found", detail }
  return { kind: "rejected", reason: /parse entities/i.test(description) ? "malformed_message" : "bad_request", detail }
}
