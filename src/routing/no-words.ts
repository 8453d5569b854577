/** Stands in for the words where only who is told, when and on what counts: a replay of many events reads none of them. */
import type { PersonalChannel } from "../domain/channel.ts"
import type { RuleName } from "../domain/ids.ts"
import type { PersonalMessage } from "../domain/message.ts"
import type { NotificationContent } from "../domain/notification.ts"
import type { Recipient } from "../domain/recipient.ts"
import { type AddressTo, slackAddress, splitAddress } from "./addressees.ts"
import type { LoadedNotify } from "./rule-set.ts"
import type { Words } from "./words-for.ts"

export class NoWords implements Words {
  readonly failures = []
  readonly #content: NotificationContent

  constructor(rule: RuleName) {
    this.#content = { title: rule, body: "", actionUrl: null, actionLabel: null, data: null }
  }

  content(): NotificationContent {
    return this.#content
  }

  outsideInbox(): NotificationContent {
    return this.#content
  }

  message(action: LoadedNotify, channel: PersonalChannel, _recipient: Recipient, to: AddressTo): PersonalMessage {
    const linked = { actionUrl: null, actionLabel: null }
    const { address: named, device } = splitAddress(to)
    const address = named ?? ""
    switch (channel) {
      case "email":
        return { channel, to: address, subject: "", html: "", text: "", ...linked }
      case "sms":
        return { channel, to: address, text: "", ...linked }
      case "voice":
        return { channel, to: address, text: "", language: null, ...linked }
      case "telegram":
        return { channel, chatId: address, html: "", ...linked }
      case "slack":
        return { channel, ...slackAddress(to), text: "", ...linked }
      case "push": {
        const { priority } = action
        return { channel, device, title: "", text: "", priority, expiresAt: null, topic: null, ...linked }
      }
    }
  }
}
