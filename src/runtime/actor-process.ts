// How an actor runs: a Lifecycle, a mailbox and a pump that hands over one message at a time. No promise and no timer is
// made for a message whose handler is synchronous.

import type { ActorContext, ActorSpec, Behaviour, Overflow } from "./actor.ts"
import type { Inbox, PendingCall, Process, ProcessHooks, ProcessInfo, TreeEnv } from "./child-spec.ts"
import type { Timer } from "./clock.ts"
import type { ExitReason } from "./exit.ts"
import { isPromise, Lifecycle, type LifeSettings } from "./lifecycle.ts"
import { Mailbox } from "./mailbox.ts"
import type { Watched } from "./sweep.ts"
import { Tasks } from "./tasks.ts"

export interface ActorSettings<M> extends LifeSettings {
  readonly start: ActorSpec<M>["start"]
  readonly mailbox: { readonly bound: number; readonly overflow: Overflow }
  readonly handlerTimeoutMs: number
}

/** Messages in a row before timers and sockets get their turn (a BEAM process has its reductions). */
const SLICE = 1_000

/** A message that somebody waits for. */
class Called<M> {
  readonly message: M
  readonly call: PendingCall
  constructor(message: M, call: PendingCall) {
    this.message = message
    this.call = call
  }
}

export class ActorProcess<M> implements Process, Inbox, Watched {
  readonly pool: undefined = undefined
  readonly calls = new Set<PendingCall>()
  private readonly settings: ActorSettings<M>
  private readonly env: TreeEnv
  private readonly hooks: ProcessHooks
  private readonly life: Lifecycle
  private readonly mailbox: Mailbox<M | Called<M>>
  /** From its own timers and tasks: handled first, never dropped, as many as it asked for itself. */
  private readonly own: M[] = []
  private readonly timers = new Set<Timer>()
  private readonly tasks: Tasks<M>
  private behaviour: Behaviour<M> | undefined
  private pumping = false
  private busySince: number | undefined
  private handled = 0
  private swept = false
  /** Messages until the next turn of the event loop. */
  private budget = SLICE
  private overflowReportedAt = Number.NEGATIVE_INFINITY
  private overflowReported = 0
  private finished: (() => void) | undefined

  constructor(settings: ActorSettings<M>, env: TreeEnv, hooks: ProcessHooks) {
    this.settings = settings
    this.env = env
    this.hooks = hooks
    this.mailbox = new Mailbox(settings.mailbox)
    this.life = new Lifecycle(settings, env, hooks, {
      start: () => this.startBehaviour(),
      ready: () => (this.mailbox.depth + this.own.length > 0 ? this.wake() : undefined),
      leave: (finished) => this.leave(finished),
      terminate: (reason) => this.terminate(reason),
      fence: () => this.fence(),
    })
    this.tasks = new Tasks(this.life, env.clock, (message) => this.deliverOwn(message))
  }

  get inbox(): Inbox {
    return this
  }

  get leaving(): ExitReason | undefined {
    return this.life.leaving
  }

  start(): void {
    this.life.start()
  }

  stop(reason: ExitReason): void {
    this.life.stop(reason)
  }

  kill(): void {
    this.life.kill()
  }

  post(message: unknown, call?: PendingCall): "ok" | "dropped" | "busy" | "down" {
    const { phase } = this.life
    if (phase === "leaving" || phase === "dead") return "down"
    // A name can be looked up as any message type; that the caller chose the right one is between it and this actor.
    const typed = message as M
    const result = this.mailbox.push(call === undefined ? typed : new Called(typed, call), this.evicted)
    if (result === "ok") {
      if (!this.pumping) this.wake()
    } else {
      this.overflowed()
    }
    return result
  }

  get dueAt(): number | undefined {
    return this.busySince === undefined ? undefined : this.busySince + this.settings.handlerTimeoutMs
  }

  released(): void {
    this.swept = false
  }

  overdue(): void {
    this.life.abandon("handler", { kind: "timeout", what: "handler", afterMs: this.settings.handlerTimeoutMs })
  }

  info(): ProcessInfo {
    const { depth, bound, dropped } = this.mailbox
    const handlerAgeMs = this.busySince === undefined ? undefined : this.env.clock.now() - this.busySince
    return { mailbox: { depth, bound, dropped }, handled: this.handled, handlerAgeMs }
  }

  private startBehaviour(): undefined | "ignore" | Promise<undefined | "ignore"> {
    const keep = (value: Behaviour<M> | "ignore"): undefined | "ignore" => {
      if (value === "ignore") return value
      this.behaviour = value
      return undefined
    }
    const result = this.settings.start(this.context())
    return isPromise(result) ? result.then(keep) : keep(result)
  }

  /** Sees to it that the pump runs, after the current code has returned. */
  private wake(): void {
    const { phase } = this.life
    if (this.pumping || (phase !== "running" && phase !== "leaving")) return
    this.pumping = true
    queueMicrotask(this.pump)
  }

