// How a supervisor and a pool run. A state machine driven by its children's reports; only the start of all, the restart
// of a group and the stop of all are sequences, and each of them looks, after every wait, whether it is still wanted.
// Long for this house: the phases and the slots are one state, and a rule read apart from its state is not understood.

import type { ChildSpec, Inbox, Process, ProcessHooks, ProcessInfo, TreeEnv } from "./child-spec.ts"
import { SpecError } from "./child-spec.ts"
import type { Clock, Timer } from "./clock.ts"
import { type ExitReason, exitFromThrown, isCalm, KILLED, SHUTDOWN } from "./exit.ts"
import { type GroupOwner, GroupRestart } from "./group-restart.ts"
import { Intensity } from "./intensity.ts"
import type { StartChild, StopChild } from "./pool.ts"
import type { PoolDoor } from "./registry.ts"
import { Slot, type Started } from "./slot.ts"
import type { Strategy } from "./supervisor.ts"
import type { RestartAnswer } from "./tree.ts"

export interface SupervisorSettings {
  readonly id: string
  readonly kind: string
  readonly strategy: Strategy
  readonly intensity: number
  readonly periodMs: number
  readonly children: readonly ChildSpec[]
  readonly shutdownMs: number | undefined
  readonly template?: { readonly bound: number; readonly child: (args: unknown) => ChildSpec }
}

type Phase = "new" | "starting" | "running" | "stopping" | "dead"

export class SupervisorProcess implements Process, PoolDoor, GroupOwner {
  readonly inbox: Inbox | undefined = undefined
  leaving: ExitReason | undefined
  private readonly settings: SupervisorSettings
  private readonly env: TreeEnv
  private readonly hooks: ProcessHooks
  private readonly intensity: Intensity
  /** In start order. */
  private readonly slots = new Map<string, Slot>()
  private phase: Phase = "new"
  private deadline: Timer | undefined
  private order = 0
  /** Crashes seen while the first start of all is still running: decided upon afterwards. */
  private early: (() => void)[] = []
  /** The restart of a group that is under way. */
  private group: { readonly restart: GroupRestart; readonly done: Promise<void> } | undefined

  constructor(settings: SupervisorSettings, env: TreeEnv, hooks: ProcessHooks) {
    this.settings = settings
    this.env = env
    this.hooks = hooks
    this.intensity = new Intensity(settings.intensity, settings.periodMs)
  }

  get clock(): Clock {
    return this.env.clock
  }

  get pool(): PoolDoor | undefined {
    return this.settings.template === undefined || this.phase !== "running" ? undefined : this
  }

  info(): ProcessInfo {
    return { children: [...this.slots.values()].map((slot) => slot.info()) }
  }

