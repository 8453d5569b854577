/**
 * The queue under the deliveries against two that are nothing else: the same trivial work on the same server, each in a
 * process of its own at its best settings. And whether a crowd that waits makes the hub slower.
 */
import { join } from "node:path"
import { idFloor } from "../src/domain/ids.ts"
import { migrate } from "../src/store/migrate.ts"
import { seal } from "../src/store/sealed.ts"
import { type Cpu, RATE, type Result } from "./delivery/counting.ts"
import {
  benchPostgres,
  freshDatabase,
  machineLine,
  median,
  num,
  type Postgres,
  percentile,
  printRows,
  printTable,
  type Row,
  sql,
} from "./harness.ts"

/** `BENCH_SHORT` is for trying it out: its figures say little. */
const SHORT = process.env["BENCH_SHORT"] !== undefined
const ROUNDS = SHORT ? 1 : 5
const JOBS = SHORT ? 10_000 : 50_000
/** Two of them are the warm-up. */
const SECONDS = SHORT ? 5 : 12
const SAMPLE = SHORT ? 10_000 : 20_000
const WAITING = SHORT ? ([1_000, 100_000] as const) : ([1_000, 100_000, 1_000_000] as const)
const AIM_FLAT = 0.8
const AIM_COST = 1.2
/** Of a crowd, in one statement. */
const PIECE = 100_000

const QUEUES = [
  { file: "hub.ts", name: "hub" },
  { file: "graphile.ts", name: "graphile-worker" },
  { file: "pg-boss.ts", name: "pg-boss" },
] as const
type Queue = (typeof QUEUES)[number]["name"]
/** Of the hub alone: everything waits to be claimed, as where one node routes and another sends. */
const QUEUED = { BENCH_QUEUED: "1" }

/** Runs the bench; prints its own tables and returns the rows for the common one. */
export async function delivery(postgres: Postgres): Promise<readonly Row[]> {
  return [...(await rivals(postgres)), ...(await crowds(postgres))]
}

// ── rivals ──────────────────────────────────────────────────────────────────────────────────────────────────────────

async function rivals(postgres: Postgres): Promise<readonly Row[]> {
  const rates: Record<Queue, number[]> = { hub: [], "graphile-worker": [], "pg-boss": [] }
  const costs: Record<Queue, Cpu[]> = { hub: [], "graphile-worker": [], "pg-boss": [] }
  const waits: Record<Queue, (readonly number[])[]> = { hub: [], "graphile-worker": [], "pg-boss": [] }
  const queued: (readonly number[])[] = []
  for (let round = 0; round < ROUNDS; round++) {
    queued.push((await measured(await prepared(postgres, "hub"), "hub.ts", "paced", SECONDS, QUEUED)).latencies)
    for (const { file, name } of QUEUES) {
      const { ms, cpu } = await measured(await prepared(postgres, name), file, "backlog", JOBS)
      rates[name].push((JOBS / ms) * 1_000)
      costs[name].push({ process: cpu.process / JOBS, server: cpu.server / JOBS })
      waits[name].push((await measured(await prepared(postgres, name), file, "paced", SECONDS)).latencies)
    }
  }
  const rate = (name: Queue) => median(rates[name])
  const cost = (name: Queue, of: keyof Cpu) => num(Math.round(median(costs[name].map((cpu) => cpu[of]))))
  const waitOf = (all: readonly (readonly number[])[], share: number) =>
    median(all.map((one) => percentile(one, share)))
  const wait = (name: Queue, share: number) => waitOf(waits[name], share)
  console.log(
    `\n${num(JOBS)} waiting; then ${num(RATE)} a second for ${SECONDS} s; medians of ${ROUNDS} interleaved rounds`,
  )
  printTable(
    ["queue", "worked off, per second", "hub ÷ it", "CPU µs each, process", "server", "commit to call p50", "p99, ms"],
    QUEUES.map(({ name }) => [
      name,
      num(rate(name)),
      (rate("hub") / rate(name)).toFixed(2),
      cost(name, "process"),
      cost(name, "server"),
      num(wait(name, 0.5)),
      num(wait(name, 0.99)),
    ]),
  )
  console.log(
    `through its queue the hub's p50 is ${num(waitOf(queued, 0.5))} and its p99 ${num(waitOf(queued, 0.99))} ms`,
  )
  return (["graphile-worker", "pg-boss"] as const).flatMap((name) => {
    const ratio = rate("hub") / rate(name)
    const later = wait("hub", 0.99) / wait(name, 0.99)
    const usual = wait("hub", 0.5) / wait(name, 0.5)
    return [
      {
        bench: "delivery",
        what: `deliveries a second, hub ÷ ${name}`,
        figure: `${ratio.toFixed(2)} (${num(rate("hub"))} ÷ ${num(rate(name))}/s)`,
        aim: "> 1",
        met: ratio > 1,
      },
      {
        bench: "delivery",
        what: `p50 from commit to call at ${num(RATE)}/s, hub ÷ ${name}`,
        figure: `${usual.toFixed(2)} (${num(wait("hub", 0.5))} ÷ ${num(wait(name, 0.5))} ms)`,
        aim: "< 1",
        met: usual < 1,
      },
      {
        bench: "delivery",
        what: `p99 from commit to call at ${num(RATE)}/s, hub ÷ ${name}`,
        figure: `${later.toFixed(2)} (${num(wait("hub", 0.99))} ÷ ${num(wait(name, 0.99))} ms)`,
        aim: "< 1",
        met: later < 1,
      },
    ]
  })
}

