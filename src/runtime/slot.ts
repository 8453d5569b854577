// A child's place in its supervisor: it keeps the name, the counts and the history while processes come and go in it.

import { type Backoff, backoffDelay } from "./backoff.ts"
import type { ActorInfo, ActorState, ChildSpec, Process, RestartRecord } from "./child-spec.ts"
import type { Clock, Timer } from "./clock.ts"
import type { ExitReason } from "./exit.ts"
import type { Place } from "./registry.ts"
import type { RestartAnswer } from "./tree.ts"

const KEPT_RESTARTS = 10

/** `cancelled`: asked to stop before it was ready. */
export type Started = "ready" | "ignored" | "cancelled" | ExitReason

export class Slot implements Place {
  readonly spec: ChildSpec
  /** Start order among siblings; grows, never reused. */
  readonly order: number
  state: ActorState = "stopped"
  process: Process | undefined
  incarnation = 0
  restarts = 0
  /** Whoever waits for the running start; set only while starting. */
  onStarted: ((outcome: Started) => void) | undefined
  /** Whoever asked it to stop; set only while stopping. */
  onStopped: (() => void)[] = []
  /** It had begun to end by itself when it was asked to stop. */
  crashedFirst = false
  retry: Timer | undefined
  /** The last thing asked of it from outside; what is asked next waits for it. */
  turn: Promise<void> | undefined
  /** Made at the first restart, which most children never see. */
  private recent: RestartRecord[] | undefined
  private readonly askRestart: (slot: Slot) => Promise<RestartAnswer>
  private readyAt: number | undefined
  private failures = 0

  constructor(spec: ChildSpec, order: number, askRestart: (slot: Slot) => Promise<RestartAnswer>) {
    this.spec = spec
    this.order = order
    this.askRestart = askRestart
  }

  /** Running, or on its way up or down, or waiting for its restart. */
  get isUp(): boolean {
    return this.process !== undefined || this.state === "starting" || this.state === "backoff"
  }

  restart(): Promise<RestartAnswer> {
    return this.askRestart(this)
  }

  info(): ActorInfo {
    const { spec, state, incarnation, restarts, recent } = this
    const { id, kind, type, significant } = spec
    return {
      id,
      kind,
      type,
      significant,
      state,
      incarnation,
      restarts,
      recentRestarts: [...(recent ?? [])],
      ...this.process?.info(),
    }
  }

  markReady(clock: Clock): void {
    this.readyAt = clock.now()
    this.state = "running"
  }

  recordRestart(clock: Clock, reason: ExitReason): void {
    this.restarts++
    this.recent ??= []
    this.recent.push({ at: clock.wall(), reason })
    if (this.recent.length > KEPT_RESTARTS) this.recent.shift()
  }

  /** The next delay; a child that was well for long enough begins again at the shortest. */
  nextDelay(backoff: Backoff, now: number, random: () => number): number {
    const { resetAfterMs = 30_000 } = backoff
    if (this.readyAt !== undefined && now - this.readyAt >= resetAfterMs) this.failures = 0
    this.readyAt = undefined
    this.failures++
    return backoffDelay(backoff, this.failures, random)
  }

  /** Was anybody waiting? */
  tellStarted(outcome: Started): boolean {
    const { onStarted } = this
    this.onStarted = undefined
    onStarted?.(outcome)
    return onStarted !== undefined
  }

  /** Was anybody waiting? */
  tellStopped(): boolean {
    const waiting = this.onStopped
    if (waiting.length === 0) return false
    this.onStopped = []
    for (const tell of waiting) tell()
    return true
  }

  cancelRetry(): void {
    this.retry?.cancel()
    this.retry = undefined
  }
}
