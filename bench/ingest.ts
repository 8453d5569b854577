/**
 * Durable `POST /v1/events` per second at 64 and 256 connections: the hub against a bare `Bun.serve` handler that parses the
 * same body and stores it by the same statement in the same group commit, without authentication, checks or hashes; and,
 * to inform, an Elysia route with the hub's checks that stores nothing.
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

const CONNECTIONS = [64, 256] as const
const SECONDS = 4
const WARM_UP_SECONDS = 1
const ROUNDS = 3
const DRAIN_DEADLINE_MS = 300_000

const KINDS = ["bare", "elysia", "ingest", "no rules", "shipped rules"] as const
type Kind = (typeof KINDS)[number]
/** Of the bare handler's events per second; null where the rival does none of the work. */
const AIM: Record<Kind, number | null> = {
  bare: null,
  elysia: null,
  ingest: 0.7,
  "no rules": 0.6,
  "shipped rules": null,
}
const LABEL: Record<Kind, string> = {
  bare: "bare Bun.serve + group commit",
  elysia: "empty Elysia route, hub's checks, nothing stored",
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
  const rows: Row[] = []
  try {
    for (const connections of CONNECTIONS) {
      for (const { rounds } of sides) rounds.length = 0
      for (let round = 0; round < ROUNDS; round++)
        for (const { url, server, rounds } of sides) rounds.push(await measure(url, server, connections))
      rows.push(...shown(sides, connections))
    }
  } finally {
    for (const { server } of sides) await server.stop()
  }
  return rows
}

interface Side {
  readonly kind: Kind
  readonly rounds: readonly Round[]
}

/** Prints what these rounds came to, and gives the rows of it. */
function shown(sides: readonly Side[], connections: number): readonly Row[] {
  const perSecond = ({ rounds }: Side) => median(rounds.map((round) => round.accepted / round.seconds))
  const cpu = ({ rounds }: Side) => median(rounds.map(({ cpuPerRequest }) => cpuPerRequest))
  const of = (kind: Kind) => sides.find((side) => side.kind === kind) ?? { kind, rounds: [] }
  const floor = perSecond(of("bare"))
  console.log(
    `\nPOST /v1/events, ${connections} connections, ${SECONDS} s, medians of ${ROUNDS} interleaved rounds (raw HTTP/1.1 client on Bun sockets)`,
  )
  printTable(
    [
      "server",
      "events/s",
      "ratio",
      "p50 ms",
      "p99 ms",
      "server CPU µs a request",
      "% of a core per 1,000/s",
      "not 201",
    ],
    sides.map((side) => [
      LABEL[side.kind],
      num(perSecond(side)),
      (perSecond(side) / floor).toFixed(2),
      num(median(side.rounds.map(({ p50 }) => p50))),
      num(median(side.rounds.map(({ p99 }) => p99))),
      num(cpu(side)),
      num(percentOfCore(cpu(side))),
      num(
        percentile(
          side.rounds.map(({ others }) => others),
          1,
        ),
      ),
    ]),
  )
  console.log()
  const hubs = sides.filter(({ kind }) => kind === "ingest" || kind === "no rules" || kind === "shipped rules")
  const toBare = hubs.map((side): Row => {
    const ratio = perSecond(side) / floor
    const aim = AIM[side.kind]
    return {
      bench: `ingest, ${connections}`,
      what: `${LABEL[side.kind]} ÷ bare`,
      figure: `${ratio.toFixed(2)} (${num(perSecond(side))} ÷ ${num(floor)}/s)`,
      aim: aim === null ? null : `≥ ${aim}`,
      met: aim === null ? null : ratio >= aim,
    }
  })
  const inform = (what: string, figure: string): Row => ({
    bench: `ingest, ${connections}`,
    what,
    figure,
    aim: null,
    met: null,
  })
  const [front, empty] = [perSecond(of("ingest")), perSecond(of("elysia"))]
  return [
    ...toBare,
    inform(`${LABEL.ingest} ÷ ${LABEL.elysia}`, `${(front / empty).toFixed(2)} (${num(front)} ÷ ${num(empty)}/s)`),
    ...hubs.map((side) =>
      inform(`${LABEL[side.kind]}: of a core per 1,000 events/s`, `${num(percentOfCore(cpu(side)))} %`),
    ),
  ]
}

/** What 1,000 requests a second take of one core, in per cent. */
const percentOfCore = (microsPerRequest: number): number => microsPerRequest / 10

function start(kind: Kind, url: string): Promise<Server> {
  switch (kind) {
    case "bare":
    case "elysia":
    case "ingest":
      return startServer(kind, url)
    case "no rules":
      return startHub(url, null)
    case "shipped rules":
      return startHub(url, `${import.meta.dirname}/../rules`)
  }
}

async function measure(url: string, server: Server, connections: number): Promise<Round> {
  await flood(server.port, API_KEY, connections, WARM_UP_SECONDS)
  await drained(url)
  const before = await cpuMicros(server.pid)
  const seen = await flood(server.port, API_KEY, connections, SECONDS)
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
