// One life, start to end, of anything that is not a supervisor: start with a deadline, ready, leaving with a deadline,
// dead. JavaScript cannot kill, so "kill" is: abort signal, fence (every later effect is refused), and go on without it.

import type { ProcessHooks, TreeEnv } from "./child-spec.ts"
import type { Timer } from "./clock.ts"
import { asError, type ExitReason, exitFromThrown, isCalm, KILLED } from "./exit.ts"
import { isPromise, whenSettled } from "./settle.ts"

/** What lives this life: an actor's mailbox and behaviour, or a service. */
export interface Body {
  /** Ready when it returns or resolves. */
  begin(): undefined | "ignore" | Promise<undefined | "ignore">
  /** Go. */
  ready(): void
  /** Asked to leave: take nothing new. `finished` is called when what was in hand is done. */
  leave(finished: () => void): void
  /** Undoes `begin`. Also called for a start that ends after it was abandoned. */
  terminate(reason: ExitReason): void | Promise<void>
  /** The end: drop timers, messages, calls. */
  fence(): void
}

export interface LifeSettings {
  readonly id: string
  readonly kind: string
  readonly startTimeoutMs: number
  readonly shutdownMs: number
}

export type Phase = "new" | "starting" | "running" | "leaving" | "dead"

export class Lifecycle {
  phase: Phase = "new"
  /** The reason, from the moment the end is certain. */
  leaving: ExitReason | undefined
  /** Made when somebody first asks for the signal: most never do, and to abort one costs as much as the rest of a stop. */
  private aborter: AbortController | undefined
  private readonly settings: LifeSettings
  private readonly env: TreeEnv
  private readonly hooks: ProcessHooks
  private readonly body: Body
  private deadline: Timer | undefined
  /** `terminate` was called, or the end needs none: nothing is handled any more. */
  private terminating = false
  private abandoned = false
  /** Promises of this incarnation that have not settled: start, handler, tasks, terminate. */
  private held = 0

  constructor(settings: LifeSettings, env: TreeEnv, hooks: ProcessHooks, body: Body) {
    this.settings = settings
    this.env = env
    this.hooks = hooks
    this.body = body
  }

  get signal(): AbortSignal {
    if (this.aborter === undefined) {
      this.aborter = new AbortController()
      if (this.phase === "leaving" || this.phase === "dead") this.aborter.abort()
    }
    return this.aborter.signal
  }

  start(): void {
    this.phase = "starting"
    let result: ReturnType<Body["begin"]>
    try {
      result = this.body.begin()
    } catch (thrown) {
      this.startFailed(thrown)
      return
    }
    if (!isPromise(result)) {
      this.started(result)
      return
    }
    const { startTimeoutMs } = this.settings
    if (this.leaving === undefined) {
      this.deadline = this.env.clock.after(startTimeoutMs, () => {
        this.abandon("start", { kind: "timeout", what: "start", afterMs: startTimeoutMs })
      })
    }
    this.hold()
    void whenSettled(
      result,
      (value) => {
        this.started(value)
        this.drop()
      },
      (thrown) => {
        this.startFailed(thrown)
        this.drop(thrown)
      },
    )
  }

  /** Asked by the supervisor: what is in hand may finish, then `terminate`, all within shutdownMs. */
  stop(reason: ExitReason): void {
    if (this.phase === "new") this.die(reason)
    else if (this.settings.shutdownMs === 0) this.kill()
    else this.end(reason, KILLED)
  }

  /** The same politeness, by its own wish. */
  exit(reason: ExitReason): void {
    this.end(reason, reason)
  }

  /** The end by its own fault: nothing in hand is waited for. While leaving anyway, only the reason changes. */
  crash(thrown: unknown): void {
    this.fail(exitFromThrown(thrown))
  }

  fail(reason: ExitReason): void {
    if (this.phase === "dead" || this.terminating) return
    const inStart = this.phase === "starting" || (this.phase === "leaving" && this.startPending)
    this.beginLeaving(reason)
    // In start its promise is still out: started() or startFailed() goes on from here.
    if (!inStart) this.terminate(reason)
    this.armDeadline(reason)
  }

  /** What the end of somebody linked means: nothing, a polite end, or the same failure. */
  linkedEnd(reason: ExitReason): void {
    if (reason.kind === "normal") return
    if (isCalm(reason)) this.exit(reason)
    else this.fail(reason)
  }

  kill(): void {
    this.abandon(this.startPending ? "start" : "stop", KILLED)
  }

  /** Ends at once, whatever is still in hand. */
  abandon(doing: "start" | "handler" | "stop", reason: ExitReason): void {
    if (this.phase === "dead") return
    if (this.held > 0) {
      this.abandoned = true
      this.env.emit({ type: "abandoned", doing, ...this.about() })
    }
    this.die(reason)
  }

