import { afterEach, beforeEach, describe, expect, test } from "bun:test"
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { inspect } from "node:util"
import { bytesOf } from "./config/parse.ts"
import {
  type Config,
  type Environment,
  explainConfigError,
  freshSecrets,
  type Loaded,
  loadConfig,
  missingChannelCredentials,
  settingsTable,
} from "./config.ts"
import { DEFAULT_RETRY } from "./domain/delivery.ts"
import type { Secret } from "./domain/secret.ts"

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "hub config "))
})
afterEach(() => rmSync(folder, { recursive: true }))

const load = (env: Environment = {}, terminal = false): Loaded => loadConfig({ HUB_DATA_DIR: folder, ...env }, terminal)

function good(env: Environment = {}, terminal = false): Config {
  const loaded = load(env, terminal)
  if (loaded.errors) throw new Error(loaded.errors.map(explainConfigError).join("\n"))
  return loaded.ok
}

const faults = (env: Environment) => (load(env).errors ?? []).map((error) => error.name)

const production = (): Environment => ({
  NODE_ENV: "production",
  DATABASE_URL: "postgres://hub:pw@db/hub",
  HUB_API_KEYS: `${"k".repeat(24)}:admin`,
  JWT_SECRET: "s".repeat(32),
  HUB_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 7).toString("base64")}`,
})

/** Secrets as their values, so that whole configs can be compared. */
const revealed = (secret: Secret | null) => secret?.reveal() ?? null

describe("without any setting", () => {
  test("development gets the default of everything", () => {
    const { apiKeys, jwt, encryptionKeys, vapid, http, ...rest } = good()
    expect(apiKeys.map(({ scope, business }) => [scope, business])).toEqual([
      ["service", null],
      ["admin", null],
    ])
    expect(Buffer.byteLength(revealed(jwt.secret) ?? "")).toBeGreaterThanOrEqual(32)
    expect({ ...jwt, secret: null }).toEqual({
      secret: null,
      jwksUrl: null,
      issuer: null,
      audience: null,
      rolesClaim: "roles",
      businessClaim: "business_id",
      locationsClaim: "location_ids",
    })
    expect(encryptionKeys.map(({ id, key }) => [id, bytesOf(key.reveal())?.length])).toEqual([["k1", 32]])
    expect(bytesOf(vapid?.publicKey ?? "")?.length).toBe(65)
    expect(http).toMatchObject({
      port: 4000,
      host: "0.0.0.0",
      reusePort: false,
      socketRate: 2_000,
      publicUrl: "http://localhost:4000",
      allowedOrigins: "any",
      adminAllow: null,
    })
    expect(http.trustedProxies.contains("127.0.0.1")).toBe(false)
    const day = 86_400_000
    const unlimited = { account: null, each: null }
    expect(rest).toEqual({
      nodeEnv: "development",
      production: false,
      dataDir: folder,
      rulesDir: resolve("rules"),
      templatesDir: resolve("templates"),
      databaseUrl: null,
      natsUrl: null,
      anonymousTopics: true,
      topicsPerSocket: 100,
      rulesGit: null,
      rateLimit: { caller: null, business: null, type: null },
      sendLimit: {
        email: unlimited,
        sms: unlimited,
        voice: unlimited,
        telegram: unlimited,
        slack: unlimited,
        push: unlimited,
        webhook: unlimited,
      },
      retry: {
        email: { ...DEFAULT_RETRY, knowsRepeats: true },
        sms: DEFAULT_RETRY,
        voice: DEFAULT_RETRY,
        telegram: DEFAULT_RETRY,
        slack: DEFAULT_RETRY,
        push: DEFAULT_RETRY,
        webhook: DEFAULT_RETRY,
      },
      retention: { eventsMs: 90 * day, notificationsMs: 180 * day, attemptsMs: 90 * day, rejectedMs: 30 * day },
      telegram: { botToken: null, apiRoot: "https://api.telegram.org", webhookSecret: null },
      slack: { webhookUrl: null, botToken: null, signingSecret: null, apiRoot: "https://slack.com/api" },
      email: {
        from: null,
        postalAddress: null,
        resendApiKey: null,
        resendBaseUrl: "https://api.resend.com",
        resendWebhookSecret: null,
        smtpUrl: null,
      },
      twilio: { accountSid: null, authToken: null, from: null, voiceFrom: null, apiRoot: "https://api.twilio.com" },
      fcm: { serviceAccount: null, apiRoot: null },
      apns: { key: null, keyId: null, teamId: null, topic: null, apiRoot: null },
      zoho: { webhookSecret: null },
      webhookSources: [],
      webhookSecrets: [],
      aiAgentUrl: null,
      log: { level: "info", format: "json" },
      otel: { endpoint: null, variables: {} },
      generated: ["HUB_API_KEYS", "JWT_SECRET", "HUB_ENCRYPTION_KEYS", "VAPID_PUBLIC_KEY", "VAPID_PRIVATE_KEY"],
    })
  })

  test("the data folder is .data", () => {
    const loaded = loadConfig(production())
    expect(loaded.ok?.dataDir).toBe(resolve(".data"))
  })

  test("the log is pretty on a terminal", () => {
    expect(good({}, true).log.format).toBe("pretty")
  })

  test("an empty setting and a blank one are the same as none", () => {
    const { generated } = good({ PORT: "", DATABASE_URL: "  ", HUB_API_KEYS: "", LOG_LEVEL: " " })
    expect(generated).toContain("HUB_API_KEYS")
  })

  test("production listens to its own origin and lets nobody join anonymously", () => {
    const config = good(production())
    expect(config).toMatchObject({ production: true, anonymousTopics: false, generated: [], vapid: null })
    expect(config.http.allowedOrigins).toBe("same_origin")
    expect(readdirSync(folder)).toEqual([])
  })
})

describe("settings that are given", () => {
  test("are parsed into their groups", () => {
    const config = good({
      PORT: "4100",
      HOST: "::1",
      HUB_PUBLIC_URL: "https://hub.example.com/notify/",
      HUB_ALLOWED_ORIGINS: "https://a.example.com, http://localhost:5173",
      HUB_TRUSTED_PROXIES: "10.0.0.0/8, fd00::/8",
      HUB_ADMIN_ALLOW: "192.168.1.7",
      HUB_RULES_DIR: join(folder, "r"),
      HUB_TEMPLATES_DIR: join(folder, "t"),
      DATABASE_URL: "postgresql://hub@/hub?host=/var/run/postgresql",
      NATS_URL: "nats://one:4222,nats://two:4222",
      HUB_API_KEYS: `${"a".repeat(24)}:service:b1,${"b".repeat(30)}:admin`,
      JWT_JWKS_URL: "https://issuer.example.com/.well-known/jwks.json",
      JWT_ISSUER: "https://issuer.example.com",
      JWT_AUDIENCE: "hub",
      JWT_ROLES_CLAIM: "cognito:groups",
      HUB_ANONYMOUS_TOPICS: "false",
      HUB_RULES_GIT_URL: "https://token@git.example.com/rules.git",
      HUB_RULES_GIT_INTERVAL: "15m",
      HUB_RATE_LIMIT: "caller=500,type=1000",
      HUB_SEND_LIMIT: "telegram=25, telegram.each=60/m, sms.each=1800/h",
      HUB_RETENTION: "events=6h,rejected=2w",
      TELEGRAM_BOT_TOKEN: "1:t",
      TELEGRAM_API_ROOT: "http://127.0.0.1:9/",
      SLACK_WEBHOOK_URL: "http://127.0.0.1:9/services/T/B/x",
      SMTP_URL: "smtp://user:pass@host:587",
      EMAIL_FROM: "Hub <hub@example.com>",
      TWILIO_ACCOUNT_SID: `AC${"0".repeat(32)}`,
      HUB_WEBHOOK_SOURCES: `crm:b1:whsec_${Buffer.alloc(24, 1).toString("base64")},crm:b1:whsec_${Buffer.alloc(24, 2).toString("base64")}`,
      HUB_WEBHOOK_SECRETS: `erp:whsec_${Buffer.alloc(24, 3).toString("base64")}`,
      AI_AGENT_HTTP_URL: "http://127.0.0.1:9/agent",
      LOG_LEVEL: "DEBUG",
      LOG_FORMAT: "pretty",
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318",
      OTEL_EXPORTER_OTLP_HEADERS: "authorization=canary",
    })
    expect(config.http).toMatchObject({ port: 4100, host: "::1", publicUrl: "https://hub.example.com/notify" })
    expect(config.http.allowedOrigins).toEqual(["https://a.example.com", "http://localhost:5173"])
    expect(config.http.trustedProxies.contains("::ffff:10.1.2.3")).toBe(true)
    expect(config.http.trustedProxies.contains("fd12::1")).toBe(true)
    expect(config.http.trustedProxies.contains("11.0.0.1")).toBe(false)
    expect(config.http.adminAllow?.contains("192.168.1.7")).toBe(true)
    expect(config.http.adminAllow?.contains("192.168.1.8")).toBe(false)
    expect(config.rulesDir).toBe(join(folder, "r"))
    expect(config.apiKeys.map(({ key, scope, business }) => [key.reveal(), scope, business])).toEqual([
      ["a".repeat(24), "service", "b1"],
      ["b".repeat(30), "admin", null],
    ])
    expect(config.jwt).toMatchObject({ rolesClaim: "cognito:groups", audience: "hub" })
    expect(config.anonymousTopics).toBe(false)
    expect(config.rulesGit).toMatchObject({ branch: "main", intervalMs: 900_000 })
    expect(config.rateLimit).toEqual({ caller: 500, business: null, type: 1000 })
    expect(config.sendLimit.telegram).toEqual({ account: 25, each: 1 })
    expect(config.sendLimit.sms).toEqual({ account: null, each: 0.5 })
    expect(config.retention).toMatchObject({
      eventsMs: 21_600_000,
      attemptsMs: 90 * 86_400_000,
      rejectedMs: 14 * 86_400_000,
    })
    expect(config.telegram.apiRoot).toBe("http://127.0.0.1:9")
    expect(config.webhookSources.map(({ name }) => name)).toEqual(["crm", "crm"])
    expect(config.webhookSecrets.map(({ name, secret }) => [name, secret.reveal().length])).toEqual([["erp", 38]])
    expect(config.log).toEqual({ level: "debug", format: "pretty" })
    expect(config.otel.endpoint).toBe("http://127.0.0.1:4318")
    expect(inspect(config, { depth: 9 })).not.toContain("canary")
  })

  test("are frozen all the way down", () => {
    const config = good()
    const frozen = [
      config,
      config.http,
      config.apiKeys,
      config.apiKeys[0],
      config.retention,
      config.http.trustedProxies,
    ]
    expect(frozen.every(Object.isFrozen)).toBe(true)
  })

  test("JWT_SECRET_KEY is JWT_SECRET, unless both are given and differ", () => {
    const secret = "x".repeat(32)
    expect(revealed(good({ JWT_SECRET_KEY: secret }).jwt.secret)).toBe(secret)
    expect(revealed(good({ JWT_SECRET_KEY: secret, JWT_SECRET: secret }).jwt.secret)).toBe(secret)
    expect(faults({ JWT_SECRET_KEY: secret, JWT_SECRET: "y".repeat(32) })).toEqual(["JWT_SECRET"])
  })

  test("a short JWT secret works, with a warning", () => {
    const loaded = load({ JWT_SECRET: "short" })
    expect(loaded.ok).toBeDefined()
    expect(loaded.warnings.map(({ name }) => name)).toEqual(["JWT_SECRET"])
  })
})

describe("a secret's file", () => {
  const file = (content: string): string => {
    const path = join(folder, "secret.txt")
    writeFileSync(path, content)
    return path
  }

  test("stands in for every secret setting", () => {
    const names = settingsTable().filter(({ secret }) => secret)
    expect(names.length).toBeGreaterThan(15)
    for (const { name, aliases } of names)
      for (const each of [name, ...aliases]) {
        const told = load({ [`${each}_FILE`]: join(folder, "absent") }).errors ?? []
        const error = told.find(({ expected }) => expected === "the path of a readable file")
        expect(error?.name).toBe(`${each}_FILE`)
      }
  })

  test("is read without the line end that editors add", () => {
    expect(revealed(good({ TELEGRAM_BOT_TOKEN_FILE: file("1:token\n") }).telegram.botToken)).toBe("1:token")
  })

  test("and the setting itself cannot both be given", () => {
    expect(faults({ RESEND_API_KEY_FILE: file("re_1"), RESEND_API_KEY: "re_1" })).toEqual(["RESEND_API_KEY"])
  })

  test("must hold something", () => {
    expect(faults({ SMTP_URL_FILE: file(" \n") })).toEqual(["SMTP_URL_FILE"])
  })

  test("is told by its own name when what it holds is malformed", () => {
    expect(faults({ DATABASE_URL_FILE: file("mysql://x") })).toEqual(["DATABASE_URL_FILE"])
  })
})

describe("wrong settings", () => {
  const wrong: Environment = {
    PORT: "70000",
    HOST: "a b",
    HUB_PUBLIC_URL: "hub.example.com",
    HUB_ALLOWED_ORIGINS: "https://a.example.com/path",
    HUB_TRUSTED_PROXIES: "10.0.0.0/33",
    HUB_ADMIN_ALLOW: "everyone",
    DATABASE_URL: "mysql://canary@x",
    NATS_URL: "http://canary",
    HUB_API_KEYS: `canary:admin`,
    JWT_JWKS_URL: "ftp://x",
    HUB_ENCRYPTION_KEYS: "k1:Y2FuYXJ5",
    HUB_ANONYMOUS_TOPICS: "maybe",
    HUB_RULES_GIT_INTERVAL: "soon",
    HUB_RATE_LIMIT: "callers=1",
    HUB_SEND_LIMIT: "telegram=0",
    HUB_RETENTION: "events=0d",
    TELEGRAM_API_ROOT: "telegram",
    SLACK_WEBHOOK_URL: "canary",
    SMTP_URL: "http://canary",
    EMAIL_FROM: "hub",
    TWILIO_ACCOUNT_SID: "SK1",
    VAPID_PUBLIC_KEY: "abc",
    VAPID_PRIVATE_KEY: "canary",
    VAPID_SUBJECT: "me",
    FCM_SERVICE_ACCOUNT: '{"canary":1}',
    APNS_KEY: "canary",
    APNS_KEY_ID: "i",
    APNS_TEAM_ID: "t",
    APNS_TOPIC: "o",
    HUB_WEBHOOK_SOURCES: "crm:b1:canary",
    HUB_WEBHOOK_SECRETS: "erp:canary",
    LOG_LEVEL: "loud",
    LOG_FORMAT: "xml",
  }

  test("are all named at once, each with what was expected", () => {
    const told = faults(wrong)
    const innocent = ["APNS_KEY_ID", "APNS_TEAM_ID", "APNS_TOPIC"]
    expect(told.toSorted()).toEqual(
      Object.keys(wrong)
        .filter((name) => !innocent.includes(name))
        .toSorted(),
    )
  })

  test("name a retention that would forget an event while its webhook can be replayed", () => {
    expect(faults({ HUB_RETENTION: "events=59m" })).toEqual(["HUB_RETENTION"])
    expect(faults({ HUB_RETENTION: "events=1h,attempts=1m" })).toEqual([])
  })

  test("show what was got, but never a secret's value", () => {
    const lines = (load(wrong).errors ?? []).map(explainConfigError).join("\n")
    expect(lines).toContain('PORT: expected a whole number from 0 to 65535; got "70000"')
    expect(lines).toContain("HUB_API_KEYS: expected entry 1 to be key:scope with a key of 24 characters or more")
    expect(lines).not.toContain("canary")
    expect(lines).not.toContain("Y2FuYXJ5")
  })

  test("a misspelt NODE_ENV makes up no secrets", () => {
    expect(faults({ NODE_ENV: "prod" })).toEqual(["NODE_ENV"])
    expect(readdirSync(folder)).toEqual([])
  })

  test("a webhook source of the hub's own name is refused in clear words", () => {
    const secret = `whsec_${Buffer.alloc(24, 1).toString("base64")}`
    const { errors = [] } = load({ HUB_WEBHOOK_SOURCES: `hubs:b1:${secret},hub:b1:${secret}` })
    expect(errors.map(({ name, expected }) => [name, expected])).toEqual([
      ["HUB_WEBHOOK_SOURCES", `entry 2 to be another name than "hub", which is the source of the hub's own events`],
    ])
  })

  test("one id for two encryption keys is refused", () => {
    const key = Buffer.alloc(32).toString("base64")
    expect(faults({ HUB_ENCRYPTION_KEYS: `a:${key},a:${key}` })).toEqual(["HUB_ENCRYPTION_KEYS"])
  })

  test("one name for two webhook secrets, or one that looks like a secret, is refused", () => {
    const secret = `whsec_${Buffer.alloc(24, 1).toString("base64")}`
    const refused = ["HUB_WEBHOOK_SECRETS"]
    expect(faults({ HUB_WEBHOOK_SECRETS: `erp:${secret},erp:${secret}` })).toEqual(refused)
    expect(faults({ HUB_WEBHOOK_SECRETS: `whsec_erp:${secret}` })).toEqual(refused)
    expect(faults({ HUB_WEBHOOK_SECRETS: `erp:${secret},crm:${secret}` })).toEqual([])
  })

  test("half of a VAPID pair, or two halves of different pairs, is refused", () => {
    const [one, other] = [freshSecrets(), freshSecrets()]
    expect(faults({ VAPID_PUBLIC_KEY: one.VAPID_PUBLIC_KEY })).toEqual(["VAPID_PRIVATE_KEY"])
    const mixed = { VAPID_PUBLIC_KEY: one.VAPID_PUBLIC_KEY, VAPID_PRIVATE_KEY: other.VAPID_PRIVATE_KEY }
    expect(faults(mixed)).toEqual(["VAPID_PUBLIC_KEY"])
  })

  test("an APNs key without its ids is refused", () => {
    expect(faults({ APNS_KEY_ID: "k" })).toEqual(["APNS_KEY", "APNS_TEAM_ID", "APNS_TOPIC"])
  })

  test("keys that are forgotten before the stream forgets its messages are a warning, where there is a stream", () => {
    const told = (env: Record<string, string>) => load(env).warnings.map(({ name }) => name)
    const NATS_URL = "nats://127.0.0.1:4222"
    expect(told({ NATS_URL, HUB_RETENTION: "events=167h" })).toEqual(["HUB_RETENTION"])
    expect(told({ NATS_URL, HUB_RETENTION: "events=7d" })).toEqual([])
    expect(told({ HUB_RETENTION: "events=167h" })).toEqual([])
  })

  test("an unknown HUB_ setting is a warning with the nearest right name", () => {
    const { warnings } = load({
      HUB_RULE_DIR: "x",
      HUB_API_KEY_FILES: "y",
      HUB_ZZZZZZZZZZZZ: "z",
      HUB_TEST_DATABASE_URL: "t",
    })
    expect(warnings.map(({ name, problem }) => [name, /did you mean (\w+)/.exec(problem)?.[1]])).toEqual([
      ["HUB_API_KEY_FILES", "HUB_API_KEYS_FILE"],
      ["HUB_RULE_DIR", "HUB_RULES_DIR"],
      ["HUB_ZZZZZZZZZZZZ", undefined],
    ])
  })
})

