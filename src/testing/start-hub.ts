/** A whole hub for one test: in this process, on a free port, over a database of its own; stopped and removed at the end. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { loadConfig } from "../config.ts"
import { type Hub, startHub } from "../hub.ts"
import { ADMIN_KEY, type CallOptions, JWT_SECRET, SERVICE_KEY } from "./front.ts"
import { testDatabase } from "./postgres.ts"

export interface TestHub extends Hub {
  /** Of the database that only this hub uses. */
  readonly databaseUrl: string
  /** `fetch` on this hub; a `json` body is encoded, the admin key is sent unless told otherwise. */
  call(path: string, options?: CallOptions): Promise<Response>
  /** Stops the hub and removes its database and folder. */
  remove(): Promise<void>
}

/** The environment of a hub in a test. Telemetry is silent: what a test wants to know it asks for. */
export const testEnvironment = (databaseUrl: string, dataDir: string): Record<string, string> => ({
  NODE_ENV: "test",
  PORT: "0",
  HOST: "127.0.0.1",
  DATABASE_URL: databaseUrl,
  HUB_DATA_DIR: dataDir,
  HUB_API_KEYS: `${ADMIN_KEY}:admin,${SERVICE_KEY}:service`,
  JWT_SECRET,
  LOG_LEVEL: "silent",
})

/** Starts a hub with the shipped rules. `settings` are environment variables that add to or replace the test's own. */
export async function startTestHub(settings: Readonly<Record<string, string>> = {}): Promise<TestHub> {
  const database = await testDatabase()
  const dataDir = await mkdtemp(join(tmpdir(), "hub-test-data-"))
  const loaded = loadConfig({ ...testEnvironment(database.url, dataDir), ...settings }, false)
  if (loaded.errors) throw new Error(`settings: ${JSON.stringify(loaded.errors)}`)
  const hub = await startHub(loaded.ok, {
    onGiveUp: (reason) => {
      throw new Error(`the hub gave up: ${reason}`)
    },
    notice: () => {},
  })
  return {
    ...hub,
    databaseUrl: database.url,
    call(path, options = {}) {
      const key = options.key === undefined ? ADMIN_KEY : options.key
      const body = options.json === undefined ? options.body : JSON.stringify(options.json)
      return fetch(`http://127.0.0.1:${hub.port}${path}`, {
        method: options.method ?? (body === undefined ? "GET" : "POST"),
        headers: {
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
          ...(options.json === undefined ? {} : { "content-type": "application/json" }),
          ...options.headers,
        },
        ...(body === undefined ? {} : { body }),
      })
    },
    async remove() {
      await hub.stop("test")
      await database.drop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
