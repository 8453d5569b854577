/**
 * Fires what was to happen later: delayed messages, digests, escalations, failovers. It sleeps until the next of them is
 * due; news of timers that were set wakes it sooner, and because news is only a hint it glances at the table meanwhile.
 */
import { newIdsAt, type TimerId } from "../domain/ids.ts"
import type { NewTimer } from "../domain/timer.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import { type ActorContext, actor, type Behaviour } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import type { Timer } from "../runtime/clock.ts"
import { type Database, databaseProblem, tookTooLong } from "../store/database.ts"
import { type SpoiltTimer, spoilTimers } from "../store/spoilt-timers.ts"
import { acquitTimers, MOST_CRASHES, nextSuspectTimer } from "../store/suspects.ts"
import { type Claimable, type FiredBatch, fireTimers, nextTimer } from "../store/timers.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { describeError, scrub } from "../telemetry/scrub.ts"
import { tellOf } from "./consequence-news.ts"
import { countsByRule } from "./count-rules.ts"
import { fireBatch } from "./fire-batch.ts"
import { KeptRules } from "./kept-rules.ts"
import { CROWD } from "./plan.ts"
import type { RuleSet } from "./rule-set.ts"
import type { PlanSettings } from "./telling.ts"

export interface TimersOptions {
  readonly db: Database
  /** The set that runs now; asked once per batch. */
  readonly rules: () => RuleSet
  readonly settings: PlanSettings
  readonly pubsub: PubSub
  readonly telemetry: Emitter
  /** [0, 1), for jitter. Default Math.random. */
  readonly random?: () => number
  /** The decision about a batch. Default: by the rules. */
  readonly fire?: typeof fireBatch
}

const BATCH: Readonly<Record<Claimable, number>> = { first: 100, crowd: 1, following: 100 }
/** Nodes that share nothing but the database hear no news of each other's timers: so late may one be by that. */
const GLANCE_MS = 1_000
/** What is due and was not to be had is in another node's hands: it is left to him for so long. */
const HELD_MS = 100
const RETRY_MS = 500
const MAX_BACKOFF_MS = 10_000
/** Failures in a row of which somebody should hear. */
const STALLED_AFTER = 4
/** A statement that was cancelled after less is an operator's doing, not its timer's. */
const TOO_LONG_MS = 2_000

/** The actor `timers`. */
export const timers = (options: TimersOptions): ChildSpec =>
  actor<"look">({
    id: "timers",
    start: (ctx) => new Timers(ctx, options),
    mailbox: { bound: 4, overflow: "drop_newest" },
    handlerTimeoutMs: 60_000,
    backoff: { firstStart: "retry" },
  })

class Timers implements Behaviour<"look"> {
  readonly #ctx: ActorContext<"look">
  readonly #options: TimersOptions
  readonly #unsubscribe: () => void
  readonly #kept: KeptRules
  #next: { readonly at: number; readonly timer: Timer } | null = null
  /** Clock milliseconds before which news is not answered: the database is away, or somebody's timer fails. */
  #notBefore = 0
  #failures = 0
  readonly #limits: Record<Claimable, number> = { ...BATCH }
  /** Timers that are counted as a death of ours, which is not true. */
  readonly #owed = new Set<TimerId>()

