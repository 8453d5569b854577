// A scenario played to the model: what outsiders ask of supervisors, what they are answered, and the log and the tree after
// each command.

import { type Child, type Supervisor, supervisorModel } from "./supervisor-model.ts"
import { type Command, describeCommand, type Plan, type Reason, type Scenario } from "./supervisor-plans.ts"
import { RULES, type Rules } from "./supervisor-rules.ts"

/** What one command led to. */
export interface Step {
  readonly command: string
  /** In order: `+a` is up, `!a` ended by itself, `-a` was stopped, `xa` did not start, `~a` declined to start. */
  readonly log: readonly string[]
  readonly answer: string
  /** Two supervisors were at work at once: the order between what one did and what the other did is free. */
  readonly atOnce: boolean
  /** Who is there: `a running #2 r1`, with the number of its incarnation and of its restarts, indented by depth. */
  readonly tree: readonly string[]
}

export function simulate(scenario: Scenario, rules: Rules = RULES): readonly Step[] {
  const model = supervisorModel(rules)
  const root = model.supervise(scenario.root, undefined)

  function find(id: string, sup: Supervisor = root): Child | undefined {
    for (const child of sup.children) {
      const found = child.plan.id === id ? child : child.below && find(id, child.below)
      if (found !== undefined) return found
    }
    return undefined
  }

  function exit(who: readonly { readonly id: string; readonly reason: Reason }[]): void {
    for (const { id, reason } of who) {
      const child = find(id)
      if (child?.state === "running" && child.plan.kind === "worker") model.die(child, reason)
    }
  }

  /** Not in OTP: terminate_child and restart_child in one, but a start that fails is tried again like any other. */
  function operatorsRestart(id: string): string {
    const child = find(id)
    if (child === undefined) return id === root.plan.id ? "root" : "unknown"
    if (child.parent.group !== undefined) return "not_now"
    model.stop(child)
    if (!rules.operatorsRestartIsFree && !model.mayRestart(child.parent)) model.giveUp(child.parent)
    else if (model.start(child) !== "failed") return "restarted"
    else if (child.plan.restart === "temporary") model.remove(child)
    else model.again(child)
    return "failed"
  }

  function startNew(parent: Supervisor, plan: Plan): string {
    const present = parent.children.find((child) => child.plan.id === plan.id)
    if (present !== undefined) return present.state === "running" ? "already_started" : "already_present"
    const child = model.add(parent, plan, false)
    const outcome = model.start(child)
    if (outcome === "failed") model.remove(child)
    return outcome === "ok" ? "started" : outcome
  }

  function askPool(command: Command & { do: "start_in_pool" | "stop_in_pool" }): string {
    const { id } = command
    const pool = find(command.of)?.below
    if (pool?.plan.kind !== "pool") return "down"
    const child = pool.children.find((child) => child.plan.id === id)
    if (command.do === "start_in_pool") {
      const full = child === undefined && pool.children.length >= pool.plan.bound
      return full ? "full" : startNew(pool, { ...pool.plan.template, id })
    }
    if (child === undefined) return "unknown"
    model.stop(child)
    model.remove(child)
    return "stopped"
  }

  function askSupervisor(
    command: Command & { do: "start_child" | "terminate_child" | "restart_child" | "delete_child" },
  ): string {
    const sup = command.of === root.plan.id && root.alive ? root : find(command.of)?.below
    if (sup === undefined) return "down"
    if (sup.group !== undefined) return "not_now"
    if (command.do === "start_child") return startNew(sup, command.plan)
    const child = sup.children.find((child) => child.plan.id === command.id)
    if (child === undefined) return "unknown"
    if (command.do === "terminate_child") {
      model.stop(child)
      if (child.plan.restart === "temporary") model.remove(child)
      return "terminated"
    }
    if (child.state === "running") return "running"
    if (child.state === "backoff") return "restarting"
    if (command.do === "restart_child") return model.start(child).replace("ok", "started")
    model.remove(child)
    return "deleted"
  }

  function obey(command: Command): string {
    switch (command.do) {
      case "exit":
        exit(command.who)
        return ""
      case "advance":
        model.advance(command.ms)
        return ""
      case "restart":
        return operatorsRestart(command.id)
      case "start_in_pool":
      case "stop_in_pool":
        return askPool(command)
      case "start_child":
      case "terminate_child":
      case "restart_child":
      case "delete_child":
        return askSupervisor(command)
    }
  }

  function step(command: string, act: () => string): Step {
    const answer = act()
    model.drain()
    return { command, answer, ...model.take(), tree: root.alive ? lines(root, "") : [] }
  }

  const steps = [step("start", () => model.startBelow(root))]
  if (!root.alive) return steps
  for (const command of scenario.commands) steps.push(step(describeCommand(command), () => obey(command)))
  steps.push(
    step("stop", () => {
      if (root.alive) model.end(root)
      return ""
    }),
  )
  return steps
}

function lines(sup: Supervisor, indent: string): string[] {
  return sup.children.flatMap(({ plan, state, incarnation, restarts, below }) => [
    `${indent}${plan.id} ${state} #${incarnation} r${restarts}`,
    ...(below === undefined ? [] : lines(below, `${indent}  `)),
  ])
}
