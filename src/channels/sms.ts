/** SMS by Twilio. */
import type { DeliveryId } from "../domain/ids.ts"
import type { ChannelWorker } from "./channel.ts"
import { askTwilio, reportedTo, type TwilioAccount } from "./twilio.ts"

export interface SmsOptions extends TwilioAccount {
  /** A number in E.164, an alphanumeric sender, or a messaging service (`MG…`). */
  readonly from: string
  /** Where Twilio reports what became of a delivery. Default: nowhere. */
  readonly reportTo?: ((id: DeliveryId) => string) | null
}

/** One SMS a try. */
export function smsChannel(options: SmsOptions): ChannelWorker<"sms"> {
  const sender = options.from.startsWith("MG") ? { messagingServiceSid: options.from } : { from: options.from }
  return {
    channel: "sms",
    send: ({ id, message, signal }) =>
      askTwilio(options, { channel: "sms", to: message.to, signal }, (client) =>
        client.messages.create({
          to: message.to,
          body: message.text,
          ...sender,
          ...reportedTo(options.reportTo?.(id)),
        }),
      ),
  }
}
