/**
 * Every bench on one server, one table at the end: `npm run bench`. One alone: `npm run bench -- ingest`. Takes some
 * twenty minutes; leave the machine alone meanwhile.
 */
import { actors } from "./actors.ts"
import { backtest } from "./backtest.ts"
import { check } from "./check.ts"
import { delivery } from "./delivery.ts"
import { drivers } from "./drivers.ts"
import { benchPostgres, machineLine, printRows, type Row } from "./harness.ts"
import { ingest } from "./ingest.ts"
import { ingestGrowth } from "./ingest-growth.ts"
import { ingestNats } from "./ingest-nats.ts"
import { isolation } from "./isolation.ts"
import { memory } from "./memory.ts"
import { path } from "./path.ts"
import { prune } from "./prune.ts"
import { realtime } from "./realtime.ts"
import { rules } from "./rules.ts"

const postgres = await benchPostgres()
const rows: Row[] = []
let machine = ""
try {
  machine = await machineLine(postgres)
  console.log(machine)
  for (const bench of [memory, ingest, ingestGrowth, ingestNats, path, delivery, isolation, prune, backtest, realtime])
    rows.push(...(await bench(postgres)))
} finally {
  await postgres.stop()
}
rows.push(...(await actors()), ...(await rules()), ...(await check())) // need no server
rows.push(...(await drivers())) // on a server of its own
console.log(`\n${machine}`)
printRows(rows)
