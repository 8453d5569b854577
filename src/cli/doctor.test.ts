/** `hub doctor` against a real database and NATS, and stand-ins for the providers and the name server. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test"
import { mkdtempSync, rmSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Finding } from "../doctor/check.ts"
import { openDatabase } from "../store/database.ts"
import { hubCommand, type Ran, runCommand } from "../testing/hub-command.ts"
import { type NameServer, startNameServer, type Zone } from "../testing/name-server.ts"
import { startNats } from "../testing/nats.ts"
import { emptyDatabase, type TestDatabase, testDatabase } from "../testing/postgres.ts"
import { startPrivatePostgres } from "../testing/private-postgres.ts"
import { ruleFolders } from "../testing/rule-fixtures.ts"
import { testEnvironment } from "../testing/start-hub.ts"
import { doctorWith } from "./doctor.ts"

const folder = mkdtempSync(join(tmpdir(), "hub-doctor-"))
const SECRETS = {
  TELEGRAM_BOT_TOKEN: "123456789:telegram-token-that-nobody-may-see",
  SLACK_BOT_TOKEN: "xoxb-slack-token-that-nobody-may-see",
  RESEND_API_KEY: "re_resend_key_that_nobody_may_see",
  TWILIO_AUTH_TOKEN: "twilio-token-that-nobody-may-see",
} as const
const SID = `AC${"0123456789abcdef".repeat(2)}`

const GOOD_ANSWERS: Readonly<Record<string, unknown>> = {
  telegram: { ok: true, result: { id: 1, is_bot: true, username: "hub_bot" } },
  slack: { ok: true, user: "hub", team: "Example" },
  resend: { data: [{ id: "1", name: "example.com", status: "verified" }] },
  twilio: { sid: SID, status: "active", type: "Full" },
}
const GOOD_ZONE: Zone = {
  "example.com TXT": ["google-site-verification=x", "v=spf1 include:amazonses.com -all"],
  "example.com MX": ["mx.example.com"],
  "_dmarc.example.com TXT": ["v=DMARC1; p=reject; rua=mailto:d@example.com"],
  "resend._domainkey.example.com TXT": [`p=${"A".repeat(216)}`],
}

let database: TestDatabase
let names: NameServer
let asked: string[] = []
let answer: (provider: string, request: Request) => Response | Promise<Response>
const wellAnswered = (provider: string): Response => Response.json(GOOD_ANSWERS[provider])
const providers = Bun.serve({
  port: 0,
  hostname: "127.0.0.1",
  fetch(request) {
    const { pathname } = new URL(request.url)
    asked.push(`${request.method} ${pathname}`)
    return answer(pathname.split("/")[1] ?? "", request)
  },
})
beforeAll(async () => {
  database = await testDatabase()
  names = await startNameServer()
})
afterEach(() => {
  answer = wellAnswered
  names.serve(GOOD_ZONE)
  asked = []
})
afterAll(async () => {
  await providers.stop(true)
  await names.stop()
  await database.drop()
  rmSync(folder, { recursive: true, force: true })
})

const channels = (): Record<string, string> => {
  const root = `http://127.0.0.1:${providers.port}`
  return {
    ...SECRETS,
    TELEGRAM_API_ROOT: `${root}/telegram`,
    SLACK_API_ROOT: `${root}/slack`,
    SLACK_WEBHOOK_URL: `${root}/webhook/secret-path`,
    OTEL_EXPORTER_OTLP_ENDPOINT: `${root}/otel`,
    RESEND_BASE_URL: `${root}/resend`,
    EMAIL_FROM: "Hub <hub@example.com>",
    TWILIO_API_ROOT: `${root}/twilio`,
    TWILIO_ACCOUNT_SID: SID,
    TWILIO_FROM: "+15550100",
  }
}
interface Seen extends Ran {
  readonly status: string
  /** By what was looked at; several of one are listed. */
  of(check: string): readonly Finding[]
}
async function examined(settings: Readonly<Record<string, string>> = {}, deadlineMs?: number): Promise<Seen> {
  answer ??= wellAnswered
  const command = doctorWith({ nameServers: [names.address], ...(deadlineMs === undefined ? {} : { deadlineMs }) })
  const env = { ...testEnvironment(database.url, folder), ...settings }
  const ran = await runCommand(command, ["--json"], env)
  const { status, checks }: { status: string; checks: readonly Finding[] } = JSON.parse(ran.out)
  for (const secret of [...Object.values(SECRETS), SID, "secret-path"])
    expect(ran.out).not.toContain(secret.slice(0, 14))
  return { ...ran, status, of: (check) => checks.filter((each) => each.check === check) }
}
const verdicts = (seen: Seen, ...checks: readonly string[]): readonly string[] =>
  checks.map((check) => `${check}: ${seen.of(check).map(({ status }) => status)}`)

