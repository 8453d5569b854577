import { afterEach, expect, test } from "bun:test"
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Client } from "pg"
import {
  type EmbeddedOptions,
  type EmbeddedPostgres,
  EmbeddedPostgresError,
  findRunning,
  startEmbedded,
} from "./embedded.ts"

const cleanups: (() => Promise<unknown> | unknown)[] = []

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

test("a first start makes a database that answers, in a folder with a space in its name", async () => {
  const database = await start({ dataDir: join(scratch(), "a b", "data") })

  expect(database.adopted).toBe(false)
  expect(await ask(database, "select 1 + 1 as answer")).toEqual([{ answer: 2 }])
  expect(await ask(database, "show fsync")).toEqual([{ fsync: "on" }])
})

test("a second start keeps the data and is faster than the first", async () => {
  const dataDir = join(scratch(), "data")
  const [first, firstTook] = await timed(() => start({ dataDir, durable: true }))
  await ask(first, "create table kept as select 42 as answer")
  await first.stop()

  const [second, secondTook] = await timed(() => start({ dataDir, durable: true }))

  expect(second.adopted).toBe(false)
  expect(await ask(second, "select answer from kept")).toEqual([{ answer: 42 }])
  expect(secondTook).toBeLessThan(firstTook)
})

test("the server of a hub that was killed with kill -9 is adopted as it is, by one hub", async () => {
  const dataDir = join(scratch(), "data")
  const killed = await startElsewhere(dataDir)
  await ask(killed, "create table kept as select 42 as answer")
  killed.process.kill("SIGKILL")
  await killed.process.exited

  const next = await start({ dataDir })

  expect(next).toMatchObject({ adopted: true, port: killed.port, pid: killed.serverPid })
  expect(await ask(next, "select answer from kept")).toEqual([{ answer: 42 }])
  await next.stop()
  await next.exited
  expect(existsSync(join(dataDir, "postgres", "postmaster.pid"))).toBe(false)
})

test("a server that was itself killed with kill -9 is told of, and recovers what was committed", async () => {
  const dataDir = join(scratch(), "data")
  const first = await start({ dataDir })
  await ask(first, "create table kept as select 42 as answer")
  process.kill(first.pid, "SIGKILL")
  await first.exited

  const second = await start({ dataDir, port: first.port })

  expect(second.adopted).toBe(false)
  expect(second.url).toBe(first.url)
  expect(await ask(second, "select answer from kept")).toEqual([{ answer: 42 }])
})

test("a hub and its server that are killed together leave data that the next hub opens", async () => {
  const dataDir = join(scratch(), "data")
  const killed = await startElsewhere(dataDir)
  await ask(killed, "create table kept as select 42 as answer")
  process.kill(killed.serverPid, "SIGKILL")
  killed.process.kill("SIGKILL")
  await killed.process.exited

  const next = await start({ dataDir })

  expect(await ask(next, "select answer from kept")).toEqual([{ answer: 42 }])
})

test("a second hub on a data directory is refused and told who is there", async () => {
  const dataDir = join(scratch(), "data")
  const holder = await startElsewhere(dataDir)

  const refusal = await refused({ dataDir })

  expect(refusal.problem).toBe("in_use")
  expect(refusal.message).toBe(`another hub (pid ${holder.process.pid}) uses the data directory ${dataDir}`)
  expect(await ask(holder, "select 1 as up")).toEqual([{ up: 1 }])
})

test("a command beside a running hub finds its server, and none where none runs", async () => {
  const dataDir = join(scratch(), "data")
  expect(await findRunning(dataDir)).toBeNull()
  const database = await start({ dataDir })

  expect(await findRunning(dataDir)).toBe(database.url)
  await database.stop()
  expect(await findRunning(dataDir)).toBeNull()
})

test("a start waits for a hub on its way out, and says so", async () => {
  const dataDir = join(scratch(), "data")
  const leaving = await startElsewhere(dataDir)

  const next = await start({ dataDir, patienceMs: 20_000, notice: () => leaving.process.kill("SIGKILL") })

  expect(next).toMatchObject({ adopted: true, pid: leaving.serverPid })
})

test("of two hubs that start on one empty data directory at once, exactly one runs", async () => {
  const dataDir = join(scratch(), "data")

  const both = await Promise.allSettled([startElsewhere(dataDir), startElsewhere(dataDir)])

  expect(both.map((one) => one.status).sort()).toEqual(["fulfilled", "rejected"])
  const lost = both.find((one) => one.status === "rejected")
  expect(String(lost?.reason)).toMatch(/another hub \(pid \d+\) uses the data directory/)
})

test("a lock whose holder is dead is taken over", async () => {
  const dataDir = join(scratch(), "data")
  mkdirSync(dataDir)
  writeFileSync(join(dataDir, "hub.lock"), "999999999 -\n")

  const database = await start({ dataDir })

  expect(await ask(database, "select 1 as up")).toEqual([{ up: 1 }])
  expect(readFileSync(join(dataDir, "hub.lock"), "utf8")).toStartWith(`${process.pid} `)
})

