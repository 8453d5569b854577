/** What `GET /v1/outbox` answers, read with care: a delivery and the message that its reader would have seen. */
import { fields } from "../shared/fields.ts"
import { textOf } from "./marked.ts"
import { readMrkdwn } from "./mrkdwn.ts"
import { readTelegramHtml } from "./telegram-html.ts"

/** In the place of an address: the message is nobody's yet. */
export const A_READER = "its reader"

interface Linked {
  readonly to: string | null
  readonly actionUrl: string | null
  readonly actionLabel: string | null
}

interface Asking {
  /** It has a button by which its reader says "I have it". */
  readonly asks: boolean
}

export type Message =
  | (Linked & {
      readonly channel: "email"
      readonly subject: string
      readonly html: string
      readonly text: string
      /** A POST to it unsubscribes (RFC 8058); null: nobody unsubscribes from it. */
      readonly unsubscribeUrl: string | null
    })
  | (Linked & { readonly channel: "sms"; readonly text: string })
  | (Linked & { readonly channel: "voice"; readonly text: string; readonly language: string | null })
  | (Linked & {
      readonly channel: "push"
      readonly platform: string
      readonly title: string
      readonly text: string
      readonly priority: string
    })
  | (Linked & Asking & { readonly channel: "telegram"; readonly html: string })
  | (Linked & Asking & { readonly channel: "slack"; readonly text: string })
  | {
      readonly channel: "webhook"
      readonly to: string | null
      /** JSON, on one line. */
      readonly body: string
      readonly signed: boolean
    }

export type MessageOn<C extends Message["channel"]> = Extract<Message, { channel: C }>

export interface Captured {
  readonly id: string
  readonly eventId: string
  readonly channel: string
  readonly rule: string
  readonly status: string
  readonly reason: string | null
  readonly createdAt: string
  readonly maybeDuplicate: boolean
  readonly receipt: string | null
  readonly tries: number
  /** Why it goes on or does not, and when; empty where an older hub does not say. */
  readonly next: { readonly sentence: string; readonly at: string | null }
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
  const next = fields(given["next"])
  return {
    id,
    eventId: text(given["event_id"]) ?? "",
    channel,
    rule: text(given["rule"]) ?? "",
    status: text(given["status"]) ?? "",
    reason: text(given["reason"]),
    createdAt: text(given["created_at"]) ?? "",
    maybeDuplicate: given["maybe_duplicate"] === true,
    receipt: text(given["receipt"]),
    tries: Array.isArray(given["attempts"]) ? given["attempts"].length : 0,
    next: { sentence: text(next?.["sentence"]) ?? "", at: text(next?.["at"]) },
    message: readMessage(channel, fields(given["message"])),
  }
}

/** The words of a message on this channel; null of one that this page does not know. */
export function readMessage(channel: string, given: Readonly<Record<string, unknown>> | null): Message | null {
  if (given === null) return null
  const word = (name: string): string => text(given[name]) ?? ""
  const linked = {
    to: text(given["to"]),
    actionUrl: text(given["action_url"]),
    actionLabel: text(given["action_label"]),
  }
  switch (channel) {
    case "email":
      return {
        channel,
        ...linked,
        subject: word("subject"),
        html: word("html"),
        text: word("text"),
        unsubscribeUrl: text(given["unsubscribe_url"]),
      }
    case "sms":
      return { channel, ...linked, text: word("text") }
    case "voice":
      return { channel, ...linked, text: word("text"), language: text(given["language"]) }
    case "push": {
      const [platform, title, priority] = [word("platform"), word("title"), word("priority")]
      return { channel, ...linked, platform, title, text: word("text"), priority }
    }
    case "telegram":
      return { channel, ...linked, html: word("html"), asks: given["acknowledge"] === true }
    case "slack":
      return { channel, ...linked, text: word("text"), asks: given["acknowledge"] === true }
    case "webhook":
      return { channel, to: linked.to, body: word("body"), signed: given["signed"] === true }
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
    case "voice":
      return message.text
    case "push":
      return message.title
    case "webhook":
      return text(fields(parsed(message.body))?.["type"]) ?? "An event"
  }
}

/** Null for what is no JSON. */
export function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return null
  }
}

/** Who would have had it, short enough for a list: a webhook is named by its host, because the rest is a secret. */
export function addressee({ message }: Captured): string {
  if (message === null) return ""
  if (message.channel === "webhook") return URL.parse(message.to ?? "")?.host ?? "a system"
  if (message.channel === "push") return deviceName(message.platform)
  // A chat's number alone would look like a count.
  if (message.channel === "telegram") return message.to === null ? "" : `chat ${message.to}`
  if (message.channel !== "slack") return message.to ?? ""
  return message.to === null ? "the hub's Slack webhook" : (URL.parse(message.to)?.host ?? message.to)
}

const DEVICES: Readonly<Record<string, string>> = {
  web: "a browser",
  android: "an Android device",
  ios: "an iPhone or iPad",
}

/** A device is told apart by a token that is nothing for the eye. */
export const deviceName = (platform: string): string => DEVICES[platform] ?? `a device (${platform})`

/** Whether the message holds each of the words asked for, in any of its parts. */
export function matches(captured: Captured, search: string): boolean {
  const { message } = captured
  const more = message !== null && "html" in message ? message.html : ""
  const plain =
    message?.channel === "email"
      ? message.text
      : message?.channel === "webhook"
        ? message.body
        : message?.channel === "push"
          ? message.text
          : ""
  const all = [captured.id, captured.eventId, captured.rule, captured.channel, addressee(captured), gist(captured)]
  const hay = [...all, plain, more].join("\n").toLowerCase()
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => hay.includes(word))
}
