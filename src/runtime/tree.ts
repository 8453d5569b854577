// The whole tree: one root, started once, stopped once. What an operator can see of it and ask of it is here too.

import type { ActorInfo, ChildSpec, TreeEnv } from "./child-spec.ts"
import type { Clock } from "./clock.ts"
import { type DeadLetter, DeadLetters } from "./dead-letters.ts"
import type { RuntimeEvent } from "./event.ts"
import { describeExit, type ExitReason, SHUTDOWN } from "./exit.ts"
import { Figures, type KindFigures } from "./figures.ts"
import { Links } from "./links.ts"
import type { PoolRef } from "./pool.ts"
import type { ActorRef } from "./ref.ts"
import { Registry } from "./registry.ts"
import type { SupervisorRef } from "./requests.ts"
import { Slot } from "./slot.ts"
import { Sweep } from "./sweep.ts"

export interface TreeOptions {
  readonly clock: Clock
  /** [0, 1), for jitter. Default Math.random. */
  readonly random?: () => number
  /**
   * Hears everything that happens; a throw in it is swallowed, because telemetry must not bring the tree down. It is
   * called in the midst of what it hears of: it may look, send and ask for the stop of all, and asks for the rest later.
   */
  emit(event: RuntimeEvent): void
  /** The root ended without being asked: everything below is stopped already, the process should end. */
  onGiveUp(reason: ExitReason): void
  /** Aborted before the start is done: what has started is stopped again and startTree rejects. */
  readonly signal?: AbortSignal
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
  /** One entry per kind of child ever seen in this tree. Its counters never go down. */
  readonly kinds: readonly KindFigures[]
  /** Samples of the last 20, newest last. */
  readonly recentDeadLetters: readonly DeadLetter[]
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
  /** A supervisor by name, to start, stop, restart and delete its children. */
  supervisor(id: string): SupervisorRef
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

/**
 * Starts the tree; resolves when every child is ready. Rejects with StartFailed when one could not start (what had
 * started is stopped again), or throws SpecError when two children have one name. What the root's spec says of its own
 * restart is not looked at: above it there is only the process.
 */
export async function startTree(root: ChildSpec, options: TreeOptions): Promise<Tree> {
  const { clock, random = Math.random, onGiveUp } = options
  const emit = (event: RuntimeEvent): void => {
    try {
      options.emit(event)
    } catch {
      // Whoever listens may be broken; the tree is what everybody else stands on.
    }
  }
  const figures = new Figures()
  const deadLetters = new DeadLetters(clock, figures, emit)
  const registry = new Registry(clock, deadLetters)
  const sweep = new Sweep(clock)
  const links = new Links(registry)
  const env: TreeEnv = { clock, random, emit, registry, sweep, links, figures, deadLetters }
  figures.of(root.kind)
  const slot = new Slot(root, 0, async () => ({ kind: "root" }))
  registry.claim(root.id, slot)
  let askedToStop = false
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const { promise: begun, resolve: begin } = Promise.withResolvers<ExitReason | undefined>()
  let began = false
  slot.incarnation = registry.nextIncarnation(root.id)
  slot.state = "starting"
  const process = root.create(env, {
    incarnation: slot.incarnation,
    ready: () => {
      began = true
      slot.markReady(clock)
      begin(undefined)
    },
    ignored: () => {
      slot.state = "ignored"
      begin(SHUTDOWN)
      end()
    },
    exited: (reason) => {
      slot.state = "stopped"
      slot.process = undefined
      sweep.stop()
      deadLetters.close()
      begin(reason)
      end()
      if (began && !askedToStop) onGiveUp(reason)
    },
  })
  const stop = (): Promise<void> => {
    askedToStop = true
    process.stop(SHUTDOWN)
    return ended
  }
  slot.process = process
  const { signal } = options
  const abort = (): void => void stop()
  signal?.addEventListener("abort", abort)
  process.start()
  if (signal?.aborted === true) abort()
  const failure = await begun
  signal?.removeEventListener("abort", abort)
  if (failure !== undefined) throw startFailure(root.id, failure)
  return {
    stop,
    snapshot: () => ({
      root: slot.info(),
      stuck: figures.stuck,
      deadLetters: deadLetters.count,
      kinds: figures.snapshot(registry.all()),
      recentDeadLetters: deadLetters.recent(),
    }),
    restart: async (id) => (await registry.place(id)?.restart()) ?? { kind: "unknown" },
    whereis: (id) => registry.place(id)?.info(),
    ref: (id) => registry.ref(id),
    pool: (id) => registry.pool(id),
    supervisor: (id) => registry.supervisor(id),
  }
}

function startFailure(id: string, reason: ExitReason): StartFailed {
  return reason.kind === "failed_to_start" ? startFailure(reason.child, reason.cause) : new StartFailed(id, reason)
}
