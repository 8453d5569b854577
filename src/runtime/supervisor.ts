// A supervisor: starts its children in order, stops them in reverse, and decides what a child's end means for it and its
// siblings. One that gives up exits "shutdown", which a permanent or backoff place answers with a new start.

import type { AutoShutdown } from "./auto-shutdown.ts"
import { checkFits } from "./auto-shutdown.ts"
import type { Backoff } from "./backoff.ts"
import {
  checkBackoff,
  checkDuration,
  checkKeys,
  checkOneOf,
  checkSignificant,
  checkWhole,
  RESTART_TYPES,
} from "./check.ts"
import { type ChildSpec, type RestartType, SpecError } from "./child-spec.ts"
import { SupervisorProcess } from "./supervisor-process.ts"

export { type PoolRef, type PoolSpec, pool, type StartChild, type StopChild } from "./pool.ts"
export type {
  DeleteChild,
  RestartChild,
  StartedChild,
  SupervisorRef,
  SupervisorStart,
  TerminateChild,
} from "./requests.ts"
export { type RestartAnswer, StartFailed, startTree, type Tree, type TreeOptions, type TreeSnapshot } from "./tree.ts"

/** one_for_one: only the ended child. one_for_all: all children. rest_for_one: it and those started after it. */
export type Strategy = "one_for_one" | "one_for_all" | "rest_for_one"

export interface SupervisorSpec {
  /** Unique in the whole tree. */
  readonly id: string
  readonly strategy: Strategy
  /** So many restarts within `periodMs` are allowed; one more and the supervisor gives up. Default 5. */
  readonly intensity?: number
  /** Default 30,000. */
  readonly periodMs?: number
  /** In start order. */
  readonly children: readonly ChildSpec[]
  /** Default: as long as the children need, each within its own time. */
  readonly shutdownMs?: number
  /** It exits `shutdown` when one significant child, or the last of them, has ended by itself for good. Default never. */
  readonly autoShutdown?: AutoShutdown
  /** Default permanent. A transient one is not started again after it has given up, because that is a `shutdown`. */
  readonly restart?: RestartType
  /** A bulkhead: when it gives up or cannot start it is started again after a delay, and its parent's budget is not touched. */
  readonly backoff?: Backoff
  /** Its own end may end its supervisor. Only for transient and temporary. Default false. */
  readonly significant?: boolean
}

const OPTIONS: Record<keyof SupervisorSpec, true> = {
  id: true,
  strategy: true,
  intensity: true,
  periodMs: true,
  children: true,
  shutdownMs: true,
  autoShutdown: true,
  restart: true,
  backoff: true,
  significant: true,
}

/** A child spec for a supervisor. Throws SpecError naming the field that cannot be meant. */
export function supervisor(spec: SupervisorSpec): ChildSpec {
  const { id, strategy, intensity = 5, periodMs = 30_000, children, shutdownMs } = spec
  const { autoShutdown = "never", restart = "permanent", backoff, significant = false } = spec
  if (typeof id !== "string" || id === "") throw new SpecError(id, "id", "a non-empty string", id)
  checkKeys(id, spec, OPTIONS)
  checkOneOf(id, "strategy", strategy, ["one_for_one", "one_for_all", "rest_for_one"])
  checkWhole(id, "intensity", intensity, 0)
  checkDuration(id, "periodMs", periodMs, 1)
  checkDuration(id, "shutdownMs", shutdownMs, 0)
  checkOneOf(id, "autoShutdown", autoShutdown, ["never", "any_significant", "all_significant"])
  checkOneOf(id, "restart", restart, RESTART_TYPES)
  checkBackoff(id, backoff)
  checkSignificant(id, significant, restart)
  if (!Array.isArray(children) || !children.every((child) => typeof child?.create === "function")) {
    throw new SpecError(id, "children", "a list of what actor(), service(), supervisor() and pool() return", children)
  }
  for (const child of children) checkFits(child, autoShutdown)
  const childIds: string[] = []
  for (const child of children) childIds.push(child.id, ...child.childIds)
  const seen = new Set<string>()
  const twice = [id, ...childIds].find((childId) => seen.size === seen.add(childId).size)
  if (twice !== undefined) throw new SpecError(id, "children", "named once in the whole tree", twice)
  const settings = { id, kind: "supervisor", strategy, intensity, periodMs, children, shutdownMs, autoShutdown }
  return {
    id,
    kind: "supervisor",
    type: "supervisor",
    restart,
    backoff,
    significant,
    childIds,
    create: (env, hooks) => new SupervisorProcess(settings, env, hooks),
  }
}
