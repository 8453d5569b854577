/** A hub process, its database and its nats-server, to be killed and started again under a producer that goes on. */
import { rmSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { NatsConnection } from "nats"
import { type Database, openDatabase } from "../store/database.ts"
import { eventually } from "./eventually.ts"
import { type HubProcess, startHubProcess } from "./hub-process.ts"
import { producer, publish } from "./jetstream-node.ts"
import { startNats } from "./nats.ts"
import { testDatabase } from "./postgres.ts"

export interface World {
  readonly db: Database
  /** Whichever runs now. */
  hub(): HubProcess
  readonly sender: NatsConnection
  /** Kills the hub, and starts another at once. */
  replaceHub(): Promise<void>
  kill(): Promise<void>
  /** Starts it again; with `wiped`, as one that knows nothing. */
  revive(wiped?: "wiped"): Promise<void>
  end(): Promise<void>
}

export async function startWorld(): Promise<World> {
  const storeDir = await mkdtemp(join(tmpdir(), "hub-nats-faults-"))
  let nats = await startNats({ storeDir })
  const { port } = nats
  const database = await testDatabase()
  const db = openDatabase({ url: database.url })
  const settings = { NATS_URL: nats.url }
  const startHub = () => startHubProcess({ databaseUrl: database.url, settings })
  let hub = await startHub()
  const sender = await producer(nats.url)
  return {
    db,
    hub: () => hub,
    sender,
    async replaceHub() {
      hub.signal("SIGKILL")
      await hub.exited
      hub = await startHub()
    },
    kill: () => nats.kill9(),
    async revive(wiped) {
      if (wiped !== undefined) rmSync(storeDir, { recursive: true, force: true })
      nats = await startNats({ storeDir, port })
    },
    async end() {
      hub.signal("SIGTERM")
      await hub.exited
      await sender.close()
      await nats.stop()
      await db.close()
      await database.drop()
      await rm(storeDir, { recursive: true, force: true })
    },
  }
}

export const event = (key: string) => ({ type: "fault.sent", source: "faults", idempotency_key: key, payload: { key } })

/** Publishes until NATS has said that it has it. A publish in an outage is lost without a word: hence the repeats. */
export async function publishUntilAcked(sender: NatsConnection, key: string): Promise<void> {
  for (;;) {
    try {
      return await publish(sender, "hub.events.faults", event(key), { "Nats-Msg-Id": key })
    } catch {
      await Bun.sleep(20)
    }
  }
}

const keysStored = async (db: Database): Promise<ReadonlySet<string>> =>
  new Set(
    (await db.query<{ key: string }>("select idempotency_key as key from events where source = 'faults'")).map(
      ({ key }) => key,
    ),
  )
export const countOf = async (db: Database, table: "events" | "deliveries" | "notifications" | "rejected") =>
  (await db.query<{ n: number }>(`select count(*)::int as n from ${table}`))[0]?.n ?? -1

/** Every key that was acknowledged is an event, once. Waits until the stream has been read. */
export async function allStored(db: Database, acked: ReadonlySet<string>, withinMs: number): Promise<void> {
  const missing = async () => {
    const stored = await keysStored(db)
    return [...acked].filter((key) => !stored.has(key)).length
  }
  await eventually(missing, (n) => n === 0, { withinMs, everyMs: 100, what: "acknowledged keys that are no event" })
}

export const healthOf = async ({ hub }: World): Promise<string> => {
  const answer = await fetch(`http://127.0.0.1:${hub().port}/health/detailed`, { signal: AbortSignal.timeout(5_000) })
  const body = (await answer.json()) as { parts: { jetstream: { status: string } } } // what this endpoint answers
  return body.parts.jetstream.status
}
