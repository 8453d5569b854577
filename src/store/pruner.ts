/**
 * Deletes what is older than `HUB_RETENTION`, once a day at night, by one node for all. It never hurries: a batch is a
 * short transaction, and between two it rests for as long as the last one took, so that it has at most half of one
 * connection. A stop costs no more than the batch in hand; whoever runs next begins where there is still something.
 */
import { type ActorContext, actor, type Behaviour, type TaskOutcome } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import { type Chore, type ChoreClaim, claimChore, leaveChore, renewChore } from "./chores.ts"
import { type Database, databaseProblem } from "./database.ts"
import { HISTORY_STEP } from "./history-bound.ts"
import { untilQuiet } from "./quiet-hours.ts"
import { type Batch, PRUNE_STEPS, type PruneStep, type Retention } from "./retention.ts"

export interface PrunerOptions {
  readonly db: Database
  readonly retention: Retention
  /** [0, 1). */
  readonly random: () => number
  /** Rows of a table that went in one step, and how long the step took. */
  readonly pruned: (table: string, count: number, ms: number) => void
  /** From the start to the first look. Default 20 to 60 s: a start has better things to do. */
  readonly firstLookMs?: number
  /** Least rest between two batches. Default 20. */
  readonly restMs?: number
  /** What it deletes; by default everything that has grown old, at night. */
  readonly round?: PruneRound
}

/** Work that one node does for all, again and again. */
export interface PruneRound {
  /** Its actor. */
  readonly id: string
  readonly chore: Chore
  readonly steps: readonly PruneStep[]
  /** Null: once a night. */
  readonly everyMs: number | null
}

const NIGHTLY: PruneRound = { id: "pruner", chore: "prune", steps: PRUNE_STEPS, everyMs: null }

/** Streams grow with what happens, so that the bound of their history cannot wait for the night. */
export const HISTORY_ROUND: PruneRound = {
  id: "history",
  chore: "history",
  steps: [HISTORY_STEP],
  everyMs: 600_000,
}

export type PrunerMessage =
  /** `restMs`: only if it was last finished longer ago than this. */
  | { readonly kind: "look"; readonly restMs: number }
  | { readonly kind: "claimed"; readonly outcome: TaskOutcome<ChoreClaim> }
  | { readonly kind: "next" }
  | { readonly kind: "deleted"; readonly outcome: TaskOutcome<Batch | "lost">; readonly began: number }
  | { readonly kind: "left"; readonly outcome: TaskOutcome<void> }

const LEASE_MS = 60_000
const RENEW_MS = 15_000
const FIRST_LOOK_MS = 20_000
/** A day, less the width of the night: every night is one, whenever in it the last one was. */
const NIGHTLY_MS = 20 * 3_600_000
const DAILY_MS = 24 * 3_600_000
/** Somebody else is at it, or the database is away. */
const LOOK_AGAIN_MS = 600_000
const REST_MS = 20
/** A batch grows and shrinks with the time that it takes. */
const MOST_ROWS = 1_000
const LEAST_ROWS = 50
const QUICK_MS = 100
const SLOW_MS = 400

/** A bug in it must not take down what runs beside it. */
const BACKOFF = { minMs: 60_000, maxMs: 3_600_000 } as const

/** The actor `pruner`, or the round's own. */
export const pruner = (options: PrunerOptions): ChildSpec => {
  const round = options.round ?? NIGHTLY
  return actor<PrunerMessage>({ id: round.id, backoff: BACKOFF, start: (ctx) => new Pruner(ctx, options, round) })
}

/** A claim and how far it has come. */
interface Run {
  readonly holder: string
  readonly now: number
  renewedAt: number
  step: number
  after: string
  stepBegan: number
  /** Rows of this step by table. */
  readonly rows: Map<string, number>
}

class Pruner implements Behaviour<PrunerMessage> {
  readonly #ctx: ActorContext<PrunerMessage>
  readonly #options: PrunerOptions
  readonly #round: PruneRound
  #holder = ""
  #run: Run | null = null
  #limit = MOST_ROWS

  constructor(ctx: ActorContext<PrunerMessage>, options: PrunerOptions, round: PruneRound) {
    this.#ctx = ctx
    this.#options = options
    this.#round = round
    const first = options.firstLookMs ?? FIRST_LOOK_MS * (1 + 2 * options.random())
    ctx.sendAfter(first, { kind: "look", restMs: round.everyMs ?? DAILY_MS })
  }

  handle(message: PrunerMessage): void {
    switch (message.kind) {
      case "look":
        this.#look(message.restMs)
        return
      case "claimed":
        this.#claimed(message.outcome)
        return
      case "next":
        this.#next()
        return
      case "deleted":
        this.#deleted(message.outcome, message.began)
        return
      case "left":
        // A lease that could not be given back runs out by itself.
        this.#weather(message.outcome)
        this.#sleep()
    }
  }

