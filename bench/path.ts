/**
 * The whole path, in the real hub. Throughput: a backlog of events, each of which one rule turns into one notification
 * and one delivery on a channel that does nothing, against graphile-worker doing as many trivial jobs on the same
 * server. Latency: from POST to provider call at a steady rate, once with the channel that does nothing and once with
 * the Telegram SDK calling a provider in this process. Latencies count from when the event was to be sent, so a stall
 * of the hub is counted for every event that had to wait.
 */
import { join } from "node:path"
import { asRecipientId, DEFAULT_BUSINESS } from "../src/domain/ids.ts"
import { namedOnly, type Recipient } from "../src/domain/recipient.ts"
import { openDatabase } from "../src/store/database.ts"
import { insertEvents } from "../src/store/events.ts"
import { migrate } from "../src/store/migrate.ts"
import { upsertRecipients } from "../src/store/recipients.ts"
import { incoming } from "../src/testing/builders.ts"
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
  until,
} from "./harness.ts"
import { between, covers, type Pace, PEOPLE, paced, payload, telegramProvider } from "./paced.ts"
import { cpuMicros, startHub } from "./servers.ts"

const JOBS = 20_000
const ROUNDS = 3
const RATE = 1_000
const SECONDS = 10
const PACE: Pace = { rate: RATE, seconds: SECONDS, warmUpSeconds: 3, first: 0 }
const AIM_RATIO = 2
const AIM_P99_MS = 25
const DEADLINE_MS = 120_000

export const RULES = join(import.meta.dirname, "rules")
export const TEMPLATES = { HUB_TEMPLATES_DIR: join(import.meta.dirname, "templates") }

/** Runs the bench; prints its own tables and returns the rows for the common one. */
export async function path(postgres: Postgres): Promise<readonly Row[]> {
  return [...(await throughput(postgres)), ...(await latency(postgres))]
}

/** A migrated database with people who can be told. */
export async function prepared(postgres: Postgres, name: string): Promise<string> {
  const url = await freshDatabase(postgres.url, name)
  await migrate(url)
  const db = openDatabase({ url, applicationName: "bench" })
  const people = Array.from({ length: PEOPLE }, (_, i): Recipient => {
    const id = asRecipientId(`person-${i}`)
    if (id === null) throw new Error("not an id")
    return { ...namedOnly(id, DEFAULT_BUSINESS), name: `Person ${i}`, telegramChatId: String(1_000 + i) }
  })
  await upsertRecipients(db, people, null)
  await db.close()
  return url
}

// ── throughput ──────────────────────────────────────────────────────────────────────────────────────────────────────

async function throughput(postgres: Postgres): Promise<readonly Row[]> {
  const hub: { perSecond: number; cpuMicros: number }[] = []
  const graphile: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    hub.push(await hubWorksOff(await prepared(postgres, "bench_path")))
    graphile.push(await graphileWorksOff(await freshDatabase(postgres.url, "bench_graphile")))
  }
  const ours = median(hub.map((one) => one.perSecond))
  const theirs = median(graphile)
  console.log(`\na backlog of ${num(JOBS)}, medians of ${ROUNDS} interleaved rounds`)
  printTable(
    ["what", "per second", "ratio", "CPU µs each"],
    [
      ["graphile-worker 0.18, concurrency 10, trivial job", num(theirs), "1.00", ""],
      [
        "hub: rule, notification, delivery, no-op send, settled",
        num(ours),
        (ours / theirs).toFixed(2),
        num(median(hub.map((one) => one.cpuMicros))),
      ],
    ],
  )
  const ratio = ours / theirs
  return [
    {
      bench: "path",
      what: "hub's whole path ÷ graphile-worker",
      figure: `${ratio.toFixed(2)} (${num(ours)} ÷ ${num(theirs)}/s)`,
      aim: `≥ ${AIM_RATIO}`,
      met: ratio >= AIM_RATIO,
    },
  ]
}

