// Two tables in one database, because that is the whole trick: a resource and the news of it are committed together or
// not at all, whatever happens to the hub, the network or this process.
import { Pool, type PoolClient } from "pg"

const SCHEMA = `
  create schema if not exists resources_server;

  create table if not exists resources_server.resources (
    business_id text not null,
    location_id text not null,
    type text not null,
    id text not null,
    data jsonb not null,
    version integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (business_id, location_id, type, id)
  );

  create table if not exists resources_server.outbox (
    seq bigint generated always as identity primary key,
    -- The idempotency key: an uuid, so that a restored or recreated database never uses an old key for other news.
    id uuid not null unique default gen_random_uuid(),
    business_id text not null,
    location_id text not null,
    -- Text, not jsonb: a repeat must be the same bytes.
    message text not null,
    created_at timestamptz not null default now(),
    attempts integer not null default 0,
    last_error text,
    parked_at timestamptz
  );

  create index if not exists outbox_waiting
    on resources_server.outbox (business_id, location_id, seq) where parked_at is null;
`
const SCHEMA_LOCK = 7_264_021

/** Connects and creates what is not there yet. */
export async function openDatabase(url: string): Promise<Pool> {
  const pool = new Pool({
    connectionString: url,
    max: 16,
    connectionTimeoutMillis: 3_000,
    statement_timeout: 5_000,
    query_timeout: 6_000,
    application_name: "resources-server",
  })
  // An idle connection that dies is replaced by the pool; without a listener it would end the process.
  pool.on("error", (error) => console.error(`database: ${error.message}`))
  try {
    await inTransaction(pool, async (tx) => {
      await tx.query("select pg_advisory_xact_lock($1)", [SCHEMA_LOCK]) // two servers may start at once
      await tx.query(SCHEMA)
    })
  } catch (error) {
    await pool.end()
    throw error
  }
  return pool
}

/** Commits what `work` did, or nothing of it where it throws. */
export async function inTransaction<T>(pool: Pool, work: (tx: PoolClient) => Promise<T>): Promise<T> {
  const tx = await pool.connect()
  let broken: Error | undefined
  try {
    await tx.query("begin")
    const result = await work(tx)
    await tx.query("commit")
    return result
  } catch (error) {
    await tx.query("rollback").catch((lost: unknown) => {
      broken = lost instanceof Error ? lost : new Error(String(lost))
    })
    throw error
  } finally {
    tx.release(broken)
  }
}
