/**
 * What the rest of the hub knows of its settings: one frozen object in groups, parsed and typed. Nobody but
 * `config.ts` reads the environment, so that whatever is wrong with it is found at once, before anything starts.
 */
import type { SendingChannel } from "../domain/channel.ts"
import type { RetryPolicy } from "../domain/delivery.ts"
import type { Secret } from "../domain/secret.ts"
import type { SendLimit } from "../domain/send-limit.ts"
import type { AddressRanges } from "./address-ranges.ts"

export type NodeEnv = "development" | "production" | "test"
export type KeyScope = "service" | "admin"
export type LogLevel = "debug" | "info" | "warn" | "error" | "silent"
export type LogFormat = "pretty" | "json"

/** `business` null = every business. */
export interface ApiKeySetting {
  readonly key: Secret
  readonly scope: KeyScope
  readonly business: string | null
}

/** `key` reveals the base64 text of 32 bytes. */
export interface EncryptionKeySetting {
  readonly id: string
  readonly key: Secret
}

/** `secret` reveals `whsec_…`. Two entries of one name = rotation: either may have signed. */
export interface WebhookSourceSetting {
  readonly name: string
  readonly business: string
  readonly secret: Secret
}

/** What a rule's webhook names to be signed. `secret` reveals `whsec_…`. */
export interface WebhookSecretSetting {
  readonly name: string
  readonly secret: Secret
}

/** Durations are milliseconds, URLs come without a trailing slash, folders are absolute, `null` is "not set". */
export interface Config {
  readonly nodeEnv: NodeEnv
  /** True in production alone: no generated secrets, no capture. */
  readonly production: boolean
  readonly http: {
    /** 0 = any free port. */
    readonly port: number
    readonly host: string
    /** Other processes of this hub may listen on the same port. */
    readonly reusePort: boolean
    /** Sockets that are accepted a second. */
    readonly socketRate: number
    readonly publicUrl: string
    readonly allowedOrigins: "any" | "same_origin" | readonly string[]
    /** Whose `X-Forwarded-For` is believed. */
    readonly trustedProxies: AddressRanges
    /** Who may reach operator endpoints; null = any address. */
    readonly adminAllow: AddressRanges | null
  }
  readonly dataDir: string
  readonly rulesDir: string
  readonly templatesDir: string
  /** null = the embedded PostgreSQL under `dataDir`. */
  readonly databaseUrl: Secret | null
  /** One server or a comma list; null = one node, in process. */
  readonly natsUrl: Secret | null
  readonly apiKeys: readonly ApiKeySetting[]
  readonly jwt: {
    readonly secret: Secret | null
    readonly jwksUrl: string | null
    readonly issuer: string | null
    readonly audience: string | null
    readonly rolesClaim: string
    readonly businessClaim: string
    readonly locationsClaim: string
  }
  /** Never empty; the first one encrypts, all decrypt. */
  readonly encryptionKeys: readonly EncryptionKeySetting[]
  readonly anonymousTopics: boolean
  /** At once. */
  readonly topicsPerSocket: number
  readonly rulesGit: { readonly url: Secret; readonly branch: string; readonly intervalMs: number } | null
  /** Each name once. */
  readonly webhookSecrets: readonly WebhookSecretSetting[]
  /** Events per second; null = no limit. */
  readonly rateLimit: { readonly caller: number | null; readonly business: number | null; readonly type: number | null }
  /** What nobody has set goes as fast as its provider takes it. */
  readonly sendLimit: Readonly<Record<SendingChannel, SendLimit>>
  /** What is not set is the contract's. */
  readonly retry: Readonly<Record<SendingChannel, RetryPolicy>>
  readonly retention: {
    readonly eventsMs: number
    readonly notificationsMs: number
    readonly attemptsMs: number
    readonly rejectedMs: number
  }
  readonly telegram: {
    readonly botToken: Secret | null
    readonly apiRoot: string
    readonly webhookSecret: Secret | null
  }
  readonly slack: {
    readonly webhookUrl: Secret | null
    readonly botToken: Secret | null
    readonly signingSecret: Secret | null
    readonly apiRoot: string
  }
  readonly email: {
    readonly from: string | null
    readonly postalAddress: string | null
    readonly resendApiKey: Secret | null
    readonly resendBaseUrl: string
    readonly resendWebhookSecret: Secret | null
    readonly smtpUrl: Secret | null
  }
  readonly twilio: {
    readonly accountSid: string | null
    readonly authToken: Secret | null
    readonly from: string | null
    readonly voiceFrom: string | null
    readonly apiRoot: string
  }
  /** Keys in base64url, as the Web Push API wants them. `subject` null = push services can't be told whom to ask. */
  readonly vapid: { readonly publicKey: string; readonly privateKey: Secret; readonly subject: string | null } | null
  /** `serviceAccount` reveals its JSON text; `apiRoot` null = Google's. */
  readonly fcm: { readonly serviceAccount: Secret | null; readonly apiRoot: string | null }
  /** `key` reveals the PEM text of the .p8 file; `apiRoot` null = Apple's. */
  readonly apns: {
    readonly key: Secret | null
    readonly keyId: string | null
    readonly teamId: string | null
    readonly topic: string | null
    readonly apiRoot: string | null
  }
  readonly zoho: { readonly webhookSecret: Secret | null }
  readonly webhookSources: readonly WebhookSourceSetting[]
  readonly aiAgentUrl: string | null
  readonly log: { readonly level: LogLevel; readonly format: LogFormat }
  /** Every `OTEL_*` variable as it came; `endpoint` null = off. Values may hold headers with tokens, so all are secret. */
  readonly otel: { readonly endpoint: string | null; readonly variables: Readonly<Record<string, Secret>> }
  /** Names of the settings that development made up and keeps under `dataDir`. Empty in production. */
  readonly generated: readonly string[]
}

/** One thing that is wrong with the settings. `got` never holds a secret's value. */
export interface ConfigError {
  readonly name: string
  readonly expected: string
  readonly got: string
}

/** Something that does not stop the hub but that its operator should know. */
export interface ConfigWarning {
  readonly name: string
  readonly problem: string
}
