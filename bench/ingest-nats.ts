/**
 * Events in over JetStream: how fast the whole hub (without rules) takes what waits in its stream, durable before each ack,
 * against a bare loop that pulls the same messages in the same batches and acks them, and stores nothing. In turns.
 */
import { AckPolicy, connect, DeliverPolicy, type NatsConnection } from "nats"
import { startNats } from "../src/testing/nats.ts"
import {
  benchPostgres,
  freshDatabase,
  machineLine,
  median,
  num,
  type Postgres,
  printRows,
  type Row,
  until,
} from "./harness.ts"
import { startHub } from "./servers.ts"

const MESSAGES = 20_000
const ROUNDS = 3
const PULL = 256
const DEADLINE_MS = 300_000
const STREAM = "HUB_EVENTS"

/** Runs the bench and returns the rows for the common table. */
export async function ingestNats(postgres: Postgres): Promise<readonly Row[]> {
  const nats = await startNats()
  const connection = await connect({ servers: nats.url, timeout: 10_000 })
  const rates = { bare: [] as number[], hub: [] as number[] }
  try {
    await hubTakes(postgres, connection, nats.url, 0) // makes the stream and its consumer
    for (let round = 0; round < ROUNDS; round++) {
      const first = await publish(connection, round)
      rates.bare.push(await bareTakes(connection, first))
      rates.hub.push(await hubTakes(postgres, connection, nats.url, MESSAGES))
    }
  } finally {
    await connection.close()
    await nats.stop()
  }
  const [bare, hub] = [median(rates.bare), median(rates.hub)]
  return [
    {
      bench: "ingest-nats",
      what: "hub: all of it, no rules ÷ bare pull and ack",
      figure: `${(hub / bare).toFixed(2)} (${num(hub)} ÷ ${num(bare)}/s)`,
      aim: null,
      met: null,
    },
  ]
}

/** Puts the round's messages into the stream; the sequence of the first. */
async function publish(connection: NatsConnection, round: number): Promise<number> {
  const stream = connection.jetstream({ timeout: 30_000 })
  const { state } = await (await connection.jetstreamManager()).streams.info(STREAM)
  const payload = {
    invoice_number: "INV-2026-00417",
    customer_name: "Al Noor Trading",
    days_overdue: 9,
    branch: "Basra",
  }
  const body = (n: number) =>
    JSON.stringify({ type: "invoice.overdue", source: "invoicing", idempotency_key: `${round}-${n}`, payload })
  for (let from = 0; from < MESSAGES; from += 500)
    await Promise.all(Array.from({ length: 500 }, (_, i) => stream.publish("hub.events.bench", body(from + i))))
  return state.last_seq + 1
}

/** Messages a second of the loop that does nothing with them. */
async function bareTakes(connection: NatsConnection, first: number): Promise<number> {
  const manager = await connection.jetstreamManager()
  const { name } = await manager.consumers.add(STREAM, {
    durable_name: `bare${first}`,
    ack_policy: AckPolicy.Explicit,
    max_ack_pending: 2 * PULL,
    opt_start_seq: first,
    deliver_policy: DeliverPolicy.StartSequence,
  })
  const began = performance.now()
  for (let taken = 0; taken < MESSAGES; )
    for await (const message of connection.jetstream().fetch(STREAM, name, { batch: PULL, expires: 1_000 })) {
      message.ack()
      taken += 1
    }
  const rate = (MESSAGES / (performance.now() - began)) * 1_000
  await manager.consumers.delete(STREAM, name)
  return rate
}

/** Messages a second of a hub on an empty database, from the first that it takes on; 0 where there are none. */
async function hubTakes(
  postgres: Postgres,
  connection: NatsConnection,
  natsUrl: string,
  waiting: number,
): Promise<number> {
  const url = await freshDatabase(postgres.url, "bench_ingest_nats")
  const hub = await startHub(url, null, { NATS_URL: natsUrl })
  try {
    const manager = await connection.jetstreamManager()
    const left = () =>
      manager.consumers.info(STREAM, "hub").then(
        ({ num_pending, num_ack_pending }) => num_pending + num_ack_pending,
        () => Number.POSITIVE_INFINITY, // it is not there yet
      )
    // What it had taken when first looked at was taken before the clock began.
    let seen = await left()
    const began = performance.now()
    seen = Math.min(seen, waiting)
    await until("the hub has taken everything", async () => (await left()) === 0, DEADLINE_MS)
    return (seen / (performance.now() - began)) * 1_000
  } finally {
    await hub.stop()
  }
}

if (import.meta.main) {
  const postgres = await benchPostgres()
  try {
    console.log(await machineLine(postgres))
    printRows(await ingestNats(postgres))
  } finally {
    await postgres.stop()
  }
}
