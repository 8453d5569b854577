/** The front of the hub on a free port, over a database of its own: for tests that speak HTTP. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { SignJWT } from "jose"
import { type Config, loadConfig } from "../config.ts"
import { createApp } from "../http/app.ts"
import { type Authenticator, createAuthenticator } from "../http/auth.ts"
import type { RouteFile } from "../http/route.ts"
import { listen } from "../http/server.ts"
import { localPubSub, type News, type PubSub } from "../pubsub/pubsub.ts"
import { type Clock, systemClock } from "../runtime/clock.ts"
import { type Database, openDatabase } from "../store/database.ts"
import { createTelemetry, type Telemetry } from "../telemetry/bus.ts"
import type { TelemetryEvent } from "../telemetry/events.ts"
import { testDatabase } from "./postgres.ts"

export const ADMIN_KEY = "test-admin-key-0123456789"
export const SERVICE_KEY = "test-service-key-0123456789"
/** Scope service, confined to business `b1`. */
export const B1_KEY = "test-b1-service-key-0123456789"
export const JWT_SECRET = "a-secret-for-tests-that-is-long-enough"

/** What route files are made of. */
export interface FrontParts {
  readonly config: Config
  readonly db: Database
  readonly clock: Clock
  readonly telemetry: Telemetry
  readonly pubsub: PubSub
  readonly authenticator: Authenticator
}

export interface Front extends FrontParts {
  readonly url: string
  /** Everything that was published and emitted so far. */
  readonly news: readonly (readonly News[])[]
  readonly emitted: readonly TelemetryEvent[]
  /** `fetch` on this server; a `json` body is encoded, `key` is sent as the bearer. */
  call(path: string, options?: CallOptions): Promise<Response>
  stop(): Promise<void>
}

export interface CallOptions {
  readonly method?: string
  readonly json?: unknown
  readonly body?: NonNullable<RequestInit["body"]>
  /** Null: no credential. Default: the admin key. */
  readonly key?: string | null
  readonly headers?: Readonly<Record<string, string>>
}

/** Starts the routes that `files` makes. `settings` are environment variables. */
export async function startFront(
  files: (parts: FrontParts) => readonly RouteFile[],
  settings: Readonly<Record<string, string>> = {},
): Promise<Front> {
  const dataDir = await mkdtemp(join(tmpdir(), "hub-front-"))
  const database = await testDatabase()
  const loaded = loadConfig(
    {
      NODE_ENV: "test",
      HUB_DATA_DIR: dataDir,
      HUB_API_KEYS: `${ADMIN_KEY}:admin,${SERVICE_KEY}:service,${B1_KEY}:service:b1`,
      JWT_SECRET,
      ...settings,
    },
    false,
  )
  if (loaded.ok === undefined) throw new Error(`settings: ${JSON.stringify(loaded.errors)}`)
  const config = loaded.ok
  const db = openDatabase({ url: database.url })
  const news: (readonly News[])[] = []
  const emitted: TelemetryEvent[] = []
  const telemetry = createTelemetry()
  telemetry.subscribe((event) => emitted.push(event))
  const pubsub = localPubSub((error) => {
    throw error
  })
  pubsub.subscribe((some) => news.push(some))
  const clock = systemClock
  const authenticator = createAuthenticator({ config, db, clock })
  const parts = { config, db, clock, telemetry, pubsub, authenticator }
  const app = createApp({ config, authenticate: authenticator.authenticate, clock, telemetry, files: files(parts) })
  const listening = listen({ app, port: 0, host: "127.0.0.1" })
  const url = `http://127.0.0.1:${listening.port}`
  return {
    ...parts,
    url,
    news,
    emitted,
    call(path, options = {}) {
      const key = options.key === undefined ? ADMIN_KEY : options.key
      const body = options.json === undefined ? options.body : JSON.stringify(options.json)
      return fetch(url + path, {
        method: options.method ?? (body === undefined ? "GET" : "POST"),
        headers: {
          ...(key === null ? {} : { authorization: `Bearer ${key}` }),
          ...(options.json === undefined ? {} : { "content-type": "application/json" }),
          ...options.headers,
        },
        ...(body === undefined ? {} : { body }),
      })
    },
    async stop() {
      await listening.stop(1_000)
      await db.close()
      await database.drop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** A person's token, good for an hour unless `claims` say otherwise. */
export const tokenFor = (claims: Readonly<Record<string, unknown>>, secret = JWT_SECRET): Promise<string> =>
  new SignJWT({ exp: Math.floor(Date.now() / 1_000) + 3_600, ...claims })
    .setProtectedHeader({ alg: "HS256" })
    .sign(new TextEncoder().encode(secret))

/** The body of an answer, as what the test expects it to be. */
export const jsonOf = async <T>(answer: Response | Promise<Response>): Promise<T> => (await (await answer).json()) as T // the test says so, and checks
