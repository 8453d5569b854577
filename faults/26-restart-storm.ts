/**
 * A channel whose dispatcher crashes on every message, a hundred times a second, beside one that has its work. What every run
 * shows of it is `src/isolation.test.ts`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Database } from "../src/store/database.ts"
import { eventually } from "../src/testing/eventually.ts"
import type { HubProcess } from "../src/testing/hub-process.ts"
import { seedDeliveries, someMessage } from "../src/testing/seed-deliveries.ts"
import { latencies } from "./08-channel-dead.ts"
import { fault, percentile } from "./fault.ts"
import { endings, inWorld, type World } from "./world.ts"

const EVERY_MS = 10
const LINES_PER_SECOND = 10
/** `sysconf(_SC_CLK_TCK)` of Linux. */
const TICKS_PER_SECOND = 100
const MENDED_MS = 120_000
/** A p99 is that of so long a piece: one standstill of a shared disk would be the p99 of a whole run, of whichever kind it fell into. */
const PIECE_MS = 5_000

export const restartStorm = fault({
  number: 26,
  name: "restart storm",
  short: { storms: 1, stormMs: 3_000, waiting: 400, perSecond: 50, least: 50, slower: null, busier: null },
  // So much longer than a lease that more than half of a storm has its rescues too.
  full: { storms: 3, stormMs: 41_000, waiting: 5_300, perSecond: 100, least: 10_000, slower: 1.2, busier: 20 },
  injected: ({ storms, stormMs, waiting, perSecond }) =>
    `Slack's dispatcher crashes on each of ${waiting} messages, 100 times a second for ${stormMs / 1_000} s, ${storms} times with as much quiet before each, ${perSecond} Telegram messages/s`,
  run: ({ storms, stormMs, waiting, perSecond, least, slower, busier }, mutant) =>
    inWorld({ mutant }, async (world) => {
      const { providers, db } = world
      const folder = mkdtempSync(join(tmpdir(), "hub-storm-"))
      world.defer(() => rmSync(folder, { recursive: true, force: true }))
      const bug = join(folder, "bug")
      const hub = await world.hub({
        preloads: [join(import.meta.dirname, "../src/testing/crashing-channel.ts")],
        settings: {
          SLACK_WEBHOOK_URL: providers.slackWebhook(),
          CRASH_WHILE: bug,
          CRASH_EVERY_MS: String(EVERY_MS),
        },
      })
      const load = world.load({ perSecond, url: () => `http://127.0.0.1:${hub.port}` })
      await load.more(2 * perSecond)
      // By turns, so that a disk or a processor that others need too counts for both.
      const before = spell()
      const meanwhile = spell()
      for (let n = 0; n < storms; n += 1) {
        await lived(world, hub, stormMs, before)
        writeFileSync(bug, "")
        await seedDeliveries(
          db,
          Array.from({ length: waiting }, (_, k) => ({
            channel: "slack" as const,
            message: someMessage("slack", `acc-${1_000_000 * (n + 1) + k}.`),
          })),
        )
        await lived(world, hub, stormMs, meanwhile)
        rmSync(bug)
        await allSent(db)
      }
      const crashes = await crashesOf(hub)
      const lines = linesPerSecond(hub)
      const figures = await world.judged(load, { again: 0 })
      const left = await allSent(db)
      const [quiet, stormy] = [percentile(before.p99s, 0.5), percentile(meanwhile.p99s, 0.5)]
      const busy = 100 * (meanwhile.cpuMs / meanwhile.ms - before.cpuMs / before.ms)
      return [
        { what: "crashes", value: crashes, atLeast: least },
        { what: "p99 before, median", value: quiet, unit: "ms" },
        { what: "p99 meanwhile, median", value: stormy, unit: "ms" },
        { what: "ratio", value: stormy / quiet, ...(slower === null ? {} : { atMost: slower }) },
        { what: "worst p99 before", value: Math.max(...before.p99s), unit: "ms" },
        { what: "worst p99 meanwhile", value: Math.max(...meanwhile.p99s), unit: "ms" },
        { what: "more of a core, %", value: busy, ...(busier === null ? {} : { atMost: busier }) },
        { what: "most lines in a second", value: lines, atMost: LINES_PER_SECOND },
        ...figures,
        { what: "Slack's undone", value: left.length, atMost: 0 },
        await endings(world, [hub]),
      ]
    }),
})

/** What was seen in stretches of one kind. */
interface Spell {
  ms: number
  cpuMs: number
  /** Of each piece; milliseconds. */
  readonly p99s: number[]
}

const spell = (): Spell => ({ ms: 0, cpuMs: 0, p99s: [] })

/** Lets so much time pass, and adds to `seen` what it was like. */
async function lived(world: World, hub: HubProcess, forMs: number, seen: Spell): Promise<void> {
  const [since, cpu] = [Date.now(), cpuMs(hub.pid)]
  await Bun.sleep(forMs) // what is tried is how it is for so long
  seen.ms += Date.now() - since
  seen.cpuMs += cpuMs(hub.pid) - cpu
  // Whoever came last may still be on the way: a second's load is left out.
  const until = Date.now() - 1_000
  const piece = Math.min(PIECE_MS, until - since)
  for (let from = since; from + piece <= until; from += piece)
    seen.p99s.push(percentile(await latencies(world, from, from + piece), 0.99))
}

/** Waits until Slack has all that was for it; gives what it still has not. */
const allSent = (db: Database): Promise<readonly unknown[]> =>
  eventually(
    () => db.query("select from deliveries where channel = 'slack' and status <> 'delivered'"),
    (rows) => rows.length === 0,
    { withinMs: MENDED_MS, everyMs: 200, what: "Slack's undone" },
  )

/** Of the dispatcher, since the hub started. */
async function crashesOf({ port }: HubProcess): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  return Number(/^hub_actor_crashes_total\{kind="dispatcher",reason="error"\} (\d+)/m.exec(text)?.[1] ?? 0)
}

/** Milliseconds of processor time that the process has used. */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8")
    .replace(/^.*\) /, "")
    .split(" ")
  return ((Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND) * 1_000
}

/** The most that it wrote in any second since it listens. */
function linesPerSecond(hub: HubProcess): number {
  const lines = hub
    .log()
    .split("\n")
    .filter((line) => line.startsWith("{"))
  const listening = lines.findIndex((line) => line.includes('"event":"hub_listening"'))
  const times = lines.slice(listening + 1).map((line) => Date.parse(/"time":"([^"]+)"/.exec(line)?.[1] ?? ""))
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + 1_000).length))
}
