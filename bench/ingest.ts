/**
 * Durable `POST /v1/events` per second at 64 connections: the hub against a bare `Bun.serve` handler that parses the
 * same body and stores it by the same statement in the same group commit, without authentication, checks or hashes.
 * Three hubs: its front and ingest alone; the whole hub without rules (it still routes every event and writes that
 * nothing followed); and the whole hub with the shipped rules, each event of which becomes notifications.
 */
import { migrate } from "../src/store/migrate.ts"
import { type Flood, flood } from "./flood.ts"
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
import { API_KEY, cpuMicros, type Server, startHub, startServer } from "./servers.ts"

const CONNECTIONS = 64
const SECONDS = 4
const WARM_UP_SECONDS = 1
const ROUNDS = 3
const AIM = 0.6
const DRAIN_DEADLINE_MS = 300_000

const KINDS = ["bare", "ingest", "no rules", "shipped rules"] as const
type Kind = (typeof KINDS)[number]
const LABEL: Record<Kind, string> = {
  bare: "bare Bun.serve + group commit",
  ingest: "hub: front and ingest",
  "no rules": "hub: all of it, no rules",
  "shipped rules": "hub: all of it, shipped rules",
}

interface Round extends Flood {
  readonly cpuPerRequest: number
}

/** Runs the bench; prints its own table and returns the rows for the common one. */
export async function ingest(postgres: Postgres): Promise<readonly Row[]> {
  const sides = []
  for (const kind of KINDS) {
    const url = await freshDatabase(postgres.url, `bench_ingest_${kind.replace(" ", "_")}`)
    await migrate(url)
    sides.push({ kind, url, server: await start(kind, url), rounds: [] as Round[] })
  }
  try {
    for (let round = 0; round < ROUNDS; round++)
      for (const { url, server, rounds } of sides) rounds.push(await measure(url, server))
  } finally {
    for (const { server } of sides) await server.stop()
  }
  const perSecond = (rounds: readonly Round[]) => median(rounds.map((round) => round.accepted / round.seconds))
  const floor = perSecond(sides[0]?.rounds ?? [])
  console.log(
    `\nPOST /v1/events, ${CONNECTIONS} connections, ${SECONDS} s, medians of ${ROUNDS} interleaved rounds (raw HTTP/1.1 client on Bun sockets)`,
  )
  printTable(
    ["server", "events/s", "ratio", "p50 ms", "p99 ms", "server CPU µs a request", "not 201"],
    sides.map(({ kind, rounds }) => [
      LABEL[kind],
      num(perSecond(rounds)),
      (perSecond(rounds) / floor).toFixed(2),
      num(median(rounds.map(({ p50 }) => p50))),
      num(median(rounds.map(({ p99 }) => p99))),
      num(median(rounds.map(({ cpuPerRequest }) => cpuPerRequest))),
      num(
        percentile(
          rounds.map(({ others }) => others),
          1,
        ),
      ),
    ]),
  )
  console.log()
  return sides.slice(1).map(({ kind, rounds }) => {
    const ratio = perSecond(rounds) / floor
    return {
      bench: "ingest",
      what: `${LABEL[kind]} ÷ bare`,
      figure: `${ratio.toFixed(2)} (${num(perSecond(rounds))} ÷ ${num(floor)}/s)`,
      aim: kind === "shipped rules" ? null : `≥ ${AIM}`,
      met: kind === "shipped rules" ? null : ratio >= AIM,
    }
  })
}

function start(kind: Kind, url: string): Promise<Server> {
  switch (kind) {
    case "bare":
    case "ingest":
      return startServer(kind, url)
    case "no rules":
      return startHub(url, null)
    case "shipped rules":
      return startHub(url, `${import.meta.dirname}/../rules`)
  }
}

async function measure(url: string, server: Server): Promise<Round> {
  await flood(server.port, API_KEY, CONNECTIONS, WARM_UP_SECONDS)
  await drained(url)
  const before = await cpuMicros(server.pid)
  const seen = await flood(server.port, API_KEY, CONNECTIONS, SECONDS)
  const cpu = (await cpuMicros(server.pid)) - before
  await drained(url)
  return { ...seen, cpuPerRequest: cpu / seen.accepted }
}

/** What a hub has not routed and sent yet would be worked on in the next one's time; those that route nothing are emptied. */
async function drained(url: string): Promise<void> {
  const routes = await sql(
    url,
    "select from pg_stat_activity where datname = current_database() and application_name = 'hubbub'",
  )
  if (routes.length === 0) return
  await until(
    "the hub has routed and sent everything",
    async () => {
      const [row] = await sql<{ left: boolean }>(
        url,
        "select exists (select from routing_queue) or exists (select from deliveries where status in ('queued', 'sending')) as left",
      )
      return row?.left === false
    },
    DRAIN_DEADLINE_MS,
  )
}

if (import.meta.main) {
  const postgres = await benchPostgres()
  try {
    console.log(await machineLine(postgres))
    printRows(await ingest(postgres))
  } finally {
    await postgres.stop()
  }
}
