// `npm run faults`: every fault in its full form, one after the other, against a private PostgreSQL and nats-server, and one
// table at the end. `npm run faults -- 3 21` runs those numbers alone, `--short` the short forms. Takes most of an hour;
// leave the machine alone meanwhile, because some figures are times. Fails where a bound is broken.
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { cpus, loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { FAULTS } from "../faults/catalogue.ts"
import { type Fault, type Form, inWords, kept } from "../faults/fault.ts"
import { startEmbedded } from "../src/store/embedded.ts"
import { startNats } from "../src/testing/nats.ts"

type Outcome = "pass" | "FAIL" | "NOT RUN"
interface Row {
  readonly fault: Fault
  readonly outcome: Outcome
  readonly seconds: number
  readonly words: readonly string[]
}

const args = process.argv.slice(2)
const form: Form = args.includes("--short") ? "short" : "full"
const numbers = args.filter((arg) => arg !== "--short").map(Number)
const known = new Set(FAULTS.map(({ number }) => number))
const unknown = numbers.filter((number) => !known.has(number))
if (unknown.length > 0) {
  console.error(`no such fault: ${unknown.join(", ")}; there are ${[...known].join(", ")}`)
  process.exit(2)
}
const chosen = FAULTS.filter(({ number }) => numbers.length === 0 || numbers.includes(number))

// The tests' own helpers find these, as they do in `npm test`.
const folder = mkdtempSync(join(tmpdir(), "hub-faults-"))
chmodSync(folder, 0o711) // root's PostgreSQL runs as another user
const postgres = await startEmbedded({ dataDir: join(folder, "data"), durable: true, maxConnections: 300 })
const nats = await startNats()
process.env["HUB_TEST_DATABASE_URL"] = postgres.url
process.env["HUB_TEST_NATS_URL"] = nats.url

const rows: Row[] = []
try {
  for (const fault of chosen) rows.push(await show(fault))
} finally {
  await nats.stop()
  await postgres.stop()
  rmSync(folder, { recursive: true, force: true })
}

console.log(
  `\n${cpus().length} × ${cpus()[0]?.model ?? "?"}, load ${loadavg()[0]?.toFixed(1)}, Bun ${Bun.version}, ${form}`,
)
console.log("| # | fault | injected | figures (bound) | |\n| --- | --- | --- | --- | --- |")
for (const { fault, outcome, words } of rows)
  console.log(`| ${fault.number} | ${fault.name} | ${fault.injected(form)} | ${words.join(", ")} | ${outcome} |`)
const absent = rows.filter(({ outcome }) => outcome === "NOT RUN")
for (const { fault, words } of absent) console.error(`!!! NOT RUN: ${fault.number} ${fault.name}: ${words.join(", ")}`)
const failed = rows.filter(({ outcome }) => outcome === "FAIL")
console.log(`${rows.length - failed.length - absent.length} passed, ${failed.length} failed, ${absent.length} not run`)
process.exit(failed.length === 0 ? 0 : 1)

async function show(fault: Fault): Promise<Row> {
  const began = performance.now()
  const row = (outcome: Outcome, words: readonly string[]): Row => {
    const seconds = Math.round((performance.now() - began) / 1_000)
    console.log(`${outcome} in ${seconds} s: ${words.join(", ")}`)
    return { fault, outcome, seconds, words }
  }
  console.log(`\n${fault.number} ${fault.name}: ${fault.injected(form)}`)
  const missing = fault.missing()
  if (missing !== null) return row("NOT RUN", [missing])
  try {
    const figures = await fault.run(form)
    return row(figures.every(kept) ? "pass" : "FAIL", figures.map(inWords))
  } catch (error) {
    return row("FAIL", [error instanceof Error ? error.message.replaceAll(/\s+/g, " ") : String(error)])
  }
}
