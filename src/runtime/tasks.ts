// Promises that run beside an actor's mailbox: each has a deadline, is aborted with its actor, and ends as one outcome.

import type { TaskOptions, TaskOutcome } from "./actor.ts"
import type { Clock } from "./clock.ts"
import { asError } from "./exit.ts"
import type { Lifecycle } from "./lifecycle.ts"

const DEFAULT_TIMEOUT_MS = 30_000

export class Tasks<M> {
  private readonly life: Lifecycle
  private readonly clock: Clock
  private readonly deliver: (message: M) => void
  /** Each aborts one running task and drops its deadline. */
  private readonly aborts = new Set<() => void>()

  /** `deliver` gets the message made from an outcome, unless the actor is dead by then. */
  constructor(life: Lifecycle, clock: Clock, deliver: (message: M) => void) {
    this.life = life
    this.clock = clock
    this.deliver = deliver
  }

  /** Tasks without an outcome yet. */
  get running(): number {
    return this.aborts.size
  }

  abortAll(): void {
    for (const abort of [...this.aborts]) abort()
    this.aborts.clear()
  }

  run<T>(
    work: (signal: AbortSignal) => Promise<T>,
    done: (outcome: TaskOutcome<T>) => M,
    options: TaskOptions = {},
  ): void {
    const { life } = this
    if (life.phase === "dead") return
    const { timeoutMs = DEFAULT_TIMEOUT_MS, atStop = "abort" } = options
    const aborter = new AbortController()
    const abort = (): void => aborter.abort()
    if (atStop === "abort") {
      if (life.signal.aborted) abort()
      else life.signal.addEventListener("abort", abort)
    }
    const deadline = this.clock.after(timeoutMs, () => {
      conclude({ kind: "timeout", afterMs: timeoutMs })
      abort()
    })
    const giveUp = (): void => {
      deadline.cancel()
      abort()
    }
    this.aborts.add(giveUp)
    life.hold()
    let open = true
    const conclude = (outcome: TaskOutcome<T>): void => {
      if (!open) return
      open = false
      deadline.cancel()
      life.signal.removeEventListener("abort", abort)
      this.aborts.delete(giveUp)
      if (!life.handles && life.phase !== "starting") return
      try {
        this.deliver(done(outcome))
      } catch (thrown) {
        life.crash(thrown)
      }
    }
    // Called inside an async function, so that a synchronous throw is a rejection too.
    const promise = (async () => work(aborter.signal))()
    promise.then(
      (value) => {
        conclude({ kind: "done", value })
        life.drop()
      },
      (thrown) => {
        conclude({ kind: "failed", error: asError(thrown) })
        life.drop(thrown)
      },
    )
  }
}
