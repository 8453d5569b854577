/**
 * The one table of settings. It drives the parsing, `.env.example`, the README's table and the search for misspelt
 * names. A new setting is a line here, a field in `shape.ts` and a line in `config.ts`.
 */
import { SENDING_CHANNELS } from "../domain/channel.ts"
import {
  apiKey,
  encryptionKey,
  vapidPrivateKey,
  vapidPublicKey,
  vapidSubject,
  webhookSecret,
  webhookSource,
} from "./credentials.ts"
import {
  accountSid,
  assignments,
  duration,
  flag,
  folder,
  gitUrl,
  hostName,
  httpUrl,
  integer,
  listOf,
  natsUrl,
  oneOf,
  origins,
  type Parser,
  pemKey,
  postgresUrl,
  ranges,
  rate,
  secret,
  secretUrl,
  sender,
  serviceAccount,
  text,
} from "./parse.ts"
import { retrySetting } from "./retry.ts"

export interface Setting<T> {
  readonly name: string
  /** Older names of the same setting. */
  readonly aliases: readonly string[]
  readonly parse: Parser<T>
  /** Secrets have a `NAME_FILE` twin, and their values are never shown. */
  readonly secret: boolean
  /** What holds when it is not set, in words or as the text that would be parsed. */
  readonly shownDefault: string
  readonly meaning: string
}

/** A setting that has a value even when nobody sets it: `fallback` is parsed like any other text. */
export interface DefaultedSetting<T> extends Setting<T> {
  readonly fallback: string
}

const plain = <T>(name: string, parse: Parser<T>, shownDefault: string, meaning: string): Setting<T> => ({
  name,
  aliases: [],
  parse,
  secret: false,
  shownDefault,
  meaning,
})

const hidden = <T>(
  name: string,
  parse: Parser<T>,
  shownDefault: string,
  meaning: string,
  aliases: readonly string[] = [],
): Setting<T> => ({ ...plain(name, parse, shownDefault, meaning), aliases, secret: true })

const defaulted = <T>(name: string, parse: Parser<T>, fallback: string, meaning: string): DefaultedSetting<T> => ({
  ...plain(name, parse, fallback, meaning),
  fallback,
})

const generated = "generated in development"

const EACH = SENDING_CHANNELS.map((channel) => `${channel}.each` as const)

export const hubSettings = {
  nodeEnv: defaulted(
    "NODE_ENV",
    oneOf("development", "production", "test"),
    "development",
    "production: no generated secrets, no captured messages, and a refusal to start while anything is missing",
  ),
  port: defaulted("PORT", integer(0, 65_535), "4000", "port to listen on"),
  host: defaulted("HOST", hostName, "0.0.0.0", "address to listen on"),
  reusePort: defaulted(
    "HUB_REUSE_PORT",
    flag,
    "false",
    "several hub processes of one machine share the port, and the kernel deals out connections (Linux)",
  ),
  socketRate: defaulted(
    "HUB_SOCKET_RATE",
    integer(1, 1_000_000),
    "2000",
    "sockets that a node accepts a second, after a burst of twice as many; the rest wait for up to 5 s",
  ),
  publicUrl: plain(
    "HUB_PUBLIC_URL",
    httpUrl,
    "http://localhost:$PORT",
    "links in messages; its path is the prefix behind a reverse proxy",
  ),
  allowedOrigins: plain(
    "HUB_ALLOWED_ORIGINS",
    origins,
    "same origin; any in development",
    "comma list of origins for CORS and the WebSocket origin check, or *",
  ),
  trustedProxies: plain("HUB_TRUSTED_PROXIES", ranges, "none", "CIDR list: whose X-Forwarded-For is believed"),
  adminAllow: plain("HUB_ADMIN_ALLOW", ranges, "any", "CIDR list: who may reach operator endpoints"),
  dataDir: defaulted("HUB_DATA_DIR", folder, ".data", "embedded database, generated secrets"),
  rulesDir: defaulted("HUB_RULES_DIR", folder, "rules", "folder of rules"),
  templatesDir: defaulted("HUB_TEMPLATES_DIR", folder, "templates", "folder of templates"),
}

export const storageSettings = {
  databaseUrl: hidden("DATABASE_URL", postgresUrl, "embedded", "PostgreSQL 15 or newer"),
  natsUrl: hidden(
    "NATS_URL",
    natsUrl,
    "none: one node",
    "NATS 2.9 or newer with JetStream: event source and the bus between nodes",
  ),
}

