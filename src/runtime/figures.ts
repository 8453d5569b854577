// Figures per kind of actor, for metrics. Counters belong to the tree, so that a restart or a removal never makes one go
// down; what is true only now (states, depths) is looked up when somebody asks.

import type { ActorState } from "./child-spec.ts"
import type { Place } from "./registry.ts"

export interface KindFigures {
  readonly kind: string
  readonly actors: Readonly<Record<ActorState, number>>
  /** Sum over all mailboxes. */
  readonly mailboxDepth: number
  readonly handled: number
  readonly restarts: number
  readonly deadLetters: number
  /** Abandoned starts, handlers and stops that have not ended yet. */
  readonly stuck: number
}

/** What a tree keeps for one kind. `handled` is of ended incarnations only: the living count for themselves. */
export interface Totals {
  readonly kind: string
  handled: number
  restarts: number
  deadLetters: number
  stuck: number
}

/** A kind is meant to be one of a few words. Where ids were used instead, the rest is counted together as "other". */
const MOST_KINDS = 200

export class Figures {
  private readonly kinds = new Map<string, Totals>()

  of(kind: string): Totals {
    const known = this.kinds.get(kind)
    if (known !== undefined) return known
    if (this.kinds.size >= MOST_KINDS && kind !== "other") return this.of("other")
    const totals = { kind, handled: 0, restarts: 0, deadLetters: 0, stuck: 0 }
    this.kinds.set(kind, totals)
    return totals
  }

  get stuck(): number {
    let sum = 0
    for (const { stuck } of this.kinds.values()) sum += stuck
    return sum
  }

  /** One entry per kind ever seen, in the order in which they were. */
  snapshot(places: Iterable<Place>): readonly KindFigures[] {
    const now = new Map<Totals, { actors: Record<ActorState, number>; mailboxDepth: number; handled: number }>()
    for (const totals of this.kinds.values()) {
      const actors = { starting: 0, running: 0, stopping: 0, stopped: 0, backoff: 0, ignored: 0 }
      now.set(totals, { actors, mailboxDepth: 0, handled: 0 })
    }
    for (const { spec, state, process } of places) {
      const figures = now.get(this.of(spec.kind))
      if (figures === undefined) continue
      figures.actors[state]++
      figures.handled += process?.handled ?? 0
      figures.mailboxDepth += process?.mailboxDepth ?? 0
    }
    return [...now].map(([totals, live]) => ({ ...totals, ...live, handled: totals.handled + live.handled }))
  }
}
