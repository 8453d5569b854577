/**
 * What every bench needs: a real PostgreSQL with fsync on, a line that says on what it ran, medians and percentiles,
 * and one table. Absolute figures move from machine to machine: what counts is the ratio to a rival in the same run.
 */
import { chmodSync, mkdtempSync, rmSync } from "node:fs"
import { cpus, loadavg, tmpdir } from "node:os"
import { join } from "node:path"
import { Client } from "pg"
import { startEmbedded } from "../src/store/embedded.ts"

/** One line of the last table. `aim` is null for figures that only inform. */
export interface Row {
  readonly bench: string
  readonly what: string
  readonly figure: string
  readonly aim: string | null
  readonly met: boolean | null
}

export interface Postgres {
  /** For a superuser; any database of this server may be made and dropped. */
  readonly url: string
  /** "embedded" or "BENCH_DATABASE_URL". */
  readonly origin: string
  stop(): Promise<void>
}

const QUERY_DEADLINE_MS = 60_000

/** The server of BENCH_DATABASE_URL, else one of our own on a temporary data directory; fsync must be on. */
export async function benchPostgres(): Promise<Postgres> {
  const given = process.env["BENCH_DATABASE_URL"]
  if (given !== undefined) {
    await requireFsync(given)
    return { url: given, origin: "BENCH_DATABASE_URL", stop: async () => undefined }
  }
  const dataDir = temporaryFolder()
  const server = await startEmbedded({ dataDir, durable: true, maxConnections: 200 })
  await requireFsync(server.url)
  const stop = async () => {
    await server.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
  return { url: server.url, origin: "embedded", stop }
}

/** A new folder that the account of the embedded server may pass through, so that its data stays inside. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "hub-bench-"))
  chmodSync(folder, 0o711)
  return folder
}

async function requireFsync(url: string): Promise<void> {
  const [row] = await sql<{ fsync: string; commit: string }>(
    url,
    "select current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit",
  )
  if (row?.fsync !== "on" || row.commit !== "on") throw new Error("a bench without fsync measures nothing")
}

/** One statement over a connection of its own; for setting up and looking, never inside a measured part. */
export async function sql<R>(url: string, text: string, values: readonly unknown[] = []): Promise<readonly R[]> {
  const client = new Client({ connectionString: url, query_timeout: QUERY_DEADLINE_MS })
  await client.connect()
  try {
    return (await client.query(text, [...values])).rows as R[] // the caller names the columns it selected
  } finally {
    await client.end()
  }
}

/** An empty database of the server, made anew under this name. */
export async function freshDatabase(server: string, name: string): Promise<string> {
  await sql(server, `drop database if exists ${name} with (force)`)
  await sql(server, `create database ${name} template template0`)
  const url = new URL(server)
  url.pathname = `/${name}`
  return url.href
}

/** On what this ran: cores, Bun, load before the start, and the server if one takes part. */
export async function machineLine(postgres?: Postgres): Promise<string> {
  const load = `load ${loadavg()[0]?.toFixed(2)}`
  const machine = `${cpus().length} cores, Bun ${Bun.version}`
  if (postgres === undefined) return `${machine}, ${load}`
  const [row] = await sql<{ version: string; fsync: string }>(
    postgres.url,
    "select current_setting('server_version') as version, current_setting('fsync') as fsync",
  )
  return `${machine}, PostgreSQL ${row?.version} (${postgres.origin}), fsync ${row?.fsync}, ${load}`
}

export const sum = (values: readonly number[]): number => values.reduce((all, value) => all + value, 0)

/** The value below which `share` (0 to 1) of the values lie; NaN of none. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export const median = (values: readonly number[]): number => percentile(values, 0.5)

/** 12345.6 → "12,346"; small values keep a figure behind the point. */
export const num = (value: number): string =>
  value.toLocaleString("en-US", { maximumFractionDigits: Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0 })

/** Resolves once `done` says so; throws after the deadline, naming what it waited for. */
export async function until(
  what: string,
  done: () => Promise<boolean>,
  deadlineMs: number,
  pauseMs = 20,
): Promise<void> {
  const end = performance.now() + deadlineMs
  while (!(await done())) {
    if (performance.now() > end) throw new Error(`${what}: not within ${deadlineMs / 1000} s`)
    await Bun.sleep(pauseMs)
  }
}

/** Prints rows of equal length in columns. */
export function printTable(header: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = header.map((head, i) => Math.max(head.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`
  console.log(line(header))
  console.log(line(widths.map((width) => "-".repeat(width))))
  for (const row of rows) console.log(line(row))
}

/** The rows of one bench or of all, as the last thing printed. */
export function printRows(rows: readonly Row[]): void {
  const met = (row: Row) => (row.met === null ? "" : row.met ? "met" : "missed")
  printTable(
    ["bench", "what", "measured", "aim", ""],
    rows.map((row) => [row.bench, row.what, row.figure, row.aim ?? "", met(row)]),
  )
}
