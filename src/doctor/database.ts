/** The database: whether it is there, can be trusted with what was accepted, and has room for a hub. */
import type { Config } from "../config.ts"
import type { Clock } from "../runtime/clock.ts"
import { databaseFacts } from "../store/database-facts.ts"
import { findRunning } from "../store/embedded.ts"
import { describeError } from "../telemetry/scrub.ts"
import { type Check, type Checked, type Finding, fail, ok, warn } from "./check.ts"

const OLDEST = 15
/** What a node's pool may take, as store/database.ts has it, and some for migrations and the command line. */
const CONNECTIONS_OF_A_NODE = 20

export const databaseCheck = (config: Config, clock: Clock): Check => ({
  name: "database",
  async run() {
    const url = config.databaseUrl?.reveal() ?? (await findRunning(config.dataDir))
    if (url === null)
      return { findings: [ok("database", "the embedded PostgreSQL, which starts with the hub; it is not running now")] }
    return examineDatabase(url, config, clock)
  },
})

async function examineDatabase(url: string, { production, databaseUrl }: Config, clock: Clock): Promise<Checked> {
  const before = clock.wall().getTime()
  let facts: Awaited<ReturnType<typeof databaseFacts>>
  try {
    facts = await databaseFacts(url)
  } catch (error) {
    const todo = "see that the server runs, and that DATABASE_URL names its host, user, password and database"
    return { findings: [fail("database", `it cannot be used: ${describeError(error)}`, todo)] }
  }
  const after = clock.wall().getTime()
  const findings: Finding[] = [
    facts.major >= OLDEST
      ? ok(
          "database",
          `PostgreSQL ${facts.version}${databaseUrl === null ? ", embedded" : ""}, and no extension is needed`,
        )
      : fail("database", `PostgreSQL ${facts.version}`, `use PostgreSQL ${OLDEST} or newer`),
  ]
  if (facts.readOnly) {
    findings.push(
      fail("database writes", "it takes none: a standby, or read-only", "point DATABASE_URL at the primary"),
    )
  }
  findings.push(migrationsFinding(facts))
  const room = `${facts.freeConnections} of ${facts.maxConnections} connections are free`
  findings.push(
    facts.freeConnections >= CONNECTIONS_OF_A_NODE
      ? ok("database connections", room)
      : warn(
          "database connections",
          room,
          `raise max_connections: a node of the hub takes up to ${CONNECTIONS_OF_A_NODE}`,
        ),
  )
  const unsafe = [
    ...(facts.fsync ? [] : ["fsync is off"]),
    ...(facts.fullPageWrites ? [] : ["full_page_writes is off"]),
    ...(facts.synchronousCommit === "off" ? ["synchronous_commit is off"] : []),
  ]
  const todo = "turn it on: a power cut would lose what was answered as accepted"
  findings.push(
    unsafe.length === 0
      ? ok("database fsync", "what was committed survives a power cut")
      : (production ? fail : warn)("database fsync", unsafe.join(", "), todo),
  )
  return {
    findings,
    clocks: [{ from: "the database", leastMs: before - facts.clock, mostMs: after - facts.clock }],
  }
}

function migrationsFinding({ pending, unknown, applied }: Awaited<ReturnType<typeof databaseFacts>>): Finding {
  if (unknown.length > 0) {
    const todo = "run the version of the hub that the others run"
    return fail("database schema", `it is newer than this hub: ${unknown.join(", ")}`, todo)
  }
  if (pending.length === 0) return ok("database schema", `all ${applied} migrations are applied`)
  if (applied === 0) return ok("database schema", "none yet: the hub makes it when it starts")
  const todo = "hub migrate, or let the hub do it when it starts"
  return warn("database schema", `${pending.length} of ${pending.length + applied} migrations are not applied`, todo)
}
