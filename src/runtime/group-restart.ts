// The restart of a group (one_for_all, rest_for_one): stop its members in reverse, wait if a dependency is away, start
// them in order, and begin anew when one fails or crashes meanwhile. One at a time per supervisor.

import type { Clock } from "./clock.ts"
import { type ExitReason, exitFromThrown } from "./exit.ts"
import type { Siblings } from "./siblings.ts"
import type { Slot } from "./slot.ts"

/** The supervisor, as its group restart needs it. */
export interface GroupOwner {
  readonly clock: Clock
  readonly siblings: Siblings
  /** Books a failed start: calls `include` again, or gives up. */
  again(slot: Slot, reason: ExitReason): void
  /** False once a stop was asked, which every wait must look for. */
  isRunning(): boolean
  /** The group restart itself is broken. */
  finish(reason: ExitReason): void
}

export class GroupRestart {
  /** Resolves at the end of the restart that is under way. */
  done: Promise<void> | undefined
  private readonly owner: GroupOwner
  private from = Number.POSITIVE_INFINITY
  /** When the members may be started again (monotonic ms). */
  private dueAt = 0
  private beginAnew = false
  private wakePause: (() => void) | undefined

  constructor(owner: GroupOwner) {
    this.owner = owner
  }

  /**
   * Restarts the members from `from` on because `ended` has ended, `delayMs` from now at the soonest; or widens the
   * restart that is under way.
   */
  include(ended: Slot, from: number, delayMs: number): void {
    this.from = Math.min(this.from, from)
    this.postpone(delayMs)
    this.markWaiting(ended)
    this.beginAnew = true
    if (this.done !== undefined) {
      // A pause for others ends here: those that are covered only now must be stopped at once.
      this.wake()
      return
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    this.done = promise
    const over = (): void => {
      this.done = undefined
      this.from = Number.POSITIVE_INFINITY
      resolve()
    }
    this.run(over).catch((thrown: unknown) => {
      over()
      this.owner.finish(exitFromThrown(thrown))
    })
  }

  postpone(delayMs: number): void {
    this.dueAt = Math.max(this.dueAt, this.owner.clock.now() + delayMs)
  }

  /** Ends a pause. */
  wake(): void {
    this.wakePause?.()
  }

  /** Until the group runs or the supervisor no longer does. `over` is called the moment a new crash needs a new restart. */
  private async run(over: () => void): Promise<void> {
    const { owner } = this
    for (;;) {
      // Crashes of the same tick are collected into one restart, and a stop that is asked between two tries wins.
      await new Promise((resolve) => setImmediate(resolve))
      if (!owner.isRunning()) break
      this.beginAnew = false
      await this.stopMembers(this.from)
      if (!owner.isRunning()) break
      if (this.beginAnew) continue
      await this.pause()
      if (!owner.isRunning()) break
      if (this.beginAnew) continue
      await this.startMembers()
      if (!this.beginAnew) break
    }
    over()
  }

  /** One after the other, in reverse start order. A temporary bystander is gone afterwards. */
  private async stopMembers(from: number): Promise<void> {
    const { siblings } = this.owner
    for (const slot of siblings.from(from).reverse()) {
      if (slot.process !== undefined || !slot.isUp) await siblings.stop(slot)
      if (!this.owner.isRunning()) return
      if (slot.spec.restart === "temporary") siblings.forget(slot)
      else this.markWaiting(slot)
    }
  }

  private async startMembers(): Promise<void> {
    const { owner } = this
    const members = owner.siblings.from(this.from)
    // From here on only a new crash or a failed start says from where to begin anew.
    this.from = Number.POSITIVE_INFINITY
    for (const slot of members) {
      const outcome = await owner.siblings.startAndWait(slot)
      if (!owner.isRunning()) return
      if (typeof outcome !== "string") owner.again(slot, outcome)
      if (this.beginAnew || !owner.isRunning()) return
    }
  }

  /** What is down only until the group starts is not stopped, to whoever asks. */
  private markWaiting(slot: Slot): void {
    slot.state = this.dueAt > this.owner.clock.now() ? "backoff" : "starting"
  }

  private async pause(): Promise<void> {
    const { clock, siblings } = this.owner
    const waitMs = this.dueAt - clock.now()
    if (waitMs <= 0) return
    for (const slot of siblings.from(this.from)) this.markWaiting(slot)
    await new Promise<void>((resolve) => {
      const timer = clock.after(waitMs, resolve)
      this.wakePause = () => {
        timer.cancel()
        resolve()
      }
    })
    this.wakePause = undefined
  }
}
