// How a supervisor and a pool run: what the end of a child means, the start of all, the stop of all. A state machine driven
// by the children's reports; each sequence looks, after every wait, whether it is still wanted. Its children's row is
// siblings.ts, the restart of a group group-restart.ts, what is asked from outside requests.ts.

import { type AutoShutdown, endsSupervisor } from "./auto-shutdown.ts"
import type { ChildSpec, Inbox, Process, ProcessHooks, ProcessInfo, TreeEnv } from "./child-spec.ts"
import type { Clock, Timer } from "./clock.ts"
import { type ExitReason, exitFromThrown, isCalm, KILLED } from "./exit.ts"
import { type GroupOwner, GroupRestart } from "./group-restart.ts"
import { Intensity } from "./intensity.ts"
import type { PoolDoor, SupervisorDoor } from "./registry.ts"
import { type RequestOwner, Requests } from "./requests.ts"
import { nameTaken, Siblings, type SiblingsOwner } from "./siblings.ts"
import type { Slot } from "./slot.ts"
import type { Strategy } from "./supervisor.ts"
import type { RestartAnswer } from "./tree.ts"

export interface SupervisorSettings {
  readonly id: string
  readonly kind: string
  readonly strategy: Strategy
  readonly intensity: number
  readonly periodMs: number
  readonly autoShutdown: AutoShutdown
  readonly children: readonly ChildSpec[]
  readonly shutdownMs: number | undefined
  readonly template?: { readonly bound: number; readonly child: (args: unknown) => ChildSpec }
}

type Phase = "new" | "starting" | "running" | "stopping" | "dead"

export class SupervisorProcess implements Process, GroupOwner, SiblingsOwner {
  readonly inbox: Inbox | undefined = undefined
  readonly handled: undefined = undefined
  readonly mailboxDepth: undefined = undefined
  leaving: ExitReason | undefined
  private readonly settings: SupervisorSettings
  private readonly env: TreeEnv
  private readonly hooks: ProcessHooks
  private readonly intensity: Intensity
  readonly siblings: Siblings
  private readonly requests: Requests
  private phase: Phase = "new"
  private deadline: Timer | undefined
  /** Crashes seen while the first start of all is still running: decided upon afterwards. */
  private early: (() => void)[] = []
  private readonly group: GroupRestart
  private finished = false

  constructor(settings: SupervisorSettings, env: TreeEnv, hooks: ProcessHooks) {
    this.settings = settings
    this.env = env
    this.hooks = hooks
    this.intensity = new Intensity(settings.intensity, settings.periodMs)
    this.siblings = new Siblings(env, this, settings.children, settings.template !== undefined)
    this.group = new GroupRestart(this)
    this.requests = new Requests(this.requestOwner())
  }

  get clock(): Clock {
    return this.env.clock
  }

  get pool(): PoolDoor | undefined {
    return this.settings.template === undefined || this.phase !== "running" ? undefined : this.requests
  }

  get supervisor(): SupervisorDoor | undefined {
    return this.phase === "starting" || this.phase === "running" ? this.requests : undefined
  }

  info(): ProcessInfo {
    return { children: this.requests.infos() }
  }

  /** Supervisors trap exits, and act only upon those of their children. */
  linkedEnd(): void {}

