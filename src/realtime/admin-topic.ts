/**
 * What the topics for admins have in common: who is let in, and one actor behind each, which does something only while
 * somebody watches and whose crash is `phx_error` on its topic alone. What is shown is the watch's business.
 */

import { type ActorContext, actor } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import { isCalm } from "../runtime/exit.ts"
import { ActorDown, type ActorRef, Busy, CallTimeout } from "../runtime/ref.ts"
import { type Sight, sightOf } from "../telemetry/actor-sight.ts"
import type { JoinRequest, TopicFamily } from "./topic.ts"

/** Somebody wants in. `reply(false)`: not now. */
export interface Enter {
  readonly kind: "enter"
  readonly sight: Sight
  readonly admit: JoinRequest["admit"]
  readonly reply: (entered: boolean) => void
}

export interface AdminWatch<M> {
  handle(message: M | Enter): void
  /** Back to doing nothing. */
  rest(): void
}

export interface AdminTopicOptions<M> {
  /** The topic, its family, its actor and that one's kind. */
  readonly name: string
  /** Of its actor, where the topic's name is taken in the tree. */
  readonly id?: string
  readonly joinTimeoutMs: number
  /** Ends the topic with `phx_error` for whoever shows the view. */
  orphan(view: string): void
  /** `views`: the ids of those that are shown, kept by the watch. */
  watch(ctx: ActorContext<M | Enter>, views: Set<string>): AdminWatch<M>
}

/** The part of the room that is such a topic. */
export interface AdminTopic {
  readonly family: TopicFamily
  readonly child: ChildSpec
}

const refused = (reason: string) => ({ kind: "refused", response: { reason } }) as const

export function adminTopic<M>(options: AdminTopicOptions<M>): AdminTopic {
  const { name, joinTimeoutMs } = options
  let ref: ActorRef<M | Enter> | null = null
  /** Outlives the actor, so that its next incarnation can tell those who watched. */
  const views = new Set<string>()
  const orphanAll = (): void => {
    for (const view of [...views]) options.orphan(view)
    views.clear()
  }
  return {
    family: {
      name,
      prefix: name,
      async join({ topic, principal, admit }) {
        if (topic !== name) return refused("unmatched topic")
        if (!principal.admin) return refused("unauthorized")
        try {
          const entered = await ref?.call<boolean>(
            (reply) => ({ kind: "enter", sight: sightOf(principal.tenancy), admit, reply }),
            joinTimeoutMs,
          )
          return entered === true ? { kind: "joined" } : refused("unavailable")
        } catch (error) {
          if (error instanceof Busy || error instanceof CallTimeout || error instanceof ActorDown)
            return refused("unavailable")
          throw error
        }
      },
    },
    child: actor<M | Enter>({
      id: options.id ?? name,
      mailbox: { bound: 1_000, overflow: "reject" },
      // What it does wrong must not end anybody's topic.
      backoff: {},
      start(ctx) {
        // Of a life that ended without a word.
        orphanAll()
        const watch = options.watch(ctx, views)
        ref = ctx.self
        return {
          handle: (message) => watch.handle(message),
          terminate(reason) {
            watch.rest()
            // At a stop of the hub the sockets are gone already; after a crash the watchers rejoin.
            if (!isCalm(reason)) orphanAll()
          },
        }
      },
    }),
  }
}
