/**
 * What a channel in trouble costs the others: phases with hundreds of Slack messages waiting and without any take turns,
 * each with the same steady load of events that become Telegram messages. Slack's provider takes everything and answers
 * nothing; or its dispatcher has a bug that every message meets, once as it is (its supervisor lets it crash four times and rest), and
 * once with its rests cut short, so that it really crashes a hundred times a second, which no real hub will ever see.
 */
import { join } from "node:path"
import { openDatabase } from "../src/store/database.ts"
import { seedDeliveries } from "../src/testing/seed-deliveries.ts"
import {
  benchPostgres,
  machineLine,
  median,
  num,
  type Postgres,
  percentile,
  printRows,
  printTable,
  type Row,
  sql,
  until,
} from "./harness.ts"
import { between, covers, paced, type TelegramProvider, telegramProvider } from "./paced.ts"
import { prepared, RULES, TEMPLATES } from "./path.ts"
import { cpuMicros, type Server, startHub } from "./servers.ts"

const RATE = 300
const WARM_UP_SECONDS = 1
const CRASH_EVERY_MS = 10
/** Beyond one for each crash: those that the first claim takes at once. */
const FIRST_CLAIM = 600
const AIM_RATIO = 1.2
const AIM_LINES = 10
const DEADLINE_MS = 60_000
/** `BENCH_SHORT` is for trying it out: its figures say little. */
const SHORT = process.env["BENCH_SHORT"] !== undefined
const FIXTURE = join(import.meta.dirname, "../src/testing/crashing-channel.ts")

interface Storm {
  readonly mode: string
  /** Of the provider, or of the dispatcher. */
  readonly trouble: "silent" | "crashes"
  readonly database: string
  /** Of two phases each. */
  readonly rounds: number
  /** Of one phase. */
  readonly seconds: number
  readonly settings: Readonly<Record<string, string>>
}

const STORMS: readonly Storm[] = [
  {
    mode: "provider silent",
    trouble: "silent",
    database: "bench_isolation_silent",
    rounds: 5,
    seconds: 5,
    settings: {},
  },
  { mode: "as it is", trouble: "crashes", database: "bench_isolation", rounds: 5, seconds: 5, settings: {} },
  // Its crashes are even, so many short phases tell more: a stall that others cause is in one phase and not in most.
  {
    mode: "rests cut short",
    trouble: "crashes",
    database: "bench_isolation_undamped",
    rounds: 15,
    seconds: 3,
    settings: { CRASH_EVERY_MS: String(CRASH_EVERY_MS) },
  },
]

interface Phase {
  readonly p50: number
  readonly p99: number
  /** Share of one core that the hub took. */
  readonly cpu: number
  readonly crashesPerSecond: number
  /** The most that the hub logged in any second of it. */
  readonly linesPerSecond: number
}

/** Runs the bench; prints its own tables and returns the rows for the common one. */
export async function isolation(postgres: Postgres): Promise<readonly Row[]> {
  const rows: Row[] = []
  const storms = SHORT ? STORMS.slice(0, 1).map((one) => ({ ...one, rounds: 2 })) : STORMS
  for (const one of storms) rows.push(...(await weather(postgres, one)))
  return rows
}

async function weather(postgres: Postgres, one: Storm): Promise<readonly Row[]> {
  const url = await prepared(postgres, one.database)
  const provider = telegramProvider()
  const silent = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 255,
    fetch: () => new Promise(() => undefined),
  })
  const hub = await startHub(url, RULES, {
    ...TEMPLATES,
    ...provider.settings,
    // Of a dispatcher that crashes nothing ever gets there.
    SLACK_WEBHOOK_URL: `http://127.0.0.1:${silent.port}/services/nobody`,
    // A file that is always there: it crashes for as long as Slack messages wait.
    ...(one.trouble === "crashes" ? { BUN_OPTIONS: `--preload ${FIXTURE}`, CRASH_WHILE: FIXTURE } : {}),
    ...one.settings,
  })
  const calm: Phase[] = []
  const storm: Phase[] = []
  try {
    let first = 0
    const phase = async (into: Phase[], stormy: boolean) => {
      into.push(await measured({ hub, url, provider, first, stormy, seconds: one.seconds }))
      first += RATE * (WARM_UP_SECONDS + one.seconds)
    }
    for (let round = 0; round < one.rounds; round++) {
      // Whoever goes first has the colder caches and the smaller tables: they take turns.
      await phase(round % 2 === 0 ? calm : storm, round % 2 === 1)
      await phase(round % 2 === 0 ? storm : calm, round % 2 === 0)
    }
  } finally {
    await hub.stop()
    await provider.stop()
    await silent.stop(true)
  }
  return report(one, calm, storm)
}

interface Ask {
  readonly hub: Server
  readonly url: string
  readonly provider: TelegramProvider
  readonly first: number
  readonly stormy: boolean
  readonly seconds: number
}

