/**
 * The delivery room as one branch of the supervision tree: each channel under a supervisor of its own, the rescuer, the
 * lookout, the drain. The channel's supervisor is a bulkhead: when its dispatcher crashes too often it gives up alone, waits, and
 * begins again, and nobody above it counts that.
 */
import type { ChannelWorker } from "../channels/channel.ts"
import type { SendingChannel } from "../domain/channel.ts"
import { DEFAULT_RETRY, type RetryPolicy } from "../domain/delivery.ts"
import { Secret } from "../domain/secret.ts"
import type { SendLimit } from "../domain/send-limit.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import type { Clock } from "../runtime/clock.ts"
import { supervisor } from "../runtime/supervisor.ts"
import type { Database } from "../store/database.ts"
import { createHandoff, type Handoff } from "../store/handoff.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { dispatcher } from "./dispatcher.ts"
import { createDrain } from "./drain.ts"
import { createLookout } from "./lookout.ts"
import { rescuer } from "./rescuer.ts"
import { createSendLimits } from "./send-limits.ts"

export interface DeliveryOptions {
  readonly db: Database
  /** Live and captured channels; a channel without a worker keeps its deliveries waiting. */
  readonly workers: readonly ChannelWorker[]
  readonly pubsub: PubSub
  readonly telemetry: Emitter
  /** Of what is stored and sent right away; without it everything is claimed from the queue. */
  readonly handoff?: Handoff
  readonly clock: Clock
  /** [0, 1); default Math.random. */
  readonly random?: () => number
  readonly policyOf?: (channel: SendingChannel) => RetryPolicy
  /** How fast a channel may send; without it, as fast as its provider takes it. */
  readonly sendLimits?: { readonly of: (channel: SendingChannel) => SendLimit; readonly secret: Secret }
  /** Sends at once; default 32. */
  readonly inFlightOf?: (channel: SendingChannel) => number | undefined
  readonly leaseMs?: number
  /** What sends in flight get at shutdown; default 8,000. */
  readonly drainMs?: number
}

const NO_LIMITS = { of: () => ({ account: null, each: null }), secret: new Secret("") }

/** A dispatcher may crash so often before its channel rests; then the pauses double, and a minute of peace resets them. */
const CHANNEL_BUDGET = { intensity: 3, periodMs: 30_000 } as const
const CHANNEL_REST = { minMs: 1_000, maxMs: 60_000, jitter: 0.2, resetAfterMs: 60_000 } as const

/** The supervisor `deliveries`. At a stop all channels finish at once, within some 10 s. */
export function deliveryTree(options: DeliveryOptions): ChildSpec {
  const { db, pubsub, telemetry, clock, random = Math.random, policyOf = () => DEFAULT_RETRY, leaseMs } = options
  const drain = createDrain(clock, {
    id: "drain",
    ...(options.drainMs === undefined ? {} : { drainMs: options.drainMs }),
  })
  const lookout = createLookout({ db, random })
  const { handoff = createHandoff(clock) } = options
  const shared = {
    db,
    pubsub,
    telemetry,
    random,
    drain,
    lookout,
    handoff,
    ...(leaseMs === undefined ? {} : { leaseMs }),
  }
  return supervisor({
    id: "deliveries",
    strategy: "one_for_one",
    children: [
      ...options.workers.map((worker) => {
        const inFlight = options.inFlightOf?.(worker.channel)
        const policy = policyOf(worker.channel)
        const { sendLimits: { of, secret } = NO_LIMITS } = options
        const limits = createSendLimits({ channel: worker.channel, limit: of(worker.channel), secret, db, clock })
        return supervisor({
          id: `channel:${worker.channel}`,
          strategy: "one_for_one",
          ...CHANNEL_BUDGET,
          backoff: CHANNEL_REST,
          children: [
            dispatcher({ ...shared, worker, policy, limits, ...(inFlight === undefined ? {} : { inFlight }) }),
          ],
        })
      }),
      rescuer({ db, pubsub, telemetry, random, policyOf }),
      lookout.spec,
      drain.spec,
    ],
  })
}
