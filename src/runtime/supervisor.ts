// A supervisor: starts its children in order, stops them in reverse, and decides what a child's end means for it and its
// siblings. Supervisors are permanent children: one that gives up exits "shutdown", and its parent tries again or gives up.

import { checkDuration, checkKeys, checkOneOf, checkWhole } from "./check.ts"
import { type ChildSpec, SpecError } from "./child-spec.ts"
import { SupervisorProcess } from "./supervisor-process.ts"

export { type PoolRef, type PoolSpec, pool, type StartChild, type StopChild } from "./pool.ts"
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
}

const OPTIONS: Record<keyof SupervisorSpec, true> = {
  id: true,
  strategy: true,
  intensity: true,
  periodMs: true,
  children: true,
  shutdownMs: true,
}

/** A child spec for a supervisor. Throws SpecError naming the field that cannot be meant. */
export function supervisor(spec: SupervisorSpec): ChildSpec {
  const { id, strategy, intensity = 5, periodMs = 30_000, children, shutdownMs } = spec
  if (typeof id !== "string" || id === "") throw new SpecError(id, "id", "a non-empty string", id)
  checkKeys(id, spec, OPTIONS)
  checkOneOf(id, "strategy", strategy, ["one_for_one", "one_for_all", "rest_for_one"])
  checkWhole(id, "intensity", intensity, 0)
  checkDuration(id, "periodMs", periodMs, 1)
  checkDuration(id, "shutdownMs", shutdownMs, 0)
  const childIds = children.flatMap((child) => [child.id, ...child.childIds])
  const twice = [id, ...childIds].find((childId, at, all) => all.indexOf(childId) !== at)
  if (twice !== undefined) throw new SpecError(id, "children", "named once in the whole tree", twice)
  const settings = { id, kind: "supervisor", strategy, intensity, periodMs, children, shutdownMs }
  return {
    id,
    kind: "supervisor",
    type: "supervisor",
    restart: "permanent",
    backoff: undefined,
    childIds,
    create: (env, hooks) => new SupervisorProcess(settings, env, hooks),
  }
}
