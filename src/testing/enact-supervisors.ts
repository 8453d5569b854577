// A scenario played to the runtime, with everything written down the way the model writes it.

import { type ActorContext, actor } from "../runtime/actor.ts"
import type { Backoff } from "../runtime/backoff.ts"
import type { ActorInfo, ChildSpec } from "../runtime/child-spec.ts"
import type { RuntimeEvent } from "../runtime/event.ts"
import { pool, StartFailed, startTree, supervisor, type Tree } from "../runtime/supervisor.ts"
import { fakeClock } from "./fake-clock.ts"
import type { Step } from "./simulate-supervisors.ts"
import {
  type BackoffPlan,
  type Command,
  describeCommand,
  type Plan,
  type Reason,
  type Scenario,
  type WorkerPlan,
} from "./supervisor-plans.ts"

/** A message: end for this reason once the gate opens. */
interface End {
  readonly reason: Reason
  readonly gate: Promise<void>
}

/** The runtime, told to do what a scenario says. */
export class Enactment {
  private readonly log: string[] = []
  private happened = 0
  private gaveUp = false
  private readonly starts = new Map<string, number>()
  private readonly supervisors = new Map<string, Plan>()
  private readonly clock = fakeClock(undefined, () => this.settle())

  /** Some turns of the event loop in which nothing happens: whatever waits now waits for time. */
  private async settle(): Promise<void> {
    for (let quiet = 0; quiet < 3; ) {
      const before = this.happened
      await new Promise((resolve) => setImmediate(resolve))
      quiet = this.happened === before ? quiet + 1 : 0
    }
  }

  private note(line: string): void {
    this.happened++
    this.log.push(line)
  }

  private worker(plan: WorkerPlan): ChildSpec {
    const { kind: _, backoff, starts, ...options } = plan
    const { id } = plan
    return actor<End>({
      ...options,
      ...withBackoff(backoff),
      start: (ctx) => {
        const before = this.starts.get(id) ?? 0
        this.starts.set(id, before + 1)
        const outcome = starts[before] ?? "ok"
        this.note(`${{ ok: "+", ignore: "~", fail: "x" }[outcome]}${id}`)
        if (outcome === "fail") throw new Error("does not start")
        if (outcome === "ignore") return "ignore"
        let gate: Promise<void> | undefined
        return {
          handle: (end) => {
            gate = end.gate
            this.end(ctx, end.reason)
          },
          terminate: () => {
            this.note(`${gate === undefined ? "-" : "!"}${id}`)
            return gate
          },
        }
      },
    })
  }

  private end(ctx: ActorContext<End>, reason: Reason): void {
    switch (reason) {
      case "error":
        throw new Error("crash")
      case "normal":
      case "shutdown":
        ctx.exit({ kind: reason })
    }
  }

  private spec(plan: Plan): ChildSpec {
    switch (plan.kind) {
      case "worker":
        return this.worker(plan)
      case "pool": {
        const { kind: _, backoff, template, ...options } = plan
        return pool<string>({ ...options, ...withBackoff(backoff), child: (id) => this.worker({ ...template, id }) })
      }
      case "supervisor": {
        const { kind: _, backoff, children, ...options } = plan
        return supervisor({ ...options, ...withBackoff(backoff), children: children.map((child) => this.spec(child)) })
      }
    }
  }

  /** Workers write for themselves; supervisors are heard of here. */
  private hear(event: RuntimeEvent): void {
    this.happened++
    if (event.type === "started" && this.supervisors.has(event.id)) this.note(`+${event.id}`)
    if (event.type === "exited" && this.supervisors.has(event.id)) {
      this.note(`${event.wasReady ? (event.asked ? "-" : "!") : "x"}${event.id}`)
    }
  }

