// The restart of a group (one_for_all, rest_for_one): stop its members in reverse, wait if a dependency is away, start
// them in order, and begin anew when one fails or crashes meanwhile. One at a time per supervisor.

import type { Clock } from "./clock.ts"
import type { ExitReason } from "./exit.ts"
import type { Slot, Started } from "./slot.ts"

/** The supervisor, as its group restart needs it. */
export interface GroupOwner {
  readonly clock: Clock
  /** Slots from this start order on, in start order. */
  members(from: number): Slot[]
  /** One after the other, in reverse start order. */
  stopMembers(from: number): Promise<void>
  startAndWait(slot: Slot): Promise<Started>
  /** Books a failed start: calls `include` again, or gives up. */
  again(slot: Slot, reason: ExitReason): void
  /** False once a stop was asked, which every wait must look for. */
  isRunning(): boolean
}

export class GroupRestart {
  private readonly owner: GroupOwner
  private from = Number.POSITIVE_INFINITY
  private delayMs = 0
  private beginAnew = false
  private wakePause: (() => void) | undefined

  constructor(owner: GroupOwner) {
    this.owner = owner
  }

  /** Widens the restart to members from `from` on, `delayMs` from now at the soonest. */
  include(from: number, delayMs: number): void {
    this.from = Math.min(this.from, from)
    this.postpone(delayMs)
    this.beginAnew = true
  }

  postpone(delayMs: number): void {
    this.delayMs = Math.max(this.delayMs, delayMs)
  }

  /** Ends a pause, because a stop was asked. */
  wake(): void {
    this.wakePause?.()
  }

  /** Until the group runs or the supervisor no longer does. `over` is called the moment a new crash needs a new restart. */
  async run(over: () => void): Promise<void> {
    const { owner } = this
    for (;;) {
      // Crashes of the same tick are collected into one restart, and a stop that is asked between two tries wins.
      await new Promise((resolve) => setImmediate(resolve))
      if (!owner.isRunning()) break
      this.beginAnew = false
      await owner.stopMembers(this.from)
      if (!owner.isRunning()) break
      if (this.beginAnew) continue
      if (this.delayMs > 0) await this.pause()
      if (!owner.isRunning()) break
      if (this.beginAnew) continue
      await this.startMembers()
      if (!this.beginAnew) break
    }
    over()
  }

  private async startMembers(): Promise<void> {
    const { owner } = this
    const members = owner.members(this.from)
    // From here on only a new crash or a failed start says from where to begin anew.
    this.from = Number.POSITIVE_INFINITY
    for (const slot of members) {
      const outcome = await owner.startAndWait(slot)
      if (!owner.isRunning()) return
      if (typeof outcome !== "string") owner.again(slot, outcome)
      if (this.beginAnew || !owner.isRunning()) return
    }
  }

  private async pause(): Promise<void> {
    const { delayMs, owner } = this
    this.delayMs = 0
    for (const slot of owner.members(this.from)) slot.state = "backoff"
    await new Promise<void>((resolve) => {
      const timer = owner.clock.after(delayMs, resolve)
      this.wakePause = () => {
        timer.cancel()
        resolve()
      }
    })
    this.wakePause = undefined
  }
}