  constructor(ctx: ActorContext<"look">, options: TimersOptions) {
    this.#ctx = ctx
    this.#options = options
    this.#kept = new KeptRules(options.db, (error) => this.#bug(error))
    this.#unsubscribe = options.pubsub.subscribe((news) => {
      for (const one of news) if (one.kind === "timers_set") this.#lookWithin(one.at - ctx.clock.wall().getTime())
    })
    this.#lookWithin(0)
  }

  async handle(): Promise<void> {
    this.#next?.timer.cancel()
    this.#next = null
    if (this.#ctx.clock.now() < this.#notBefore) return this.#lookWithin(0)
    // Most looks find nothing, and one statement says so.
    if (this.#owed.size === 0 && (await this.#rest("is there work"))) return
    const turns = [await this.#turn("first"), await this.#turn("following"), await this.#turn("crowd")]
    if (turns.includes("more") || (await this.#suspect())) return this.#lookWithin(0)
    await this.#rest("all is done")
  }

  /** One timer that was in hand before, by itself; false where there is none. */
  async #suspect(): Promise<boolean> {
    const { db } = this.#options
    try {
      if (this.#owed.size > 0) await acquitTimers(db, [...this.#owed])
      this.#owed.clear()
      const suspect = await nextSuspectTimer(db)
      if (suspect === null) return false
      if (suspect.crashes >= MOST_CRASHES) {
        this.#tellOf(await spoilTimers(db, [suspect.id], 0))
        return true
      }
      // Whoever lives on has not died of it.
      this.#owed.add(suspect.id)
      return (await this.#turn(suspect.which, suspect.id)) === "more"
    } catch (error) {
      if (databaseProblem(error) !== "away") throw error
      return false
    }
  }

  terminate(): void {
    this.#unsubscribe()
  }

  /** One batch. */
  async #turn(which: Claimable, suspect: TimerId | null = null): Promise<"more" | "done"> {
    let tried: readonly NewTimer[] = []
    const began = this.#ctx.clock.now()
    try {
      const hadMore = await this.#fire(which, suspect, (due) => {
        tried = due
      })
      this.#failures = 0
      this.#notBefore = 0
      this.#limits[which] = Math.min(BATCH[which], this.#limits[which] * 2)
      return hadMore ? "more" : "done"
    } catch (error) {
      await this.#failed(error, which, tried, this.#ctx.clock.now() - began)
      return "done"
    }
  }

  async #fire(
    which: Claimable,
    suspect: TimerId | null,
    onClaim: (due: readonly NewTimer[]) => void,
  ): Promise<boolean> {
    const { db, pubsub, rules, settings, fire = fireBatch } = this.#options
    const { clock } = this.#ctx
    const began = clock.now()
    const ask = suspect === null ? { which, limit: this.#limits[which] } : { which, suspect }
    const batch = await fireTimers(db, ask, async (due, ports) => {
      const timers = due.map(({ timer }) => timer)
      onClaim(timers)
      const current = rules()
      await this.#kept.prepare(timers, current)
      return fire(due, (timer) => this.#kept.of(timer, current), ports, {
        settings,
        ids: newIdsAt(clock.wall().getTime()),
        crowd: CROWD,
        onBug: (error) => this.#bug(error),
        breathe: () => new Promise((done) => setImmediate(done)),
      })
    })
    if (batch.fired.length > 0) {
      await tellOf(pubsub, batch)
      this.#report(batch, clock.now() - began)
    }
    return batch.hadMore || suspect !== null
  }

  #report({ fired, spoilt, notifications, deliveries, lateMs }: FiredBatch, ms: number): void {
    const { telemetry } = this.#options
    telemetry.emit({
      kind: "timers_fired",
      outcomes: Object.fromEntries(
        [...Map.groupBy(fired, ({ outcome }) => outcome)].map(([outcome, all]) => [outcome, all.length]),
      ),
      notifications: notifications.length,
      deliveries,
      suppressed: fired.flatMap((one) => one.deliveries).filter(({ start }) => start.status === "suppressed").length,
      lateMs: Math.round(lateMs),
      ms: Math.round(ms * 10) / 10,
    })
    telemetry.emit({ kind: "rules_counted", rules: countsByRule(fired) })
    this.#tellOf(spoilt)
    for (const { timer, failures } of fired) {
      for (const { rule, reason, unquoted = reason } of failures) {
        telemetry.emit({ kind: "route_failed", eventId: timer.event, rule, error: scrub(unquoted) })
      }
    }
  }

  #tellOf(spoilt: readonly SpoiltTimer[]): void {
    for (const { id, kind, attempts, last } of spoilt) {
      this.#options.telemetry.emit({ kind: "timer_failed", timer: kind, timerId: id, attempts, last })
    }
  }

  /**
   * Away is weather: wait, and come again with less. Anything else may be one timer's fault: each is fired alone until
   * something works, and the one that fails alone is put off, so that the others go on.
   */
  async #failed(error: unknown, which: Claimable, tried: readonly NewTimer[], ms: number): Promise<void> {
    const [only, another] = tried
    const alone = only !== undefined && another === undefined
    const ours = databaseProblem(error) !== "away"
    if (ours) this.#bug(error)
    if (alone && (ours || (tookTooLong(error) && ms >= TOO_LONG_MS)) && (await this.#putOff(only.id))) {
      this.#failures = 0
      this.#lookWithin(0)
      return
    }
    this.#limits[which] = ours ? 1 : Math.max(1, Math.floor(tried.length / 4))
    this.#failures += 1
    const { random = Math.random, telemetry } = this.#options
    if (this.#failures === STALLED_AFTER) {
      telemetry.emit({ kind: "routing_stalled", failures: this.#failures, error: describeError(error) })
    }
    const wait = Math.min(MAX_BACKOFF_MS, RETRY_MS * 2 ** Math.min(this.#failures - 1, 10)) * (0.8 + 0.4 * random())
    this.#notBefore = this.#ctx.clock.now() + (alone || !ours ? wait : 0)
    this.#lookWithin(0)
  }

  async #putOff(id: TimerId): Promise<boolean> {
    try {
      this.#tellOf(await spoilTimers(this.#options.db, [id]))
      return true
    } catch (error) {
      // Then it fails alone once more.
      if (databaseProblem(error) === null) throw error
      return false
    }
  }

  /** Waits for the next timer. Not where one is due, or nobody knows; but once all is done, what is due is in other hands. */
  async #rest(when: "is there work" | "all is done"): Promise<boolean> {
    const { random = Math.random, db } = this.#options
    try {
      const next = (await nextTimer(db)) ?? GLANCE_MS
      if (next === 0 && when === "is there work") return false
      this.#lookWithin(Math.min(next === 0 ? HELD_MS : next, GLANCE_MS * (0.8 + 0.2 * random())))
    } catch (error) {
      if (databaseProblem(error) !== "away") throw error
      if (when === "is there work") return false
      this.#lookWithin(GLANCE_MS)
    }
    return true
  }

  /** One timer, for the earliest moment that is known here. */
  #lookWithin(ms: number): void {
    const now = this.#ctx.clock.now()
    const at = Math.max(now + Math.max(0, ms), this.#notBefore)
    if (this.#next !== null && this.#next.at <= at) return
    this.#next?.timer.cancel()
    this.#next = { at, timer: this.#ctx.sendAfter(at - now, "look") }
  }

  #bug(error: unknown): void {
    this.#options.telemetry.emit({ kind: "bug_found", where: "timers", error: describeError(error) })
  }
}
