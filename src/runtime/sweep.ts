// Handler deadlines without a timer per message: one coarse timer for the whole tree, running only while some handler
// has not settled.

import type { Clock, Timer } from "./clock.ts"

const EVERY_MS = 100

/** A handler in flight. */
export interface Watched {
  /** Monotonic ms when the handler must have settled. */
  readonly dueAt: number
  overdue(): void
}

export class Sweep {
  private readonly clock: Clock
  private readonly watched = new Set<Watched>()
  private timer: Timer | undefined

  constructor(clock: Clock) {
    this.clock = clock
  }

  add(watched: Watched): void {
    this.watched.add(watched)
    this.timer ??= this.clock.after(EVERY_MS, this.look)
  }

  remove(watched: Watched): void {
    this.watched.delete(watched)
  }

  /** The timer of an idle sweep ends by itself within 100 ms; a stopped tree does not wait for that. */
  stop(): void {
    this.timer?.cancel()
    this.timer = undefined
    this.watched.clear()
  }

  private readonly look = (): void => {
    this.timer = undefined
    const now = this.clock.now()
    for (const each of this.watched) {
      if (each.dueAt > now) continue
      this.watched.delete(each)
      each.overdue()
    }
    if (this.watched.size > 0) this.timer ??= this.clock.after(EVERY_MS, this.look)
  }
}
