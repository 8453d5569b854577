// `npm test`: format and lint, types, and every test against a private, throw-away PostgreSQL and nats-server that are
// stopped whatever happens. Ends with `N passed, N failed` alone on the last line; nothing is run twice, and a test that
// is skipped is named. Arguments limit the tests to paths: `npm test -- src/runtime`. The tests of the pages (`*.e2e.ts`)
// want a Chromium; a machine without one passes without them, and is told which they are.
import { spawn } from "node:child_process"
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { processExists } from "../src/store/data-lock.ts"
import { startEmbedded } from "../src/store/embedded.ts"
import { findChromium } from "../src/testing/browser.ts"
import { startNats } from "../src/testing/nats.ts"

const ROOT = join(import.meta.dirname, "..")
const PREFIX = "hub-test-"
const TEST_TIMEOUT_MS = 30_000
// A run that hangs is a failure that says so, before the 15 minutes that a pipeline gives it.
const RUN_DEADLINE_MS = 14.5 * 60_000

interface Count {
  passed: number
  failed: number
}

const stops: (() => Promise<void>)[] = []
let running: ReturnType<typeof spawn> | undefined
let interrupted = false

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  process.on(signal, () => {
    interrupted = true
    running?.kill("SIGTERM")
  })
}

const count: Count = { passed: 0, failed: 0 }
try {
  sweep()
  const scratch = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
  chmodSync(scratch, 0o711) // root's PostgreSQL runs as another user
  stops.push(async () => remove(scratch))

  for (const [name, command] of checks()) {
    if (interrupted || (await run(command)) === 0) continue
    console.error(`✗ ${name}`)
    count.failed += 1
  }
  if (!interrupted) await runTests(scratch, process.argv.slice(2), count)
} catch (error) {
  console.error(`✗ ${error instanceof Error ? error.message : String(error)}`)
  count.failed += 1
} finally {
  for (const stop of stops.reverse()) {
    await stop().catch((error: unknown) => console.error(`✗ not stopped: ${String(error)}`))
  }
}
if (interrupted) {
  console.error("✗ interrupted")
  count.failed += 1
}
console.log(`${count.passed} passed, ${count.failed} failed`)
process.exit(count.failed === 0 ? 0 : 1)

function checks(): [string, string[]][] {
  const tsc = ["node_modules/typescript/bin/tsc", "--noEmit", "-p"]
  const all: [string, string[]][] = [
    ["format and lint", ["node_modules/@biomejs/biome/bin/biome", "check", "."]],
    ["types", [...tsc, "tsconfig.json"]],
  ]
  if (existsSync(join(ROOT, "src/web/tsconfig.json")))
    all.push(["types of the pages", [...tsc, "src/web/tsconfig.json"]])
  return all
}

async function runTests(scratch: string, paths: readonly string[], total: Count): Promise<void> {
  const found = testFiles(paths)
  if (found.length === 0) throw new Error(`no test file matches ${paths.join(" ")}`)
  const inBrowser = found.filter((file) => file.endsWith(".e2e.ts"))
  const browser = inBrowser.length === 0 ? null : findChromium()
  const notRun = browser?.kind === "none" ? inBrowser : []
  const files = found.filter((file) => !notRun.includes(file))
  const tellNotRun = () => {
    for (const file of notRun) console.error(`○ not run: ${file} (${browser?.kind === "none" ? browser.why : ""})`)
  }
  if (files.length === 0) return tellNotRun()
  const postgres = await startEmbedded({ dataDir: join(scratch, "data"), durable: false, maxConnections: 300 })
  stops.push(() => postgres.stop())
  const nats = await startNats()
  stops.push(() => nats.stop())

  const junit = join(scratch, "junit.xml")
  // With one more they would be done in three quarters of the time, but on a slow day it takes what tests wait for past their bounds.
  const flags = [`--timeout=${TEST_TIMEOUT_MS}`, `--parallel=${Math.min(availableParallelism(), 4)}`]
  const report = ["--reporter=junit", `--reporter-outfile=${junit}`]
  const code = await run(["--no-env-file", "test", ...flags, ...report, ...files], {
    HUB_TEST_DATABASE_URL: postgres.url,
    HUB_TEST_NATS_URL: nats.url,
    ...(browser?.kind === "found" ? { CHROMIUM_BIN: browser.path } : {}),
  })
  const counted = readReport(junit)
  total.passed += counted.passed
  total.failed += code === 0 ? counted.failed : Math.max(counted.failed, 1)
  tellNotRun()
}