describe("production", () => {
  test("refuses to start without what development makes up, naming all of it and all that is malformed", () => {
    const loaded = load({ NODE_ENV: "production", PORT: "x" })
    expect(loaded.ok).toBeUndefined()
    expect(loaded.errors?.map(({ name }) => name)).toEqual([
      "DATABASE_URL",
      "HUB_API_KEYS",
      "HUB_ENCRYPTION_KEYS",
      "JWT_SECRET or JWT_JWKS_URL",
      "PORT",
    ])
  })

  test("takes an issuer's keys instead of a JWT secret", () => {
    const { JWT_SECRET, ...rest } = production()
    expect(JWT_SECRET).toBeDefined()
    expect(good({ ...rest, JWT_JWKS_URL: "https://issuer.example.com/jwks" }).jwt.secret).toBeNull()
  })

  const missing = (env: Environment, ...channels: readonly string[]) =>
    missingChannelCredentials(good({ ...production(), ...env }), channels).map(({ name }) => name)

  test("misses the credentials of every channel that a live rule uses, each once", () => {
    const all = missing({}, "inapp", "webhook", "telegram", "slack", "email", "sms", "voice", "push", "sms")
    expect(all).toEqual([
      "TELEGRAM_BOT_TOKEN",
      "SLACK_WEBHOOK_URL or SLACK_BOT_TOKEN",
      "EMAIL_FROM",
      "RESEND_API_KEY or SMTP_URL",
      "TWILIO_ACCOUNT_SID",
      "TWILIO_AUTH_TOKEN",
      "TWILIO_FROM",
      "TWILIO_VOICE_PHONE_NUMBER",
      "VAPID_PUBLIC_KEY, FCM_SERVICE_ACCOUNT or APNS_KEY",
    ])
  })

  test("starts on what hub init writes, and asks for a VAPID subject only when push is used", () => {
    const env = { ...production(), ...freshSecrets() }
    expect(good(env).vapid?.subject).toBeNull()
    expect(missing(env, "push")).toEqual(["VAPID_SUBJECT"])
    expect(missing({ ...env, HUB_PUBLIC_URL: "https://hub.example.com" }, "push")).toEqual([])
  })

  test("is content with one of several ways to send", () => {
    expect(missing({ SMTP_URL: "smtp://h", EMAIL_FROM: "a@b.c" }, "email")).toEqual([])
    expect(missing({ SLACK_BOT_TOKEN: "xoxb-1" }, "slack")).toEqual([])
    expect(
      missing({ ...freshSecrets(), HUB_API_KEYS: production()["HUB_API_KEYS"], VAPID_SUBJECT: "mailto:a@b.c" }, "push"),
    ).toEqual([])
  })
})

describe("a setting that this version does not act on", () => {
  test("is told to whoever sets it, by itself or as a file, and to nobody else", () => {
    const told = (env: Record<string, string>): readonly string[] => load(env).warnings.map(({ name }) => name)
    expect(told({ AI_AGENT_HTTP_URL: "http://127.0.0.1:1/" })).toEqual(["AI_AGENT_HTTP_URL"])
    expect(told({ AI_AGENT_HTTP_URL_FILE: "/nowhere" })).toEqual(["AI_AGENT_HTTP_URL"])
    expect(told({ AI_AGENT_HTTP_URL: "" })).toEqual([])
  })
})
