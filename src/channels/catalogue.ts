/** Which channels this hub has, from its settings alone: live with credentials, captured in development, else absent. */
import type { Config } from "../config/shape.ts"
import { type PersonalChannel, SENDING_CHANNELS, type SendingChannel } from "../domain/channel.ts"
import type { DeliveryId } from "../domain/ids.ts"
import { captureChannel } from "./capture.ts"
import { type ChannelWorker, forAnyMessage } from "./channel.ts"
import { emailChannel } from "./email.ts"
import { type PushOptions, pushChannel } from "./push.ts"
import { slackChannel } from "./slack.ts"
import { smsChannel } from "./sms.ts"
import { smtpChannel } from "./smtp.ts"
import { telegramChannel } from "./telegram.ts"
import { voiceChannel } from "./voice.ts"
import { webhookChannel } from "./webhook.ts"

export type CatalogueEntry =
  | { readonly channel: SendingChannel; readonly mode: "live" | "captured"; readonly worker: ChannelWorker }
  /** Production without credentials: its deliveries wait until it has some. */
  | { readonly channel: PersonalChannel; readonly mode: "absent"; readonly worker: null }

export type ChannelSettings = Pick<
  Config,
  "production" | "telegram" | "slack" | "email" | "twilio" | "vapid" | "fcm" | "apns" | "webhookSecrets"
>

/** What messages carry so that an answer finds its way back. */
export interface AnswerSettings {
  /** Without a slash at its end. */
  readonly publicUrl: string
  /** What the button carries by which a delivery is acknowledged. */
  readonly button: (id: DeliveryId) => string
}

/**
 * One entry for each sending channel. Loads no SDK: that happens at a channel's first message. `answers`: null where nobody
 * hears them.
 */
export const channelCatalogue = (
  settings: ChannelSettings,
  answers: AnswerSettings | null = null,
): readonly CatalogueEntry[] =>
  SENDING_CHANNELS.map((channel): CatalogueEntry => {
    if (channel === "webhook") {
      // It needs no account. Development captures all but what goes to this machine.
      return { channel, mode: settings.production ? "live" : "captured", worker: forAnyMessage(systems(settings)) }
    }
    if (channel === "push") return push(settings)
    const live = liveWorker(settings, channel, answers)
    if (live !== null) return { channel, mode: "live", worker: live }
    if (settings.production) return { channel, mode: "absent", worker: null }
    return { channel, mode: "captured", worker: captureChannel(channel) }
  })

const systems = ({ production, webhookSecrets }: ChannelSettings) =>
  webhookChannel({
    secrets: new Map(webhookSecrets.map(({ name, secret }) => [name, secret])),
    loopback: !production,
  })

/** The accounts that are whole. */
export function pushAccounts({ production, vapid, fcm, apns }: ChannelSettings): PushOptions {
  const { key, keyId, teamId, topic } = apns
  return {
    web: vapid === null || vapid.subject === null ? null : { ...vapid, subject: vapid.subject, loopback: !production },
    fcm: fcm.serviceAccount === null ? null : { ...fcm, serviceAccount: fcm.serviceAccount },
    apns:
      key === null || keyId === null || teamId === null || topic === null
        ? null
        : { ...apns, key, keyId, teamId, topic },
    capture: !production,
  }
}

/**
 * A device is reached by one account of three. Development makes up the browsers' one, so whoever turns on notifications in
 * a browser gets them; devices of the others are captured until there is an account.
 */
function push(settings: ChannelSettings): CatalogueEntry {
  const accounts = pushAccounts(settings)
  const worker = forAnyMessage(pushChannel(accounts))
  if (settings.production) {
    const some = accounts.web ?? accounts.fcm ?? accounts.apns
    return some === null ? { channel: "push", mode: "absent", worker: null } : { channel: "push", mode: "live", worker }
  }
  return { channel: "push", mode: accounts.fcm === null && accounts.apns === null ? "captured" : "live", worker }
}

function liveWorker(
  settings: ChannelSettings,
  channel: Exclude<PersonalChannel, "push">,
  answers: AnswerSettings | null,
): ChannelWorker | null {
  const { telegram, slack, email, twilio } = settings
  switch (channel) {
    case "telegram":
      return telegram.botToken === null
        ? null
        : forAnyMessage(
            telegramChannel({
              token: telegram.botToken,
              apiRoot: telegram.apiRoot,
              acknowledge: answers?.button ?? null,
            }),
          )
    case "slack":
      return slack.webhookUrl === null && slack.botToken === null
        ? null
        : forAnyMessage(
            slackChannel({
              webhookUrl: slack.webhookUrl,
              bot: slack.botToken === null ? null : { token: slack.botToken, apiRoot: slack.apiRoot },
              // A button that nobody hears is worse than none.
              acknowledge: slack.signingSecret === null ? null : (answers?.button ?? null),
              loopback: !settings.production,
            }),
          )
    case "email":
      if (email.from === null) return null
      // Instead of Resend, where both are set.
      if (email.smtpUrl !== null) return forAnyMessage(smtpChannel({ url: email.smtpUrl, from: email.from }))
      return email.resendApiKey === null
        ? null
        : forAnyMessage(emailChannel({ apiKey: email.resendApiKey, from: email.from, baseUrl: email.resendBaseUrl }))
    case "sms": {
      const { accountSid, authToken, from, apiRoot } = twilio
      return accountSid === null || authToken === null || from === null
        ? null
        : forAnyMessage(smsChannel({ accountSid, authToken, from, apiRoot, reportTo: twilioAnswers(apiRoot, answers) }))
    }
    case "voice": {
      const { accountSid, authToken, voiceFrom, apiRoot } = twilio
      const heard = twilioAnswers(apiRoot, answers)
      return accountSid === null || authToken === null || voiceFrom === null
        ? null
        : forAnyMessage(
            voiceChannel({ accountSid, authToken, from: voiceFrom, apiRoot, keyPressed: heard, reportTo: heard }),
          )
    }
  }
}

/**
 * Where Twilio asks and reports; null: it could not reach the hub. It refuses a message that names an address within a network
 * of ours, and whoever presses a key that nobody answers is told of an application error.
 */
export function twilioAnswers(apiRoot: string, answers: AnswerSettings | null): ((id: DeliveryId) => string) | null {
  if (answers === null) return null
  const { publicUrl } = answers
  // A stand-in for Twilio on this machine reaches whatever the hub does.
  if (!isPublicName(publicUrl) && !LOOPBACK.has(new URL(apiRoot).hostname)) return null
  return (id) => `${publicUrl}/v1/inbound/twilio?delivery=${id}`
}

const LOOPBACK: ReadonlySet<string> = new Set(["localhost", "127.0.0.1", "[::1]"])

/** A name that the whole world can look up, as far as it can be told from the name. */
function isPublicName(url: string): boolean {
  const { hostname } = new URL(url)
  return hostname.includes(".") && !/^[\d.]+$|^\[|\.(local|localhost|internal|lan|home|test)$/.test(hostname)
}