async function prepared(postgres: Postgres, name: Queue): Promise<string> {
  const url = await freshDatabase(postgres.url, `bench_delivery_${name.replace("-", "_")}`)
  if (name === "hub") await migrate(url)
  return url
}

async function measured(
  url: string,
  file: string,
  mode: "backlog" | "paced",
  amount: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Result> {
  const command = [process.execPath, join(import.meta.dirname, "delivery", file), url, mode, String(amount)]
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "inherit", env: { ...process.env, ...env } })
  const line = (await new Response(child.stdout).text()).split("\n").find((one) => one.startsWith("{"))
  if (line === undefined) throw new Error(`${file} measured nothing`)
  return JSON.parse(line) as Result // written by a file of this folder
}

// ── crowds ──────────────────────────────────────────────────────────────────────────────────────────────────────────

async function crowds(postgres: Postgres): Promise<readonly Row[]> {
  const rates = new Map<number, number[]>(WAITING.map((waiting) => [waiting, []]))
  const costs = new Map<number, number[]>(WAITING.map((waiting) => [waiting, []]))
  for (let round = 0; round < ROUNDS; round++) {
    for (const waiting of WAITING) {
      const url = await prepared(postgres, "hub")
      await crowd(url, waiting)
      const { ms, cpu } = await measured(url, "hub.ts", "backlog", SAMPLE)
      rates.get(waiting)?.push((SAMPLE / ms) * 1_000)
      costs.get(waiting)?.push((cpu.process + cpu.server) / SAMPLE)
    }
  }
  const rate = (waiting: number) => median(rates.get(waiting) ?? [])
  const cost = (waiting: number) => median(costs.get(waiting) ?? [])
  const [least] = WAITING
  return WAITING.slice(1).flatMap((waiting) => {
    const ratio = rate(waiting) / rate(least)
    const dearer = cost(waiting) / cost(least)
    return [
      {
        bench: "delivery",
        what: `deliveries a second with ${num(waiting)} waiting ÷ with ${num(least)}`,
        figure: `${ratio.toFixed(2)} (${num(rate(waiting))} ÷ ${num(rate(least))}/s)`,
        aim: `≥ ${AIM_FLAT}`,
        met: ratio >= AIM_FLAT,
      },
      {
        bench: "delivery",
        what: `their processor time, hub and server, with ${num(waiting)} ÷ with ${num(least)}`,
        figure: `${dearer.toFixed(2)} (${num(cost(waiting))} ÷ ${num(cost(least))} µs)`,
        aim: `≤ ${AIM_COST}`,
        met: dearer <= AIM_COST,
      },
    ]
  })
}

/** Of one channel and priority: half of them due before everything that is measured, half in the next hour. */
async function crowd(url: string, waiting: number): Promise<void> {
  const at = Date.now()
  const id = (prefix: "dlv_" | "evt_" | "ntf_") => `'${idFloor(prefix, at)}' || lpad(n::text, 16, '0')`
  const message = { channel: "telegram", chatId: "0", html: "Waits.", actionUrl: null, actionLabel: null } as const
  for (let first = 1; first <= waiting; first += PIECE) {
    const series = `from generate_series(${first}, ${Math.min(waiting, first + PIECE - 1)}) n`
    await sql(
      url,
      `insert into deliveries (id, event_id, notification_ids, rule, rules_revision, business_id, channel, address_hash,
         status, next_attempt_at)
       select ${id("dlv_")}, ${id("evt_")}, array[${id("ntf_")}], 'r', 'r', 'default', 'telegram', decode(md5(n::text), 'hex'),
         case when n % 2 = 0 then 'queued' else 'retrying' end,
         now() + case when n % 2 = 0 then interval '-1 second' else interval '1 hour' * random() + interval '10 minutes' end
       ${series}`,
    )
    const messages = `insert into messages (delivery_id, message) select ${id("dlv_")}, $1::bytea ${series}`
    await sql(url, messages, [seal(message)])
  }
  await sql(url, "vacuum analyze")
  await sql(url, "checkpoint")
}

if (import.meta.main) {
  const postgres = await benchPostgres()
  try {
    console.log(await machineLine(postgres))
    printRows(await delivery(postgres))
  } finally {
    await postgres.stop()
  }
}
