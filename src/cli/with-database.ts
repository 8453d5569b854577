/** A command's way to the hub's database: DATABASE_URL, else the embedded one, which a running hub may hold already. */
import type { Config } from "../config.ts"
import { type Database, databaseProblem, openDatabase } from "../store/database.ts"
import { EmbeddedPostgresError, findRunning, startEmbedded } from "../store/embedded.ts"
import { migrate } from "../store/migrate.ts"
import { describeError } from "../telemetry/scrub.ts"
import { Misuse, type Terminal } from "./command.ts"

/**
 * Runs `work` with the URL of a database that is up, and ends what had to be started for it. Throws Misuse where there
 * is none, or it says no.
 */
export async function withDatabaseUrl<T>(
  config: Config,
  terminal: Terminal,
  work: (url: string) => Promise<T>,
): Promise<T> {
  try {
    if (config.databaseUrl !== null) return await work(config.databaseUrl.reveal())
    const running = await findRunning(config.dataDir)
    if (running !== null) return await work(running)
    const embedded = await startEmbedded({ dataDir: config.dataDir, durable: true, notice: terminal.err })
    try {
      return await work(embedded.url)
    } finally {
      await embedded.stop()
    }
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) throw new Misuse(error.message)
    const reason = error instanceof Error && error.cause !== undefined ? error.cause : error // a migration's
    if (databaseProblem(reason) !== null) throw new Misuse(`the database cannot be used: ${describeError(error)}`)
    throw error
  }
}

/** Runs `work` on an open, migrated database. */
export function withDatabase<T>(config: Config, terminal: Terminal, work: (db: Database) => Promise<T>): Promise<T> {
  return withDatabaseUrl(config, terminal, async (url) => {
    await migrate(url)
    const db = openDatabase({ url, max: 2, applicationName: "hub-cli" })
    try {
      return await work(db)
    } finally {
      await db.close()
    }
  })
}
