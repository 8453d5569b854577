// Trees of supervisors and what is done to them, as plain data: one description for the model, for the runtime and for
// whoever reads a counterexample. Made at random in random-supervisors.ts.

import type { AutoShutdown } from "../runtime/auto-shutdown.ts"
import type { RestartType } from "../runtime/child-spec.ts"
import type { Strategy } from "../runtime/supervisor.ts"

export type StartOutcome = "ok" | "fail" | "ignore"
export type Reason = "normal" | "shutdown" | "error"

export interface BackoffPlan {
  readonly minMs: number
  readonly maxMs: number
  readonly resetAfterMs: number
}

/** What a supervisor is told about a child, whatever it is. */
interface Place {
  readonly id: string
  readonly restart: RestartType
  readonly significant: boolean
  readonly backoff: BackoffPlan | undefined
}

export interface WorkerPlan extends Place {
  readonly kind: "worker"
  /** What becomes of its first start, its second and so on; all later ones go well. */
  readonly starts: readonly StartOutcome[]
}

export interface SupervisorPlan extends Place {
  readonly kind: "supervisor"
  readonly strategy: Strategy
  readonly autoShutdown: AutoShutdown
  readonly intensity: number
  readonly periodMs: number
  readonly children: readonly Plan[]
}

export interface PoolPlan extends Place {
  readonly kind: "pool"
  readonly intensity: number
  readonly periodMs: number
  readonly bound: number
  /** Whoever starts a child gives it its name. */
  readonly template: Omit<WorkerPlan, "id">
}

export type Plan = WorkerPlan | SupervisorPlan | PoolPlan

export type Command =
  /** They end at the same moment, in this order; all are children of one supervisor. Who does not run is skipped. */
  | { readonly do: "exit"; readonly who: readonly { readonly id: string; readonly reason: Reason }[] }
  | { readonly do: "advance"; readonly ms: number }
  /** By an operator: stop and start of one child. */
  | { readonly do: "restart"; readonly id: string }
  | { readonly do: "start_in_pool" | "stop_in_pool"; readonly of: string; readonly id: string }
  | { readonly do: "start_child"; readonly of: string; readonly plan: WorkerPlan }
  | { readonly do: "terminate_child" | "restart_child" | "delete_child"; readonly of: string; readonly id: string }

export interface Scenario {
  readonly root: SupervisorPlan
  readonly commands: readonly Command[]
}

export function describePlan(plan: Plan, indent = ""): string {
  const { id, restart, significant, backoff } = plan
  const delays = backoff === undefined ? "" : `, backoff ${backoff.minMs}..${backoff.maxMs} ms`
  const place = `${indent}${id} ${restart}${significant ? " significant" : ""}`
  switch (plan.kind) {
    case "worker":
      return `${place}${startsOf(plan)}${delays}`
    case "pool": {
      const { bound, template, intensity, periodMs } = plan
      return `${place} pool of ${template.restart}${startsOf(template)}, at most ${bound}, ${intensity} in ${periodMs} ms${delays}`
    }
    case "supervisor": {
      const { strategy, autoShutdown, intensity, periodMs, children } = plan
      const ends = autoShutdown === "never" ? "" : `, ends with ${autoShutdown}`
      const self = `${place} ${strategy}, ${intensity} in ${periodMs} ms${ends}${delays}`
      return [self, ...children.map((child) => describePlan(child, `${indent}  `))].join("\n")
    }
  }
}

function startsOf({ starts }: { readonly starts: readonly StartOutcome[] }): string {
  return starts.length === 0 ? "" : `, starts: ${starts.join(" ")}`
}

export function describeCommand(command: Command): string {
  switch (command.do) {
    case "exit":
      return `exit ${command.who.map(({ id, reason }) => `${id} ${reason}`).join(", ")}`
    case "advance":
      return `advance ${command.ms}`
    case "restart":
      return `restart ${command.id}`
    case "start_child":
      return `start_child of ${command.of}: ${describePlan(command.plan)}`
    case "start_in_pool":
    case "stop_in_pool":
    case "terminate_child":
    case "restart_child":
    case "delete_child":
      return `${command.do} of ${command.of}: ${command.id}`
  }
}

export function describeScenario({ root, commands }: Scenario): string {
  return `\n${describePlan(root)}\n${commands.map((command) => `> ${describeCommand(command)}`).join("\n")}\n`
}
