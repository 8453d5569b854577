// Random trees of supervisors and random things done to them, for fast-check, which shrinks them as well.

import fc from "fast-check"
import type { AutoShutdown } from "../runtime/auto-shutdown.ts"
import type { RestartType } from "../runtime/child-spec.ts"
import type { Strategy } from "../runtime/supervisor.ts"
import {
  type BackoffPlan,
  type Command,
  describeScenario,
  type Plan,
  type PoolPlan,
  type Reason,
  type Scenario,
  type StartOutcome,
  type SupervisorPlan,
  type WorkerPlan,
} from "./supervisor-plans.ts"

/** A plan whose nodes have no names yet. */
type Unnamed = Omit<WorkerPlan, "id"> | Omit<PoolPlan, "id"> | UnnamedSupervisor
type UnnamedSupervisor = Omit<SupervisorPlan, "id" | "children"> & { readonly children: readonly Unnamed[] }

/** Short, so that the edge of a window is met often. */
const budget = { intensity: fc.integer({ min: 0, max: 4 }), periodMs: fc.constantFrom(1_000, 5_000) }
const later = fc.constantFrom<StartOutcome>("ok", "ok", "fail", "fail", "ignore")
/** Mostly a first start that works, or there would be few trees to do something to. */
const starts = fc.oneof(
  { weight: 18, arbitrary: fc.constant<StartOutcome[]>([]) },
  { weight: 14, arbitrary: fc.array(later, { maxLength: 4 }).map((rest): StartOutcome[] => ["ok", ...rest]) },
  { weight: 1, arbitrary: fc.array(later, { maxLength: 3 }) },
)
const backoff = fc.oneof(
  { weight: 3, arbitrary: fc.constant(undefined) },
  fc.constantFrom<BackoffPlan>(
    { minMs: 100, maxMs: 1_000, resetAfterMs: 5_000 },
    { minMs: 1_000, maxMs: 3_000, resetAfterMs: 1_000 },
  ),
)
const place = {
  restart: fc.constantFrom<RestartType>("permanent", "permanent", "transient", "temporary"),
  significant: fc.boolean(),
  backoff,
}
const worker: fc.Arbitrary<Omit<WorkerPlan, "id">> = fc.record({
  kind: fc.constant("worker" as const),
  ...place,
  starts,
})
const pool: fc.Arbitrary<Omit<PoolPlan, "id">> = fc.record({
  kind: fc.constant("pool" as const),
  ...place,
  restart: fc.constantFrom<RestartType>("permanent", "permanent", "permanent", "transient"),
  ...budget,
  bound: fc.integer({ min: 1, max: 3 }),
  template: worker.map((child) => sensible(child, "never")),
})
const supervisor = (depth: number): fc.Arbitrary<UnnamedSupervisor> =>
  fc.record({
    kind: fc.constant("supervisor" as const),
    ...place,
    restart: fc.constantFrom<RestartType>("permanent", "permanent", "permanent", "transient", "temporary"),
    ...budget,
    strategy: fc.constantFrom<Strategy>("one_for_one", "one_for_all", "rest_for_one"),
    autoShutdown: fc.constantFrom<AutoShutdown>("never", "never", "any_significant", "all_significant"),
    children: fc.array(
      depth === 0
        ? worker
        : fc.oneof(
            { withCrossShrink: true },
            { weight: 5, arbitrary: worker as fc.Arbitrary<Unnamed> },
            { weight: 3, arbitrary: supervisor(depth - 1) },
            { weight: 3, arbitrary: pool },
          ),
      { maxLength: 4, size: "max" },
    ),
  })

/** Without what a spec refuses, and without a backoff for who is never restarted, which has no meaning. */
function sensible<P extends Omit<WorkerPlan, "id" | "kind" | "starts">>(plan: P, parent: AutoShutdown): P {
  return {
    ...plan,
    significant: plan.significant && plan.restart !== "permanent" && parent !== "never",
    backoff: plan.restart === "temporary" ? undefined : plan.backoff,
  }
}

/** Names in start order, depth first: s1, a2, a3, pool4. */
function name(unnamed: UnnamedSupervisor, numbers: { next: number }, id: string): SupervisorPlan {
  const children = unnamed.children.map((each): Plan => {
    const child = sensible(each, unnamed.autoShutdown)
    const number = numbers.next++
    if (child.kind === "supervisor") return name(child, numbers, `s${number}`)
    return child.kind === "worker" ? { ...child, id: `a${number}` } : { ...child, id: `pool${number}` }
  })
  return { ...unnamed, id, children }
}

/** A command whose targets are still numbers: which names there are is known once the tree is. */
type Vague =
  /** The same one ends again and again: how budgets are used up and delays grow. */
  | {
      readonly do: "burst"
      readonly at: number
      readonly who: number
      readonly times: number
      readonly everyMs: number
    }
  | { readonly do: "exit"; readonly at: number; readonly who: readonly { at: number; reason: Reason }[] }
  | { readonly do: "advance"; readonly ms: number }
  | { readonly do: "restart"; readonly at: number }
  | { readonly do: "start_in_pool" | "stop_in_pool"; readonly at: number; readonly child: number }
  | { readonly do: "start_child"; readonly at: number; readonly child: number; readonly plan: Omit<WorkerPlan, "id"> }
  | { readonly do: "terminate_child" | "restart_child" | "delete_child"; readonly at: number; readonly child: number }

