// The children of one supervisor: a row of slots in start order, and how one child is started and stopped in its slot.
// What an end means is not decided here.

import type { ChildSpec, TreeEnv } from "./child-spec.ts"
import { SpecError } from "./child-spec.ts"
import { type ExitReason, NORMAL, SHUTDOWN } from "./exit.ts"
import { Slot, type Started } from "./slot.ts"
import type { RestartAnswer } from "./tree.ts"

/** The supervisor, as its children's row needs it. */
export interface SiblingsOwner {
  /** Is it stopping all of them, so that every end was asked for? */
  isStopping(): boolean
  /** A child has ended, and nothing runs in its slot any more. */
  ended(slot: Slot, reason: ExitReason, wasReady: boolean): void
  /** An operator asks. */
  restart(slot: Slot): Promise<RestartAnswer>
}

export class Siblings {
  private readonly env: TreeEnv
  private readonly owner: SiblingsOwner
  /** In start order. */
  private readonly slots = new Map<string, Slot>()
  private order = 0
  private readonly fixed: ReadonlySet<ChildSpec>
  private readonly isPool: boolean
  private readonly askRestart = (slot: Slot): Promise<RestartAnswer> => this.owner.restart(slot)

  constructor(env: TreeEnv, owner: SiblingsOwner, fixed: readonly ChildSpec[], isPool: boolean) {
    this.env = env
    this.owner = owner
    this.fixed = new Set(fixed)
    this.isPool = isPool
  }

  get size(): number {
    return this.slots.size
  }

  get(id: string): Slot | undefined {
    return this.slots.get(id)
  }

  has(slot: Slot): boolean {
    return this.slots.get(slot.spec.id) === slot
  }

  ids(): readonly string[] {
    return [...this.slots.keys()]
  }

  all(): Iterable<Slot> {
    return this.slots.values()
  }

  /** In start order, from this one on; a copy. */
  from(order = 0): Slot[] {
    const all = [...this.slots.values()]
    return order === 0 ? all : all.filter((slot) => slot.order >= order)
  }

  /** Undefined when the name is in use elsewhere in the tree. */
  add(spec: ChildSpec): Slot | undefined {
    const { registry, figures } = this.env
    const slot = new Slot(spec, this.order++, this.askRestart)
    if (!registry.claim(spec.id, slot)) return undefined
    figures.of(spec.kind)
    this.slots.set(spec.id, slot)
    return slot
  }

  remove(slot: Slot): void {
    slot.cancelRetry()
    slot.state = "stopped"
    if (this.has(slot)) this.slots.delete(slot.spec.id)
    this.env.registry.release(slot.spec.id, slot)
  }

  /**
   * Ended for good: its place goes. Names that were made up at run time would pile up for ever, so their counts of
   * incarnations go too; those fixed in a spec count on, because the next incarnation of the supervisor starts them again.
   */
  forget(slot: Slot): void {
    this.remove(slot)
    if (this.fixed.has(slot.spec)) return
    const { id, childIds } = slot.spec
    this.env.registry.forgetIncarnations(id)
    for (const child of childIds) this.env.registry.forgetIncarnations(child)
  }

  startAndWait(slot: Slot): Promise<Started> {
    return new Promise((resolve) => {
      slot.onStarted = resolve
      this.launch(slot)
    })
  }

  launch(slot: Slot): void {
    const { env } = this
    const { spec } = slot
    const { id, kind } = spec
    slot.cancelRetry()
    slot.state = "starting"
    slot.crashedFirst = false
    const incarnation = env.registry.nextIncarnation(id)
    slot.incarnation = incarnation
    const beganAt = env.clock.now()
    const about = { id, kind, incarnation }
    let wasReady = false
    const process = spec.create(env, {
      incarnation,
      ready: () => {
        wasReady = true
        slot.markReady(env.clock)
        env.emit({ type: "started", tookMs: env.clock.now() - beganAt, ...about })
        slot.tellStarted("ready")
      },
      ignored: () => {
        const tell = env.links.ended(id)
        slot.process = undefined
        slot.state = "ignored"
        const stopped = slot.tellStopped()
        if ((this.isPool || spec.restart === "temporary") && !stopped) this.forget(slot)
        slot.tellStarted("ignored")
        tell?.({ id, incarnation, reason: NORMAL })
      },
      exited: (reason) => {
        // Those who watch it are taken out now and told last: by then its next incarnation may be running.
        const tell = env.links.ended(id)
        const asked = slot.onStopped.length > 0 || this.owner.isStopping()
        env.emit({ type: "exited", reason, asked, wasReady, ...about })
        slot.process = undefined
        slot.state = "stopped"
        this.owner.ended(slot, reason, wasReady)
        tell?.({ id, incarnation, reason })
      },
    })
    slot.process = process
    process.start()
  }

  /** Politely, within the child's own time; undefined when nothing runs. A restart it waits for is called off. */
  stop(slot: Slot): Promise<void> | undefined {
    slot.cancelRetry()
    const { process } = slot
    if (process === undefined) {
      slot.state = "stopped"
      return undefined
    }
    return new Promise((resolve) => {
      slot.crashedFirst ||= process.leaving !== undefined && slot.onStopped.length === 0
      slot.onStopped.push(resolve)
      slot.state = "stopping"
      process.stop(SHUTDOWN)
    })
  }
}

export function nameTaken(id: string): ExitReason {
  return { kind: "error", error: new SpecError(id, "id", "unused in the whole tree", id) }
}
