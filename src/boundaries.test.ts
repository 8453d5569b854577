/**
 * The import rules of the house, as a test that first proves it can say no. Rooms on the path meet in rows and news,
 * never in each other's code; every dependency has one home, so that replacing it is a local decision.
 */
import { describe, expect, test } from "bun:test"
import { readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative, resolve } from "node:path"

const SRC = import.meta.dir

/** Which rooms (or single files) a room's shipped code may import from. Files at the top of src may import anything. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  domain: [],
  runtime: [],
  config: ["domain"],
  telemetry: ["domain", "runtime"],
  store: ["domain", "runtime"],
  pubsub: ["domain", "runtime", "telemetry"],
  ingest: ["domain", "runtime", "telemetry", "store", "pubsub", "http"],
  // An answer can be an event, and comes in as one: by the same doors.
  inbound: ["domain", "runtime", "telemetry", "store", "pubsub", "http", "ingest"],
  routing: ["domain", "runtime", "telemetry", "store", "pubsub"],
  delivery: ["domain", "runtime", "telemetry", "store", "pubsub", "channels/channel.ts"],
  channels: ["domain", "runtime", "telemetry", "config"],
  realtime: ["domain", "runtime", "telemetry", "store", "pubsub"],
  http: ["domain", "runtime", "telemetry", "store", "pubsub", "config"],
  doctor: ["domain", "runtime", "telemetry", "store", "config", "routing", "channels"],
  cli: [
    "domain",
    "runtime",
    "telemetry",
    "store",
    "pubsub",
    "config",
    "routing",
    "http",
    "channels",
    "doctor",
    "ingest/item.ts",
    "hub.ts",
  ],
  web: [],
  client: [],
}

/** Where each dependency lives; a folder means the whole room. */
const HOME: Record<string, readonly string[]> = {
  elysia: ["http", "ingest/http.ts", "realtime"],
  jose: ["http", "cli", "channels/push-apns.ts", "channels/push-fcm.ts"],
  pg: ["store"],
  nats: [
    "pubsub/nats.ts",
    "doctor/nats.ts",
    "ingest/jetstream.ts",
    "ingest/jetstream-line.ts",
    "ingest/jetstream-pull.ts",
    "ingest/jetstream-repair.ts",
  ],
  "json-logic-js": ["routing"],
  yaml: ["routing"],
  eta: ["routing"],
  re2js: ["routing"],
  grammy: ["channels/telegram.ts"],
  "@slack/webhook": ["channels/slack.ts"],
  "@slack/web-api": ["channels/slack-bot.ts"],
  resend: ["channels/email.ts"],
  nodemailer: ["channels/smtp.ts", "channels/smtp-pool.ts"],
  twilio: ["channels/twilio.ts"],
  "web-push": ["channels/push-web.ts"],
  phoenix: ["web"],
}

interface Import {
  /** `routing/match.ts` */
  readonly from: string
  /** `store/plans.ts`, or the package's name. */
  readonly to: string
  readonly isPackage: boolean
}

const packageName = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

// Types are imports too for a reader, so the text is read rather than what remains after transpiling.
const SPECIFIER =
  /(?:^|\n)\s*(?:import|export)\s[^"'`;]*?from\s+["']([^"']+)["']|(?:^|\n)\s*import\s+["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']/g

function importsOf(file: string, text: string): readonly Import[] {
  return [...text.matchAll(SPECIFIER)].flatMap((match): readonly Import[] => {
    const specifier = match[1] ?? match[2] ?? match[3] ?? ""
    if (specifier.startsWith("node:") || specifier.startsWith("bun")) return []
    if (!specifier.startsWith(".")) return [{ from: file, to: packageName(specifier), isPackage: true }]
    return [{ from: file, to: relative(SRC, resolve(SRC, dirname(file), specifier)), isPackage: false }]
  })
}

const roomOf = (path: string): string => (path.includes("/") ? (path.split("/")[0] ?? "") : "")
/** `config.ts` is the door of the room `config`. */
const room = (path: string): string => (path === "config.ts" ? "config" : roomOf(path))
const within = (path: string, place: string): boolean => path === place || path.startsWith(`${place}/`)

function broken(item: Import): string | null {
  const here = room(item.from)
  if (here === "testing") return null
  if (item.isPackage) {
    const homes = HOME[item.to]
    if (homes === undefined) return `${item.from} imports ${item.to}, which has no home: add it to HOME`
    return homes.some((home) => within(item.from, home))
      ? null
      : `${item.from} imports ${item.to}: its home is ${homes.join(", ")}`
  }
  if (here === "") return null
  if (room(item.to) === here) return null
  if (item.to.endsWith("package.json")) return null
  const allowed = MAY_IMPORT[here]
  if (allowed === undefined) return `${here}/ is no room: add it to MAY_IMPORT`
  const fits = allowed.some((place) => within(item.to, place) || room(item.to) === place)
  return fits ? null : `${item.from} imports ${item.to}: ${here} may import ${allowed.join(", ") || "nothing"}`
}

function shippedFiles(): readonly string[] {
  return readdirSync(SRC, { recursive: true, encoding: "utf8" })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => /\.tsx?$/.test(path) && !/\.(test|e2e)\.tsx?$/.test(path) && !path.startsWith("testing/"))
}