  /** A promise of this incarnation begins. */
  hold(): void {
    this.held++
  }

  /** A promise of this incarnation has settled; with what it threw, if that is nobody's exit reason. */
  drop(thrown?: unknown): void {
    this.held--
    if (this.phase !== "dead" || this.held > 0) return
    this.env.figures.of(this.settings.kind).stuck--
    if (!this.abandoned) return
    const error = thrown === undefined ? undefined : asError(thrown)
    this.env.emit({ type: "abandoned_settled", error, ...this.about() })
  }

  /** Running, or leaving politely: what is in hand may finish. */
  get handles(): boolean {
    return this.phase === "running" || (this.phase === "leaving" && !this.terminating)
  }

  private get startPending(): boolean {
    return this.phase === "starting" || (this.phase === "leaving" && !this.wasReady)
  }
  private wasReady = false

  private about(): { id: string; kind: string; incarnation: number } {
    return { id: this.settings.id, kind: this.settings.kind, incarnation: this.hooks.incarnation }
  }

  private started(value: undefined | "ignore"): void {
    if (this.phase === "dead") {
      // It came up after everyone had gone on without it: undo it, or its socket stays open for ever.
      if (value !== "ignore") this.undoLate()
      return
    }
    const early = this.leaving
    this.clearDeadlineUnless(early !== undefined)
    this.wasReady = true
    if (value === "ignore") {
      if (early !== undefined) this.die(early)
      else this.declined()
    } else if (early !== undefined) {
      this.terminate(early)
    } else {
      this.phase = "running"
      this.hooks.ready()
      if (this.isRunning()) this.body.ready()
    }
  }

  private declined(): void {
    this.phase = "dead"
    this.aborter?.abort()
    this.body.fence()
    this.hooks.ignored()
  }

  private startFailed(thrown: unknown): void {
    // Asked to stop, it gave up starting: that is obedience, not a failure.
    this.die(this.leaving ?? exitFromThrown(thrown))
  }

  /** `late` is the reason when it takes too long. */
  private end(reason: ExitReason, late: ExitReason): void {
    if (this.phase === "leaving" || this.phase === "dead") return
    const wasRunning = this.phase === "running"
    this.beginLeaving(reason)
    if (wasRunning) this.body.leave(() => this.terminate(this.leaving ?? reason))
    this.armDeadline(late)
  }

  private beginLeaving(reason: ExitReason): void {
    this.leaving = reason
    if (this.phase === "leaving") return
    this.phase = "leaving"
    this.clearDeadlineUnless(false)
    this.aborter?.abort()
  }

  /** Only what does not end at once gets a timer: stopping 10,000 idle actors sets none. */
  private armDeadline(late: ExitReason): void {
    if (this.phase === "dead") return
    this.deadline ??= this.env.clock.after(this.settings.shutdownMs, () => {
      this.abandon(this.startPending ? "start" : "stop", late)
    })
  }

  private terminate(reason: ExitReason): void {
    if (this.terminating || this.phase === "dead") return
    this.terminating = true
    let result: void | Promise<void>
    try {
      result = this.body.terminate(reason)
    } catch (thrown) {
      this.die(exitFromThrown(thrown))
      return
    }
    if (!isPromise(result)) {
      this.die(reason)
      return
    }
    this.hold()
    void whenSettled(
      result,
      () => {
        this.die(reason)
        this.drop()
      },
      (thrown) => {
        this.die(exitFromThrown(thrown))
        this.drop(thrown)
      },
    )
  }

  private undoLate(): void {
    let result: void | Promise<void>
    try {
      result = this.body.terminate(KILLED)
    } catch {
      // Its exit was reported long ago and it is fenced; there is nobody left whom this could concern.
      return
    }
    if (!isPromise(result)) return
    this.hold()
    void whenSettled(
      result,
      () => this.drop(),
      (thrown) => this.drop(thrown),
    )
  }

  private die(reason: ExitReason): void {
    if (this.phase === "dead") return
    this.phase = "dead"
    this.leaving ??= reason
    this.clearDeadlineUnless(false)
    if (this.held > 0) this.env.figures.of(this.settings.kind).stuck++
    this.aborter?.abort()
    this.body.fence()
    this.hooks.exited(reason)
  }

  private clearDeadlineUnless(keep: boolean): void {
    if (keep) return
    this.deadline?.cancel()
    this.deadline = undefined
  }

  // A method, because the compiler does not know that a callback in between may have changed the phase.
  private isRunning(): boolean {
    return this.phase === "running"
  }
}
