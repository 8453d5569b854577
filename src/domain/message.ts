/** One rendered message to one address: what a channel worker is handed. Opaque to everything but its channel. */
import type { SendingChannel } from "./channel.ts"

interface Linked {
  /** Absolute URL of the thing the message is about, or null. */
  readonly actionUrl: string | null
  readonly actionLabel: string | null
}

export interface EmailMessage extends Linked {
  readonly channel: "email"
  readonly to: string
  readonly subject: string
  readonly html: string
  readonly text: string
}

export interface SmsMessage extends Linked {
  readonly channel: "sms"
  /** E.164. */
  readonly to: string
  readonly text: string
}

export interface TelegramMessage extends Linked {
  readonly channel: "telegram"
  readonly chatId: string
  /** Telegram's HTML subset. */
  readonly html: string
}

export interface SlackMessage extends Linked {
  readonly channel: "slack"
  /** An incoming-webhook URL, or null for the hub's default one. */
  readonly webhookUrl: string | null
  /** mrkdwn. */
  readonly text: string
}

export type Message = EmailMessage | SmsMessage | TelegramMessage | SlackMessage
export type MessageOf<C extends SendingChannel> = Extract<Message, { channel: C }>
