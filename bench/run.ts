/**
 * Every bench on one server, one table at the end: `npm run bench`. One alone: `npm run bench -- ingest`. Takes some
 * ten minutes; leave the machine alone meanwhile.
 */
import { drivers } from "./drivers.ts"
import { benchPostgres, machineLine, printRows, type Row } from "./harness.ts"
import { ingest } from "./ingest.ts"
import { memory } from "./memory.ts"
import { path } from "./path.ts"

const postgres = await benchPostgres()
const rows: Row[] = []
let machine = ""
try {
  machine = await machineLine(postgres)
  console.log(machine)
  for (const bench of [memory, ingest, path]) rows.push(...(await bench(postgres)))
} finally {
  await postgres.stop()
}
rows.push(...(await drivers())) // on a server of its own
console.log(`\n${machine}`)
printRows(rows)
