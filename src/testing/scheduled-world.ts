// A small tree in which nothing happens by itself: every start, handler, task and end of a worker, and every request from
// outside, waits until a scheduler lets it go on. What may never happen, in whatever order, is written down as wrong.

import type fc from "fast-check"
import { actor, type Behaviour } from "../runtime/actor.ts"
import type { ChildSpec, RestartType } from "../runtime/child-spec.ts"
import type { RuntimeEvent } from "../runtime/event.ts"
import { pool, StartFailed, type Strategy, startTree, supervisor, type Tree } from "../runtime/supervisor.ts"
import { fakeClock } from "./fake-clock.ts"
import { Incarnations, type Life } from "./incarnations.ts"

export interface Manner {
  readonly restart: RestartType
  /** Whether start, handlers and end take their time, or are over when they return. */
  readonly slow: boolean
  /** What becomes of its first start, its second and so on; all later ones go well. */
  readonly starts: readonly ("ok" | "fails" | "hangs")[]
  /** It does not end when it is asked to, but only when everything is over. */
  readonly deaf: boolean
  readonly backoff: boolean
}

export interface World {
  readonly strategies: readonly [Strategy, Strategy]
  readonly intensity: number
  readonly manners: readonly Manner[]
}

/** What a worker is told to do. */
export type Told = "work" | "crash" | "crash at once" | "hang" | "leave" | "task" | "long task"

export type Ask =
  | { readonly ask: "tell"; readonly of: string; readonly what: Told }
  | { readonly ask: "call" | "restart" | "terminate" | "restart child"; readonly of: string }
  | { readonly ask: "start in pool" | "stop in pool"; readonly of: string }
  | { readonly ask: "wait"; readonly ms: number }
  | { readonly ask: "stop" }

/** Who is whose: the names of the tree. */
export const PARENTS: Record<string, string> = { a: "root", s: "root", b: "s", c: "s", pool: "root", d: "root" }
export const WORKERS = ["a", "b", "c", "d", "p0", "p1"]

type Message = Told | "done" | { reply: () => void }

const QUICK: Manner = { restart: "permanent", slow: false, starts: [], deaf: false, backoff: false }

/** Stands between a supervisor and its child, to plant a bug there. */
export type Tampering = (spec: ChildSpec) => ChildSpec

export class ScheduledWorld {
  readonly wrong: string[] = []
  private readonly scheduler: fc.Scheduler
  private readonly turns: readonly number[]
  private readonly tamper: Tampering
  private readonly clock = fakeClock(undefined, () => this.quiet(1))
  private readonly incarnations = new Incarnations<Message>(PARENTS, this.wrong)
  private readonly unanswered = new Set<string>()
  /** What hangs until everything is over. */
  private readonly over: Promise<void>
  private readonly makeOver: () => void
  private gaveUp = 0
  private turn = 0
  /** Time that was asked to pass, ms. */
  private toWait = 0

  /** `turns`: how many turns of the event loop pass between two steps of the scheduler, over and over. */
  constructor(scheduler: fc.Scheduler, turns: readonly number[], tamper: Tampering = (spec) => spec) {
    this.scheduler = scheduler
    this.turns = turns
    this.tamper = tamper
    const { promise, resolve } = Promise.withResolvers<void>()
    this.over = promise
    this.makeOver = resolve
  }

  /** Starts the tree, asks everything of it, stops it; what went wrong is in `wrong` afterwards. */
  async run(world: World, asks: readonly Ask[]): Promise<void> {
    let tree: Tree | undefined
    const options = {
      clock: this.clock,
      random: () => 0,
      emit: (event: RuntimeEvent) => this.incarnations.hear(event),
      onGiveUp: () => {
        this.gaveUp++
        if (this.incarnations.stopping) this.wrong.push("gave up after it was asked to stop")
      },
    }
    const start = startTree(this.spec(world), options).catch((error: unknown) => {
      if (!(error instanceof StartFailed)) this.wrong.push(`the start failed with ${String(error)}`)
      return undefined
    })
    this.expectAnswer(
      "start",
      start.then((value) => {
        tree = value
      }),
    )
    await this.drive()
    // Assigned in a closure, which the compiler does not follow.
    const running = tree as Tree | undefined
    if (running !== undefined) {
      asks.forEach((ask, at) => {
        const label = `${at} ${Object.values(ask).join(" ")}`
        this.scheduler.schedule(Promise.resolve(), label).then(() => this.expectAnswer(label, this.ask(running, ask)))
      })
      await this.drive()
      this.checkRest(running)
      this.expectAnswer("stop", this.stop(running))
      await this.drive()
      this.makeOver()
      await this.drive()
      const { stuck } = running.snapshot()
      if (stuck !== 0) this.wrong.push(`${stuck} are stuck after the stop`)
      if (running.ref<Message>("a").send("work") !== "down") this.wrong.push("a stopped tree took a message")
    }
    this.makeOver()
    await this.drive()
    for (const what of this.unanswered) this.wrong.push(`no answer to: ${what}`)
    if (this.gaveUp > 1) this.wrong.push("gave up twice")
    this.incarnations.checkEnd("work", () => this.clock.pending)
  }

  // ── what the workers are ───────────────────────────────────────────────────────────────────────────────────────────

  private spec({ strategies, intensity, manners }: World): ChildSpec {
    const worker = (id: string): ChildSpec => {
      const manner = manners[WORKERS.indexOf(id) % manners.length]
      return this.tamper(this.worker(id, manner ?? QUICK))
    }
    const [outer, inner] = strategies
    const budget = { intensity, periodMs: 1_000 }
    const s = supervisor({ id: "s", strategy: inner, ...budget, children: [worker("b"), worker("c")] })
    const dynamic = pool<string>({ id: "pool", ...budget, child: worker })
    return supervisor({ id: "root", strategy: outer, intensity: 3, children: [worker("a"), s, dynamic, worker("d")] })
  }

