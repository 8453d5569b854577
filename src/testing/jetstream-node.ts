/** The JetStream source of one node, as the hub runs it, over a real database and server: for tests of what it promises. */
import { connect, headers, type NatsConnection } from "nats"
import { Secret } from "../domain/secret.ts"
import { type Accept, createAccept } from "../ingest/accept.ts"
import { type JetStreamSource, jetStreamSource } from "../ingest/jetstream.ts"
import type { LaneBounds } from "../ingest/jetstream-lanes.ts"
import type { RateLimits } from "../ingest/rate-limit.ts"
import { createRejections } from "../ingest/rejections.ts"
import { localPubSub } from "../pubsub/pubsub.ts"
import { systemClock } from "../runtime/clock.ts"
import { startTree, supervisor, type Tree } from "../runtime/supervisor.ts"
import type { Database } from "../store/database.ts"
import { createTelemetry } from "../telemetry/bus.ts"
import type { TelemetryEvent } from "../telemetry/events.ts"
import { eventually } from "./eventually.ts"

export interface JetStreamNode {
  readonly source: JetStreamSource
  readonly tree: Tree
  readonly said: readonly TelemetryEvent[]
  /** How many messages it has let go of, acknowledged and terminated. */
  settled(): { readonly acked: number; readonly terminated: number; readonly redelivered: number }
  up(withinMs?: number): Promise<unknown>
  stop(): Promise<void>
}

export interface NodeOptions {
  readonly url: string
  readonly db: Database
  readonly ackWaitMs?: number
  /** Stands between the source and the door. */
  readonly between?: (accept: Accept) => Accept
  /** Default: nothing is limited. */
  readonly limits?: RateLimits | null
  readonly laneBounds?: LaneBounds
}

export async function startJetStreamNode(options: NodeOptions): Promise<JetStreamNode> {
  const { db } = options
  const clock = systemClock
  const said: TelemetryEvent[] = []
  const telemetry = createTelemetry()
  telemetry.subscribe((event) => said.push(event))
  const pubsub = localPubSub((error) => {
    throw error
  })
  const accept = createAccept({ db, pubsub, clock, telemetry })
  const rejections = createRejections({ db, clock, telemetry })
  const source = jetStreamSource({
    url: new Secret(options.url),
    clock,
    telemetry,
    rejections,
    accept: options.between?.(accept) ?? accept,
    limits: options.limits ?? null,
    ...(options.laneBounds === undefined ? {} : { laneBounds: options.laneBounds }),
    ...(options.ackWaitMs === undefined ? {} : { ackWaitMs: options.ackWaitMs }),
  })
  const root = supervisor({ id: "sources", strategy: "one_for_one", children: [source.child] })
  const tree = await startTree(root, { clock, emit: () => {}, onGiveUp: () => {} })
  return {
    source,
    tree,
    said,
    settled() {
      const sum = { acked: 0, terminated: 0, redelivered: 0 }
      for (const event of said) {
        if (event.kind !== "jetstream_settled") continue
        sum.acked += event.acked
        sum.terminated += event.terminated
        sum.redelivered += event.redelivered
      }
      return sum
    },
    up: (withinMs = 10_000) =>
      eventually(
        async () => source.status().state,
        (state) => state === "up",
        { withinMs, everyMs: 20, what: "JetStream" },
      ),
    stop: () => tree.stop(),
  }
}

/** A producer's connection that comes back by itself. */
export const producer = (url: string): Promise<NatsConnection> =>
  connect({ servers: url, maxReconnectAttempts: -1, reconnectTimeWait: 100, reconnectJitter: 50, timeout: 2_000 })

/** Publishes into the stream, and is answered by it (PubAck). Rejects where it was not. */
export async function publish(
  connection: NatsConnection,
  subject: string,
  body: unknown,
  head: Readonly<Record<string, string>> = {},
): Promise<void> {
  const sent = headers()
  for (const [name, value] of Object.entries(head)) sent.set(name, value)
  const data =
    body instanceof Uint8Array ? body : new TextEncoder().encode(typeof body === "string" ? body : JSON.stringify(body))
  await connection.jetstream({ timeout: 2_000 }).publish(subject, data, { headers: sent })
}
