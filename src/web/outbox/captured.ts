/** What `GET /v1/outbox` answers, read with care: a delivery and the message that its reader would have seen. */
import { fields } from "../shared/fields.ts"
import { textOf } from "./marked.ts"
import { readMrkdwn } from "./mrkdwn.ts"
import { readTelegramHtml } from "./telegram-html.ts"

interface Linked {
  readonly to: string | null
  readonly actionUrl: string | null
  readonly actionLabel: string | null
}

export type Message =
  | (Linked & { readonly channel: "email"; readonly subject: string; readonly html: string; readonly text: string })
  | (Linked & { readonly channel: "sms"; readonly text: string })
  | (Linked & { readonly channel: "telegram"; readonly html: string })
  | (Linked & { readonly channel: "slack"; readonly text: string })

export interface Captured {
  readonly id: string
  readonly eventId: string
  readonly channel: string
  readonly rule: string
  readonly status: string
  readonly reason: string | null
  readonly createdAt: string
  readonly maybeDuplicate: boolean
  /** Null where it is no longer kept, or of a channel that this page does not know. */
  readonly message: Message | null
}

export interface CapturedPage {
  readonly items: readonly Captured[]
  readonly hasMore: boolean
}

/** Null for what is no page of the outbox. */
export function readCapturedPage(body: unknown): CapturedPage | null {
  const page = fields(body)
  const data = page?.["data"]
  if (!Array.isArray(data)) return null
  return {
    items: data.flatMap((entry: unknown) => readCaptured(entry) ?? []),
    hasMore: fields(page?.["page_info"])?.["has_more"] === true,
  }
}

function readCaptured(entry: unknown): Captured | null {
  const given = fields(entry)
  const id = text(given?.["id"])
  if (given === null || id === null) return null
  const channel = text(given["channel"]) ?? ""
  return {
    id,
    eventId: text(given["event_id"]) ?? "",
    channel,
    rule: text(given["rule"]) ?? "",
    status: text(given["status"]) ?? "",
    reason: text(given["reason"]),
    createdAt: text(given["created_at"]) ?? "",
    maybeDuplicate: given["maybe_duplicate"] === true,
    message: readMessage(channel, fields(given["message"])),
  }
}

function readMessage(channel: string, given: Readonly<Record<string, unknown>> | null): Message | null {
  if (given === null) return null
  const word = (name: string): string => text(given[name]) ?? ""
  const linked = {
    to: text(given["to"]),
    actionUrl: text(given["action_url"]),
    actionLabel: text(given["action_label"]),
  }
  switch (channel) {
    case "email":
      return { channel, ...linked, subject: word("subject"), html: word("html"), text: word("text") }
    case "sms":
      return { channel, ...linked, text: word("text") }
    case "telegram":
      return { channel, ...linked, html: word("html") }
    case "slack":
      return { channel, ...linked, text: word("text") }
    default:
      return null
  }
}

const text = (value: unknown): string | null => (typeof value === "string" ? value : null)

/** One line that says what the message is about, as a list shows it. */
export function gist({ message }: Captured): string {
  if (message === null) return "No longer kept"
  switch (message.channel) {
    case "email":
      return message.subject
    case "telegram":
      return textOf(readTelegramHtml(message.html).marked)
    case "slack":
      return textOf(readMrkdwn(message.text))
    case "sms":
      return message.text
  }
}

/** Who would have had it, short enough for a list: a webhook is named by its host, because the rest is a secret. */
export function addressee({ message }: Captured): string {
  if (message === null) return ""
  if (message.channel !== "slack") return message.to ?? ""
  return message.to === null ? "the hub's Slack webhook" : (URL.parse(message.to)?.host ?? "a Slack webhook")
}

/** Whether the message holds each of the words asked for, in any of its parts. */
export function matches(captured: Captured, search: string): boolean {
  const { message } = captured
  const more = message !== null && "html" in message ? message.html : ""
  const plain = message?.channel === "email" ? message.text : ""
  const all = [captured.id, captured.eventId, captured.rule, captured.channel, addressee(captured), gist(captured)]
  const hay = [...all, plain, more].join("\n").toLowerCase()
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => hay.includes(word))
}