  private pass(what: string): Promise<void> {
    return this.scheduler.schedule(Promise.resolve(), what).then(() => {})
  }

  private worker(id: string, { restart, slow, starts, deaf, backoff }: Manner): ChildSpec {
    let before = 0
    return actor<Message>({
      id,
      restart,
      startTimeoutMs: 500,
      handlerTimeoutMs: 500,
      shutdownMs: 500,
      ...(backoff && restart !== "temporary" ? { backoff: { minMs: 50, maxMs: 200, jitter: 0 } } : {}),
      start: (ctx) => {
        const life = this.incarnations.begin(id, ctx)
        const outcome = starts[before++] ?? "ok"
        const done = (): Behaviour<Message> => {
          if (outcome === "fails") throw new Error("does not start")
          life.started = true
          return this.behaviour(life, slow, deaf)
        }
        if (outcome === "hangs") return this.over.then(done)
        return slow ? this.pass(`start ${id}`).then(done) : done()
      },
    })
  }

  private behaviour(life: Life<Message>, slow: boolean, deaf: boolean): Behaviour<Message> {
    const { id } = life
    return {
      handle: (message) => {
        if (life.handling) this.wrong.push(`${id} handles two messages at once`)
        if (life.exited) this.wrong.push(`${id} handles a message after its end`)
        if (life.ends > 0) this.wrong.push(`${id} handles a message while it ends`)
        if (message === "hang") return this.over
        const work = (): void => this.work(life, message)
        if (!slow || message === "crash at once") {
          work()
          return
        }
        life.handling = true
        return this.pass(`handle ${id}`).then(() => {
          life.handling = false
          work()
        })
      },
      terminate: () => {
        life.ends++
        life.ending = slow || deaf
        if (!life.ending) return
        return (deaf ? this.over : this.pass(`end ${id}`)).then(() => {
          life.ending = false
        })
      },
    }
  }

  private work({ ctx, id }: Life<Message>, message: Message): void {
    if (typeof message === "object") message.reply()
    else if (message === "crash" || message === "crash at once") throw new Error(message)
    else if (message === "leave") ctx.exit({ kind: "normal" })
    else if (message === "task" || message === "long task") {
      const atStop = message === "task" ? "abort" : "finish"
      ctx.task(
        () => this.pass(`task of ${id}`),
        () => "done",
        { atStop, timeoutMs: 300 },
      )
      ctx.sendAfter(40, "done")
    }
  }

  // ── what is asked ──────────────────────────────────────────────────────────────────────────────────────────────────

  private async ask(tree: Tree, ask: Ask): Promise<unknown> {
    switch (ask.ask) {
      case "tell":
        return tree.ref<Message>(ask.of).send(ask.what)
      case "call":
        return tree
          .ref<Message>(ask.of)
          .call<void>((reply) => ({ reply: () => reply() }), 200)
          .catch(() => {})
      case "restart":
        return tree.restart(ask.of)
      case "terminate":
        return tree.supervisor(PARENTS[ask.of] ?? "root").terminateChild(ask.of)
      case "restart child":
        return tree.supervisor(PARENTS[ask.of] ?? "root").restartChild(ask.of)
      case "start in pool":
        return tree.pool<string>("pool").startChild(ask.of)
      case "stop in pool":
        return tree.pool<string>("pool").stopChild(ask.of)
      case "wait":
        this.toWait += ask.ms
        return
      case "stop":
        return this.stop(tree)
    }
  }

  private async stop(tree: Tree): Promise<void> {
    this.incarnations.stopping = true
    await tree.stop()
    if (this.clock.pending > 0) this.wrong.push(`${this.clock.pending} timers are left by the stop`)
  }

  private expectAnswer(what: string, answer: Promise<unknown>): void {
    this.unanswered.add(what)
    answer.then(
      () => this.unanswered.delete(what),
      (error: unknown) => this.wrong.push(`${what} was rejected: ${String(error)}`),
    )
  }

  // ── how it goes on ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** So many turns of the event loop in a row in which nothing happens. */
  private async quiet(turns: number): Promise<void> {
    for (let quiet = 0; quiet < turns; ) {
      const before = this.incarnations.happened
      await new Promise((resolve) => setImmediate(resolve))
      quiet = this.incarnations.happened === before ? quiet + 1 : 0
    }
  }

  /** Until nothing waits any more, neither for the scheduler nor for time. */
  private async drive(): Promise<void> {
    for (let step = 0; step < 1_000; step++) {
      const ms = this.toWait
      this.toWait = 0
      if (ms > 0) await this.clock.advance(ms)
      if (this.scheduler.count() > 0) {
        await this.scheduler.waitOne()
        const turns = this.turns[this.turn++ % this.turns.length] ?? 0
        for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
        continue
      }
      // A group restart may take several turns before its first start is seen.
      await this.quiet(this.clock.pending === 0 ? 4 : 1)
      if (this.scheduler.count() > 0) continue
      if (this.clock.pending === 0) return
      await this.clock.advance(50)
    }
    this.wrong.push("it never came to rest")
  }

  /** Everything asked was answered and nothing waits: nobody may be in between. */
  private checkRest(tree: Tree): void {
    for (const what of this.unanswered) this.wrong.push(`no answer to: ${what}`)
    this.unanswered.clear()
    for (const id of [...Object.keys(PARENTS), ...WORKERS]) {
      const state = tree.whereis(id)?.state
      if (state === "starting" || state === "stopping") this.wrong.push(`${id} is ${state} for ever`)
      if ((state === "running") !== this.incarnations.isUp(id)) this.wrong.push(`${id} is said to be ${state}`)
    }
  }
}