export const accessSettings = {
  apiKeys: hidden(
    "HUB_API_KEYS",
    listOf(apiKey),
    generated,
    "comma list of key:scope or key:scope:business, scope service or admin, keys of 24 characters or more",
  ),
  jwtSecret: hidden("JWT_SECRET", secret, generated, "HS256 secret shared with the ERP", ["JWT_SECRET_KEY"]),
  jwksUrl: plain("JWT_JWKS_URL", httpUrl, "none", "keys of an RS256/ES256 issuer such as Cognito"),
  jwtIssuer: plain("JWT_ISSUER", text, "none", "required iss"),
  jwtAudience: plain("JWT_AUDIENCE", text, "none", "required aud"),
  rolesClaim: defaulted("JWT_ROLES_CLAIM", text, "roles", "another issuer's name for roles, e.g. cognito:groups"),
  businessClaim: defaulted("JWT_BUSINESS_CLAIM", text, "business_id", "another issuer's name for the business"),
  locationsClaim: defaulted("JWT_LOCATIONS_CLAIM", text, "location_ids", "another issuer's name for the locations"),
  encryptionKeys: hidden(
    "HUB_ENCRYPTION_KEYS",
    listOf(encryptionKey),
    generated,
    "id:base64key list, first one encrypts, all decrypt",
  ),
  anonymousTopics: plain(
    "HUB_ANONYMOUS_TOPICS",
    flag,
    "true in development, else false",
    "sockets without a token may join resources:*",
  ),
  topicsPerSocket: defaulted(
    "HUB_TOPICS_PER_SOCKET",
    integer(1, 10_000),
    "100",
    "topics that one socket may have joined at once; more are refused as too many channels joined",
  ),
}

export const runningSettings = {
  rulesGitUrl: hidden(
    "HUB_RULES_GIT_URL",
    gitUrl,
    "none",
    "a repository whose rules/ and templates/ are followed instead of the folders; needs git",
  ),
  rulesGitBranch: defaulted("HUB_RULES_GIT_BRANCH", text, "main", "its branch"),
  rulesGitInterval: defaulted("HUB_RULES_GIT_INTERVAL", duration, "60s", "how often to look"),
  webhookSecrets: hidden(
    "HUB_WEBHOOK_SECRETS",
    listOf(webhookSecret),
    "none",
    "comma list of name:whsec_…; a rule's webhook names the one that signs it",
  ),
  rateLimit: plain(
    "HUB_RATE_LIMIT",
    assignments(["caller", "business", "type"], integer(1, 1_000_000_000)),
    "none",
    "events per second for each caller, business and type, e.g. caller=500,business=2000,type=1000",
  ),
  sendLimit: plain(
    "HUB_SEND_LIMIT",
    assignments([...SENDING_CHANNELS, ...EACH], rate),
    "none",
    "messages by a channel's account, and to each of its addresses, a second (or /m, /h), e.g. telegram=25,telegram.each=1,email=2",
  ),
  retry: plain(
    "HUB_RETRY",
    retrySetting,
    "first=5s,max=1h,tries=12,age=24h",
    "what is not delivered is tried again: pauses double from first to max, all channels or one, e.g. tries=8,sms.tries=3,voice.age=1h",
  ),
  retention: defaulted(
    "HUB_RETENTION",
    assignments(["events", "notifications", "attempts", "rejected"], duration),
    "events=90d,notifications=180d,attempts=90d,rejected=30d",
    "pruned daily; what is not named keeps its default",
  ),
  logLevel: defaulted("LOG_LEVEL", oneOf("debug", "info", "warn", "error", "silent"), "info", "least level to log"),
  logFormat: plain("LOG_FORMAT", oneOf("pretty", "json"), "pretty on a terminal else json", "pretty or json"),
  otelEndpoint: plain(
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    text,
    "none: off",
    "OpenTelemetry; the other OTEL_* variables are passed on",
  ),
}