async function measured({ hub, url, provider, first, stormy, seconds: asked }: Ask): Promise<Phase> {
  if (stormy) await beginStorm(url, asked)
  const [cpu, crashes, began, wall] = [await cpuMicros(hub.pid), await crashesOf(hub), performance.now(), Date.now()]
  const { dueAt } = await paced(hub.port, { rate: RATE, seconds: asked, warmUpSeconds: WARM_UP_SECONDS, first })
  const seconds = (performance.now() - began) / 1_000
  const phase = {
    cpu: ((await cpuMicros(hub.pid)) - cpu) / 1e6 / seconds,
    crashesPerSecond: ((await crashesOf(hub)) - crashes) / seconds,
    linesPerSecond: mostLines(await hub.log(), wall),
  }
  await until("all events have been sent", async () => covers(provider.calledAt, dueAt), DEADLINE_MS)
  if (stormy) await endStorm(url, hub)
  const latencies = between(dueAt, provider.calledAt)
  return { p50: percentile(latencies, 0.5), p99: percentile(latencies, 0.99), ...phase }
}

async function beginStorm(url: string, seconds: number): Promise<void> {
  const waiting = ((WARM_UP_SECONDS + seconds) * 1_000) / CRASH_EVERY_MS + FIRST_CLAIM
  const db = openDatabase({ url, applicationName: "bench" })
  try {
    await seedDeliveries(
      db,
      Array.from({ length: waiting }, () => ({ channel: "slack" as const })),
    )
  } finally {
    await db.close()
  }
}

/** Without a message there is nothing to crash on. Ends when a second has passed without a crash. */
async function endStorm(url: string, hub: Server): Promise<void> {
  await sql(
    url,
    "with gone as (delete from deliveries where channel = 'slack' returning id) delete from messages using gone where delivery_id = gone.id",
  )
  let before = -1
  const over = async () => {
    const crashes = await crashesOf(hub)
    const same = crashes === before
    before = crashes
    return same
  }
  await until("the storm is over", over, DEADLINE_MS, 1_000)
}

async function crashesOf(hub: Server): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${hub.port}/metrics`)).text()
  return Number(/^hub_actor_crashes_total\{kind="dispatcher".*\} (\d+)$/m.exec(text)?.[1] ?? 0)
}

function mostLines(log: string, since: number): number {
  const times = log
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => Date.parse((JSON.parse(line) as { time: string }).time)) // as telemetry/log.ts writes it
    .filter((at) => at >= since)
  return Math.max(0, ...times.map((from) => times.filter((at) => at >= from && at < from + 1_000).length))
}

function report({ mode, trouble }: Storm, calm: readonly Phase[], storm: readonly Phase[]): readonly Row[] {
  const of = (phases: readonly Phase[], what: keyof Phase) => median(phases.map((phase) => phase[what]))
  const line = (label: string, phases: readonly Phase[]) => [
    label,
    ...(["p50", "p99", "crashesPerSecond"] as const).map((what) => num(of(phases, what))),
    `${num(of(phases, "cpu") * 100)} %`,
    String(Math.max(...phases.map((phase) => phase.linesPerSecond))),
  ]
  console.log(
    `\n${mode}: ${num(RATE)} events/s to Telegram; ms from POST to provider call, medians of ${storm.length} phases each`,
  )
  printTable(
    ["Slack", "call p50", "call p99", "crashes/s", "hub's CPU", "most log lines in a second"],
    [line("is well", calm), line(trouble === "silent" ? "is silent" : "crashes", storm)],
  )
  const ratio = of(storm, "p99") / of(calm, "p99")
  // How much of the ratio is the machine's: where these lie far apart, it says little.
  const rounds = storm.map(({ p99 }, round) => p99 / (calm[round]?.p99 ?? Number.NaN)).toSorted((a, b) => a - b)
  console.log(`p99 with ÷ without, of each round, in order of size: ${rounds.map((one) => one.toFixed(2)).join(" ")}`)
  const lines = Math.max(...storm.map((phase) => phase.linesPerSecond))
  const crashes = num(of(storm, "crashesPerSecond"))
  const what = trouble === "silent" ? "its provider is silent" : `it crashes ${crashes} times/s`
  return [
    {
      bench: "isolation",
      what: `${mode}: Telegram's p99 while Slack is in trouble (${what}) ÷ without`,
      figure: `${ratio.toFixed(2)} (${num(of(storm, "p99"))} ÷ ${num(of(calm, "p99"))} ms)`,
      aim: `≤ ${AIM_RATIO}`,
      met: ratio <= AIM_RATIO,
    },
    {
      bench: "isolation",
      what: `${mode}: most log lines in a second meanwhile`,
      figure: String(lines),
      aim: `< ${AIM_LINES}`,
      met: lines < AIM_LINES,
    },
    {
      bench: "isolation",
      what: `${mode}: CPU of the hub meanwhile ÷ without`,
      figure: (of(storm, "cpu") / of(calm, "cpu")).toFixed(2),
      aim: null,
      met: null,
    },
  ]
}

if (import.meta.main) {
  const postgres = await benchPostgres()
  try {
    console.log(await machineLine(postgres))
    printRows(await isolation(postgres))
  } finally {
    await postgres.stop()
  }
}
