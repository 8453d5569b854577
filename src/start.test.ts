/** What keeps a hub from starting is told whole, in lines that an operator can mend, and nothing is left behind. */
import { afterAll, afterEach, describe, expect, test } from "bun:test"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { loadConfig } from "./config.ts"
import { firstRules, openStore, StartRefused } from "./start.ts"
import { startEmbedded } from "./store/embedded.ts"
import { createTelemetry } from "./telemetry/bus.ts"
import { heard } from "./testing/heard.ts"
import { hubCommand, type Ran } from "./testing/hub-command.ts"
import { startHubProcess } from "./testing/hub-process.ts"
import { testDatabase } from "./testing/postgres.ts"
import { oneRule, PLAIN_TEMPLATE, ruleFolders } from "./testing/rule-fixtures.ts"
import { testEnvironment } from "./testing/start-hub.ts"

const folder = mkdtempSync(join(tmpdir(), "hub-start-"))
chmodSync(folder, 0o711) // root's PostgreSQL runs as another user
const dataDir = join(folder, "data")
const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
  rmSync(dataDir, { recursive: true, force: true })
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** A hub with an embedded database in `dataDir`, to its end, which is soon. */
const serve = (settings: Readonly<Record<string, string>>): Promise<Ran> =>
  hubCommand(["serve"], { env: { ...testEnvironment("", dataDir), LOG_LEVEL: "error", ...settings } })

const linesOf = ({ err }: Ran): readonly string[] => err.split("\n")

const listenAnywhere = async (): Promise<{ readonly server: Server; readonly port: number }> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const address = server.address()
  return { server, port: typeof address === "object" && address !== null ? address.port : 0 }
}

describe("a hub does not start", () => {
  test("with settings that are wrong: all of them are named, and nothing is started", async () => {
    const ran = await serve({ PORT: "70000", LOG_LEVEL: "loud", HUB_PUBLIC_URL: "nowhere", JWT_JWKS_URL: "x" })
    expect([ran.code, ran.out]).toEqual([2, ""])
    expect(linesOf(ran).map((line) => /^hub: (\w+): expected .+; got /.exec(line)?.[1])).toEqual(
      expect.arrayContaining(["PORT", "LOG_LEVEL", "HUB_PUBLIC_URL", "JWT_JWKS_URL"]),
    )
    expect(linesOf(ran)).toHaveLength(4)
    expect(existsSync(join(dataDir, "postgres"))).toBe(false)
  })

  test("in production without settings: what is missing is named at once, credentials of the rules' channels too", async () => {
    const ran = await hubCommand(["serve"], { env: { NODE_ENV: "production", HUB_DATA_DIR: dataDir, PORT: "x" } })
    expect(ran.code).toBe(2)
    const names = linesOf(ran).map((line) => /^hub: (.+?): expected /.exec(line)?.[1])
    expect(names).toEqual(
      expect.arrayContaining([
        "PORT",
        "DATABASE_URL",
        "HUB_API_KEYS",
        "HUB_ENCRYPTION_KEYS",
        "JWT_SECRET or JWT_JWKS_URL",
        "TELEGRAM_BOT_TOKEN",
        "SLACK_WEBHOOK_URL or SLACK_BOT_TOKEN",
        "EMAIL_FROM",
        "TWILIO_AUTH_TOKEN",
      ]),
    )
    expect(new Set(names).size).toBe(names.length)
    expect(existsSync(dataDir)).toBe(false)
  })

  test("on a port that is taken: one line, and its database is neither left running nor locked", async () => {
    const { server, port } = await listenAnywhere()
    cleanups.push(() => server.close())
    const ran = await serve({ PORT: String(port) })
    expect(ran.code).toBe(2)
    expect(ran.err).toContain(`hub: port ${port} is taken: stop what listens there, or set PORT`)
    expect(linesOf(ran).filter((line) => line.startsWith("hub: "))).toHaveLength(1)
    expect(existsSync(join(dataDir, "postgres", "PG_VERSION"))).toBe(true)
    expect(existsSync(join(dataDir, "postgres", "postmaster.pid"))).toBe(false)
    expect(existsSync(join(dataDir, "hub.lock"))).toBe(false)
  })

  test("without its rules: the folder is named", async () => {
    const ran = await serve({ HUB_RULES_DIR: join(folder, "no-rules") })
    expect(ran.code).toBe(2)
    expect(ran.err).toMatch(/^hub: \S+:1:1 the folder \S*no-rules cannot be read/m)
    expect(existsSync(join(dataDir, "postgres"))).toBe(false)
  })

  test("with broken rules or templates: each mistake has its place", async () => {
    const rules = join(folder, "rules")
    const templates = join(folder, "templates")
    mkdirSync(join(templates, "hello"), { recursive: true })
    mkdirSync(rules, { recursive: true })
    writeFileSync(join(templates, "hello/default.eta"), "---\ntitle: Hello\n---\n<%= it.payload. %>\n")
    const action = "{ type: notify, channels: [inapp], template: hello, priorty: high }"
    writeFileSync(join(rules, "a.yaml"), `rules:\n  - name: a\n    event_type: a.b\n    actions:\n      - ${action}\n`)
    const ran = await serve({ HUB_RULES_DIR: rules, HUB_TEMPLATES_DIR: templates })
    expect(ran.code).toBe(2)
    expect(ran.err).toMatch(/^hub: rules\/a\.yaml:5:\d+ .*did you mean "priority"/m)
    expect(ran.err).toMatch(/^hub: templates\/hello\/default\.eta:\d+:\d+ /m)
    expect(ran.err).not.toContain("    at ")
  })

  test.each([
    ["a made-up secret cannot be kept in", { JWT_SECRET: "" }],
    ["the database cannot be put in", { HUB_ENCRYPTION_KEYS: `k1:${Buffer.alloc(32, 1).toString("base64")}` }],
  ])("with a data folder that %s: one line", async (_, settings) => {
    // Nothing stops root but a file.
    const ran = await serve({ HUB_DATA_DIR: "/dev/null/data", ...settings })
    expect(ran.code).toBe(2)
    expect(linesOf(ran)).toHaveLength(1)
    expect(ran.err).toMatch(/^hub: (HUB_DATA_DIR|cannot write)/)
  })

  test("on a database that says no: one line at once, without its password", async () => {
    const url = new URL(process.env["HUB_TEST_DATABASE_URL"] ?? "postgres://postgres@127.0.0.1:5432/postgres")
    url.pathname = "/no_such_database"
    url.password = "s3cr3t-word"
    const ran = await serve({ DATABASE_URL: url.href })
    expect(ran.code).toBe(2)
    expect(ran.err).toMatch(/^hub: the database cannot be used: .*no_such_database.*$/)
    expect(ran.err).not.toContain("s3cr3t-word")
  })

  test("on a database that nobody serves: it says that it waits, and gives up in one line", async () => {
    const { server, port } = await listenAnywhere()
    server.close()
    const url = `postgres://postgres:s3cr3t-word@127.0.0.1:${port}/postgres`
    const config = loadConfig(testEnvironment(url, dataDir), false).ok
    if (config === undefined) throw new Error("the settings are good")
    const notices: string[] = []
    const options = { patienceMs: 100, notice: (line: string) => notices.push(line) }
    const refusal = await openStore(config, createTelemetry(), options).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(StartRefused)
    expect(String(refusal)).toContain("the database cannot be used: ")
    expect(notices).toEqual([expect.stringContaining("the database does not answer: waiting up to 1 s")])
    expect(String(refusal) + notices.join()).not.toContain("s3cr3t-word")
  })
})

