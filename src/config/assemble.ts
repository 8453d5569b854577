/** From the table of settings to the `Config`: groups, defaults that depend on others, and what must come together. */
import type { SendingChannel } from "../domain/channel.ts"
import type { SendLimit } from "../domain/send-limit.ts"
import { noRanges } from "./address-ranges.ts"
import { isVapidPair } from "./credentials.ts"
import type { Reader } from "./reader.ts"
import { retryPolicies } from "./retry.ts"
import {
  accessSettings as access,
  channelSettings as channels,
  hubSettings as hub,
  runningSettings as running,
  sourceSettings as sources,
  storageSettings as storage,
} from "./settings.ts"
import type { Config } from "./shape.ts"

/** Settings that development makes up when nobody set them. */
const madeUp = [
  access.apiKeys,
  access.jwtSecret,
  access.encryptionKeys,
  channels.vapidPublicKey,
  channels.vapidPrivateKey,
]

/** Reads every setting. What is wrong is in `reader.errors`; the result holds only when there is none. */
export function assemble(reader: Reader, terminal: boolean): Config {
  const nodeEnv = reader.defaulted(hub.nodeEnv)
  const production = nodeEnv === "production"
  const dataDir = reader.defaulted(hub.dataDir)
  if (production) refuseWithout(reader)
  // A misspelt `production` must leave no made-up secrets behind.
  else if (reader.errors.length === 0 && madeUp.some((setting) => !reader.isSet(setting))) reader.useKept(dataDir)

  const port = reader.defaulted(hub.port)
  const publicUrl = reader.optional(hub.publicUrl) ?? `http://localhost:${port}`
  return {
    nodeEnv,
    production,
    http: {
      port,
      host: reader.defaulted(hub.host),
      reusePort: reader.defaulted(hub.reusePort),
      socketRate: reader.defaulted(hub.socketRate),
      publicUrl,
      allowedOrigins: reader.optional(hub.allowedOrigins) ?? (production ? "same_origin" : "any"),
      trustedProxies: reader.optional(hub.trustedProxies) ?? noRanges,
      adminAllow: reader.optional(hub.adminAllow),
    },
    dataDir,
    rulesDir: reader.defaulted(hub.rulesDir),
    templatesDir: reader.defaulted(hub.templatesDir),
    databaseUrl: reader.optional(storage.databaseUrl),
    natsUrl: reader.optional(storage.natsUrl),
    apiKeys: reader.optional(access.apiKeys) ?? [],
    jwt: {
      secret: reader.optional(access.jwtSecret),
      jwksUrl: reader.optional(access.jwksUrl),
      issuer: reader.optional(access.jwtIssuer),
      audience: reader.optional(access.jwtAudience),
      rolesClaim: reader.defaulted(access.rolesClaim),
      businessClaim: reader.defaulted(access.businessClaim),
      locationsClaim: reader.defaulted(access.locationsClaim),
    },
    encryptionKeys: eachOnce(reader, access.encryptionKeys.name, reader.optional(access.encryptionKeys) ?? [], "id"),
    anonymousTopics: reader.optional(access.anonymousTopics) ?? !production,
    topicsPerSocket: reader.defaulted(access.topicsPerSocket),
    rulesGit: rulesGit(reader),
    webhookSecrets: eachOnce(
      reader,
      running.webhookSecrets.name,
      reader.optional(running.webhookSecrets) ?? [],
      "name",
    ),
    rateLimit: { caller: null, business: null, type: null, ...reader.optional(running.rateLimit) },
    sendLimit: sendLimit(reader),
    retry: retryPolicies(reader.optional(running.retry), !reader.isSet(channels.smtpUrl)),
    retention: retention(reader),
    ...channelGroups(reader, production, publicUrl),
    zoho: { webhookSecret: reader.optional(sources.zohoWebhookSecret) },
    webhookSources: reader.optional(sources.webhookSources) ?? [],
    aiAgentUrl: reader.optional(sources.aiAgentUrl),
    log: {
      level: reader.defaulted(running.logLevel),
      format: reader.optional(running.logFormat) ?? (terminal ? "pretty" : "json"),
    },
    otel: { endpoint: reader.optional(running.otelEndpoint), variables: reader.openTelemetry() },
    generated: reader.generated,
  }
}

/** What development makes up, production must be given. */
function refuseWithout(reader: Reader): void {
  for (const setting of [storage.databaseUrl, access.apiKeys, access.encryptionKeys])
    if (!reader.isSet(setting)) reader.missing(setting.name, "a value: production makes none up (hub init writes one)")
  if (!reader.isSet(access.jwtSecret) && !reader.isSet(access.jwksUrl))
    reader.missing(`${access.jwtSecret.name} or ${access.jwksUrl.name}`, "a value: without one nobody can log in")
}

/** Two keys under one id would decrypt, and two secrets under one name sign, by luck. */
function eachOnce<K extends string, T extends Readonly<Record<K, string>>>(
  reader: Reader,
  name: string,
  entries: readonly T[],
  key: K,
): readonly T[] {
  const all = entries.map((entry) => entry[key])
  const twice = all.find((each, index) => all.indexOf(each) !== index)
  if (twice !== undefined) reader.errors.push({ name, expected: `every ${key} once`, got: `the ${key} ${twice} twice` })
  return entries
}