describe("hub doctor", () => {
  test("finds nothing where all is well, says so line by line, and ends with 0", async () => {
    // The servers that tests share may be fast instead of safe.
    const server = await startPrivatePostgres()
    const env = testEnvironment(server.url, folder)
    expect((await hubCommand(["migrate"], { env })).code).toBe(0)
    const { code, out, err } = await hubCommand(["doctor"], { env })
    await server.remove()
    expect([code, err]).toEqual([0, ""])
    for (const line of out.split("\n")) expect(line).toMatch(/^ok {4}\S/)
    for (const words of ["PostgreSQL", " rules, ", "captured: nothing leaves this machine", "of the database"]) {
      expect(out).toContain(words)
    }
  })

  test("asks every provider who we are, and sends nothing", async () => {
    names.serve(GOOD_ZONE)
    const nats = await startNats()
    const seen = await examined({ ...channels(), NATS_URL: nats.url })
    await nats.stop()
    const all = ["telegram", "slack", "slack bot", "email", "sms", "webhook", "nats", "nats jetstream", "clock"]
    expect(verdicts(seen, ...all)).toEqual(all.map((check) => `${check}: ok`))
    expect(seen.of("telegram")[0]?.detail).toBe("the bot hub_bot is ours")
    expect(seen.of("slack bot")[0]?.detail).toBe("hub in Example")
    expect(seen.of("slack")[0]?.detail).toContain("cannot be checked without sending")
    expect(seen.of("email")[0]?.detail).toBe("the key is good, and example.com is verified")
    expect(verdicts(seen, "mail SPF", "mail DMARC", "mail DKIM", "mail MX")).toEqual([
      "mail SPF: ok",
      "mail DMARC: ok",
      "mail DKIM: ok",
      "mail MX: ok",
    ])
    expect(asked.map((each) => each.replace(SECRETS.TELEGRAM_BOT_TOKEN, "…").replace(SID, "…")).sort()).toEqual([
      "GET /resend/domains",
      "GET /telegram/bot…/getMe",
      "GET /twilio/2010-04-01/Accounts/….json",
      "POST /slack/auth.test",
    ])
    // What is set in vain is found, too.
    expect(seen.of("settings").map(({ detail }) => detail.split(" ")[0])).toContain("OTEL_EXPORTER_OTLP_ENDPOINT")
    expect([seen.code, seen.status]).toEqual([1, "warn"])
  })

  test("finds credentials that are refused, and never shows one, even where the provider quotes it", async () => {
    let filler = 0
    answer = (provider, request) => {
      const quoted = `${request.url} ${request.headers.get("authorization")}`
      return provider === "slack"
        ? Response.json({ ok: false, error: "invalid_auth" })
        : new Response(`nobody is ${"x ".repeat(filler)}${quoted}`, { status: 401 })
    }
    const seen = await examined(channels())
    expect(verdicts(seen, "telegram", "slack bot", "email", "sms")).toEqual([
      "telegram: fail",
      "slack bot: fail",
      "email: fail",
      "sms: fail",
    ])
    expect(seen.of("slack bot")[0]?.detail).toBe("the token is refused: invalid_auth")
    expect(seen.of("telegram")[0]?.detail).toStartWith("the token is refused (401): nobody is ")
    expect(seen.of("email")[0]?.todo).toContain("RESEND_API_KEY")
    expect([seen.code, seen.status]).toEqual([1, "fail"])
    // Wherever what it says is cut off: half a token is one, too.
    for (filler = 60; filler < 140; filler += 10) await examined(channels())
  })

  test("tells a key for sending alone, a domain that is not verified, and accounts that are no good, apart", async () => {
    answer = (provider) =>
      provider === "resend"
        ? Response.json({ name: "restricted_api_key", message: "only for sending" }, { status: 401 })
        : Response.json({ ...Object(GOOD_ANSWERS[provider]), status: "suspended" })
    const first = await examined(channels())
    expect(verdicts(first, "email", "sms")).toEqual(["email: ok", "sms: fail"])
    answer = (provider) =>
      provider === "resend"
        ? Response.json({ data: [{ name: "example.com", status: "pending" }] })
        : Response.json({ ...Object(GOOD_ANSWERS[provider]), type: "Trial" })
    const second = await examined(channels())
    expect(verdicts(second, "email", "sms")).toEqual(["email: fail", "sms: warn"])
    expect(second.of("email")[0]?.detail).toBe("the key is good, but example.com is pending there")
  })

  test("is not kept by a provider that hangs, one that is away or one that is ill", async () => {
    answer = (provider) =>
      provider === "telegram" ? new Promise<Response>(() => {}) : new Response("ill", { status: 503 })
    const away = { TWILIO_API_ROOT: "http://127.0.0.1:9" }
    const seen = await examined({ ...channels(), ...away }, 1_500)
    expect(verdicts(seen, "telegram", "email", "sms")).toEqual(["telegram: fail", "email: warn", "sms: fail"])
    expect(seen.of("sms")[0]?.detail).toBe("127.0.0.1:9 does not answer: refused")
  })

  test("compares the clock with a provider's", async () => {
    const tenSecondsAgo = () => ({ headers: { date: new Date(Date.now() - 10_000).toUTCString() } })
    answer = (provider) => Response.json(GOOD_ANSWERS[provider], tenSecondsAgo())
    const seen = await examined(channels())
    expect(verdicts(seen, "clock")).toEqual(["clock: warn"])
    expect(seen.of("clock")[0]?.detail).toMatch(/ahead of the database.* (9|10)\.\d s ahead of 127\.0\.0\.1/)
  })

  test("looks for what receivers of mail look for", async () => {
    names.serve({
      "example.com TXT": ["nothing of use"],
      "send.example.com TXT": ["v=spf1 include:amazonses.com ~all"],
    })
    const some = await examined(channels())
    expect(verdicts(some, "mail SPF", "mail DMARC", "mail MX")).toEqual([
      "mail SPF: ok",
      "mail DMARC: warn",
      "mail MX: warn",
    ])
    expect(some.of("mail SPF")[0]?.detail).toBe("at send.example.com")
    names.serve({})
    expect(verdicts(await examined(channels()), "mail SPF")).toEqual(["mail SPF: warn"])
    names.serve({ ...GOOD_ZONE, "mail.example.com TXT": ["v=spf1 -all"], "mail.example.com MX": ["mx.example.com"] })
    const below = await examined({ ...channels(), EMAIL_FROM: "hub@mail.example.com" })
    expect(verdicts(below, "mail SPF", "mail DMARC", "mail MX")).toEqual([
      "mail SPF: ok",
      "mail DMARC: ok",
      "mail MX: ok",
    ])
    names.serve(null)
    const silent = await examined(channels(), 2_000)
    expect(verdicts(silent, "mail domain")).toEqual(["mail domain: fail"])
  }, 20_000)

  test("tells a database that is away, new, behind or ahead", async () => {
    const away = await examined({ DATABASE_URL: "postgres://u:p4ssw0rd@127.0.0.1:9/x" })
    expect(verdicts(away, "database")).toEqual(["database: fail"])
    expect(away.out).not.toContain("p4ssw0rd")
    const other = await emptyDatabase()
    const db = openDatabase({ url: other.url, max: 1 })
    const schemaOf = async (): Promise<Finding | undefined> =>
      (await examined({ DATABASE_URL: other.url })).of("database schema")[0]
    expect(await schemaOf()).toMatchObject({ status: "ok", detail: "none yet: the hub makes it when it starts" })
    await db.execute("create table schema_migrations (name text primary key)")
    await db.execute("insert into schema_migrations values ('0001_events.sql')")
    expect(await schemaOf()).toMatchObject({ status: "warn", todo: expect.stringContaining("hub migrate") })
    await db.execute("insert into schema_migrations values ('9999_tomorrow.sql')")
    expect(await schemaOf()).toMatchObject({ status: "fail", detail: "it is newer than this hub: 9999_tomorrow.sql" })
    await db.close()
    await other.drop()
  })

  test("tells a port that is free, a hub's or a stranger's", async () => {
    const stranger = createServer()
    await new Promise<void>((done) => stranger.listen(0, "127.0.0.1", done))
    const address = stranger.address()
    const port = typeof address === "object" && address !== null ? String(address.port) : ""
    stranger.on("connection", (socket) => socket.end("220 not HTTP\r\n", () => socket.destroy()))
    expect(verdicts(await examined({ PORT: port }), "port")).toEqual(["port: fail"])
    await new Promise((done) => stranger.close(done))
    expect((await examined({ PORT: port })).of("port")[0]).toMatchObject({
      status: "ok",
      detail: `127.0.0.1:${port} is free`,
    })
    answer = () => Response.json({ status: "ok", version: "1.2.3" })
    const hubs = (await examined({ PORT: String(providers.port) })).of("port")[0]
    expect(hubs?.detail).toBe(`a hub answers on ${providers.port}: version 1.2.3`)
  })

  test("tells NATS that is away, a folder that is none, and rules that do not load", async () => {
    const folders = await ruleFolders({ "rules/a.yaml": "ruls: []" })
    const { rulesDir, templatesDir } = folders
    const seen = await examined({
      NATS_URL: "nats://me:s3cret@127.0.0.1:9",
      HUB_RULES_DIR: rulesDir,
      HUB_TEMPLATES_DIR: templatesDir,
    })
    expect(verdicts(seen, "nats")).toEqual(["nats: fail"])
    expect(seen.out).not.toContain("s3cret")
    expect(seen.of("rules")[0]?.detail).toStartWith('rules/a.yaml:1:1 unknown key "ruls"')
    await folders.remove()
  })

  test("finds everything that is wrong with the settings at once, and looks at what can be looked at all the same", async () => {
    const seen = await examined({
      NODE_ENV: "production",
      PORT: "eighty",
      DATABASE_URL: "mysql://x",
      JWT_SECRET: "short",
    })
    const said = seen.of("settings").map(({ status, detail }) => `${status} ${detail.split(/[: ]/)[0]}`)
    for (const words of ["fail PORT", "fail DATABASE_URL", "fail HUB_ENCRYPTION_KEYS", "warn JWT_SECRET"]) {
      expect(said).toContain(words)
    }
    expect(seen.of("database")).toEqual([])
    expect(seen.of("rules").some(({ detail }) => detail.startsWith("TELEGRAM_BOT_TOKEN"))).toBe(true)
    expect(verdicts(seen, "public URL", "nats")).toEqual(["public URL: warn", "nats: ok"])
    expect(seen.code).toBe(1)
  })
})
