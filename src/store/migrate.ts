/**
 * Forward-only migrations: plain numbered SQL, each in its own transaction, once. Racing processes queue on one
 * advisory lock, so that two nodes may start at once, and a kill in the middle leaves nothing half applied.
 */
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import pg from "pg"

/** "hubbub" in a number: any value does, as long as nobody else on the database uses it. */
const LOCK = 4_805_117

export const MIGRATIONS_DIRECTORY = join(import.meta.dir, "../../migrations")

/** The names of the files in a directory that are migrations, in the order in which they apply. */
export async function migrationNames(directory: string = MIGRATIONS_DIRECTORY): Promise<readonly string[]> {
  return (await readdir(directory)).filter((name) => /^\d{4}_[a-z0-9_]+\.sql$/.test(name)).sort()
}

/**
 * Brings the database at `url` up to date and returns the names of what was applied now (empty: nothing to do).
 * Throws PostgreSQL's own error, with the file's name in front, when a migration fails; nothing of that file stays.
 */
export async function migrate(
  url: string,
  options: { directory?: string } = {},
): Promise<{ applied: readonly string[] }> {
  const directory = options.directory ?? MIGRATIONS_DIRECTORY
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 10_000 })
  client.on("error", () => {
    // A connection that dies between two statements fails the next one, which reports it.
  })
  await client.connect()
  try {
    await client.query("select pg_advisory_lock($1)", [LOCK])
    await client.query(
      "create table if not exists schema_migrations (name text primary key, applied_at timestamptz not null default now())",
    )
    const known = await client.query<{ name: string }>("select name from schema_migrations")
    const done = new Set(known.rows.map((row) => row.name))
    const applied: string[] = []
    for (const name of await migrationNames(directory)) {
      if (done.has(name)) continue
      await applyOne(client, directory, name)
      applied.push(name)
    }
    return { applied }
  } finally {
    await client.end()
  }
}

async function applyOne(client: pg.Client, directory: string, name: string): Promise<void> {
  const sql = await readFile(join(directory, name), "utf8")
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
