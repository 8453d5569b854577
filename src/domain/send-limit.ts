/** How fast a channel may send, where somebody has set it, and whose limit a message counts under. */
import type { Message } from "./message.ts"

/** Messages per second, which may be a fraction; null: no limit. */
export interface SendLimit {
  /** With the channel's account, whoever reads it. */
  readonly account: number | null
  /** To each address. */
  readonly each: number | null
}

/** The address as its provider limits it; `""` is the hub's default Slack webhook. Personal data: only hashes of it are kept. */
export function addressOf(message: Message): string {
  switch (message.channel) {
    case "email":
    case "sms":
    case "voice":
      return message.to
    case "telegram":
      return message.chatId
    case "slack":
      return message.botTo ?? message.webhookUrl ?? ""
    case "push":
      return message.device.token
    case "webhook":
      return message.url
  }
}
