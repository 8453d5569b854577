/** What an operator should know of a database before trusting it with events: read, never changed. */
import { openDatabase } from "./database.ts"
import { migrationNames } from "./migrate.ts"

export interface DatabaseFacts {
  /** `15.4` */
  readonly version: string
  readonly major: number
  /** Migrations that are not applied yet, and applied ones that this version does not know. */
  readonly pending: readonly string[]
  readonly unknown: readonly string[]
  readonly applied: number
  /** The database's clock, ms since the Unix epoch. */
  readonly clock: number
  readonly freeConnections: number
  readonly maxConnections: number
  readonly fsync: boolean
  readonly fullPageWrites: boolean
  /** As this user's sessions have it. */
  readonly synchronousCommit: string
  /** It is a copy that follows another: nothing can be written. */
  readonly readOnly: boolean
  readonly extensions: readonly string[]
}

/** Reads them over one connection of its own. Throws what the driver throws. */
export async function databaseFacts(url: string): Promise<DatabaseFacts> {
  const db = openDatabase({ url, max: 1, applicationName: "hub-doctor" })
  try {
    const [row] = await db.query<{
      version: string
      number: number
      clock: number
      free: number
      most: number
      fsync: string
      full_page_writes: string
      synchronous_commit: string
      read_only: boolean
      extensions: readonly string[]
      migrated: boolean
    }>(`select current_setting('server_version') as version, current_setting('server_version_num')::int as number,
      (extract(epoch from clock_timestamp()) * 1000)::float8 as clock,
      current_setting('max_connections')::int as most,
      (current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
        - (select sum(numbackends) from pg_stat_database))::int as free,
      current_setting('fsync') as fsync, current_setting('full_page_writes') as full_page_writes,
      current_setting('synchronous_commit') as synchronous_commit,
      pg_is_in_recovery() or current_setting('default_transaction_read_only') = 'on' as read_only,
      array(select extname::text from pg_extension where extname <> 'plpgsql' order by 1) as extensions,
      to_regclass('schema_migrations') is not null as migrated`)
    if (row === undefined) throw new Error("the database answers nothing")
    const known = await migrationNames()
    const applied = row.migrated
      ? (await db.query<{ name: string }>("select name from schema_migrations")).map(({ name }) => name)
      : []
    return {
      version: row.version,
      major: Math.floor(row.number / 10_000),
      pending: known.filter((name) => !applied.includes(name)),
      unknown: applied.filter((name) => !known.includes(name)),
      applied: applied.length,
      clock: row.clock,
      freeConnections: row.free,
      maxConnections: row.most,
      fsync: row.fsync === "on",
      fullPageWrites: row.full_page_writes === "on",
      synchronousCommit: row.synchronous_commit,
      readOnly: row.read_only,
      extensions: row.extensions,
    }
  } finally {
    await db.close()
  }
}