describe("the boundaries", () => {
  test("a room that reaches into its neighbour is refused", () => {
    const [bad] = importsOf("routing/x.ts", 'import { claimDue } from "../delivery/dispatcher.ts"\n')
    expect(bad && broken(bad)).toContain("routing may import")
    const [type] = importsOf("ingest/x.ts", 'import type { Rule } from "../routing/match.ts"\n')
    expect(type && broken(type)).toContain("ingest may import")
  })

  test("a dependency outside its home is refused, and one without a home too", () => {
    const [driver] = importsOf("routing/x.ts", 'import pg from "pg"\n')
    expect(driver && broken(driver)).toContain("its home is store")
    const [lazy] = importsOf("delivery/x.ts", 'const { Bot } = await import("grammy")\n')
    expect(lazy && broken(lazy)).toContain("channels/telegram.ts")
    const [stranger] = importsOf("http/x.ts", 'import x from "left-pad"\n')
    expect(stranger && broken(stranger)).toContain("has no home")
  })

  test("delivery may name the channel contract and nothing else of channels", () => {
    const [good] = importsOf("delivery/x.ts", 'import type { ChannelWorker } from "../channels/channel.ts"\n')
    const [bad] = importsOf("delivery/x.ts", 'import { telegram } from "../channels/telegram.ts"\n')
    expect(good && broken(good)).toBeNull()
    expect(bad && broken(bad)).not.toBeNull()
  })

  test("the actors know nothing of the house and need no package: each of their files imports its neighbours at most", () => {
    const reaches = (text: string) => importsOf("runtime/x.ts", text).filter(({ to }) => room(to) !== "runtime")
    expect(reaches('import type { Delivery } from "../domain/delivery.ts"\nimport pg from "pg"\n')).toHaveLength(2)
    expect(reaches('import { Mailbox } from "./mailbox.ts"\n')).toEqual([])
    const files = shippedFiles().filter((file) => room(file) === "runtime")
    expect(files.length).toBeGreaterThan(30)
    const imports = files.flatMap((file) => importsOf(file, readFileSync(join(SRC, file), "utf8")))
    expect(imports.filter(({ to }) => room(to) !== "runtime")).toEqual([])
  })

  test("no file of the actors is longer than can be read at one sitting", () => {
    const long = shippedFiles()
      .filter((file) => room(file) === "runtime")
      .filter((file) => readFileSync(join(SRC, file), "utf8").trimEnd().split("\n").length > 300)
    expect(long).toEqual([])
  })

  test("no shipped file crosses a boundary", () => {
    const files = shippedFiles()
    expect(files.length).toBeGreaterThan(40)
    const problems = files
      .flatMap((file) => importsOf(file, readFileSync(join(SRC, file), "utf8")))
      .map(broken)
      .filter((problem) => problem !== null)
    expect(problems).toEqual([])
  })

  test("only config reads the environment", () => {
    const readers = shippedFiles().filter(
      (file) => room(file) !== "config" && /process\.env|Bun\.env/.test(readFileSync(join(SRC, file), "utf8")),
    )
    expect(readers.filter((file) => file !== "main.ts")).toEqual([])
  })

  test("no file is named for what it might hold one day", () => {
    const vague = /(^|\/)(index|utils?|helpers?|types|common|misc)\.tsx?$|manager|service\.ts$/
    expect(shippedFiles().filter((file) => vague.test(file) && file !== "runtime/service.ts")).toEqual([])
  })
})
