/**
 * Forward-only migrations: plain numbered SQL, each in its own transaction, once. Racing processes queue on one
 * advisory lock, so that two nodes may start at once, and a kill in the middle leaves nothing half applied.
 */
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import pg from "pg"

/** "hubbub" in a number: any value does, as long as nobody else on the database uses it. */
const LOCK = 4_805_117
const CONNECT_TIMEOUT_MS = 3_000
/** What another node's migrations, or a statement on a table that we alter, may take. */
const LOCK_TIMEOUT_MS = 20_000
const OLDEST_SERVER = 15

const MIGRATIONS_DIRECTORY = join(import.meta.dir, "../../migrations")

declare global {
  /** File name → SQL. The single executable has no folder to look into: scripts/binary.ts puts them here. */
  var HUB_MIGRATIONS: Readonly<Record<string, string>> | undefined
}

interface Migration {
  readonly name: string
  readonly sql: string
}

/** The migrations in the order in which they apply. */
async function migrations(directory: string | undefined): Promise<readonly Migration[]> {
  const embedded = globalThis.HUB_MIGRATIONS
  if (directory === undefined && embedded !== undefined)
    return Object.entries(embedded)
      .map(([name, sql]) => ({ name, sql }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  const folder = directory ?? MIGRATIONS_DIRECTORY
  const names = (await readdir(folder)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort()
  return Promise.all(names.map(async (name) => ({ name, sql: await readFile(join(folder, name), "utf8") })))
}

/** Those of this version, in their order. */
export const migrationNames = async (): Promise<readonly string[]> =>
  (await migrations(undefined)).map(({ name }) => name)

/**
 * Brings the database at `url` up to date and returns the names of what was applied now (empty: nothing to do).
 * Throws PostgreSQL's own error, with the file's name in front, when a migration fails; nothing of that file stays.
 */
export async function migrate(
  url: string,
  options: { directory?: string } = {},
): Promise<{ applied: readonly string[] }> {
  const all = await migrations(options.directory)
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS })
  client.on("error", () => {
    // A connection that dies between two statements fails the next one, which reports it.
  })
  await client.connect()
  try {
    await refuseOldServer(client)
    await client.query(`set lock_timeout = ${LOCK_TIMEOUT_MS}`)
    await client.query("select pg_advisory_lock($1)", [LOCK])
    await client.query(
      "create table if not exists schema_migrations (name text primary key, applied_at timestamptz not null default now())",
    )
    const known = await client.query<{ name: string }>("select name from schema_migrations")
    const done = new Set(known.rows.map((row) => row.name))
    const applied: string[] = []
    for (const migration of all) {
      if (done.has(migration.name)) continue
      await applyOne(client, migration)
      applied.push(migration.name)
    }
    return { applied }
  } finally {
    await client.end()
  }
}

async function refuseOldServer(client: pg.Client): Promise<void> {
  const { rows } = await client.query<{ version: string }>("select current_setting('server_version') as version")
  const version = rows[0]?.version ?? ""
  if (Number.parseInt(version, 10) < OLDEST_SERVER)
    throw new Error(`PostgreSQL ${version} is too old: the hub needs ${OLDEST_SERVER} or newer`)
}

async function applyOne(client: pg.Client, { name, sql }: Migration): Promise<void> {
  try {
    await client.query("begin")
    await client.query(sql)
    await client.query("insert into schema_migrations (name) values ($1)", [name])
    await client.query("commit")
  } catch (error) {
    await client.query("rollback")
    throw new Error(`migration ${name} failed: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    })
  }
}