  /** Another node, or the next start, need not wait for the lease. */
  async terminate(): Promise<void> {
    const run = this.#run
    if (run === null) return
    this.#report(run)
    try {
      await leaveChore(this.#options.db, this.#round.chore, run.holder, false)
    } catch (error) {
      if (databaseProblem(error) === null) throw error
    }
  }

  #look(restMs: number): void {
    this.#holder = crypto.randomUUID()
    const holder = this.#holder
    this.#ctx.task(
      () => claimChore(this.#options.db, this.#round.chore, holder, { leaseMs: LEASE_MS, restMs }),
      (outcome) => ({ kind: "claimed", outcome }),
    )
  }

  #claimed(outcome: TaskOutcome<ChoreClaim>): void {
    const claim = this.#weather(outcome)
    switch (claim?.kind) {
      case undefined:
      case "held":
        this.#lookAgain()
        return
      case "done":
        this.#sleep()
        return
      case "claimed": {
        const began = this.#ctx.clock.now()
        const holder = this.#holder
        this.#run = { holder, now: claim.now, renewedAt: began, step: 0, after: "", stepBegan: began, rows: new Map() }
        this.#next()
      }
    }
  }

  #next(): void {
    const run = this.#run
    if (run === null) return
    const step = this.#round.steps[run.step]
    const began = this.#ctx.clock.now()
    if (step === undefined) {
      this.#run = null
      this.#ctx.task(
        () => leaveChore(this.#options.db, this.#round.chore, run.holder, true),
        (outcome) => ({ kind: "left", outcome }),
      )
    } else {
      this.#ctx.task(
        () => this.#batch(run, step, began),
        (outcome) => ({ kind: "deleted", outcome, began }),
      )
    }
  }

  async #batch(run: Run, step: PruneStep, began: number): Promise<Batch | "lost"> {
    const { db, retention } = this.#options
    if (began - run.renewedAt > RENEW_MS) {
      if (!(await renewChore(db, this.#round.chore, run.holder, LEASE_MS))) return "lost"
      run.renewedAt = began
    }
    return step.batch(db, retention, run.now, run.after, this.#limit)
  }

  #deleted(outcome: TaskOutcome<Batch | "lost">, began: number): void {
    const run = this.#run
    if (run === null) return
    const batch = this.#weather(outcome)
    if (batch === null || batch === "lost") {
      // What it did stays done. A statement that was too slow is tried with less.
      this.#limit = Math.max(LEAST_ROWS, Math.floor(this.#limit / 4))
      this.#report(run)
      this.#run = null
      this.#lookAgain()
      return
    }
    const ms = this.#ctx.clock.now() - began
    if (ms > SLOW_MS) this.#limit = Math.max(LEAST_ROWS, Math.floor(this.#limit / 2))
    else if (ms < QUICK_MS) this.#limit = Math.min(MOST_ROWS, this.#limit * 2)
    for (const [table, count] of Object.entries(batch.rows)) run.rows.set(table, (run.rows.get(table) ?? 0) + count)
    run.after = batch.next ?? ""
    if (batch.next === null) {
      this.#report(run)
      run.step += 1
      run.stepBegan = this.#ctx.clock.now()
    }
    this.#ctx.sendAfter(Math.max(this.#options.restMs ?? REST_MS, ms), { kind: "next" })
  }

  #report(run: Run): void {
    const ms = Math.round(this.#ctx.clock.now() - run.stepBegan)
    for (const [table, count] of run.rows) if (count > 0) this.#options.pruned(table, count, ms)
    run.rows.clear()
  }

  /** The value, or null where the database is away. Everything else is ours, and thrown. */
  #weather<T>(outcome: TaskOutcome<T>): T | null {
    switch (outcome.kind) {
      case "done":
        return outcome.value
      case "timeout":
        return null
      case "failed":
        if (databaseProblem(outcome.error) === "away") return null
        throw outcome.error
    }
  }

  #lookAgain(): void {
    this.#ctx.sendAfter(LOOK_AGAIN_MS * (0.8 + 0.4 * this.#options.random()), {
      kind: "look",
      restMs: this.#round.everyMs ?? NIGHTLY_MS,
    })
  }

  #sleep(): void {
    const { everyMs } = this.#round
    const { random } = this.#options
    const wait = everyMs === null ? untilQuiet(this.#ctx.clock.wall(), random()) : everyMs * (1 + 0.2 * random())
    this.#ctx.sendAfter(wait, { kind: "look", restMs: everyMs ?? NIGHTLY_MS })
  }
}
