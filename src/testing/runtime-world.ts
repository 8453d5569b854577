// A small tree on a fake clock, whose workers do what a test tells them to. Every start and every end is written down
// in order, as "+name" and "-name".

import { type ActorContext, type ActorSpec, actor } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import type { RuntimeEvent } from "../runtime/event.ts"
import type { ExitReason } from "../runtime/exit.ts"
import { startTree, type Tree } from "../runtime/supervisor.ts"
import { type FakeClock, fakeClock } from "./fake-clock.ts"

/** A message is what the worker shall do when it handles it. */
export type Job = (ctx: ActorContext<Job>) => void | Promise<void>

export interface WorkerOptions extends Partial<Omit<ActorSpec<Job>, "id" | "start">> {
  /** Runs inside `start`; may throw, wait, or decline. */
  readonly starting?: (ctx: ActorContext<Job>) => undefined | "ignore" | Promise<undefined | "ignore">
  readonly terminate?: (reason: ExitReason) => void | Promise<void>
}

export interface World {
  readonly clock: FakeClock
  readonly log: string[]
  readonly events: RuntimeEvent[]
  readonly gaveUp: ExitReason[]
  worker(id: string, options?: WorkerOptions): ChildSpec
  start(root: ChildSpec, signal?: AbortSignal): Promise<Tree>
  /** Makes a worker throw, and lets what follows from it happen. */
  crash(tree: Tree, ...ids: string[]): Promise<void>
  /** What was written down since the last call. */
  since(): string
}

export function runtimeWorld(): World {
  const clock = fakeClock()
  const log: string[] = []
  const events: RuntimeEvent[] = []
  const gaveUp: ExitReason[] = []
  return {
    clock,
    log,
    events,
    gaveUp,
    worker(id, { starting, terminate, ...options } = {}) {
      return actor<Job>({
        id,
        ...options,
        start: (ctx) => {
          const behaviour = {
            handle: (job: Job) => job(ctx),
            terminate: (reason: ExitReason) => {
              log.push(`-${id}`)
              return terminate?.(reason)
            },
          }
          const begun = starting?.(ctx)
          const ready = (answer: undefined | "ignore") => {
            if (answer === "ignore") return answer
            log.push(`+${id}`)
            return behaviour
          }
          return begun instanceof Promise ? begun.then(ready) : ready(begun)
        },
      })
    },
    start: (root, signal) =>
      startTree(root, {
        clock,
        random: () => 0,
        emit: (event) => events.push(event),
        onGiveUp: (reason) => gaveUp.push(reason),
        ...(signal === undefined ? {} : { signal }),
      }),
    async crash(tree, ...ids) {
      for (const id of ids) {
        tree.ref<Job>(id).send(() => {
          throw new Error(`${id} crashed`)
        })
      }
      await clock.flush()
    },
    since: () => log.splice(0).join(" "),
  }
}