  // ── start ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  start(): void {
    this.phase = "starting"
    this.startAll().catch((thrown: unknown) => this.finish(exitFromThrown(thrown)))
  }

  private async startAll(): Promise<void> {
    const { children } = this.settings
    for (const spec of children) {
      const slot = this.addSlot(spec)
      const outcome = slot === undefined ? nameTaken(spec.id) : await this.startAndWait(slot)
      if (this.phase !== "starting") return
      if (typeof outcome === "string") continue
      if (slot !== undefined && spec.backoff !== undefined && spec.backoff.firstStart !== "fail") {
        if (this.settings.strategy === "one_for_one") {
          this.again(slot, outcome)
          continue
        }
        // What starts after it counts on it: they wait together.
        this.early.push(() => this.again(slot, outcome))
        for (const later of children.slice(children.indexOf(spec) + 1)) this.addSlot(later)
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

  /** Undefined when the name is in use elsewhere in the tree. */
  private addSlot(spec: ChildSpec): Slot | undefined {
    const slot = new Slot(spec, this.order++, (asked) => this.restartChild(asked))
    if (!this.env.registry.claim(spec.id, slot)) return undefined
    this.slots.set(spec.id, slot)
    return slot
  }

  private removeSlot(slot: Slot): void {
    slot.cancelRetry()
    slot.state = "stopped"
    if (this.slots.get(slot.spec.id) === slot) this.slots.delete(slot.spec.id)
    this.env.registry.release(slot.spec.id, slot)
  }

  startAndWait(slot: Slot): Promise<Started> {
    return new Promise((resolve) => {
      slot.onStarted = resolve
      this.launch(slot)
    })
  }

  private launch(slot: Slot): void {
    const { env } = this
    const { spec } = slot
    slot.cancelRetry()
    slot.state = "starting"
    slot.crashedFirst = false
    const incarnation = env.registry.nextIncarnation(spec.id)
    slot.incarnation = incarnation
    const beganAt = env.clock.now()
    const about = { id: spec.id, kind: spec.kind, incarnation }
    let wasReady = false
    const process = spec.create(env, {
      incarnation,
      ready: () => {
        wasReady = true
        slot.markReady(env.clock)
        env.emit({ type: "started", tookMs: env.clock.now() - beganAt, ...about })
        this.tellStarted(slot, "ready")
      },
      ignored: () => {
        slot.process = undefined
        slot.state = "ignored"
        const stopped = this.takeStopped(slot)
        if (spec.restart === "temporary" && !stopped) this.removeSlot(slot)
        this.tellStarted(slot, "ignored")
      },
      exited: (reason) => {
        const asked = slot.onStopped.length > 0 || this.phase === "stopping" || this.phase === "dead"
        env.emit({ type: "exited", reason, asked, wasReady, ...about })
        slot.process = undefined
        this.ended(slot, reason, wasReady)
      },
    })
    slot.process = process
    process.start()
  }

  private tellStarted(slot: Slot, outcome: Started): boolean {
    const { onStarted } = slot
    slot.onStarted = undefined
    onStarted?.(outcome)
    return onStarted !== undefined
  }

  private takeStopped(slot: Slot): boolean {
    const waiting = slot.onStopped
    slot.onStopped = []
    for (const tell of waiting) tell()
    return waiting.length > 0
  }

  // ── a child's end ──────────────────────────────────────────────────────────────────────────────────────────────────

  private ended(slot: Slot, reason: ExitReason, wasReady: boolean): void {
    slot.state = "stopped"
    if (slot.onStopped.length > 0) {
      const { group } = this
      // A crash that had begun before the stop was asked is the child's own and counts; the group restart covers it.
      if (slot.crashedFirst && group !== undefined && this.isRunning() && this.wantsRestart(slot, reason)) {
        group.restart.postpone(this.count(slot, reason) ?? 0)
      }
      this.tellStarted(slot, "cancelled")
      this.takeStopped(slot)
      return
    }
    if (this.tellStarted(slot, reason)) return
    const decide = (): void => (wasReady ? this.decide(slot, reason) : this.again(slot, reason, "next turn"))
    if (this.phase === "starting") this.early.push(decide)
    else if (this.phase === "running") decide()
  }

  private decide(slot: Slot, reason: ExitReason): void {
    if (this.wantsRestart(slot, reason)) this.again(slot, reason)
    else if (slot.spec.restart === "temporary" || this.settings.template !== undefined) this.forget(slot)
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

  /** Ended for good: its place goes, and its count of incarnations with it. */
  private forget(slot: Slot): void {
    this.removeSlot(slot)
    this.env.registry.forgetIncarnations(slot.spec.id)
  }

  /**
   * Restarts by strategy, at once or after the child's backoff; or gives up. A failed start is tried again on the next
   * turn of the event loop, so that a stop that is asked meanwhile wins.
   */
  again(slot: Slot, reason: ExitReason, when: "now" | "next turn" = "now"): void {
    const delayMs = this.count(slot, reason)
    if (delayMs === undefined) return
    const { strategy } = this.settings
    if (strategy !== "one_for_one") this.restartGroup(strategy === "one_for_all" ? 0 : slot.order, delayMs)
    else if (slot.spec.backoff !== undefined) {
      slot.state = "backoff"
      slot.retry = this.env.clock.after(delayMs, () => this.launch(slot))
    } else if (when === "now") {
      this.launch(slot)
    } else {
      slot.state = "starting"
      const turn = setImmediate(() => this.launch(slot))
      slot.retry = { cancel: () => clearImmediate(turn) }
    }
  }

  /** Books one restart. Gives the delay before it, or undefined when it was one too many. */
  private count(slot: Slot, reason: ExitReason): number | undefined {
    const { clock, random } = this.env
    const { spec, incarnation } = slot
    const { id, kind, backoff } = spec
    slot.recordRestart(clock, reason)
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

  // ── the restart of a group ─────────────────────────────────────────────────────────────────────────────────────────

  private restartGroup(from: number, delayMs: number): void {
    if (this.group !== undefined) {
      this.group.restart.include(from, delayMs)
      return
    }
    const { promise: done, resolve } = Promise.withResolvers<void>()
    const restart = new GroupRestart(this)
    restart.include(from, delayMs)
    this.group = { restart, done }
    const over = (): void => {
      this.group = undefined
      resolve()
    }
    restart.run(over).catch((thrown: unknown) => {
      over()
      this.finish(exitFromThrown(thrown))
    })
  }

  members(from: number): Slot[] {
    return [...this.slots.values()].filter((slot) => slot.order >= from)
  }

  /** A temporary bystander is gone afterwards. */
  async stopMembers(from: number): Promise<void> {
    for (const slot of this.members(from).reverse()) {
      await this.stopSlot(slot)
      if (slot.spec.restart === "temporary" && this.phase === "running") this.forget(slot)
    }
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
    for (const slot of [...this.slots.values()].reverse()) slot.process?.kill()
    this.finish(KILLED)
  }

  private beginStop(reason: ExitReason): void {
    if (this.phase === "stopping" || this.phase === "dead") return
    this.stopAll(reason).catch((thrown: unknown) => this.finish(exitFromThrown(thrown)))
  }

  private async stopAll(reason: ExitReason): Promise<void> {
    this.phase = "stopping"
    this.leaving = reason
    this.group?.restart.wake()
    for (const slot of this.slots.values()) slot.cancelRetry()
    const all = [...this.slots.values()].reverse()
    if (this.settings.template === undefined) for (const slot of all) await this.stopSlot(slot)
    else await Promise.all(all.map((slot) => this.stopSlot(slot)))
    this.finish(reason)
  }

  private finish(reason: ExitReason): void {
    if (this.finished) return
    this.finished = true
    this.phase = "dead"
    this.leaving ??= reason
    this.deadline?.cancel()
    this.group?.restart.wake()
    for (const slot of [...this.slots.values()]) {
      this.removeSlot(slot)
      if (this.settings.template !== undefined) this.env.registry.forgetIncarnations(slot.spec.id)
    }
    this.hooks.exited(reason)
  }
  private finished = false

  private stopSlot(slot: Slot): Promise<void> | undefined {
    slot.cancelRetry()
    const { process } = slot
    if (process === undefined) {
      slot.state = "stopped"
      return undefined
    }
    return new Promise((resolve) => {
      slot.crashedFirst ||= process.leaving !== undefined && slot.onStopped.length === 0
      slot.onStopped.push(resolve)
      slot.state = "stopping"
      process.stop(SHUTDOWN)
    })
  }

  // ── asked from outside ─────────────────────────────────────────────────────────────────────────────────────────────

  private async restartChild(slot: Slot): Promise<RestartAnswer> {
    if (this.phase !== "running" || this.group !== undefined || slot.onStopped.length > 0) return { kind: "not_now" }
    if (slot.state === "starting") return { kind: "not_now" }
    await this.stopSlot(slot)
    // A sibling may have crashed meanwhile: its group restart goes first, and may have started this one as well.
    for (let group = this.groupNow(); group !== undefined; group = this.groupNow()) await group.done
    if (!this.isRunning() || this.slots.get(slot.spec.id) !== slot) return { kind: "not_now" }
    if (slot.process !== undefined) return { kind: slot.state === "running" ? "restarted" : "not_now" }
    const outcome = await this.startAndWait(slot)
    if (outcome === "ready" || outcome === "ignored") return { kind: "restarted" }
    if (outcome === "cancelled") return { kind: "not_now" }
    if (this.isRunning()) this.decide(slot, outcome)
    return { kind: "failed", reason: outcome }
  }

  async startChild(args: unknown): Promise<StartChild> {
    const { template } = this.settings
    if (template === undefined || this.phase !== "running") return { kind: "down" }
    const spec = template.child(args)
    const { id } = spec
    const present = this.slots.get(id)
    if (present !== undefined) return { kind: present.state === "running" ? "already_started" : "already_present", id }
    if (this.slots.size >= template.bound) return { kind: "full", bound: template.bound }
    const slot = this.addSlot(spec)
    if (slot === undefined) return { kind: "failed", id, reason: nameTaken(id) }
    const outcome = await this.startAndWait(slot)
    if (outcome === "ready") return { kind: "started", id }
    if (this.slots.get(id) === slot && slot.process === undefined) this.forget(slot)
    if (outcome === "ignored") return { kind: "ignored", id }
    return { kind: "failed", id, reason: outcome === "cancelled" ? SHUTDOWN : outcome }
  }

  async stopChild(id: string): Promise<StopChild> {
    const slot = this.slots.get(id)
    if (this.phase !== "running") return "down"
    if (slot === undefined) return "unknown"
    await this.stopSlot(slot)
    if (this.slots.get(id) === slot && slot.process === undefined) this.forget(slot)
    return "stopped"
  }

  childIds(): readonly string[] {
    return [...this.slots.keys()]
  }

  // Methods, because the compiler does not know what changes during an await.
  private groupNow(): SupervisorProcess["group"] {
    return this.group
  }

  isRunning(): boolean {
    return this.phase === "running"
  }
}

function nameTaken(id: string): ExitReason {
  return { kind: "error", error: new SpecError(id, "id", "unused in the whole tree", id) }
}
