/**
 * One look at the queue for all channels: which have something due, and when the next will be. Wake-ups are hints that may be
 * lost with the node that would have given them; what they tell of is found here within a second.
 */
import type { SendingChannel } from "../domain/channel.ts"
import { actor, type TaskOutcome } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import { type Database, databaseProblem } from "../store/database.ts"
import { nextDue } from "../store/deliveries.ts"

export interface Lookout {
  /** `due` hears in how many milliseconds (0: now) the channel's next delivery is due, when that is before the next look. Returns the way to leave. */
  watch(channel: SendingChannel, due: (inMs: number) => void): () => void
  readonly spec: ChildSpec
}

type LookoutMessage =
  | { readonly kind: "look" }
  | { readonly kind: "seen"; readonly outcome: TaskOutcome<ReadonlyMap<SendingChannel, number>> }

/** Nodes look at different moments, so that a lost hint is found sooner where there are more of them. */
const LOOK_MIN_MS = 250
export const LOOK_MAX_MS = 1_000
/** A query's own deadline is 6 s. */
const QUERY_MS = 8_000
/** Hints wake the channels without it: it never counts against their supervisor. */
const REST = { minMs: 1_000, maxMs: 30_000 } as const

/** The actor `lookout`; `random` gives [0, 1). */
export function createLookout({ db, random }: { readonly db: Database; readonly random: () => number }): Lookout {
  const watchers = new Map<SendingChannel, (inMs: number) => void>()
  return {
    watch(channel, due) {
      watchers.set(channel, due)
      return () => {
        if (watchers.get(channel) === due) watchers.delete(channel)
      }
    },
    spec: actor<LookoutMessage>({
      id: "lookout",
      backoff: REST,
      start(ctx) {
        const rest = (): void => {
          ctx.sendAfter(LOOK_MIN_MS + random() * (LOOK_MAX_MS - LOOK_MIN_MS), { kind: "look" })
        }
        rest()
        return {
          handle(message) {
            if (message.kind === "look") {
              const look = () => nextDue(db, [...watchers.keys()])
              ctx.task(look, (outcome) => ({ kind: "seen", outcome }), { timeoutMs: QUERY_MS })
              return
            }
            const { outcome } = message
            if (outcome.kind === "failed" && databaseProblem(outcome.error) !== "away") throw outcome.error
            rest()
            if (outcome.kind !== "done") return
            for (const [channel, inMs] of outcome.value) if (inMs < LOOK_MAX_MS) watchers.get(channel)?.(inMs)
          },
        }
      },
    }),
  }
}
