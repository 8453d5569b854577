// How an actor runs: a Lifecycle, a mailbox and a pump that hands over one message at a time. No promise and no timer is
// made for a message whose handler is synchronous.

import type { ActorContext, ActorSpec, Behaviour, Overflow } from "./actor.ts"
import type { Inbox, Process, ProcessHooks, ProcessInfo, TreeEnv } from "./child-spec.ts"
import type { Timer } from "./clock.ts"
import { Envelope, Notice } from "./envelope.ts"
import type { ExitReason } from "./exit.ts"
import { type Body, Lifecycle, type LifeSettings } from "./lifecycle.ts"
import type { Down } from "./links.ts"
import { Mail } from "./mail.ts"
import { OwnTimers } from "./own-timers.ts"
import type { ActorRef } from "./ref.ts"
import { isPromise } from "./settle.ts"
import type { Watched } from "./sweep.ts"
import { Tasks } from "./tasks.ts"
import { Watching } from "./watching.ts"

export interface ActorSettings<M> extends LifeSettings {
  readonly start: ActorSpec<M>["start"]
  readonly mailbox: { readonly bound: number; readonly overflow: Overflow }
  readonly handlerTimeoutMs: number
}

/** Messages in a row before timers and sockets get their turn (a BEAM process has its reductions). */
const SLICE = 1_000

export class ActorProcess<M> implements Process, Watched, Body {
  readonly pool: undefined = undefined
  readonly supervisor: undefined = undefined
  private readonly settings: ActorSettings<M>
  private readonly env: TreeEnv
  private readonly about: { readonly id: string; readonly kind: string; readonly incarnation: number }
  private readonly life: Lifecycle
  private readonly mail: Mail<M>
  /** From its own timers and tasks: handled first, never dropped, as many as it asked for itself. */
  private readonly own: M[] = []
  // Made by whoever first needs them: most actors of a large pool never do.
  private tasks: Tasks<M> | undefined
  private timers: OwnTimers<M> | undefined
  private watching: Watching<M> | undefined
  private behaviour: Behaviour<M> | undefined
  private pumping = false
  busySince: number | undefined
  handled = 0
  private swept = false
  /** Messages until the next turn of the event loop. */
  private budget = SLICE
  private finished: (() => void) | undefined

  constructor(settings: ActorSettings<M>, env: TreeEnv, hooks: ProcessHooks) {
    this.settings = settings
    this.env = env
    this.about = { id: settings.id, kind: settings.kind, incarnation: hooks.incarnation }
    this.life = new Lifecycle(settings, env, hooks, this)
    this.mail = new Mail(settings.mailbox, this.life, env.deadLetters, this.about, this)
  }

