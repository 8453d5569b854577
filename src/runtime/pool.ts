// A pool: a supervisor whose children are all made by one template and come and go at run time (a dispatcher per channel
// account, an actor per topic). one_for_one; stopped all together. After a restart of the pool itself it is empty.

import type { Backoff } from "./backoff.ts"
import {
  checkBackoff,
  checkDuration,
  checkKeys,
  checkName,
  checkOneOf,
  checkSignificant,
  checkWhole,
  RESTART_TYPES,
} from "./check.ts"
import type { ChildSpec, RestartType } from "./child-spec.ts"
import type { StartedChild } from "./requests.ts"
import { SupervisorProcess } from "./supervisor-process.ts"

/** `full`: as many as `bound`. `down`: the pool is not running. */
export type StartChild = StartedChild | { readonly kind: "full"; readonly bound: number } | { readonly kind: "down" }

export type StopChild = "stopped" | "unknown" | "down"

/** A pool by name, stable over its restarts. */
export interface PoolRef<A> {
  readonly id: string
  /** Builds the child from the template and starts it; resolves when it is ready or has failed (then it is forgotten). */
  startChild(args: A): Promise<StartChild>
  /** Stops a child within its own shutdown time and forgets it. */
  stopChild(id: string): Promise<StopChild>
  /** Ids of the children, in start order; empty when the pool is down. */
  children(): readonly string[]
}

export interface PoolSpec<A> {
  /** Unique in the whole tree. */
  readonly id: string
  /**
   * The template: an actor, a service or a supervisor whose id is unique in the tree. A child that declines its start, or
   * its restart, is forgotten.
   */
  child(args: A): ChildSpec
  /** Default 5. */
  readonly intensity?: number
  /** Default 30,000. */
  readonly periodMs?: number
  /** No more children than this. Default 100,000. */
  readonly bound?: number
  /** Default: as long as the children need. */
  readonly shutdownMs?: number
  /** Default permanent. Of the pool itself, as the next two. */
  readonly restart?: RestartType
  readonly backoff?: Backoff
  readonly significant?: boolean
}

const OPTIONS: Record<keyof PoolSpec<never>, true> = {
  id: true,
  child: true,
  intensity: true,
  periodMs: true,
  bound: true,
  shutdownMs: true,
  restart: true,
  backoff: true,
  significant: true,
}

/** A child spec for a pool. Throws SpecError naming the field that cannot be meant. */
export function pool<A>(spec: PoolSpec<A>): ChildSpec {
  const { id, intensity = 5, periodMs = 30_000, bound = 100_000, shutdownMs, restart = "permanent" } = spec
  checkName(spec, "child")
  checkKeys(id, spec, OPTIONS)
  checkWhole(id, "intensity", intensity, 0)
  checkDuration(id, "periodMs", periodMs, 1)
  checkWhole(id, "bound", bound, 1)
  checkDuration(id, "shutdownMs", shutdownMs, 0)
  checkOneOf(id, "restart", restart, RESTART_TYPES)
  checkBackoff(id, spec.backoff)
  checkSignificant(id, spec.significant, restart)
  const settings = {
    id,
    kind: "pool",
    strategy: "one_for_one" as const,
    autoShutdown: "never" as const,
    intensity,
    periodMs,
    children: [],
    shutdownMs,
    // A pool is looked up by name as any argument type, as an actor is with its message type.
    template: { bound, child: (args: unknown) => spec.child(args as A) },
  }
  return {
    id,
    kind: "pool",
    type: "pool",
    restart,
    backoff: spec.backoff,
    significant: spec.significant ?? false,
    childIds: [],
    create: (env, hooks) => new SupervisorProcess(settings, env, hooks),
  }
}
