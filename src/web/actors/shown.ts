/**
 * Which actors are drawn. A supervisor's children all are, in their start order. Of a pool with many, one stack stands
 * for all and the unwell ones stand beside it, a while longer than they are unwell, so that a flapping child does not
 * make the whole tree jump.
 */
import { type Actor, isWell } from "./picture.ts"

/** One box of the drawing. `stack`: the children of the pool `actor` that have no box of their own. */
export interface Box {
  readonly key: string
  readonly kind: "actor" | "stack"
  readonly actor: Actor
  readonly children: readonly Box[]
  /** Unwell children of a pool that have no box. */
  readonly more: number
}

export const FEW = 4
const BESIDE = 5
export const KEPT_MS = 20_000

export class Shown {
  /** Pool → child → until when it stays. In the order in which they became unwell. */
  readonly #kept = new Map<string, Map<string, number>>()
  /** Pools that once had many: they stay collapsed. */
  readonly #many = new Set<string>()

  /** The boxes of this tree; `unwell` says of a running actor whether it is nevertheless in trouble. */
  boxes(tree: Actor, now: number, unwell: (id: string) => boolean): Box {
    const pools = new Set<string>()
    const box = this.#box(tree, now, unwell, pools)
    for (const id of [...this.#kept.keys(), ...this.#many]) {
      if (pools.has(id)) continue
      this.#kept.delete(id)
      this.#many.delete(id)
    }
    return box
  }

  #box(actor: Actor, now: number, unwell: (id: string) => boolean, pools: Set<string>): Box {
    const children = actor.type === "pool" ? byName(actor.children ?? []) : (actor.children ?? [])
    const all = (): readonly Box[] => children.map((child) => this.#box(child, now, unwell, pools))
    if (actor.type !== "pool") return { key: actor.id, kind: "actor", actor, children: all(), more: 0 }
    pools.add(actor.id)
    if (actor.childrenCount > FEW) this.#many.add(actor.id)
    if (!this.#many.has(actor.id)) return { key: actor.id, kind: "actor", actor, children: all(), more: 0 }
    const { beside, more } = this.#beside(actor, now, unwell)
    const stack: Box = { key: `${actor.id} stack`, kind: "stack", actor, children: [], more }
    const boxes = beside.map((child) => this.#box(child, now, unwell, pools))
    return { key: actor.id, kind: "actor", actor, children: [stack, ...boxes], more }
  }

  #beside(pool: Actor, now: number, unwell: (id: string) => boolean): { beside: readonly Actor[]; more: number } {
    const kept = this.#kept.get(pool.id) ?? new Map<string, number>()
    this.#kept.set(pool.id, kept)
    const children = new Map((pool.children ?? []).map((child) => [child.id, child]))
    let more = 0
    for (const child of children.values()) {
      if (isWell(child.state) && !unwell(child.id)) continue
      if (kept.has(child.id) || kept.size < BESIDE) kept.set(child.id, now + KEPT_MS)
      else more++
    }
    const beside: Actor[] = []
    for (const [id, until] of kept) {
      const child = children.get(id)
      if (child === undefined || until <= now) kept.delete(id)
      else beside.push(child)
    }
    return { beside, more }
  }
}

/** The hub names the unwell and the busiest of a pool first: an order that changes all the time. */
const byName = (actors: readonly Actor[]): readonly Actor[] =>
  actors.toSorted((a, b) => (a.name === b.name ? compare(a.id, b.id) : compare(a.name, b.name)))

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