/** Every test file of the repository, those for a browser too, or those under, or named by, one of the paths. */
function testFiles(paths: readonly string[]): string[] {
  const files: string[] = []
  for (const folder of ["src", "examples", "bench", "scripts", "faults"]) {
    for (const file of new Bun.Glob(`${folder}/**/*.{test,e2e}.{ts,tsx}`).scanSync({ cwd: ROOT })) files.push(file)
  }
  const wanted = paths.map((path) => path.replace(/^\.\//, "").replace(/\/$/, ""))
  return files
    .filter((file) => !file.includes("node_modules/"))
    .filter((file) => wanted.length === 0 || wanted.some((path) => file === path || file.startsWith(`${path}/`)))
    .sort()
    .map((file) => `./${file}`)
}

/** The totals of the report; a run that died before writing one counts nothing here, and fails by its exit code. */
function readReport(path: string): Count {
  if (!existsSync(path)) return { passed: 0, failed: 0 }
  const xml = readFileSync(path, "utf8")
  const head = /<testsuites[^>]*>/.exec(xml)?.[0] ?? ""
  const number = (name: string) => Number(new RegExp(`\\b${name}="(\\d+)"`).exec(head)?.[1] ?? 0)
  const failed = number("failures") + number("errors")
  const skipped = number("skipped")
  for (const [, name] of xml.matchAll(/<testcase name="([^"]*)"[^>]*>\s*<skipped/g)) console.error(`○ skipped: ${name}`)
  if (skipped > 0) console.error(`○ ${skipped} skipped`)
  return { passed: number("tests") - failed - skipped, failed }
}

/** Runs Bun with the arguments to its end; a developer's own settings do not reach the tests. */
async function run(args: readonly string[], more: Readonly<Record<string, string>> = {}): Promise<number> {
  const foreign = /^(HUB_|DATABASE_URL|NATS_URL|NODE_ENV|PG[A-Z]+$)/
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !foreign.test(name)))
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: "inherit", env: { ...env, ...more } })
  running = child
  const deadline = setTimeout(() => {
    console.error(`✗ not finished after ${RUN_DEADLINE_MS / 60_000} minutes`)
    child.kill("SIGKILL")
  }, RUN_DEADLINE_MS)
  const code = await new Promise<number>((resolve) => {
    child.once("error", () => resolve(1))
    child.once("exit", (status) => resolve(status ?? 1))
  })
  clearTimeout(deadline)
  running = undefined
  return code
}

/** Ends and removes what a run left behind that was itself killed with kill -9. */
function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = Number(/^hub-test-(\d+)-/.exec(name)?.[1])
    if (pid > 0 && !processExists(pid)) remove(join(tmpdir(), name))
  }
}

function remove(scratch: string): void {
  try {
    const marker = join(scratch, "data", "postgres-location")
    const pgdata = existsSync(marker) ? readFileSync(marker, "utf8").trim() : join(scratch, "data", "postgres")
    const lines = existsSync(join(pgdata, "postmaster.pid"))
      ? readFileSync(join(pgdata, "postmaster.pid"), "utf8").split("\n")
      : []
    const pid = Number(lines[0])
    if (pid > 0 && lines[1] === pgdata && processExists(pid)) process.kill(pid, "SIGQUIT")
    rmSync(pgdata, { recursive: true, force: true })
    rmSync(scratch, { recursive: true, force: true })
  } catch (error) {
    console.error(`○ left behind: ${scratch} (${error instanceof Error ? error.message : String(error)})`)
  }
}