  private readonly pump = (): void => {
    const { behaviour, life, mailbox, own } = this
    if (behaviour === undefined) return
    while (this.budget-- > 0) {
      const { phase } = life
      const mayTake = phase === "running"
      if (!mayTake && phase !== "leaving") break
      let message: M
      if (own.length > 0) {
        // shift() gave exactly one of the messages counted a line above.
        message = own.shift() as M
      } else if (mayTake && mailbox.depth > 0) {
        const next = mailbox.take()
        message = next instanceof Called ? next.message : next
      } else {
        this.pumping = false
        this.finishIfIdle()
        return
      }
      let result: void | Promise<void>
      try {
        result = behaviour.handle(message)
      } catch (thrown) {
        this.pumping = false
        life.crash(thrown)
        return
      }
      if (isPromise(result)) {
        this.await(result)
        return
      }
      this.handled++
    }
    this.budget = SLICE
    if (life.phase === "dead") this.pumping = false
    else setImmediate(this.pump)
  }

  /** The next message waits until this promise settles; the sweep watches that it does. */
  private await(result: PromiseLike<unknown>): void {
    this.busySince = this.env.sweep.now()
    if (!this.swept) {
      this.swept = true
      this.env.sweep.add(this)
    }
    this.life.hold()
    // A promise stays itself; anything else with a `then` is tamed first.
    Promise.resolve(result).then(this.settled, this.rejected)
  }

  private readonly settled = (): void => {
    this.busySince = undefined
    this.handled++
    this.pump()
    this.life.drop()
  }

  private readonly rejected = (thrown: unknown): void => {
    this.busySince = undefined
    this.pumping = false
    this.life.crash(thrown)
    this.life.drop(thrown)
  }

  private leave(finished: () => void): void {
    this.finished = finished
    this.closeMailbox()
    this.cancelTimers()
    if (!this.pumping) this.finishIfIdle()
  }

  private finishIfIdle(): void {
    if (this.finished === undefined || this.tasks.running > 0 || this.own.length > 0 || this.busySince !== undefined)
      return
    const { finished } = this
    this.finished = undefined
    finished()
  }

  private terminate(reason: ExitReason): void | Promise<void> {
    this.closeMailbox()
    this.cancelTimers()
    return this.behaviour?.terminate?.(reason)
  }

  private fence(): void {
    this.closeMailbox()
    this.cancelTimers()
    this.env.sweep.remove(this)
    this.own.length = 0
    this.tasks.abortAll()
    for (const call of [...this.calls]) call.fail("down")
  }

  /** What nobody will handle: calls are told, the rest is counted. The call being handled may still be answered. */
  private closeMailbox(): void {
    const count = this.mailbox.depth
    if (count === 0) return
    while (this.mailbox.depth > 0) {
      const message = this.mailbox.take()
      if (message instanceof Called) message.call.fail("down")
    }
    this.env.registry.deadLetters += count
    this.env.emit({ type: "dead_letters", why: "exit", count, ...this.about() })
  }

  private readonly evicted = (message: M | Called<M>): void => {
    this.overflowed()
    if (message instanceof Called) message.call.fail("busy")
  }

  /** One report a second at most: a flood must not become a flood of reports. */
  private overflowed(): void {
    this.env.registry.deadLetters++
    const now = this.env.clock.now()
    if (now - this.overflowReportedAt < 1_000) return
    this.overflowReportedAt = now
    const count = this.mailbox.dropped - this.overflowReported
    this.overflowReported = this.mailbox.dropped
    this.env.emit({ type: "dead_letters", why: "overflow", count, ...this.about() })
  }

  private cancelTimers(): void {
    for (const timer of this.timers) timer.cancel()
    this.timers.clear()
  }

  private about(): { id: string; kind: string; incarnation: number } {
    return { id: this.settings.id, kind: this.settings.kind, incarnation: this.hooks.incarnation }
  }

  private deliverOwn(message: M): void {
    this.own.push(message)
    this.wake()
  }

  private sendAfter(ms: number, message: M): Timer {
    const { phase } = this.life
    if (phase === "leaving" || phase === "dead") return { cancel() {} }
    const timer = this.env.clock.after(ms, () => {
      this.timers.delete(handle)
      this.deliverOwn(message)
    })
    const handle: Timer = {
      cancel: () => {
        this.timers.delete(handle)
        timer.cancel()
      },
    }
    this.timers.add(handle)
    return handle
  }

  private context(): ActorContext<M> {
    const { life, env } = this
    const { registry, clock } = env
    const alive = (): boolean => life.phase !== "dead"
    return {
      id: this.settings.id,
      self: registry.selfRef(this.settings.id, this),
      signal: life.signal,
      incarnation: this.hooks.incarnation,
      clock,
      sendAfter: (ms, message) => this.sendAfter(ms, message),
      task: (run, done, options) => this.tasks.run(run, done, options),
      exit: (reason) => life.exit(reason),
      ref: (id) => registry.ref(id, alive),
      pool: (id) => registry.pool(id, alive),
    }
  }
}
