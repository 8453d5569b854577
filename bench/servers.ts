/**
 * The servers that are flooded, each a process of its own on a port that it prints: `bare` is the floor, a handler that
 * parses and stores in the same group commit and does nothing else; `elysia` checks as the hub does and stores nothing; `ingest` is the hub's front and its ingest without
 * what follows. The hub itself is `hub serve`.
 */
import { mkdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { Elysia } from "elysia"
import { loadConfig } from "../src/config.ts"
import type { HubEvent } from "../src/domain/event.ts"
import type { Json } from "../src/domain/json.ts"
import { createApp } from "../src/http/app.ts"
import { createAuthenticator } from "../src/http/auth.ts"
import { listen } from "../src/http/server.ts"
import { createAccept } from "../src/ingest/accept.ts"
import { ingestRoutes } from "../src/ingest/http.ts"
import { prepare, readAny } from "../src/ingest/item.ts"
import { systemClock } from "../src/runtime/clock.ts"
import { createBatcher } from "../src/store/batcher.ts"
import { type Database, openDatabase } from "../src/store/database.ts"
import { type Incoming, insertEvents, type Stored } from "../src/store/events.ts"
import { incoming } from "../src/testing/builders.ts"
import { temporaryFolder, until } from "./harness.ts"

export const API_KEY = "bench-0123456789-0123456789"

export interface Server {
  readonly port: number
  readonly pid: number
  /** What a hub has written to its log so far. */
  log(): Promise<string>
  stop(): Promise<void>
}

const START_DEADLINE_MS = 30_000
const root = join(import.meta.dirname, "..")

/** A server of this file, on a migrated database. */
export async function startServer(kind: "bare" | "elysia" | "ingest", databaseUrl: string): Promise<Server> {
  const command = [process.execPath, import.meta.path, kind]
  const settings = environment(databaseUrl, 0)
  const child = Bun.spawn(command, { env: settings, stdout: "pipe", stderr: "inherit" })
  const { value } = await child.stdout.getReader().read()
  return running(child, Number(new TextDecoder().decode(value)), settings.HUB_DATA_DIR)
}

/** The real hub. `rulesDir` null: a folder without rules. `env` adds settings. */
export async function startHub(
  databaseUrl: string,
  rulesDir: string | null,
  env: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } })
  const { port } = probe
  probe.stop()
  const settings = environment(databaseUrl, port)
  const rules = rulesDir ?? join(settings.HUB_DATA_DIR, "no-rules")
  mkdirSync(rules, { recursive: true })
  const child = Bun.spawn([process.execPath, ...profiling(), "src/main.ts", "serve"], {
    cwd: root,
    env: { ...settings, HUB_RULES_DIR: rules, ...env },
    stdout: "ignore",
    stderr: Bun.file(join(settings.HUB_DATA_DIR, "log")),
  })
  const ready = async () => {
    if (child.exitCode !== null) throw new Error(await Bun.file(join(settings.HUB_DATA_DIR, "log")).text())
    return fetch(`http://127.0.0.1:${port}/ready`).then(
      ({ ok }) => ok,
      () => false,
    )
  }
  await until("the hub is ready", ready, START_DEADLINE_MS)
  return running(child, port, settings.HUB_DATA_DIR)
}

/** BENCH_PROFILE names a folder: each hub writes a CPU profile there when it stops. */
function profiling(): readonly string[] {
  const folder = process.env["BENCH_PROFILE"]
  return folder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${folder}`]
}

/** What a hub of its own needs; the rest keeps its defaults, the log's level too. */
function environment(databaseUrl: string, port: number) {
  const { PATH = "", HOME = "/" } = process.env
  return {
    PATH,
    HOME,
    PORT: String(port),
    HOST: "127.0.0.1",
    DATABASE_URL: databaseUrl,
    HUB_DATA_DIR: temporaryFolder(),
    HUB_API_KEYS: `${API_KEY}:service`,
  }
}

function running(child: Bun.Subprocess, port: number, dataDir: string): Server {
  const stop = async () => {
    child.kill("SIGTERM")
    const hard = setTimeout(() => child.kill("SIGKILL"), 15_000)
    await child.exited
    clearTimeout(hard)
    rmSync(dataDir, { recursive: true, force: true })
  }
  return { port, pid: child.pid, log: () => Bun.file(join(dataDir, "log")).text(), stop }
}

/** Processor time of a process so far, in microseconds; NaN where /proc does not tell. */
export async function cpuMicros(pid: number): Promise<number> {
  const stat = await Bun.file(`/proc/${pid}/stat`)
    .text()
    .catch(() => "")
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ") // from the third field on
  return (Number(fields[11]) + Number(fields[12])) * 10_000 // utime and stime, in ticks of 10 ms
}

// ── the processes ───────────────────────────────────────────────────────────────────────────────────────────────────

/** The same batches as in ingest/accept.ts. */
export const BATCH = { maxItems: 256, maxInFlight: 2, maxWaiting: 10_000 }

type Posted = Pick<HubEvent, "type" | "source" | "payload"> & { readonly idempotency_key: string }

function bare(db: Database): number {
  const batcher = createBatcher<Incoming, Stored>({ ...BATCH, run: (items) => insertEvents(db, items, Date.now()) })
  // Not hashed and not checked: what a repeat is worth is the hub's own care.
  const { event: plain, contentHash } = incoming()
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { type, source, idempotency_key, payload } = JSON.parse(await request.text()) as Posted // by flood.ts alone
      const stored = await batcher.submit({
        event: { ...plain, type, source, idempotencyKey: idempotency_key, occurredAt: Date.now(), payload },
        contentHash,
        streams: [],
      })
      return Response.json({ id: stored?.id, status: stored?.kind }, { status: 201 })
    },
  })
  return server.port ?? 0
}

/** Elysia, its own parser, and the hub's own checks of an event; nothing is stored and nobody is asked for a key. */
function elysia(): number {
  const app = new Elysia({ normalize: false }).post("/v1/events", ({ body, set }) => {
    const bringer = { tenancy: "*", now: Date.now() } as const
    const item = prepare(body as Json, readAny, (draft) => ({ draft }), bringer) // Elysia parsed it as JSON
    set.status = item.kind === "ready" ? 201 : 422
    return item.kind === "ready" ? { id: "evt_00000000000000000000000000", status: "accepted" } : {}
  })
  app.listen({ port: 0, hostname: "127.0.0.1" })
  return app.server?.port ?? 0
}

function ingest(db: Database): number {
  const { ok: config, errors } = loadConfig()
  if (errors) throw new Error(JSON.stringify(errors))
  const clock = systemClock
  const telemetry = { emit: () => undefined }
  const pubsub = { publish: () => undefined, subscribe: () => () => undefined }
  const accept = createAccept({ db, pubsub, clock, telemetry })
  const { authenticate } = createAuthenticator({ config, db, clock })
  const app = createApp({ config, authenticate, clock, telemetry, files: [ingestRoutes({ accept, clock, telemetry })] })
  return listen({ app, port: 0, host: "127.0.0.1" }).port
}

if (import.meta.main) {
  const db = openDatabase({ url: process.env["DATABASE_URL"] ?? "", applicationName: "bench" })
  const kind = process.argv[2]
  console.log(kind === "bare" ? bare(db) : kind === "elysia" ? elysia() : ingest(db))
}
