/**
 * Which settings a channel cannot send without. Production refuses to start when a live rule uses a channel that lacks
 * them; development captures the channel's messages instead.
 */
import type { Config, ConfigError } from "./shape.ts"

/** What is missing for the channels in use, all at once. `inapp` and `webhook` need nothing. */
export function missingChannelCredentials(config: Config, channelsInUse: Iterable<string>): readonly ConfigError[] {
  const missing = new Map<string, ConfigError>()
  for (const channel of new Set(channelsInUse)) {
    for (const name of missingFor(config, channel)) {
      missing.set(name, { name, expected: `a value, because a live rule uses ${channel}`, got: "nothing" })
    }
  }
  return [...missing.values()]
}

/** Names of the settings that the channel still needs; "A or B" where one of several would do. */
function missingFor({ telegram, slack, email, twilio, vapid, fcm, apns }: Config, channel: string): readonly string[] {
  const absent = (needs: Readonly<Record<string, unknown>>) => Object.keys(needs).filter((name) => needs[name] === null)
  switch (channel) {
    case "telegram":
      return absent({ TELEGRAM_BOT_TOKEN: telegram.botToken })
    case "slack":
      return absent({ "SLACK_WEBHOOK_URL or SLACK_BOT_TOKEN": slack.webhookUrl ?? slack.botToken })
    case "email":
      return absent({ EMAIL_FROM: email.from, "RESEND_API_KEY or SMTP_URL": email.resendApiKey ?? email.smtpUrl })
    case "sms":
      return absent({
        TWILIO_ACCOUNT_SID: twilio.accountSid,
        TWILIO_AUTH_TOKEN: twilio.authToken,
        TWILIO_FROM: twilio.from,
      })
    case "voice":
      return absent({
        TWILIO_ACCOUNT_SID: twilio.accountSid,
        TWILIO_AUTH_TOKEN: twilio.authToken,
        TWILIO_VOICE_PHONE_NUMBER: twilio.voiceFrom,
      })
    case "push":
      return absent({
        "VAPID_PUBLIC_KEY, FCM_SERVICE_ACCOUNT or APNS_KEY": vapid ?? fcm.serviceAccount ?? apns.key,
        VAPID_SUBJECT: vapid === null ? undefined : vapid.subject,
      })
    // Channels come from rules, whose loader knows the words; the rest of them needs no credential.
    default:
      return []
  }
}