test("a folder that cannot be written is one clear line", async () => {
  const closed = join(scratch(), "closed")
  mkdirSync(closed)
  chmodSync(closed, 0o500)
  const dataDir = process.getuid?.() === 0 ? "/dev/null/data" : join(closed, "data") // nothing stops root but a file

  const refusal = await refused({ dataDir })

  expect(refusal.problem).toBe("not_writable")
  expect(refusal.message).toStartWith(`cannot write ${dataDir} (`)
  expect(refusal.message).not.toContain("\n")
})

test("a taken port is one clear line", async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve))
  cleanups.push(() => other.close())
  const address = other.address()
  const port = typeof address === "object" && address !== null ? address.port : 0

  const refusal = await refused({ dataDir: join(scratch(), "data"), port })

  expect(refusal.problem).toBe("port_taken")
  expect(refusal.message).toContain(`port ${port} on 127.0.0.1 is taken`)
})

test("a machine for which there is no PostgreSQL is one clear line that says what to do", async () => {
  const refusal = await refused({
    dataDir: join(scratch(), "data"),
    find: async () => ({ found: undefined, seen: [] }),
  })
  expect(refusal.problem).toBe("unavailable")
  expect(refusal.message).toMatch(/^no PostgreSQL that runs on this machine \(\S+\): install .* or set DATABASE_URL$/)
})

test("data of another major version is left alone, and named in one line", async () => {
  const dataDir = join(scratch(), "data")
  const pgdata = join(dataDir, "postgres")
  mkdirSync(pgdata, { recursive: true })
  writeFileSync(join(pgdata, "PG_VERSION"), "9\n")

  const refusal = await refused({ dataDir })

  expect(refusal.problem).toBe("other_version")
  expect(refusal.message).toMatch(/holds data of PostgreSQL 9, but this machine has version \d+/)
  expect(readFileSync(join(pgdata, "PG_VERSION"), "utf8")).toBe("9\n")
})

test.skipIf(process.getuid?.() !== 0)("as root, data that no other account could reach lives outside", async () => {
  const closed = scratch()
  chmodSync(closed, 0o700)
  const dataDir = join(closed, "data")
  const notices: string[] = []
  const first = await start({ dataDir, notice: (line) => notices.push(line) })
  const outside = readFileSync(join(dataDir, "postgres-location"), "utf8").trim()
  cleanups.unshift(() => rmSync(outside, { recursive: true, force: true }))
  await ask(first, "create table kept as select 42 as answer")
  await first.stop()

  const second = await start({ dataDir, notice: (line) => notices.push(line) })

  expect(await ask(second, "select answer from kept")).toEqual([{ answer: 42 }])
  expect(notices).toHaveLength(1)
  expect(notices[0]).toStartWith(`the database lives in ${outside}: `)
})

/** A folder of this test's own that any account may pass through. */
function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), "hub-embedded-"))
  chmodSync(folder, 0o711)
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

async function start(options: Partial<EmbeddedOptions> & { dataDir: string }): Promise<EmbeddedPostgres> {
  const database = await startEmbedded({ durable: true, patienceMs: 0, notice: () => undefined, ...options })
  cleanups.push(() => database.stop())
  return database
}

async function refused(options: Partial<EmbeddedOptions> & { dataDir: string }): Promise<EmbeddedPostgresError> {
  try {
    await start(options)
  } catch (error) {
    if (error instanceof EmbeddedPostgresError) return error
    throw error
  }
  throw new Error("it started")
}

/** Starts a database in another process, as a hub does, and returns when that process says that it is up. */
async function startElsewhere(dataDir: string) {
  const code = `
    import { startEmbedded } from ${JSON.stringify(join(import.meta.dirname, "embedded.ts"))}
    const database = await startEmbedded({ dataDir: ${JSON.stringify(dataDir)}, durable: true, patienceMs: 0 })
    console.log(JSON.stringify({ url: database.url, port: database.port, serverPid: database.pid }))
    setInterval(() => {}, 1000)`
  const hub = Bun.spawn([process.execPath, "-e", code], { stdout: "pipe", stderr: "pipe" })
  const { value } = await hub.stdout.getReader().read()
  if (value === undefined) throw new Error(await new Response(hub.stderr).text())
  const said: { url: string; port: number; serverPid: number } = JSON.parse(new TextDecoder().decode(value))
  cleanups.push(async () => {
    hub.kill("SIGKILL")
    await hub.exited
    // Whatever the test did with its server, none stays: the folder's next owner ends it.
    if (existsSync(join(dataDir, "postgres", "postmaster.pid")))
      await (await startEmbedded({ dataDir, durable: true })).stop()
  })
  return { ...said, process: hub }
}

async function ask(database: { readonly url: string }, sql: string): Promise<unknown[]> {
  const client = new Client({ connectionString: database.url, query_timeout: 10_000 })
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

async function timed<T>(work: () => Promise<T>): Promise<[T, number]> {
  const began = performance.now()
  return [await work(), performance.now() - began]
}