  // ── start ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  start(): void {
    this.phase = "starting"
    this.startAll().catch((thrown: unknown) => this.finish(exitFromThrown(thrown)))
  }

  private async startAll(): Promise<void> {
    const { children } = this.settings
    for (const spec of children) {
      const slot = this.siblings.add(spec)
      const outcome = slot === undefined ? nameTaken(spec.id) : await this.siblings.startAndWait(slot)
      if (this.phase !== "starting") return
      if (typeof outcome === "string") continue
      if (slot !== undefined && spec.backoff !== undefined && spec.backoff.firstStart !== "fail") {
        if (this.settings.strategy === "one_for_one") {
          this.again(slot, outcome)
          continue
        }
        // What starts after it counts on it: they wait together.
        this.early.push(() => this.again(slot, outcome))
        for (const later of children.slice(children.indexOf(spec) + 1)) this.siblings.add(later)
        break
      }
      await this.stopAll({ kind: "failed_to_start", child: spec.id, cause: outcome })
      return
    }
    this.phase = "running"
    this.hooks.ready()
    const { early } = this
    this.early = []
    for (const decide of early) if (this.isRunning()) decide()
  }

  // ── a child's end ──────────────────────────────────────────────────────────────────────────────────────────────────

  ended(slot: Slot, reason: ExitReason, wasReady: boolean): void {
    if (slot.onStopped.length > 0) {
      // A crash that had begun before the stop was asked is the child's own and counts; the group restart covers it.
      if (slot.crashedFirst && this.group.done !== undefined && this.isRunning() && this.wantsRestart(slot, reason)) {
        this.group.postpone(this.count(slot, reason) ?? 0)
      }
      slot.tellStarted("cancelled")
      slot.tellStopped()
      return
    }
    if (slot.tellStarted(reason)) return
    const decide = (): void => (wasReady ? this.decide(slot, reason) : this.tryAgain(slot, reason))
    if (this.phase === "starting") this.early.push(decide)
    else if (this.phase === "running") decide()
  }

  private decide(slot: Slot, reason: ExitReason): void {
    if (this.wantsRestart(slot, reason)) {
      this.again(slot, reason)
      return
    }
    const { autoShutdown, template } = this.settings
    if (slot.spec.restart === "temporary" || template !== undefined) this.siblings.forget(slot)
    if (endsSupervisor(autoShutdown, slot, this.siblings.all())) {
      this.beginStop({ kind: "shutdown", detail: `${slot.spec.id}, which is significant, has ended` })
    }
  }

  private wantsRestart(slot: Slot, reason: ExitReason): boolean {
    switch (slot.spec.restart) {
      case "permanent":
        return true
      case "transient":
        return !isCalm(reason)
      case "temporary":
        return false
    }
  }

  /** Restarts by strategy, at once or after the child's backoff; or gives up. */
  again(slot: Slot, reason: ExitReason): void {
    const delayMs = this.count(slot, reason)
    // Whoever is told of the restart may ask for the end of all at once.
    if (delayMs === undefined || this.isStopping()) return
    const { strategy } = this.settings
    if (strategy !== "one_for_one") this.group.include(slot, strategy === "one_for_all" ? 0 : slot.order, delayMs)
    else if (slot.spec.backoff === undefined) this.siblings.launch(slot)
    else {
      slot.state = "backoff"
      slot.retry = this.env.clock.after(delayMs, () => this.siblings.launch(slot))
    }
  }

  /** A restart has failed: on the next turn of the event loop, so that whatever is asked meanwhile comes first. */
  private tryAgain(slot: Slot, reason: ExitReason): void {
    if (this.settings.strategy !== "one_for_one" || slot.spec.backoff !== undefined) {
      this.again(slot, reason)
      return
    }
    slot.state = "starting"
    const turn = setImmediate(() => {
      slot.retry = undefined
      this.again(slot, reason)
    })
    slot.retry = { cancel: () => clearImmediate(turn) }
  }

  /** Books one restart. Gives the delay before it, or undefined when it was one too many. */
  private count(slot: Slot, reason: ExitReason): number | undefined {
    const { clock, random } = this.env
    const { spec, incarnation } = slot
    const { id, kind, backoff } = spec
    slot.recordRestart(clock, reason)
    this.env.figures.of(kind).restarts++
    const delayMs = backoff === undefined ? 0 : slot.nextDelay(backoff, clock.now(), random)
    if (backoff === undefined && !this.intensity.allow(clock.now())) {
      this.giveUp(slot, reason)
      return undefined
    }
    const supervisor = this.settings.id
    this.env.emit({
      type: "restarting",
      id,
      kind,
      incarnation,
      reason,
      delayMs,
      counted: backoff === undefined,
      supervisor,
    })
    return delayMs
  }

  private giveUp(slot: Slot, reason: ExitReason): void {
    const { id, intensity, periodMs } = this.settings
    this.env.emit({ type: "gave_up", id, intensity, periodMs, child: slot.spec.id, reason })
    const detail = `more than ${intensity} restarts in ${periodMs} ms, last of ${slot.spec.id}`
    this.beginStop({ kind: "shutdown", detail })
  }

  // ── stop ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  stop(reason: ExitReason): void {
    const { shutdownMs } = this.settings
    if (this.phase === "new") {
      this.finish(reason)
      return
    }
    if (this.phase === "dead") return
    if (shutdownMs !== undefined) this.deadline ??= this.env.clock.after(shutdownMs, () => this.kill())
    this.beginStop(reason)
  }

  kill(): void {
    if (this.phase === "dead") return
    this.phase = "dead"
    for (const slot of this.siblings.from().reverse()) slot.process?.kill()
    this.finish(KILLED)
  }

  private beginStop(reason: ExitReason): void {
    if (this.phase === "stopping" || this.phase === "dead") return
    this.stopAll(reason).catch((thrown: unknown) => this.finish(exitFromThrown(thrown)))
  }

  private async stopAll(reason: ExitReason): Promise<void> {
    this.phase = "stopping"
    this.leaving = reason
    this.group.wake()
    const all = this.siblings.from().reverse()
    for (const slot of all) slot.cancelRetry()
    if (this.settings.template === undefined) for (const slot of all) await this.siblings.stop(slot)
    else await Promise.all(all.map((slot) => this.siblings.stop(slot)))
    this.finish(reason)
  }

  finish(reason: ExitReason): void {
    if (this.finished) return
    this.finished = true
    this.phase = "dead"
    this.leaving ??= reason
    this.deadline?.cancel()
    this.group.wake()
    for (const slot of this.siblings.from()) this.siblings.forget(slot)
    this.hooks.exited(reason)
  }

  // ── asked from outside ─────────────────────────────────────────────────────────────────────────────────────────────

  restart(slot: Slot): Promise<RestartAnswer> {
    return this.requests.restart(slot)
  }

  private requestOwner(): RequestOwner {
    const { autoShutdown, template } = this.settings
    return {
      siblings: this.siblings,
      autoShutdown,
      template,
      phase: () => (this.phase === "running" || this.phase === "starting" ? this.phase : "down"),
      groupDone: () => this.group.done,
      again: (slot, reason) => this.again(slot, reason),
    }
  }

  // Methods, because the compiler does not know what changes during an await.
  isRunning(): boolean {
    return this.phase === "running"
  }

  isStopping(): boolean {
    return this.phase === "stopping" || this.phase === "dead"
  }
}
