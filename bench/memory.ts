/**
 * How much memory the hub takes when it has started with the shipped rules and nothing happens; its database is another
 * process and not counted. And, to see what traffic leaves behind, again after a flood and a rest.
 */
import { migrate } from "../src/store/migrate.ts"
import { flood } from "./flood.ts"
import { benchPostgres, freshDatabase, machineLine, median, type Postgres, printRows, type Row } from "./harness.ts"
import { API_KEY, type Server, startHub } from "./servers.ts"

const ROUNDS = 3
const SETTLE_MS = 5_000
const FLOOD_SECONDS = 5
const REST_MS = 20_000
const AIM_MB = 150

interface Megabytes {
  readonly rss: number
  /** Shared pages counted in part; NaN where the system does not tell. */
  readonly pss: number
}

/** Runs the bench and returns the rows for the common table. */
export async function memory(postgres: Postgres): Promise<readonly Row[]> {
  const idle: Megabytes[] = []
  let after: Megabytes | null = null
  for (let round = 1; round <= ROUNDS; round++) {
    const url = await freshDatabase(postgres.url, "bench_memory")
    await migrate(url)
    const hub = await startHub(url, `${import.meta.dirname}/../rules`)
    try {
      await Bun.sleep(SETTLE_MS)
      idle.push(await megabytes(hub))
      if (round < ROUNDS) continue
      await flood(hub.port, API_KEY, 64, FLOOD_SECONDS)
      await Bun.sleep(REST_MS)
      after = await megabytes(hub)
    } finally {
      await hub.stop()
    }
  }
  const rss = median(idle.map((one) => one.rss))
  const pss = median(idle.map((one) => one.pss))
  const shown = (one: Megabytes) => `${one.rss.toFixed(0)} MB RSS, ${one.pss.toFixed(0)} MB PSS`
  const row = { bench: "memory", aim: null, met: null }
  return [
    { ...row, what: "idle hub, shipped rules", figure: shown({ rss, pss }), aim: `< ${AIM_MB} MB`, met: rss < AIM_MB },
    ...(after === null
      ? []
      : [{ ...row, what: `${REST_MS / 1000} s after ${FLOOD_SECONDS} s of flood`, figure: shown(after) }]),
  ]
}

async function megabytes({ pid }: Server): Promise<Megabytes> {
  const rollup = await Bun.file(`/proc/${pid}/smaps_rollup`).text()
  const of = (name: string) => Number(new RegExp(`^${name}: +(\\d+) kB`, "m").exec(rollup)?.[1]) / 1_024
  return { rss: of("Rss"), pss: of("Pss") }
}

if (import.meta.main) {
  const postgres = await benchPostgres()
  try {
    console.log(await machineLine(postgres))
    printRows(await memory(postgres))
  } finally {
    await postgres.stop()
  }
}
