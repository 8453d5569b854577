// A database for one test file, on the server that the test wrapper started. Migrations run once for each content of
// migrations/: into a template, which every file then copies in some 50 ms.
import { createHash, randomBytes } from "node:crypto"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { Client } from "pg"
import { migrate } from "../store/migrate.ts"

export interface TestDatabase {
  /** A migrated, empty database of its own, for a superuser. */
  readonly url: string
  /** Removes it, with whatever is still connected. */
  drop(): Promise<void>
}

const MIGRATIONS = join(import.meta.dirname, "../../migrations")
const QUERY_DEADLINE_MS = 60_000
// Workers of one run, and several runs on one server, make a template once: "hubt" in ASCII.
const TEMPLATE_LOCK = 0x68756274

/** The server of this test run; the local one when tests are run without the wrapper. */
export function testServerUrl(): string {
  return process.env["HUB_TEST_DATABASE_URL"] ?? "postgres://postgres@127.0.0.1:5432/postgres"
}

/** A fresh, migrated database. Call `drop` in `afterAll`. */
export async function testDatabase(): Promise<TestDatabase> {
  const name = `hub_test_${process.pid}_${randomBytes(6).toString("hex")}`
  await onServer(async (server) => {
    const template = await templateDatabase(server)
    // Copying files beats replaying the WAL, but forces a checkpoint, which costs where fsync is on.
    const { rows } = await server.query("select current_setting('fsync') = 'off' as unsafe")
    const strategy = rows[0]?.unsafe === true ? "file_copy" : "wal_log"
    await server.query(`create database ${name} template ${template} strategy ${strategy}`)
  })
  return { url: urlOf(name), drop: () => dropDatabase(name) }
}

/** A database with nothing in it, as an operator hands one over. Call `drop` in the end. */
export async function emptyDatabase(): Promise<TestDatabase> {
  const name = `hub_test_${process.pid}_${randomBytes(6).toString("hex")}`
  await onServer((server) => server.query(`create database ${name} template template0`))
  return { url: urlOf(name), drop: () => dropDatabase(name) }
}

const dropDatabase = (name: string): Promise<void> =>
  onServer((server) => server.query(`drop database if exists ${name} with (force)`).then(() => undefined))

async function templateDatabase(server: Client): Promise<string> {
  const name = `hub_template_${contentHash(MIGRATIONS)}`
  await server.query("select pg_advisory_lock($1)", [TEMPLATE_LOCK]) // until this connection ends
  const { rowCount } = await server.query("select from pg_database where datname = $1", [name])
  if (rowCount === 0) {
    const draft = `${name}_draft` // the name says "migrated": a run that died on the way leaves only the draft
    await server.query(`drop database if exists ${draft} with (force)`)
    await server.query(`create database ${draft} template template0`)
    await migrate(urlOf(draft))
    await server.query(`alter database ${draft} rename to ${name}`)
  }
  await server.query("select pg_advisory_unlock($1)", [TEMPLATE_LOCK])
  return name
}

function contentHash(directory: string): string {
  const hash = createHash("sha256")
  for (const file of readdirSync(directory).sort()) hash.update(`${file}\0`).update(readFileSync(join(directory, file)))
  return hash.digest("hex").slice(0, 16)
}

function urlOf(database: string): string {
  const url = new URL(testServerUrl())
  url.pathname = `/${database}`
  return url.href
}

async function onServer<T>(work: (server: Client) => Promise<T>): Promise<T> {
  const server = new Client({ connectionString: testServerUrl(), query_timeout: QUERY_DEADLINE_MS })
  await server.connect()
  try {
    return await work(server)
  } finally {
    await server.end()
  }
}