  async run({ root, commands }: Scenario): Promise<Step[]> {
    const collect = (plan: Plan): void => {
      if (plan.kind !== "worker") this.supervisors.set(plan.id, plan)
      if (plan.kind === "supervisor") plan.children.forEach(collect)
    }
    collect(root)
    const steps: Step[] = []
    let tree: Tree | undefined
    const step = async (command: string, act: () => Promise<string>): Promise<void> => {
      const asked = act()
      await this.settle()
      const answer = await Promise.race([asked, new Promise<string>((resolve) => setImmediate(resolve, "no answer"))])
      const children = tree?.snapshot().root.children ?? []
      steps.push({
        command,
        answer,
        log: this.log.splice(0),
        atOnce: false,
        tree: this.gaveUp ? [] : lines(children, ""),
      })
    }
    const options = {
      clock: this.clock,
      random: () => 0,
      emit: (event: RuntimeEvent) => this.hear(event),
      onGiveUp: () => {
        this.gaveUp = true
        this.note(`!${root.id}`)
      },
    }
    await step("start", async () => {
      tree = await startTree(this.spec(root), options).catch((error: unknown) => {
        if (error instanceof StartFailed) return undefined
        throw error
      })
      if (tree !== undefined) return "ok"
      return this.clock.pending === 0 ? "failed" : "failed, and left timers"
    })
    // Assigned in a closure, which the compiler does not follow.
    const running = tree as Tree | undefined
    if (running === undefined) return steps
    for (const command of commands) {
      if (command.do === "advance") await this.clock.advance(command.ms)
      await step(describeCommand(command), () => this.obey(running, command))
    }
    await step("stop", async () => {
      await running.stop()
      this.gaveUp = true
      const { stuck } = running.snapshot()
      return this.clock.pending + stuck === 0 ? "" : `${this.clock.pending} timers and ${stuck} stuck are left`
    })
    return steps
  }

  /** Then it makes no difference when the others' ends are through: the restart of all waits for them, and counts them. */
  private oneEndsForAll(who: readonly { readonly id: string }[]): boolean {
    const id = who[0]?.id ?? ""
    const all = [...this.supervisors.values()]
    const parent = all.find((plan) => plan.kind === "supervisor" && plan.children.some((child) => child.id === id))
    return parent?.kind === "supervisor" && parent.strategy === "one_for_all" && parent.autoShutdown === "never"
  }

  private async obey(tree: Tree, command: Command): Promise<string> {
    switch (command.do) {
      case "exit": {
        const gates = command.who.map(({ id, reason }) => {
          const { promise: gate, resolve: open } = Promise.withResolvers<void>()
          tree.ref<End>(id).send({ reason, gate })
          return open
        })
        await new Promise((resolve) => setImmediate(resolve))
        for (const open of gates) {
          open()
          if (this.oneEndsForAll(command.who)) await new Promise((resolve) => setImmediate(resolve))
        }
        return ""
      }
      case "advance":
        return ""
      case "restart":
        return (await tree.restart(command.id)).kind
      case "start_in_pool":
        return (await tree.pool<string>(command.of).startChild(command.id)).kind
      case "stop_in_pool":
        return tree.pool<string>(command.of).stopChild(command.id)
      case "start_child":
        return (await tree.supervisor(command.of).startChild(this.worker(command.plan))).kind
      case "terminate_child":
        return (await tree.supervisor(command.of).terminateChild(command.id)).kind
      case "restart_child":
        return (await tree.supervisor(command.of).restartChild(command.id)).kind
      case "delete_child":
        return (await tree.supervisor(command.of).deleteChild(command.id)).kind
    }
  }
}

/** No jitter: the model says when. */
function withBackoff(backoff: BackoffPlan | undefined): { readonly backoff?: Backoff } {
  return backoff === undefined ? {} : { backoff: { ...backoff, jitter: 0 } }
}

function lines(children: readonly ActorInfo[], indent: string): string[] {
  return children.flatMap(({ id, state, incarnation, restarts, children = [] }) => [
    `${indent}${id} ${state} #${incarnation} r${restarts}`,
    ...lines(children, `${indent}  `),
  ])
}
