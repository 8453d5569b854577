/** Which channels this hub has, from its settings alone: live with credentials, captured in development, else absent. */
import type { Config } from "../config/shape.ts"
import { SENDING_CHANNELS, type SendingChannel } from "../domain/channel.ts"
import { captureChannel } from "./capture.ts"
import { type ChannelWorker, forAnyMessage } from "./channel.ts"
import { emailChannel } from "./email.ts"
import { slackChannel } from "./slack.ts"
import { smsChannel } from "./sms.ts"
import { telegramChannel } from "./telegram.ts"

export type CatalogueEntry =
  | { readonly channel: SendingChannel; readonly mode: "live" | "captured"; readonly worker: ChannelWorker }
  /** Production without credentials: its deliveries wait until it has some. */
  | { readonly channel: SendingChannel; readonly mode: "absent"; readonly worker: null }

export type ChannelSettings = Pick<Config, "production" | "telegram" | "slack" | "email" | "twilio">

/** One entry for each sending channel. Loads no SDK: that happens at a channel's first message. */
export const channelCatalogue = (settings: ChannelSettings): readonly CatalogueEntry[] =>
  SENDING_CHANNELS.map((channel): CatalogueEntry => {
    const live = liveWorker(settings, channel)
    if (live !== null) return { channel, mode: "live", worker: live }
    if (settings.production) return { channel, mode: "absent", worker: null }
    return { channel, mode: "captured", worker: captureChannel(channel) }
  })

function liveWorker(settings: ChannelSettings, channel: SendingChannel): ChannelWorker | null {
  const { telegram, slack, email, twilio } = settings
  switch (channel) {
    case "telegram":
      return telegram.botToken === null
        ? null
        : forAnyMessage(telegramChannel({ token: telegram.botToken, apiRoot: telegram.apiRoot }))
    case "slack":
      return slack.webhookUrl === null
        ? null
        : forAnyMessage(slackChannel({ webhookUrl: slack.webhookUrl, loopback: !settings.production }))
    case "email":
      return email.resendApiKey === null || email.from === null
        ? null
        : forAnyMessage(emailChannel({ apiKey: email.resendApiKey, from: email.from, baseUrl: email.resendBaseUrl }))
    case "sms": {
      const { accountSid, authToken, from, apiRoot } = twilio
      return accountSid === null || authToken === null || from === null
        ? null
        : forAnyMessage(smsChannel({ accountSid, authToken, from, apiRoot }))
    }
  }
}
