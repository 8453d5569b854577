/** One message to one address: what a channel worker is handed. Opaque to everything but its channel. */
import type { SendingChannel } from "./channel.ts"
import type { EventId } from "./ids.ts"
import type { DeviceToken } from "./recipient.ts"
import type { Priority } from "./rule.ts"

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
  /** A POST to it stops mails of this kind (RFC 8058); absent of mail that nobody unsubscribes from. */
  readonly unsubscribeUrl?: string
}

export interface SmsMessage extends Linked {
  readonly channel: "sms"
  /** E.164. */
  readonly to: string
  readonly text: string
}

/** Words that are read to whoever picks up. */
export interface VoiceMessage extends Linked {
  readonly channel: "voice"
  /** E.164. */
  readonly to: string
  readonly text: string
  /** BCP 47: in which the words are, and are to be read; null: not said. */
  readonly language: string | null
}

/** A message that takes the place of the earlier one of the same thing. */
export interface InPlace {
  /** Of the rule's `update`, with the channel and the address: a hash. */
  readonly key: string
  /** The newest that it tells of: an older one never takes a newer one's place. */
  readonly event: EventId
}

/** What may take an earlier message's place. */
interface Placed {
  /** Absent: it stands by itself. */
  readonly inPlace?: InPlace
}

/** A message with a button. */
interface Asking {
  /** True: its reader is asked to say "I have it". */
  readonly acknowledge?: boolean
}

export interface TelegramMessage extends Linked, Asking, Placed {
  readonly channel: "telegram"
  readonly chatId: string
  /** Telegram's HTML subset. */
  readonly html: string
}

export interface SlackMessage extends Linked, Asking, Placed {
  readonly channel: "slack"
  /** An incoming-webhook URL, or null for the hub's default one. */
  readonly webhookUrl: string | null
  /** Slack's id of a person or conversation, to whom the bot speaks; absent: by webhook. */
  readonly botTo?: string
  /** mrkdwn. */
  readonly text: string
}

/** To one device: a person with three of them has three deliveries. */
export interface PushMessage extends Linked {
  readonly channel: "push"
  readonly device: DeviceToken
  readonly title: string
  readonly text: string
  readonly priority: Priority
  /** Worth nothing from then on. Milliseconds since the Unix epoch; null: a day after it was sent. */
  readonly expiresAt: number | null
  /** What it has in common with the news whose place it takes on the device, at most 32 characters of base64url; null: none. */
  readonly topic: string | null
}

/** To a system, which reads it without words. */
export interface WebhookMessage {
  readonly channel: "webhook"
  readonly url: string
  /** `whsec_…`, or the name of one in `HUB_WEBHOOK_SECRETS`, which is looked up at each try; null: not signed. */
  readonly secret: string | null
  /** JSON. Its bytes are signed, and the same on every try. */
  readonly body: string
}

export type PersonalMessage = EmailMessage | SmsMessage | VoiceMessage | TelegramMessage | SlackMessage | PushMessage
export type Message = PersonalMessage | WebhookMessage
export type MessageOf<C extends SendingChannel> = Extract<Message, { channel: C }>