function rulesGit(reader: Reader): Config["rulesGit"] {
  const url = reader.optional(running.rulesGitUrl)
  const branch = reader.defaulted(running.rulesGitBranch)
  const intervalMs = reader.defaulted(running.rulesGitInterval)
  return url === null ? null : { url, branch, intervalMs }
}

function sendLimit(reader: Reader): Config["sendLimit"] {
  const given = reader.optional(running.sendLimit)
  const of = (channel: SendingChannel): SendLimit => ({
    account: given?.[channel] ?? null,
    each: given?.[`${channel}.each`] ?? null,
  })
  return {
    email: of("email"),
    sms: of("sms"),
    voice: of("voice"),
    telegram: of("telegram"),
    slack: of("slack"),
    push: of("push"),
    webhook: of("webhook"),
  }
}

function retention(reader: Reader): Config["retention"] {
  const day = 86_400_000
  const given = reader.defaulted(running.retention)
  // The key of an event is what knows a replayed webhook, whose signature is good for ten minutes.
  if ((given.events ?? day) < day / 24)
    reader.errors.push({ name: running.retention.name, expected: "events to be kept for an hour or more", got: "less" })
  return {
    eventsMs: given.events ?? 90 * day,
    notificationsMs: given.notifications ?? 180 * day,
    attemptsMs: given.attempts ?? 90 * day,
    rejectedMs: given.rejected ?? 30 * day,
  }
}

type ChannelGroups = Pick<Config, "telegram" | "slack" | "email" | "twilio" | "vapid" | "fcm" | "apns">

function channelGroups(reader: Reader, production: boolean, publicUrl: string): ChannelGroups {
  return {
    telegram: {
      botToken: reader.optional(channels.telegramBotToken),
      apiRoot: reader.defaulted(channels.telegramApiRoot),
      webhookSecret: reader.optional(channels.telegramWebhookSecret),
    },
    slack: {
      webhookUrl: reader.optional(channels.slackWebhookUrl),
      botToken: reader.optional(channels.slackBotToken),
      signingSecret: reader.optional(channels.slackSigningSecret),
      apiRoot: reader.defaulted(channels.slackApiRoot),
    },
    email: {
      from: reader.optional(channels.emailFrom),
      postalAddress: reader.optional(channels.postalAddress),
      resendApiKey: reader.optional(channels.resendApiKey),
      resendBaseUrl: reader.defaulted(channels.resendBaseUrl),
      resendWebhookSecret: reader.optional(channels.resendWebhookSecret),
      smtpUrl: reader.optional(channels.smtpUrl),
    },
    twilio: {
      accountSid: reader.optional(channels.twilioAccountSid),
      authToken: reader.optional(channels.twilioAuthToken),
      from: reader.optional(channels.twilioFrom),
      voiceFrom: reader.optional(channels.twilioVoiceFrom),
      apiRoot: reader.defaulted(channels.twilioApiRoot),
    },
    vapid: vapid(reader, production, publicUrl),
    fcm: {
      serviceAccount: reader.optional(channels.fcmServiceAccount),
      apiRoot: reader.optional(channels.fcmApiRoot),
    },
    apns: apns(reader),
  }
}

function vapid(reader: Reader, production: boolean, publicUrl: string): Config["vapid"] {
  const before = reader.errors.length
  const publicKey = reader.optional(channels.vapidPublicKey)
  const privateKey = reader.optional(channels.vapidPrivateKey)
  const fallback = publicUrl.startsWith("https://") ? publicUrl : production ? null : "mailto:hub@localhost"
  const subject = reader.optional(channels.vapidSubject) ?? fallback
  if (reader.errors.length > before || (publicKey === null && privateKey === null)) return null
  if (publicKey === null || privateKey === null) {
    const absent = publicKey === null ? channels.vapidPublicKey : channels.vapidPrivateKey
    reader.missing(absent.name, "a value, because the other half of the VAPID pair is given")
    return null
  }
  if (isVapidPair(publicKey, privateKey)) return { publicKey, privateKey, subject }
  const got = "two keys that do not belong together"
  reader.errors.push({ name: channels.vapidPublicKey.name, expected: "the public key of VAPID_PRIVATE_KEY", got })
  return null
}

function apns(reader: Reader): Config["apns"] {
  const needed = [channels.apnsKey, channels.apnsKeyId, channels.apnsTeamId, channels.apnsTopic]
  if (needed.some((setting) => reader.isSet(setting)))
    for (const setting of needed)
      if (!reader.isSet(setting)) reader.missing(setting.name, "a value, because another APNS_* setting is given")
  return {
    key: reader.optional(channels.apnsKey),
    keyId: reader.optional(channels.apnsKeyId),
    teamId: reader.optional(channels.apnsTeamId),
    topic: reader.optional(channels.apnsTopic),
    apiRoot: reader.optional(channels.apnsApiRoot),
  }
}
