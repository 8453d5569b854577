// The whole tree: one root, started once, stopped once. What an operator can see of it and ask of it is here too.

import type { ActorInfo, ChildSpec, TreeEnv } from "./child-spec.ts"
import type { Clock } from "./clock.ts"
import type { RuntimeEvent } from "./event.ts"
import { describeExit, type ExitReason, SHUTDOWN } from "./exit.ts"
import type { PoolRef } from "./pool.ts"
import type { ActorRef } from "./ref.ts"
import { Registry } from "./registry.ts"
import { Sweep } from "./sweep.ts"

export interface TreeOptions {
  readonly clock: Clock
  /** [0, 1), for jitter. Default Math.random. */
  readonly random?: () => number
  /** Hears everything that happens; a throw in it is swallowed, because telemetry must not bring the tree down. */
  emit(event: RuntimeEvent): void
  /** The root ended without being asked: everything below is stopped already, the process should end. */
  onGiveUp(reason: ExitReason): void
}

/** `root` cannot be restarted from inside; `not_now`: its supervisor is starting, stopping or restarting a group. */
export type RestartAnswer =
  | { readonly kind: "restarted" }
  | { readonly kind: "failed"; readonly reason: ExitReason }
  | { readonly kind: "unknown" | "root" | "not_now" }

export interface TreeSnapshot {
  readonly root: ActorInfo
  /** Abandoned starts, handlers and stops that have still not ended. */
  readonly stuck: number
  /** Messages that reached nobody, since the start. */
  readonly deadLetters: number
}

export interface Tree {
  /** Stops everything in reverse start order; the second call returns the same promise. Never rejects. */
  stop(): Promise<void>
  snapshot(): TreeSnapshot
  /** Stops one child and starts it anew; siblings are not touched and no restart is counted. */
  restart(id: string): Promise<RestartAnswer>
  /** What is known about one child of the tree, by id. */
  whereis(id: string): ActorInfo | undefined
  /** An actor by name; resolved at each send, so it may be taken before the actor exists. */
  ref<M>(id: string): ActorRef<M>
  pool<A>(id: string): PoolRef<A>
}

/** The first start failed; what had started was stopped in reverse. */
export class StartFailed extends Error {
  override readonly name = "StartFailed"
  /** The id of the child that could not start (the deepest one). */
  readonly failedToStart: string
  readonly reason: ExitReason
  constructor(failedToStart: string, reason: ExitReason) {
    super(`${failedToStart} failed to start: ${describeExit(reason)}`, {
      cause: reason.kind === "error" ? reason.error : reason,
    })
    this.failedToStart = failedToStart
    this.reason = reason
  }
}
