/** Finds deliveries whose holder was killed or lost, and makes them due again. Any node's rescuer does it for all. */
import { SENDING_CHANNELS, type SendingChannel } from "../domain/channel.ts"
import type { RetryPolicy } from "../domain/delivery.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import { type ActorContext, actor, type Behaviour, type TaskOutcome } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import { type Database, databaseProblem } from "../store/database.ts"
import { type Rescued, rescueExpired } from "../store/rescue.ts"
import type { Emitter } from "../telemetry/bus.ts"

export interface RescuerOptions {
  readonly db: Database
  readonly pubsub: PubSub
  readonly telemetry: Emitter
  /** [0, 1). */
  readonly random: () => number
  readonly policyOf: (channel: SendingChannel) => RetryPolicy
}

export type RescuerMessage =
  | { readonly kind: "look" }
  | { readonly kind: "rescued"; readonly outcome: TaskOutcome<readonly Rescued[]> }

const RESCUER = "rescuer"

/** Short beside the lease of 15 s, so that a killed holder is followed within it; the look is a glance at a small index. */
const EVERY_MS = 2_000
const BATCH = 500

/** A bug in it must not take the channels down that send without it: it never counts against their supervisor. */
const REST = { minMs: 1_000, maxMs: 30_000 } as const

/** The actor `rescuer`; looks at its start, so that a restart after a kill is also the recovery from it. */
export const rescuer = (options: RescuerOptions): ChildSpec =>
  actor<RescuerMessage>({ id: RESCUER, backoff: REST, start: (ctx) => startRescuer(ctx, options) })

function startRescuer(ctx: ActorContext<RescuerMessage>, options: RescuerOptions): Behaviour<RescuerMessage> {
  const { db, pubsub, telemetry, random, policyOf } = options

  const rest = (): void => {
    ctx.sendAfter(EVERY_MS * (0.8 + 0.4 * random()), { kind: "look" })
  }
  const look = (): void => {
    ctx.task(
      () => rescueExpired(db, BATCH, policyOf),
      (outcome) => ({ kind: "rescued", outcome }),
    )
  }
  const told = (rescued: readonly Rescued[]): void => {
    if (rescued.length === 0) return
    telemetry.emit({ kind: "deliveries_rescued", count: rescued.length, deliveryIds: rescued.map(({ id }) => id) })
    // An end is one, whoever wrote it.
    for (const { id, channel, status, reason } of rescued)
      if (status !== "retrying")
        telemetry.emit({ kind: "delivery_settled", channel, deliveryId: id, status, reason, latencySeconds: null })
  }
  look()

  return {
    handle(message) {
      switch (message.kind) {
        case "look":
          return look()
        case "rescued": {
          const { outcome } = message
          if (outcome.kind === "failed" && databaseProblem(outcome.error) !== "away") throw outcome.error
          if (outcome.kind !== "done") return rest()
          const rescued = outcome.value
          told(rescued)
          const due = new Set(rescued.filter(({ status }) => status === "retrying").map(({ channel }) => channel))
          const channels = SENDING_CHANNELS.filter((channel) => due.has(channel))
          if (channels.length > 0) pubsub.publish([{ kind: "deliveries_due", channels }])
          return rescued.length === BATCH ? look() : rest()
        }
      }
    },
  }
}
