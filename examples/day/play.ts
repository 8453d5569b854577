// Plays the day through a running hub, waits until the hub has settled, and holds what came out against expect.mjs.
// `npm run day -- --help` has the options; README.md beside this file tells the story.
import { readFileSync } from "node:fs"
import { type ExpectedDay, expectDay, ruleNames } from "./expect.mjs"
import { type Client, clientOf, inParallel, isRecord, pause } from "./play/client.ts"
import { readTrace } from "./play/explained.ts"
import { type Options, readOptions, usage } from "./play/options.ts"
import { progressOf } from "./play/progress.ts"
import { addUp, differencesOf, type HubTotals, hubTotals, workLeft } from "./play/totals.ts"

type Line = {
  at: string
  path: string
  content_type: string
  headers?: Record<string, string>
  body: Record<string, unknown>
}
type Played = { accepted: number; duplicates: number; retried: number; refused: string[]; ids: Set<string> }

const SHOWN = 12
const POLL_MS = 500
/** Totals that have not moved for so long, with nothing left to do, will not move. */
const STILL_MS = 5_000

const beside = (name: string): string => readFileSync(new URL(name, import.meta.url), "utf8")

function isLine(value: unknown): value is Line {
  return (
    isRecord(value) && typeof value["at"] === "string" && typeof value["path"] === "string" && isRecord(value["body"])
  )
}

function readLines(ndjson: string): Line[] {
  const lines: unknown[] = ndjson
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line))
  if (!lines.every(isLine)) throw new Error("day.ndjson has a line that is none: run bun examples/day/make.ts")
  return lines
}

async function putRecipients(client: Client, recipients: string, width: number): Promise<number> {
  const people: unknown = JSON.parse(recipients)
  if (!Array.isArray(people)) throw new Error("recipients.json is not a list: run bun examples/day/make.ts")
  await inParallel(width, people.filter(isRecord), async ({ id, ...profile }) => {
    const { status, body } = await client.send("PUT", `/v1/recipients/${encodeURIComponent(String(id))}`, profile)
    if (status >= 300) throw new Error(`recipient ${String(id)} was refused: ${status} ${String(body["detail"] ?? "")}`)
  })
  return people.length
}

async function play(client: Client, lines: readonly Line[], options: Options): Promise<Played> {
  const played: Played = { accepted: 0, duplicates: 0, retried: 0, refused: [], ids: new Set() }
  const progress = progressOf("playing", lines.length)
  const started = performance.now()
  const dawn = Date.parse(lines[0]?.at ?? "")
  await inParallel(options.concurrency, lines, async (line) => {
    if (options.speed !== null) {
      const due = (Date.parse(line.at) - dawn) / options.speed
      const early = due - (performance.now() - started)
      if (early > 0) await pause(early)
    }
    const answer = await client.send("POST", line.path, line.body, {
      "content-type": line.content_type,
      ...line.headers,
    })
    if (answer.tries > 1) played.retried++
    const { id, status } = answer.body
    if (status === "accepted") played.accepted++
    else if (status === "duplicate") played.duplicates++
    else played.refused.push(`${line.at} ${line.path} answered ${answer.status} ${JSON.stringify(answer.body)}`)
    if (typeof id === "string") played.ids.add(id)
    progress.step(line.at.slice(11, 16))
  })
  progress.done()
  return played
}

/** Waits until no work is left and the totals are the expected ones, or have stopped moving, or patience has run out. */
async function settle(client: Client, expected: ExpectedDay, patience: number): Promise<Record<string, HubTotals>> {
  const businesses = Object.keys(expected.businesses)
  const end = performance.now() + patience
  let last = ""
  let moved = performance.now()
  for (;;) {
    const totals = await hubTotals(client, businesses)
    const left = Object.values(totals).reduce((sum, one) => sum + workLeft(one), 0)
    const now = performance.now()
    const picture = JSON.stringify(totals)
    if (picture !== last) moved = now
    last = picture
    if (left === 0 && (differencesOf(expected, totals).length === 0 || now - moved > STILL_MS)) return totals
    if (now > end) {
      console.log(`still ${left} to do after ${Math.round(patience / 1000)} s; counting what is there`)
      return totals
    }
    await pause(POLL_MS)
  }
}

