/** `kill -9` at each statement of a migration in turn; then two nodes migrate the same database at once. */
import { Client } from "pg"
import { commitReader } from "../src/testing/commit-cutter.ts"
import { startFaultProxy } from "../src/testing/fault-proxy.ts"
import { hubCommand } from "../src/testing/hub-command.ts"
import { emptyDatabase } from "../src/testing/postgres.ts"
import { testEnvironment } from "../src/testing/start-hub.ts"
import { fault } from "./fault.ts"

const ROOT = `${import.meta.dirname}/..`
const DATA_DIR = "/nonexistent" // DATABASE_URL is given
const NEXT_START_MS = 25_000

export const killMigration = fault({
  number: 14,
  name: "kill during migration",
  short: { kills: 5 },
  full: { kills: 30 },
  injected: ({ kills }) =>
    `kill -9 × ${kills}, at one statement of the migrations after the other; then 2 nodes at once`,
  async run({ kills }) {
    const whole = await migratedAlone()
    let different = 0
    let failed = 0
    let killed = 0
    let slowest = 0
    for (let kill = 0; kill < kills; kill += 1) {
      const database = await emptyDatabase()
      try {
        if (await killedAt(database.url, 1 + Math.floor((kill * whole.statements) / kills))) killed += 1
        const began = performance.now()
        const env = testEnvironment(database.url, DATA_DIR)
        const nodes = await Promise.all([hubCommand(["migrate"], { env }), hubCommand(["migrate"], { env })])
        slowest = Math.max(slowest, performance.now() - began)
        failed += nodes.filter(({ code }) => code !== 0).length
        if ((await schemaOf(database.url)) !== whole.schema) different += 1
      } finally {
        await database.drop()
      }
    }
    return [
      { what: "statements", value: whole.statements, atLeast: 1 },
      { what: "killed in the middle", value: killed, atLeast: kills },
      { what: "next starts that failed", value: failed, atMost: 0 },
      { what: "schemas that differ", value: different, atMost: 0 },
      { what: "slowest next start", value: slowest, unit: "ms", atMost: NEXT_START_MS },
    ]
  },
})

/** What nobody disturbed makes: the schema, and in how many statements. */
async function migratedAlone(): Promise<{ readonly schema: string; readonly statements: number }> {
  const database = await emptyDatabase()
  try {
    let statements = 0
    const proxy = await proxyTo(database.url, () => {
      statements += 1
    })
    const { code, err } = await hubCommand(["migrate"], { env: testEnvironment(proxy.through(database.url), DATA_DIR) })
    await proxy.stop()
    if (code !== 0) throw new Error(`the migrations fail even undisturbed: ${err}`)
    return { schema: await schemaOf(database.url), statements }
  } finally {
    await database.drop()
  }
}

/** Starts a migration and kills it when it has sent its n-th statement; false when it came to its end before. */
async function killedAt(url: string, n: number): Promise<boolean> {
  let seen = 0
  let kill = (): void => {}
  const proxy = await proxyTo(url, () => {
    seen += 1
    if (seen === n) kill()
  })
  const child = Bun.spawn([process.execPath, "--no-env-file", "src/main.ts", "migrate"], {
    cwd: ROOT,
    env: { PATH: process.env["PATH"] ?? "", ...testEnvironment(proxy.through(url), DATA_DIR) },
    stdout: "ignore",
    stderr: "ignore",
  })
  kill = () => child.kill("SIGKILL")
  await child.exited
  await proxy.stop()
  return child.signalCode === "SIGKILL"
}

function proxyTo(url: string, onStatement: () => void) {
  const gate = () => {
    const read = commitReader(/^\b$/) // commits are of no interest here
    return {
      toServer(chunk: Buffer) {
        for (const { statement } of read(chunk)) if (statement !== null) onStatement()
        return { forward: chunk, next: "go_on" as const }
      },
      toClient: () => false,
    }
  }
  return startFaultProxy({ port: Number(new URL(url).port), gate })
}

/** Everything that migrations make; the rows that they write too. */
const MADE: readonly string[] = [
  "select table_name, column_name, data_type, is_nullable, column_default from information_schema.columns where table_schema = 'public'",
  "select indexname, indexdef from pg_indexes where schemaname = 'public'",
  "select conrelid::regclass::text, pg_get_constraintdef(oid) from pg_constraint where connamespace = 'public'::regnamespace",
  "select name from schema_migrations",
  "select 'hub_meta', count(*) from hub_meta",
  "select 'chores', count(*) from chores",
]

async function schemaOf(url: string): Promise<string> {
  const client = new Client({ connectionString: url, query_timeout: 10_000 })
  await client.connect()
  try {
    const parts: unknown[] = []
    for (const sql of MADE) parts.push((await client.query(`select t::text from (${sql}) t order by 1`)).rows)
    return JSON.stringify(parts)
  } finally {
    await client.end()
  }
}