export const channelSettings = {
  telegramBotToken: hidden("TELEGRAM_BOT_TOKEN", secret, "none", "Telegram bot"),
  telegramApiRoot: defaulted("TELEGRAM_API_ROOT", httpUrl, "https://api.telegram.org", "Telegram Bot API"),
  telegramWebhookSecret: hidden(
    "TELEGRAM_WEBHOOK_SECRET",
    secret,
    "none: polling where a token is set",
    "inbound updates",
  ),
  slackWebhookUrl: hidden(
    "SLACK_WEBHOOK_URL",
    secretUrl("http", "https"),
    "none",
    "default Slack incoming webhook; a recipient or rule may name another",
  ),
  slackBotToken: hidden("SLACK_BOT_TOKEN", secret, "none", "Slack bot messages"),
  slackSigningSecret: hidden("SLACK_SIGNING_SECRET", secret, "none", "Slack buttons"),
  slackApiRoot: defaulted("SLACK_API_ROOT", httpUrl, "https://slack.com/api", "Slack Web API"),
  emailFrom: plain("EMAIL_FROM", sender, "none", "sender of e-mail, e.g. Hub <hub@example.com>"),
  postalAddress: plain(
    "EMAIL_POSTAL_ADDRESS",
    text,
    "none",
    "where who sends commercial e-mail is found by post; stands at its end, as CAN-SPAM wants it",
  ),
  resendApiKey: hidden("RESEND_API_KEY", secret, "none", "e-mail by Resend"),
  resendBaseUrl: defaulted("RESEND_BASE_URL", httpUrl, "https://api.resend.com", "Resend API"),
  resendWebhookSecret: hidden("RESEND_WEBHOOK_SECRET", secret, "none", "Resend's reports"),
  smtpUrl: hidden(
    "SMTP_URL",
    secretUrl("smtp", "smtps"),
    "none",
    "e-mail by SMTP instead of Resend (smtp://user:pass@host:587)",
  ),
  twilioAccountSid: plain("TWILIO_ACCOUNT_SID", accountSid, "none", "SMS and voice by Twilio"),
  twilioAuthToken: hidden("TWILIO_AUTH_TOKEN", secret, "none", "Twilio's credential and webhook signature key"),
  twilioFrom: plain("TWILIO_FROM", text, "none", "number or sender id of SMS"),
  twilioVoiceFrom: plain("TWILIO_VOICE_PHONE_NUMBER", text, "none", "number that calls"),
  twilioApiRoot: defaulted("TWILIO_API_ROOT", httpUrl, "https://api.twilio.com", "Twilio API"),
  vapidPublicKey: plain("VAPID_PUBLIC_KEY", vapidPublicKey, generated, "web push, base64url"),
  vapidPrivateKey: hidden("VAPID_PRIVATE_KEY", vapidPrivateKey, generated, "web push, base64url"),
  vapidSubject: plain(
    "VAPID_SUBJECT",
    vapidSubject,
    "HUB_PUBLIC_URL where it is https; generated in development",
    "web push: mailto: or https URL of who runs the hub",
  ),
  fcmServiceAccount: hidden("FCM_SERVICE_ACCOUNT", serviceAccount, "none", "Android push: the service account's JSON"),
  fcmApiRoot: plain("FCM_API_ROOT", httpUrl, "none", "another address than Google's"),
  apnsKey: hidden("APNS_KEY", pemKey, "none", "iOS push: the .p8 key"),
  apnsKeyId: plain("APNS_KEY_ID", text, "none", "the key's id"),
  apnsTeamId: plain("APNS_TEAM_ID", text, "none", "the team's id"),
  apnsTopic: plain("APNS_TOPIC", text, "none", "the app's bundle id"),
  apnsApiRoot: plain("APNS_API_ROOT", httpUrl, "none", "another address than Apple's"),
}

export const sourceSettings = {
  zohoWebhookSecret: hidden("ZOHO_WEBHOOK_SECRET", secret, "none: source refuses", "signature of Zoho's webhooks"),
  webhookSources: hidden(
    "HUB_WEBHOOK_SOURCES",
    listOf(webhookSource),
    "none",
    "comma list of name:business:whsec_…; two entries of one name = rotation",
  ),
  aiAgentUrl: plain("AI_AGENT_HTTP_URL", httpUrl, "none", "where messages to the agent are forwarded"),
}

/** In the order of `.env.example`. */
const settingGroups = [
  { title: "The hub", settings: Object.values(hubSettings) },
  { title: "Storage and the bus", settings: Object.values(storageSettings) },
  { title: "Who may do what", settings: Object.values(accessSettings) },
  { title: "Running it", settings: Object.values(runningSettings) },
  { title: "Channels", settings: Object.values(channelSettings) },
  { title: "Sources", settings: Object.values(sourceSettings) },
] as const

export interface SettingRow {
  readonly group: string
  readonly name: string
  readonly aliases: readonly string[]
  readonly default: string
  readonly meaning: string
  readonly secret: boolean
}

/** Every setting, for the README's check and for whoever lists them. */
export function settingsTable(): readonly SettingRow[] {
  return settingGroups.flatMap(({ title, settings }) =>
    settings.map(({ name, aliases, shownDefault, meaning, secret: isSecret }) => ({
      group: title,
      name,
      aliases,
      default: shownDefault,
      meaning,
      secret: isSecret,
    })),
  )
}
