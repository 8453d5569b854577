// Who hears of whose end: monitors (one way, a message) and links (both ways, an exit). Names are enough as keys, because
// a name has at most one living incarnation; what belongs to an incarnation goes with its end.

import type { ExitReason } from "./exit.ts"
import type { Registry } from "./registry.ts"

/** Somebody's end, as a monitor or a link reports it. */
export interface Down {
  readonly id: string
  /** 0: nobody was running. */
  readonly incarnation: number
  readonly reason: ExitReason
}

export interface Monitor {
  /** Ends the monitor; a report that waits in the mailbox is flushed. */
  cancel(): void
}

type Tell = (down: Down) => void

export class Links {
  private readonly registry: Registry
  private readonly monitors = new Map<string, Set<Tell>>()
  private readonly linked = new Map<string, Set<string>>()

  constructor(registry: Registry) {
    this.registry = registry
  }

  /** Calls `tell` once, at the end of whoever has this name now. False when nobody has: `tell` is not called then. */
  monitor(id: string, tell: Tell): boolean {
    if (this.registry.place(id)?.process === undefined) return false
    addTo(this.monitors, id, tell)
    return true
  }

  demonitor(id: string, tell: Tell): void {
    removeFrom(this.monitors, id, tell)
  }

  /** False when nobody by the name `other` is running. */
  link(id: string, other: string): boolean {
    if (this.registry.place(other)?.process === undefined) return false
    addTo(this.linked, id, other)
    addTo(this.linked, other, id)
    return true
  }

  unlink(id: string, other: string): void {
    removeFrom(this.linked, id, other)
    removeFrom(this.linked, other, id)
  }

  /**
   * An incarnation of `id` is over: everything that concerned it is taken out, before its supervisor may start the next.
   * Returns how to tell those who wanted to know, or undefined when there is nobody.
   */
  ended(id: string): Tell | undefined {
    const monitors = this.monitors.get(id)
    const linked = this.linked.get(id)
    if (monitors === undefined && linked === undefined) return undefined
    this.monitors.delete(id)
    this.linked.delete(id)
    for (const other of linked ?? []) removeFrom(this.linked, other, id)
    const others = [...(linked ?? [])].map((other) => this.registry.place(other)?.process)
    return (down) => {
      for (const tell of monitors ?? []) tell(down)
      for (const process of others) process?.linkedEnd(down)
    }
  }
}

function addTo<T>(sets: Map<string, Set<T>>, key: string, value: T): void {
  const set = sets.get(key)
  if (set === undefined) sets.set(key, new Set([value]))
  else set.add(value)
}

function removeFrom<T>(sets: Map<string, Set<T>>, key: string, value: T): void {
  const set = sets.get(key)
  set?.delete(value)
  if (set?.size === 0) sets.delete(key)
}
