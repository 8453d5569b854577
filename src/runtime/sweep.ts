// Handler deadlines without a timer per message: one coarse timer for the whole tree, running only while some handler
// has not settled.

import type { Clock, Timer } from "./clock.ts"

const EVERY_MS = 100
/** When a handler that has not settled is worth a report. */
const STALLED_MS = 10_000
/** At most so many reports in one look; the others are still stalled at the next one. */
const MOST_REPORTS = 10

/** An actor with, most likely, a handler in flight. */
export interface Watched {
  /** Monotonic ms since when the handler has not settled; undefined while none is in flight. */
  readonly busySince: number | undefined
  readonly handlerTimeoutMs: number
  /** The handler has taken longer than allowed. */
  overdue(): void
  /** It has taken long enough for an operator to know. Said once per handler. */
  stalled(ageMs: number): void
  /** The sweep has let go of it: it must be added again for its next handler. */
  released(): void
}

export class Sweep {
  private readonly clock: Clock
  private readonly watched = new Set<Watched>()
  /** Who was reported as stalled, with the begin of that handler. */
  private readonly reported = new Map<Watched, number>()
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
    this.reported.delete(watched)
  }

  /** The timer of an idle sweep ends by itself; a stopped tree does not wait for that. */
  stop(): void {
    this.timer?.cancel()
    this.timer = undefined
    this.watched.clear()
    this.reported.clear()
  }

  private readonly look = (): void => {
    this.timer = undefined
    const now = this.clock.now()
    let reports = 0
    for (const each of this.watched) {
      const { busySince } = each
      const ageMs = busySince === undefined ? undefined : now - busySince
      if (busySince === undefined || ageMs === undefined || ageMs >= each.handlerTimeoutMs) {
        this.remove(each)
        each.released()
        if (ageMs !== undefined) each.overdue()
      } else if (ageMs >= STALLED_MS && reports < MOST_REPORTS && this.reported.get(each) !== busySince) {
        reports++
        this.reported.set(each, busySince)
        each.stalled(ageMs)
      }
    }
    if (this.watched.size > 0) this.timer ??= this.clock.after(EVERY_MS, this.look)
  }
}
