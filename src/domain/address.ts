/** One spelling for each address, so that what is looked up is what was sent to. */
import type { SendingChannel } from "./channel.ts"
import type { Message } from "./message.ts"

/** Channels on which somebody can answer from an address of their own. */
export type AnsweringChannel = Extract<SendingChannel, "email" | "sms" | "voice" | "telegram">

/** The address as it is compared: numbers without what people put between digits, mail in lower case. */
export function sameSpelling(channel: AnsweringChannel, address: string): string {
  switch (channel) {
    case "email":
      return address.trim().toLowerCase()
    case "sms":
    case "voice":
      return address.replace(/[\s().\-\u200e\u200f\u202a-\u202e]/g, "").replace(/^00/, "+")
    case "telegram":
      return address.trim()
  }
}

/** Where a message goes; null: to a device or a system, or where many read it. */
export function addressOf(message: Message): string | null {
  switch (message.channel) {
    case "email":
    case "sms":
    case "voice":
      return sameSpelling(message.channel, message.to)
    case "telegram":
      return sameSpelling("telegram", message.chatId)
    case "slack":
      return message.botTo ?? message.webhookUrl
    case "push":
    case "webhook":
      return null
  }
}