  get inbox(): Inbox {
    return this.mail
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

  linkedEnd(down: Down): void {
    this.watch().linkedEnd(down)
  }

  get mailboxDepth(): number {
    return this.mail.box.depth
  }

  get handlerTimeoutMs(): number {
    return this.settings.handlerTimeoutMs
  }

  released(): void {
    this.swept = false
  }

  overdue(): void {
    this.life.abandon("handler", { kind: "timeout", what: "handler", afterMs: this.handlerTimeoutMs })
  }

  stalled(ageMs: number): void {
    this.env.emit({ type: "stalled", ageMs, ...this.about })
  }

  info(): ProcessInfo {
    const { depth, bound, dropped } = this.mail.box
    const handlerAgeMs = this.busySince === undefined ? undefined : this.env.clock.now() - this.busySince
    return { mailbox: { depth, bound, dropped }, handled: this.handled, handlerAgeMs }
  }

  // From here to fence(): what its life asks of it.
  begin(): undefined | "ignore" | Promise<undefined | "ignore"> {
    const keep = (value: Behaviour<M> | "ignore"): undefined | "ignore" => {
      if (value === "ignore") return value
      this.behaviour = value
      return undefined
    }
    const result = this.settings.start(this.context())
    return isPromise(result) ? Promise.resolve(result).then(keep) : keep(result)
  }

  ready(): void {
    if (this.mail.box.size + this.own.length > 0) this.wake()
  }

  leave(finished: () => void): void {
    this.finished = finished
    this.mail.close()
    this.timers?.cancelAll()
    if (!this.pumping) this.finishIfIdle()
  }

  terminate(reason: ExitReason): void | Promise<void> {
    this.mail.close()
    this.timers?.cancelAll()
    return this.behaviour?.terminate?.(reason)
  }

  fence(): void {
    this.mail.close()
    this.timers?.cancelAll()
    this.env.sweep.remove(this)
    this.own.length = 0
    this.tasks?.abortAll()
    this.watching?.end()
    this.env.figures.of(this.settings.kind).handled += this.handled
    // Whoever hears of its end and looks at the tree at once must not count them twice.
    this.handled = 0
    this.mail.failCalls()
  }

  /** Sees to it that the pump runs, after the current code has returned. */
  wake(): void {
    if (this.pumping || !this.life.handles) return
    this.pumping = true
    queueMicrotask(this.pump)
  }

  private readonly pump = (): void => {
    const pending = this.step()
    if (pending !== undefined) void this.waitFor(pending)
  }

  /** Hands over messages until one has to be waited for, there are no more, or others must have their turn. */
  private step(): PromiseLike<unknown> | undefined {
    const { behaviour, life, own } = this
    const mailbox = this.mail.box
    if (behaviour === undefined) return undefined
    while (this.budget-- > 0) {
      if (!life.handles) {
        this.pumping = false
        return undefined
      }
      const mayTake = life.phase === "running"
      let item: M | Envelope<M>
      if (own.length > 0) {
        // shift() gave exactly one of the messages counted a line above.
        item = own.shift() as M
      } else if (mayTake && mailbox.size > 0) {
        item = mailbox.take()
      } else {
        this.pumping = false
        this.finishIfIdle()
        return undefined
      }
      let result: void | Promise<void>
      try {
        if (item instanceof Notice) {
          mailbox.beyond--
          if (item.cancelled) continue
        }
        result = behaviour.handle(item instanceof Envelope ? item.open() : item)
      } catch (thrown) {
        this.pumping = false
        life.crash(thrown)
        return undefined
      }
      if (isPromise(result)) {
        this.hold()
        return result
      }
      this.handled++
    }
    this.budget = SLICE
    setImmediate(this.pump)
    return undefined
  }

  /** A handler is to be waited for; the sweep watches how long. */
  private hold(): void {
    this.busySince = this.env.sweep.now()
    if (!this.swept) {
      this.swept = true
      this.env.sweep.add(this)
    }
    this.life.hold()
  }

  /** The next message waits until this promise settles. One loop for a row of them: `then` would make a promise more for each. */
  private async waitFor(first: PromiseLike<unknown>): Promise<void> {
    let pending: PromiseLike<unknown> | undefined = first
    while (pending !== undefined) {
      try {
        await pending
      } catch (thrown) {
        this.busySince = undefined
        this.pumping = false
        this.life.crash(thrown)
        this.life.drop(thrown)
        return
      }
      this.busySince = undefined
      this.handled++
      pending = this.step()
      this.life.drop()
    }
  }

  private finishIfIdle(): void {
    const { finished, tasks } = this
    if (finished === undefined || this.own.length > 0 || this.busySince !== undefined) return
    if (tasks !== undefined && tasks.running > 0) return
    this.finished = undefined
    finished()
  }

  private deliverOwn(message: M): void {
    this.own.push(message)
    this.wake()
  }

  private runTasks(): Tasks<M> {
    this.tasks ??= new Tasks(this.life, this.env.clock, (message) => this.deliverOwn(message))
    return this.tasks
  }

  private watch(): Watching<M> {
    const { settings, env, life, mail } = this
    this.watching ??= new Watching(settings.id, env, life, (notice) => mail.notify(notice))
    return this.watching
  }

  private sendAfter(ms: number, message: M): Timer {
    const { phase } = this.life
    if (phase === "leaving" || phase === "dead") return { cancel() {} }
    this.timers ??= new OwnTimers(this.env.clock, (message) => this.deliverOwn(message))
    return this.timers.after(ms, message)
  }

  private context(): ActorContext<M> {
    const { life, mail } = this
    const { registry, clock } = this.env
    const { id, incarnation } = this.about
    const alive = (): boolean => life.phase !== "dead"
    let self: ActorRef<M> | undefined
    return {
      id,
      get self() {
        self ??= registry.selfRef(id, mail)
        return self
      },
      get signal() {
        return life.signal
      },
      incarnation,
      clock,
      sendAfter: (ms, message) => this.sendAfter(ms, message),
      task: (run, done, options) => this.runTasks().run(run, done, options),
      exit: (reason) => life.exit(reason),
      monitor: (id, make) => this.watch().monitor(id, make),
      link: (id) => this.watch().link(id),
      unlink: (id) => this.watch().unlink(id),
      trapExits: (make) => this.watch().trapExits(make),
      ref: (id) => registry.ref(id, alive),
      pool: (id) => registry.pool(id, alive),
      supervisor: (id) => registry.supervisor(id, alive),
    }
  }
}
