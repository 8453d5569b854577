/**
 * A channel whose dispatcher crashes on every message, a hundred times a second, beside one that has its work. What every run
 * shows of it is `src/isolation.test.ts`.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { eventually } from "../src/testing/eventually.ts"
import type { HubProcess } from "../src/testing/hub-process.ts"
import { seedDeliveries, someMessage } from "../src/testing/seed-deliveries.ts"
import { latencies } from "./08-channel-dead.ts"
import { fault, percentile } from "./fault.ts"
import { endings, inWorld } from "./world.ts"

const EVERY_MS = 10
const LINES_PER_SECOND = 10
/** `sysconf(_SC_CLK_TCK)` of Linux. */
const TICKS_PER_SECOND = 100
const MENDED_MS = 120_000

export const restartStorm = fault({
  number: 26,
  name: "restart storm",
  short: { stormMs: 3_000, waiting: 400, perSecond: 50, least: 50, slower: null, busier: null },
  full: { stormMs: 60_000, waiting: 8_000, perSecond: 100, least: 3_000, slower: 1.2, busier: 20 },
  injected: ({ stormMs, waiting, perSecond }) =>
    `Slack's dispatcher crashes on each of ${waiting} messages, 100 times a second for ${stormMs / 1_000} s, ${perSecond} Telegram messages/s`,
  run: ({ stormMs, waiting, perSecond, least, slower, busier }, mutant) =>
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
      const quiet = { at: Date.now(), cpu: cpuMs(hub.pid) }
      await Bun.sleep(stormMs) // as long as the storm, to compare
      const before = await latencies(world, quiet.at)
      const idle = (cpuMs(hub.pid) - quiet.cpu) / (Date.now() - quiet.at)

      writeFileSync(bug, "")
      const storm = { at: Date.now(), cpu: cpuMs(hub.pid) }
      await seedDeliveries(
        db,
        Array.from({ length: waiting }, (_, n) => ({
          channel: "slack" as const,
          message: someMessage("slack", `acc-${1_000_000 + n}.`),
        })),
      )
      await Bun.sleep(stormMs) // how long it lasts is what is tried
      const crashes = await crashesOf(hub)
      const busy = (cpuMs(hub.pid) - storm.cpu) / (Date.now() - storm.at)
      await load.more(1)
      const meanwhile = await latencies(world, storm.at)
      const lines = linesPerSecond(hub)
      rmSync(bug)
      const figures = await world.judged(load, { again: 0 })
      const left = await eventually(
        () => db.query("select from deliveries where channel = 'slack' and status <> 'delivered'"),
        (rows) => rows.length === 0,
        { withinMs: MENDED_MS, everyMs: 200, what: "Slack's undone" },
      )
      const ratio = percentile(meanwhile, 0.99) / percentile(before, 0.99)
      return [
        { what: "crashes", value: crashes, atLeast: least },
        { what: "p99 before", value: percentile(before, 0.99), unit: "ms" },
        { what: "p99 meanwhile", value: percentile(meanwhile, 0.99), unit: "ms" },
        { what: "ratio", value: ratio, ...(slower === null ? {} : { atMost: slower }) },
        { what: "more of a core, %", value: 100 * (busy - idle), ...(busier === null ? {} : { atMost: busier }) },
        { what: "most lines in a second", value: lines, atMost: LINES_PER_SECOND },
        ...figures,
        { what: "Slack's undone", value: left.length, atMost: 0 },
        await endings(world, [hub]),
      ]
    }),
})

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