const at = fc.oneof(fc.nat({ max: 3 }), fc.nat({ max: 30 }))
const exit = (least: number, most: number): fc.Arbitrary<Vague> => {
  const reason = fc.constantFrom<Reason>("error", "error", "normal", "shutdown")
  const who = fc.array(fc.record({ at, reason }), { minLength: least, maxLength: most })
  return fc.record({ do: fc.constant("exit" as const), at, who })
}
const child = fc.nat({ max: 5 })
const command: fc.Arbitrary<Vague> = fc.oneof(
  { weight: 8, arbitrary: exit(1, 1) },
  { weight: 3, arbitrary: exit(2, 3) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("burst" as const),
      at,
      who: at,
      times: fc.integer({ min: 1, max: 5 }),
      everyMs: fc.constantFrom(0, 0, 250, 500, 1_000, 2_500, 5_000),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("advance" as const),
      ms: fc.constantFrom(1, 100, 999, 1_000, 4_000, 5_000),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("restart" as const), at }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom("start_in_pool" as const, "start_in_pool" as const, "stop_in_pool" as const),
      at,
      child,
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("start_child" as const), at, child, plan: worker }) },
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constantFrom("terminate_child" as const, "restart_child" as const, "delete_child" as const),
      at,
      child,
    }),
  },
)

interface Names {
  readonly pools: string[]
  readonly supervisors: SupervisorPlan[]
  readonly all: string[]
}

function namesOf(plan: Plan, names: Names = { pools: [], supervisors: [], all: [] }): Names {
  names.all.push(plan.id)
  if (plan.kind === "pool") names.pools.push(plan.id)
  if (plan.kind === "supervisor") {
    names.supervisors.push(plan)
    for (const child of plan.children) namesOf(child, names)
  }
  return names
}

function pick<T>(from: readonly T[], at: number): T | undefined {
  return from[at % Math.max(1, from.length)]
}

const inPool = (pool: string, child: number): string => `${pool}.${child % 3}`
/** Two that may be started at run time, besides those of the plan. */
const added = (parent: string, child: number): string => `${parent}+${child % 2}`

/** The workers that a supervisor or a pool may have. */
function familyAt(at: number, { pools, supervisors }: Names): string[] {
  const pool = pick(pools, at)
  const parent = pick(supervisors, at)
  if (parent === undefined || (pool !== undefined && at % 4 === 3))
    return [0, 1, 2].map((child) => inPool(pool ?? "", child))
  const workers = parent.children.filter((child) => child.kind === "worker").map((child) => child.id)
  return [...workers, ...[0, 1].map((child) => added(parent.id, child))]
}

function precise(vague: Vague, names: Names): Command[] {
  const { pools, supervisors, all } = names
  switch (vague.do) {
    case "burst": {
      const id = pick(familyAt(vague.at, names), vague.who) ?? ""
      const once: Command[] = [{ do: "exit", who: [{ id, reason: "error" }] }]
      if (vague.everyMs > 0) once.push({ do: "advance", ms: vague.everyMs })
      return Array.from({ length: vague.times }, () => once).flat()
    }
    case "exit": {
      const family = familyAt(vague.at, names)
      const who = vague.who.map(({ at, reason }) => ({ id: family[at % family.length] ?? "", reason }))
      const once = who.filter(({ id }, at) => who.findIndex((other) => other.id === id) === at)
      return [{ do: "exit", who: once }]
    }
    case "advance":
      return [vague]
    case "restart":
      return [{ do: "restart", id: pick(all, vague.at) ?? "root" }]
    case "start_in_pool":
    case "stop_in_pool": {
      const of = pick(pools, vague.at)
      return of === undefined ? [] : [{ do: vague.do, of, id: inPool(of, vague.child) }]
    }
    case "start_child": {
      const of = pick(supervisors, vague.at)
      if (of === undefined) return []
      const plan = { ...sensible(vague.plan, of.autoShutdown), id: added(of.id, vague.child) }
      return [{ do: "start_child", of: of.id, plan }]
    }
    case "terminate_child":
    case "restart_child":
    case "delete_child": {
      const of = pick(supervisors, vague.at)
      if (of === undefined) return []
      const id = pick([...of.children.map((child) => child.id), added(of.id, vague.child)], vague.child)
      return [{ do: vague.do, of: of.id, id: id ?? "" }]
    }
  }
}

/** Trees of up to three levels below the root and up to 12 commands, bursts counted once; a counterexample prints as text. */
export const scenario: fc.Arbitrary<Scenario> = fc
  .tuple(supervisor(2), fc.array(command, { maxLength: 12, size: "max" }))
  .map(([unnamed, vague]) => {
    const plain = { restart: "permanent", significant: false, backoff: undefined } as const
    const root = name({ ...unnamed, ...plain, intensity: unnamed.intensity * 2 }, { next: 1 }, "root")
    const names = namesOf(root)
    const made = { root, commands: vague.flatMap((each) => precise(each, names)) }
    return Object.defineProperty(made, fc.toStringMethod, { value: () => describeScenario(made) })
  })