describe("a hub starts", () => {
  test("as soon as a late database answers", async () => {
    const { server, port } = await listenAnywhere()
    server.close()
    let database: ReturnType<typeof startEmbedded> | undefined
    const hub = await startHubProcess({
      databaseUrl: `postgres://hub@127.0.0.1:${port}/postgres`,
      heard(log) {
        if (log.includes("the database does not answer"))
          database ??= startEmbedded({ dataDir, durable: false, port, notice: () => {} })
      },
    })
    cleanups.push(async () => (await database)?.stop())
    expect(database).toBeDefined()
    hub.signal("SIGTERM")
    expect(await hub.exited).toBe(0)
  })

  test("and tells what is odd about its settings once", async () => {
    const database = await testDatabase()
    cleanups.push(() => database.drop())
    const hub = await startHubProcess({
      databaseUrl: database.url,
      settings: { HUB_DATA_DRI: "x", JWT_SECRET: "short-secret" },
    })
    hub.signal("SIGTERM")
    await hub.exited
    const warnings = [...hub.log().matchAll(/"event":"config_warning".*?"setting":"(\w+)"/g)].map(([, name]) => name)
    expect(warnings.filter((name) => name === "HUB_DATA_DRI" || name === "JWT_SECRET").sort()).toEqual([
      "HUB_DATA_DRI",
      "JWT_SECRET",
    ])
  })
})

test("a rule that advertises by mail without a postal address is warned about, and any other is not", async () => {
  const warned = async (commercial: boolean, address: Readonly<Record<string, string>> = {}) => {
    const action = `channels: [sms]\nfailover: [email]\ntemplate: plain\ncommercial: ${commercial}`
    const folders = await ruleFolders({ ...PLAIN_TEMPLATE, "rules/a.yaml": oneRule({ action }) })
    cleanups.push(() => folders.remove())
    const env = { ...testEnvironment("postgres://x@127.0.0.1/x", dataDir), HUB_RULES_DIR: folders.rulesDir, ...address }
    const loaded = loadConfig({ ...env, HUB_TEMPLATES_DIR: folders.templatesDir }, false)
    if (loaded.errors) throw new Error(JSON.stringify(loaded.errors))
    const telemetry = heard()
    await firstRules(loaded.ok, { ...createTelemetry(), emit: telemetry.emit })
    return telemetry.of("config_warning").map(({ setting }) => setting)
  }
  expect(await warned(true)).toEqual(["EMAIL_POSTAL_ADDRESS"])
  expect(await warned(true, { EMAIL_POSTAL_ADDRESS: "1 Rose Street" })).toEqual([])
  expect(await warned(false)).toEqual([])
})
