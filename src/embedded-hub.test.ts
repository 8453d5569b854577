/** A hub on its embedded database, as `npm start` runs it: started, stopped, killed and started again. */
import { afterEach, describe, expect, test } from "bun:test"
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { processExists } from "./store/data-lock.ts"
import { openDatabase } from "./store/database.ts"
import { findRunning, startEmbedded } from "./store/embedded.ts"
import type { ActorTree } from "./telemetry/actor-tree.ts"
import { eventually } from "./testing/eventually.ts"
import { ADMIN_KEY, jsonOf } from "./testing/front.ts"
import { type HubProcess, type HubProcessOptions, startHubProcess } from "./testing/hub-process.ts"

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A data folder with a space in its name, below one that any account may pass through. */
function newDataDir(): string {
  const folder = mkdtempSync(join(tmpdir(), "hub embedded "))
  chmodSync(folder, 0o711)
  cleanups.push(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, "my data")
}

async function start(dataDir: string, more: Partial<HubProcessOptions> = {}): Promise<HubProcess> {
  const hub = await startHubProcess({ databaseUrl: null, dataDir, ...more })
  cleanups.push(async () => {
    hub.signal("SIGKILL")
    await hub.exited
    // Whatever became of the hub, its server does not stay.
    if (postmaster(dataDir) !== null) await (await startEmbedded({ dataDir, durable: false })).stop()
  })
  return hub
}

/** The id of the server process that runs in the folder. */
function postmaster(dataDir: string): number | null {
  const path = join(dataDir, "postgres", "postmaster.pid")
  const pid = existsSync(path) ? Number(readFileSync(path, "utf8").split("\n")[0]) : 0
  return pid > 0 && processExists(pid) ? pid : null
}

const call = (hub: HubProcess, path: string, json?: unknown): Promise<Response> =>
  fetch(`http://127.0.0.1:${hub.port}${path}`, {
    headers: { authorization: `Bearer ${ADMIN_KEY}`, "content-type": "application/json" },
    ...(json === undefined ? {} : { method: "POST", body: JSON.stringify(json) }),
    signal: AbortSignal.timeout(10_000),
  })

/** Kills the server with all its processes, some of which would go on serving for a while without it. */
async function killServer(dataDir: string): Promise<number> {
  const server = postmaster(dataDir)
  const url = await findRunning(dataDir)
  if (server === null || url === null) throw new Error("no server runs")
  const db = openDatabase({ url, max: 1 })
  const processes = await db.query<{ pid: number }>("select pid from pg_stat_activity where pid <> pg_backend_pid()")
  await db.close()
  for (const pid of [server, ...processes.map((row) => row.pid)]) if (processExists(pid)) process.kill(pid, "SIGKILL")
  return server
}

const event = (key: string) => ({ type: "stock.low", source: "inventory", idempotency_key: key })

/** Posts an event, which must be taken, and returns its id. */
async function accept(hub: HubProcess, key: string): Promise<string> {
  const answer = await call(hub, "/v1/events", event(key))
  expect(answer.status).toBe(201)
  const { id }: { id: string } = JSON.parse(await answer.text())
  return id
}

async function stopped(hub: HubProcess, dataDir: string): Promise<void> {
  hub.signal("SIGTERM")
  expect(await hub.exited).toBe(0)
  expect(postmaster(dataDir)).toBeNull()
  expect(existsSync(join(dataDir, "hub.lock"))).toBe(false)
}

describe("a hub on its embedded database", () => {
  test("keeps what it accepted over a stop and a kill, and never makes its database twice", async () => {
    const dataDir = newDataDir()
    const began = performance.now()
    const first = await start(dataDir)
    const firstTook = performance.now() - began
    const before = await accept(first, "before")
    await stopped(first, dataDir)

    const again = performance.now()
    const second = await start(dataDir)
    expect(performance.now() - again).toBeLessThan(firstTook)
    expect((await call(second, `/v1/events/${before}`)).status).toBe(200)
    const between = await accept(second, "between")
    const server = postmaster(dataDir)
    second.signal("SIGKILL")
    expect(await second.exited).toBe("SIGKILL")
    expect(postmaster(dataDir)).toBe(server)

    const third = await start(dataDir)
    expect(postmaster(dataDir)).toBe(server)
    for (const id of [before, between]) expect((await call(third, `/v1/events/${id}`)).status).toBe(200)
    expect((await call(third, "/v1/events", event("between"))).status).toBe(200)
    await stopped(third, dataDir)
  }, 30_000)

  test("whose server is killed answers 503 until the server is back, and loses nothing accepted", async () => {
    const dataDir = newDataDir()
    const hub = await start(dataDir)
    const before = await accept(hub, "before")

    const server = await killServer(dataDir)
    const seen = new Set<number>()
    let tries = 0
    await eventually(
      async () => {
        const { status } = await call(hub, "/v1/events", event(`during-${++tries}`))
        seen.add(status)
        return status
      },
      (status) => status === 201,
      { withinMs: 20_000, what: "the status of a POST" },
    )

    expect([...seen].every((status) => status === 201 || status === 503)).toBe(true)
    expect(seen).toContain(503)
    expect(postmaster(dataDir)).not.toBe(server)
    expect((await call(hub, `/v1/events/${before}`)).status).toBe(200)
    await eventually(
      async () => (await call(hub, "/ready")).status,
      (status) => status === 200,
      { withinMs: 15_000, what: "readiness" },
    )
    // Work goes on too: what was accepted is decided.
    await eventually(
      () => jsonOf<{ events: { unrouted: number } }>(call(hub, "/v1/events/stats/summary")),
      ({ events }) => events.unrouted === 0,
      { withinMs: 15_000, what: "events that wait to be routed" },
    )
    expect(processExists(hub.pid)).toBe(true)
    await stopped(hub, dataDir)
  }, 60_000)

  test.each([["it started itself"], ["it took over from a hub that was killed"]])(
    "whose server an operator restarts goes on with another one, also where %s",
    async (whose) => {
      const dataDir = newDataDir()
      let hub = await start(dataDir)
      if (whose !== "it started itself") {
        hub.signal("SIGKILL")
        await hub.exited
        hub = await start(dataDir)
      }
      const before = await accept(hub, "before")
      const server = postmaster(dataDir)
      const answer = await call(hub, "/admin/actors/embedded-postgres/restart", {})
      expect([answer.status, await answer.text()]).toEqual([200, JSON.stringify({ result: "restarted" })])
      expect(postmaster(dataDir)).not.toBe(server)
      expect(postmaster(dataDir)).not.toBeNull()
      await eventually(
        async () => (await call(hub, `/v1/events/${before}`)).status,
        (status) => status === 200,
        { withinMs: 15_000, what: "what was accepted before" },
      )
      const tree = await jsonOf<ActorTree>(call(hub, "/admin/actors"))
      const line = tree.tree.children?.find(({ id }) => id === "embedded-postgres")
      expect(line).toMatchObject({ state: "running", incarnation: 2, restarts: 0 })
      await stopped(hub, dataDir)
    },
    60_000,
  )

  test.each([["hub_starting"], ["rules_loaded"], ["migration_applied"]])(
    "that is told to stop at %s ends with 0 and leaves nothing running",
    async (until) => {
      const dataDir = newDataDir()
      await stopped(await start(dataDir, { until }), dataDir)
    },
    30_000,
  )
})
