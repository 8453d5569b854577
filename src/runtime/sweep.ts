// Handler deadlines without a timer per message: one coarse timer for the whole tree, running only while some handler
// has not settled.

import type { Clock, Timer } from "./clock.ts"

const EVERY_MS = 100

/** An actor with, most likely, a handler in flight. */
export interface Watched {
  /** Monotonic ms when the handler must have settled; undefined while none is in flight. */
  readonly dueAt: number | undefined
  overdue(): void
  /** The sweep has let go of it: it must be added again for its next handler. */
  released(): void
}

export class Sweep {
  private readonly clock: Clock
  private readonly watched = new Set<Watched>()
  private timer: Timer | undefined
  private turn: number | undefined

  constructor(clock: Clock) {
    this.clock = clock
  }

  /** Once for a row of handlers: the sweep itself notices, at its next look, when there are no more. */
  add(watched: Watched): void {
    this.watched.add(watched)
    this.timer ??= this.clock.after(EVERY_MS, this.look)
  }

  /** Monotonic ms at the begin of this turn of the event loop: reading the clock for each message costs more than handling it. */
  now(): number {
    if (this.turn === undefined) {
      this.turn = this.clock.now()
      setImmediate(this.nextTurn)
    }
    return this.turn
  }

  private readonly nextTurn = (): void => {
    this.turn = undefined
  }

  remove(watched: Watched): void {
    this.watched.delete(watched)
  }

  /** The timer of an idle sweep ends by itself; a stopped tree does not wait for that. */
  stop(): void {
    this.timer?.cancel()
    this.timer = undefined
    this.watched.clear()
  }

  private readonly look = (): void => {
    this.timer = undefined
    const now = this.clock.now()
    for (const each of this.watched) {
      const { dueAt } = each
      if (dueAt !== undefined && dueAt > now) continue
      this.watched.delete(each)
      each.released()
      if (dueAt !== undefined) each.overdue()
    }
    if (this.watched.size > 0) this.timer ??= this.clock.after(EVERY_MS, this.look)
  }
}
