/**
 * What an event costs when many are stored already: processor time of the hub's front and ingest and of PostgreSQL's
 * backends for each durable event, on databases of 0, 100,000 and 1,000,000 events, in rounds that take turns. Processor
 * time, because on a shared machine the clock says more of the others.
 */
import { migrate } from "../src/store/migrate.ts"
import { flood } from "./flood.ts"
import {
  benchPostgres,
  freshDatabase,
  machineLine,
  median,
  num,
  type Postgres,
  printRows,
  printTable,
  type Row,
  sql,
  sum,
} from "./harness.ts"
import { API_KEY, cpuMicros, type Server, startServer } from "./servers.ts"

const STORED = [0, 100_000, 1_000_000] as const
const CONNECTIONS = 64
const SECONDS = 3
const ROUNDS = 3
const MOST_GROWTH = 1.15
const FILL_STEP = 50_000

interface Round {
  readonly perSecond: number
  readonly hubMicros: number
  readonly postgresMicros: number
}

interface Side {
  readonly stored: number
  readonly url: string
  readonly server: Server
  readonly rounds: Round[]
}

/** Runs the bench; prints its own table and returns the rows for the common one. */
export async function ingestGrowth(postgres: Postgres): Promise<readonly Row[]> {
  const sides: Side[] = []
  try {
    for (const stored of STORED) sides.push(await side(postgres, stored))
    for (let round = 0; round < ROUNDS; round++) for (const one of sides) one.rounds.push(await measure(one))
  } finally {
    for (const { server } of sides) await server.stop()
  }
  const cost = ({ rounds }: Side) => median(rounds.map(({ hubMicros, postgresMicros }) => hubMicros + postgresMicros))
  const of = (side: Side, figure: keyof Round) => median(side.rounds.map((round) => round[figure]))
  const empty = sides.map(cost)[0] ?? Number.NaN
  console.log(
    `\nPOST /v1/events on what is stored, ${CONNECTIONS} connections, medians of ${ROUNDS} interleaved rounds of ${SECONDS} s`,
  )
  printTable(
    ["stored before", "events/s", "hub µs an event", "PostgreSQL µs an event", "both ÷ empty"],
    sides.map((side) => [
      num(side.stored),
      num(of(side, "perSecond")),
      num(of(side, "hubMicros")),
      num(of(side, "postgresMicros")),
      (cost(side) / empty).toFixed(2),
    ]),
  )
  return sides.slice(1).map((side) => {
    const growth = cost(side) / empty
    return {
      bench: "ingest-growth",
      what: `cost of an event, ${num(side.stored)} stored ÷ none`,
      figure: `${growth.toFixed(2)} (${num(cost(side))} ÷ ${num(empty)} µs)`,
      aim: `≤ ${MOST_GROWTH}`,
      met: growth <= MOST_GROWTH,
    }
  })
}

async function side(postgres: Postgres, stored: number): Promise<Side> {
  const url = await freshDatabase(postgres.url, `bench_ingest_growth_${stored}`)
  await migrate(url)
  const server = await startServer("ingest", url)
  // Real rows of this client are the pattern of the rest, and the first plans are made meanwhile.
  await flood(server.port, API_KEY, CONNECTIONS, 1)
  if (stored > 0) await fill(url, stored)
  else await sql(url, "truncate events, routing_queue")
  for (const statement of ["vacuum (analyze) events", "checkpoint"]) await sql(url, statement)
  return { stored, url, server, rounds: [] }
}

/**
 * Copies real rows under ids that sort as the times do, and keys that are as scattered as those of producers: every index
 * of the table is as large and as deep as if they had come one by one.
 */
async function fill(url: string, stored: number): Promise<void> {
  const columns = (
    await sql<{ name: string }>(
      url,
      `select column_name as name from information_schema.columns
       where table_schema = 'public' and table_name = 'events' and is_generated = 'NEVER' order by ordinal_position`,
    )
  ).map(({ name }) => name)
  const copied = columns.map((name) => {
    if (name === "id") return "'evt_00' || lpad(to_hex(n), 8, '0') || substr(md5(n::text), 1, 16)"
    return name === "idempotency_key" ? "md5('k' || n) || '-' || n" : `pattern.${name}`
  })
  await sql(url, "create table pattern as select *, row_number() over () as nth from events limit 500")
  await sql(url, "truncate events, routing_queue")
  for (let from = 0; from < stored; from += FILL_STEP)
    await sql(
      url,
      `insert into events (${columns.join(", ")}) select ${copied.join(", ")}
       from generate_series($1::int, $2::int) n join pattern on pattern.nth = 1 + n % (select count(*) from pattern)`,
      [from, Math.min(stored, from + FILL_STEP) - 1],
    )
  await sql(url, "drop table pattern")
}

async function measure({ url, server }: Side): Promise<Round> {
  const backends = await sql<{ pid: number }>(
    url,
    "select pid from pg_stat_activity where datname = current_database() and application_name = 'bench'",
  )
  const postgres = async () => sum(await Promise.all(backends.map(({ pid }) => cpuMicros(pid))))
  const [hubBefore, postgresBefore] = [await cpuMicros(server.pid), await postgres()]
  const { accepted, seconds } = await flood(server.port, API_KEY, CONNECTIONS, SECONDS)
  const [hub, database] = [(await cpuMicros(server.pid)) - hubBefore, (await postgres()) - postgresBefore]
  return { perSecond: accepted / seconds, hubMicros: hub / accepted, postgresMicros: database / accepted }
}

if (import.meta.main) {
  const postgres = await benchPostgres()
  try {
    console.log(await machineLine(postgres))
    printRows(await ingestGrowth(postgres))
  } finally {
    await postgres.stop()
  }
}
