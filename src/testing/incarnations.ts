// What may never be seen of the incarnations in a tree, in whatever order things happen: two of a name at once, an end
// without a start, a parent that ends before its child, anything done after the end.

import type { ActorContext } from "../runtime/actor.ts"
import type { RuntimeEvent } from "../runtime/event.ts"

/** One incarnation of a worker, as its author sees it. */
export interface Life<M> {
  readonly id: string
  readonly ctx: ActorContext<M>
  started: boolean
  handling: boolean
  ends: number
  ending: boolean
  abandoned: "start" | "handler" | "stop" | undefined
  exited: boolean
}

export class Incarnations<M> {
  /** Complaints; empty when all is well. */
  readonly wrong: string[]
  /** Grows with everything that happens. */
  happened = 0
  /** Set when the whole tree was asked to stop: nobody right below the root may start any more. */
  stopping = false
  private readonly lives: Life<M>[] = []
  /** The incarnation that is up, by name. */
  private readonly live = new Map<string, number>()
  private readonly parents: Readonly<Record<string, string>>

  /** `parents`: the fixed names of the tree, and under whom they are. */
  constructor(parents: Readonly<Record<string, string>>, wrong: string[]) {
    this.parents = parents
    this.wrong = wrong
  }

  isUp(id: string): boolean {
    return this.live.has(id)
  }

  begin(id: string, ctx: ActorContext<M>): Life<M> {
    this.happened++
    const before = this.lives.findLast((life) => life.id === id)
    if (before !== undefined && !before.exited) this.wrong.push(`${id} is started while its last incarnation lives`)
    if (this.stopping && this.parents[id] === "root") this.wrong.push(`${id} is started after the stop was asked`)
    if (before?.started === true && before.abandoned === undefined && (before.ends === 0 || before.ending)) {
      this.wrong.push(`${id} is started before its last incarnation has ended`)
    }
    const fresh = { started: false, handling: false, ends: 0, ending: false, abandoned: undefined, exited: false }
    const life: Life<M> = { id, ctx, ...fresh }
    this.lives.push(life)
    return life
  }

  hear(event: RuntimeEvent): void {
    this.happened++
    if (event.type === "abandoned") {
      const life = this.lives.findLast((life) => life.id === event.id)
      if (life !== undefined) life.abandoned = event.doing
    }
    if (event.type === "started") {
      if (this.live.has(event.id)) this.wrong.push(`two of ${event.id} are up`)
      this.live.set(event.id, event.incarnation)
    }
    if (event.type === "exited") this.exited(event.id, event.incarnation, event.wasReady, event.reason.kind)
  }

  private exited(id: string, incarnation: number, wasReady: boolean, reason: string): void {
    if (wasReady && this.live.get(id) !== incarnation) this.wrong.push(`${id} #${incarnation} ends, but is not up`)
    this.live.delete(id)
    for (const [child, parent] of Object.entries(this.parents)) {
      if (parent === id && this.live.has(child)) this.wrong.push(`${id} has ended (${reason}), ${child} has not`)
    }
    const life = this.lives.findLast((life) => life.id === id)
    if (life === undefined) return
    if (life.exited) this.wrong.push(`${id} ends twice`)
    if (life.ending && life.abandoned === undefined) this.wrong.push(`${id} is said to have ended, but still ends`)
    life.exited = true
  }

  /** All is over: nobody is left, and nobody can do anything any more. `message` is any that an actor would take. */
  checkEnd(message: M, pendingTimers: () => number): void {
    for (const id of this.live.keys()) this.wrong.push(`${id} is left`)
    const before = pendingTimers()
    if (before > 0) this.wrong.push(`${before} timers are left`)
    for (const { id, ctx, started, ends, abandoned, exited } of this.lives) {
      if (!exited) this.wrong.push(`an incarnation of ${id} is left`)
      if (ends > 1 || (ends === 1 && !started)) this.wrong.push(`${id} was ended ${ends} times, started ${started}`)
      const mayBeCut = abandoned === "handler" || abandoned === "stop"
      if (started && ends === 0 && !mayBeCut) this.wrong.push(`${id} was started and never ended`)
      if (!ctx.signal.aborted) this.wrong.push(`the signal of an old ${id} is not aborted`)
      if (ctx.self.send(message) !== "down") this.wrong.push(`an old ${id} takes messages`)
      if (ctx.ref<M>(id).send(message) !== "dropped") this.wrong.push(`an old ${id} may still send`)
    }
    for (const { ctx } of this.lives) ctx.sendAfter(1, message)
    if (pendingTimers() > before) this.wrong.push("an old incarnation may still set timers")
  }
}