/** Reads the traces of the events: rule → events it fitted, and what is left unexplained. */
async function explain(client: Client, ids: readonly string[], width: number) {
  const matched: Record<string, number> = {}
  const open: string[] = []
  const progress = progressOf("tracing", ids.length)
  await inParallel(width, ids, async (id) => {
    const { status, body } = await client.get(`/v1/events/${id}/trace`)
    const reading = status === 200 ? readTrace(body) : { matched: [], open: [`its trace answered ${status}`] }
    for (const rule of reading.matched) matched[rule] = (matched[rule] ?? 0) + 1
    open.push(...reading.open.map((what) => `${id}: ${what}`))
    progress.step()
  })
  progress.done()
  return { matched, open }
}

function show(title: string, list: readonly string[]): void {
  console.log(`\n${title}: ${list.length === 0 ? "none" : list.length}`)
  for (const one of list.slice(0, SHOWN)) console.log(`  ${one}`)
  if (list.length > SHOWN) console.log(`  … and ${list.length - SHOWN} more`)
}

function print(played: Played, people: number, totals: Readonly<Record<string, HubTotals>>): void {
  const { byRule, statuses } = addUp(totals)
  console.log(`\n${people} recipients; ${played.accepted} events accepted, ${played.duplicates} duplicates`)
  if (played.retried > 0) console.log(`${played.retried} requests were sent again after no answer or a 429/503`)
  console.log("\nnotifications per rule")
  for (const rule of new Set([...ruleNames, ...Object.keys(byRule)])) {
    console.log(`  ${rule.padEnd(28)}${String(byRule[rule] ?? 0).padStart(6)}`)
  }
  console.log("\nmessages per channel")
  for (const [channel, counts] of Object.entries(statuses)) {
    const parts = Object.entries(counts).map(([status, n]) => `${n} ${status}`)
    console.log(`  ${channel.padEnd(28)}${parts.join(", ")}`)
  }
}

/** Exit code: 0 the hub and the script agree, 1 they differ. */
async function main(options: Options): Promise<number> {
  const [ndjson, recipients] = [beside("day.ndjson"), beside("recipients.json")]
  const expected = expectDay(ndjson, recipients)
  const lines = readLines(ndjson)
  const client = clientOf(options.url, options.key)

  const before = await hubTotals(client, Object.keys(expected.businesses))
  const known = Object.values(before).reduce((sum, totals) => sum + totals.events, 0)
  if (known > 0) console.log(`the hub has ${known} events of these businesses already: repeats of them are duplicates`)

  const people = await putRecipients(client, recipients, options.concurrency)
  const played = await play(client, lines, options)
  const totals = await settle(client, expected, options.patience)
  const ids = [...played.ids].slice(0, options.traces ?? played.ids.size)
  const { matched, open } = await explain(client, ids, options.concurrency)

  print(played, people, totals)
  const differences = differencesOf(expected, totals)
  // The answers can be held against the script only where each request was answered the first time it was sent.
  if (known === 0 && played.retried === 0) {
    if (played.accepted !== expected.accepted)
      differences.push(`answers: expected ${expected.accepted} accepted, got ${played.accepted}`)
    if (played.duplicates !== expected.duplicates)
      differences.push(`answers: expected ${expected.duplicates} duplicates, got ${played.duplicates}`)
  }
  if (ids.length === expected.accepted) {
    for (const rule of ruleNames) {
      const [want, have] = [expected.all.matched[rule] ?? 0, matched[rule] ?? 0]
      if (want !== have) differences.push(`traces: ${rule} should fit ${want} events, fits ${have}`)
    }
  }
  show("refused", played.refused)
  show("unexplained", open)
  show("differences from expect.mjs", differences)
  return played.refused.length + open.length + differences.length === 0 ? 0 : 1
}

async function answers(url: string): Promise<boolean> {
  try {
    return (await fetch(`${url}/health`, { signal: AbortSignal.timeout(5_000) })).ok
  } catch {
    return false // nobody listens: the caller says so
  }
}

if (process.argv.includes("--help")) {
  console.log(usage)
} else {
  const options = readOptions(process.argv.slice(2), process.env)
  if ("misuse" in options) {
    console.error(options.misuse)
    process.exitCode = 2
  } else if (!(await answers(options.url))) {
    console.error(`${options.url}: no hub answers there: start one with \`npm start\`, or name it with --url`)
    process.exitCode = 1
  } else {
    try {
      process.exitCode = await main(options)
    } catch (error) {
      console.error(error instanceof Error ? error.message : error)
      process.exitCode = 1
    }
  }
}