/** By the database's clock: from the first routed event to the last settled delivery. */
async function hubWorksOff(url: string): Promise<{ perSecond: number; cpuMicros: number }> {
  const db = openDatabase({ url, applicationName: "bench" })
  for (let first = 0; first < JOBS; first += 500) {
    const events = Array.from({ length: 500 }, (_, i) =>
      incoming({ type: "bench.happened", business: DEFAULT_BUSINESS, payload: payload(first + i) }),
    )
    await insertEvents(db, events, Date.now())
  }
  await db.execute("analyze")
  // No credentials: the channel takes the message and does nothing.
  const hub = await startHub(url, RULES, TEMPLATES)
  try {
    const settled = async () => {
      const [row] = await db.query<{ n: number }>("select count(*)::int as n from deliveries where status = 'captured'")
      return row?.n === JOBS
    }
    // Asked seldom: counting is work for the same database, and the time is taken from its own stamps.
    await until("all events are settled", settled, DEADLINE_MS, 500)
    const [row] = await db.query<{ seconds: number }>(
      `select extract(epoch from (select max(settled_at) from deliveries) - (select min(created_at) from notifications))::float8
         as seconds`,
    )
    return { perSecond: JOBS / (row?.seconds ?? Number.NaN), cpuMicros: (await cpuMicros(hub.pid)) / JOBS }
  } finally {
    await hub.stop()
    await db.close()
  }
}

async function graphileWorksOff(url: string): Promise<number> {
  const command = [process.execPath, join(import.meta.dirname, "graphile.ts"), url, String(JOBS)]
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" })
  return (JOBS / Number(await new Response(child.stdout).text())) * 1_000
}

// ── latency ─────────────────────────────────────────────────────────────────────────────────────────────────────────

interface Latencies {
  readonly answer: readonly number[]
  readonly call: readonly number[]
}

async function latency(postgres: Postgres): Promise<readonly Row[]> {
  const rounds = { noop: [] as Latencies[], telegram: [] as Latencies[] }
  for (let round = 0; round < ROUNDS; round++) {
    rounds.noop.push(await noop(await prepared(postgres, "bench_latency_noop")))
    rounds.telegram.push(await telegram(await prepared(postgres, "bench_latency_telegram")))
  }
  console.log(`\n${num(RATE)} events/s for ${SECONDS} s, open loop; ms, medians of ${ROUNDS} interleaved rounds`)
  const at = (of: readonly Latencies[], what: keyof Latencies, share: number) =>
    median(of.map((one) => percentile(one[what], share)))
  const line = (label: string, of: readonly Latencies[]) => [
    label,
    ...[0.5, 0.99].map((share) => num(at(of, "answer", share))),
    ...[0.5, 0.99, 1].map((share) => num(at(of, "call", share))),
  ]
  printTable(
    ["channel", "answer p50", "answer p99", "call p50", "call p99", "call max"],
    [
      line("no-op (until its settlement begins)", rounds.noop),
      line("Telegram SDK, provider in this process", rounds.telegram),
    ],
  )
  console.log()
  return (["noop", "telegram"] as const).map((channel) => {
    const p99 = at(rounds[channel], "call", 0.99)
    return {
      bench: "path",
      what: `POST → ${channel === "noop" ? "no-op" : "Telegram SDK"} call, ${num(RATE)}/s`,
      figure: `p50 ${num(at(rounds[channel], "call", 0.5))} ms, p99 ${num(p99)} ms`,
      aim: `p99 < ${AIM_P99_MS} ms`,
      met: p99 < AIM_P99_MS,
    }
  })
}

/** The send leaves no trace, so the moment is that at which its settlement begins, which is a little later. */
async function noop(url: string): Promise<Latencies> {
  const hub = await startHub(url, RULES, TEMPLATES)
  try {
    const { dueAt, answer } = await paced(hub.port, PACE)
    const calledAt = new Map<string, number>()
    const all = async () => {
      const rows = await sql<{ key: string; at: number }>(
        url,
        `select e.idempotency_key as key, (extract(epoch from d.settled_at) * 1000)::float8 as at
         from deliveries d join events e on e.id = d.event_id where d.status = 'captured'`,
      )
      for (const { key, at } of rows) calledAt.set(key, at)
      return covers(calledAt, dueAt)
    }
    await until("all events are settled", all, DEADLINE_MS)
    return { answer, call: between(dueAt, calledAt) }
  } finally {
    await hub.stop()
  }
}

async function telegram(url: string): Promise<Latencies> {
  const provider = telegramProvider()
  const hub = await startHub(url, RULES, { ...TEMPLATES, ...provider.settings })
  try {
    const { dueAt, answer } = await paced(hub.port, PACE)
    await until("all events have been sent", async () => covers(provider.calledAt, dueAt), DEADLINE_MS)
    return { answer, call: between(dueAt, provider.calledAt) }
  } finally {
    await hub.stop()
    await provider.stop()
  }
}

if (import.meta.main) {
  const postgres = await benchPostgres()
  try {
    console.log(await machineLine(postgres))
    printRows(await path(postgres))
  } finally {
    await postgres.stop()
  }
}
