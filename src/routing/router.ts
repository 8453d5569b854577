/**
 * Turns unrouted events into plans: woken when events were accepted, and on its own poll, because a wake-up is only a
 * hint. What it has not done is in the queue table, so nothing is lost with it.
 */
import { type EventId, newIdsAt } from "../domain/ids.ts"
import type { Plan } from "../domain/plan.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import { type ActorContext, actor, type Behaviour } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import type { Timer } from "../runtime/clock.ts"
import { type Database, databaseProblem, tookTooLong } from "../store/database.ts"
import type { Handoff } from "../store/handoff.ts"
import {
  anythingToRoute,
  type Decide,
  endUnrouted,
  putOff,
  type Routed,
  routeAlone,
  routeBatch,
} from "../store/plans.ts"
import { saveRuleSet } from "../store/rule-sets.ts"
import { acquit, MOST_CRASHES, nextSuspect } from "../store/suspects.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { describeError, scrub } from "../telemetry/scrub.ts"
import { broadcastsOf, tellOf } from "./consequence-news.ts"
import { countsByRule } from "./count-rules.ts"
import { decideBatch } from "./decide-batch.ts"
import { failedPlan } from "./plan.ts"
import type { RuleSet } from "./rule-set.ts"
import type { PlanSettings } from "./telling.ts"

export interface RouterOptions {
  readonly db: Database
  /** The set that runs now; asked once per batch. */
  readonly rules: () => RuleSet
  /** Hears of each set that is kept in the database, so that a stored decision may name it. */
  readonly onKept?: (ruleSet: RuleSet) => void
  readonly settings: PlanSettings
  /** Dispatchers that take what is stored right away; without it everything is claimed from the queue. */
  readonly handoff?: Handoff
  readonly pubsub: PubSub
  readonly telemetry: Emitter
  /** [0, 1), for jitter. Default Math.random. */
  readonly random?: () => number
  /** A statement that was cancelled after less is an operator's doing, not its event's. Default 2,000. */
  readonly tooLongMs?: number
}

/** `wake`: there may be work now. `poll`: it is time to look. */
export type RouterMessage = "wake" | "poll"

const BATCH = 200
const POLL_MS = 500
const MAX_BACKOFF_MS = 10_000
/** Failures in a row of which somebody should hear: a lock that is never let go looks like nothing at all. */
const STALLED_AFTER = 4
/** An event that alone could not be stored so often is given a failed plan, or it would stand before all others. */
const MAX_FAILURES_ALONE = 3
/** Well under what a statement may take, and well over what one takes that is not too much. */
const TOO_LONG_MS = 2_000
/** After that, half an hour later, it ends: what was too much so often is not going to be less. */
const MOST_PUT_OFFS = 5
/** The set in use is marked so often; retention allows for a day. */
const MARK_MS = 6 * 3_600_000

/** While there is always something to route, suspects are looked for so often. */
const LOOK_MS = 1_000

type OnClaim = (ids: readonly EventId[]) => void

/** The actor `router`. */
export const router = (options: RouterOptions): ChildSpec =>
  actor<RouterMessage>({
    id: "router",
    start: (ctx) => new Router(ctx, options),
    mailbox: { bound: 4, overflow: "reject" },
    handlerTimeoutMs: 60_000,
    backoff: { firstStart: "retry" },
  })

class Router implements Behaviour<RouterMessage> {
  readonly #ctx: ActorContext<RouterMessage>
  readonly #options: RouterOptions
  readonly #unsubscribe: () => void
  #poll: Timer | null = null
  #failures = 0
  /** Clock milliseconds before which wake-ups are not answered: the database is away. */
  #notBefore = 0
  #limit = BATCH
  #woken = false
  #savedHash = ""
  #savedAt = 0
  readonly #failedAlone = new Map<EventId, number>()
  /** Events that are counted as a death of ours, which is not true. */
  readonly #owed = new Set<EventId>()
  /** When to look for suspects although there is other work, in clock milliseconds. */
  #lookAt = 0

  constructor(ctx: ActorContext<RouterMessage>, options: RouterOptions) {
    this.#ctx = ctx
    this.#options = options
    this.#unsubscribe = options.pubsub.subscribe((news) => {
      // One waiting wake-up says all that a thousand do.
      if (this.#woken || !news.some((one) => one.kind === "events_accepted" && one.toRoute > 0)) return
      this.#woken = ctx.self.send("wake") === "ok"
    })
    this.#arm(0)
  }

  async handle(message: RouterMessage): Promise<void> {
    if (message === "wake") this.#woken = false
    if (message === "wake" && this.#ctx.clock.now() < this.#notBefore) return
    let tried: readonly EventId[] = []
    const began = this.#ctx.clock.now()
    const onClaim = (ids: readonly EventId[]): void => {
      tried = ids
    }
    try {
      // Most looks find nothing, and one statement says so.
      if (message === "poll" && this.#owed.size === 0 && (await this.#isIdle())) {
        this.#succeeded()
        return this.#arm(this.#jittered(POLL_MS))
      }
      await this.#acquit()
      const { plans, hadMore } = await this.#route(null, onClaim)
      tried = []
      const another = plans === 0 || began >= this.#lookAt ? await this.#routeSuspect(onClaim) : false
      this.#succeeded()
      this.#arm(hadMore || another ? 0 : this.#jittered(POLL_MS))
    } catch (error) {
      const [only, another] = tried
      const alone = only !== undefined && another === undefined
      const long = this.#ctx.clock.now() - began >= (this.#options.tooLongMs ?? TOO_LONG_MS)
      if (alone && long && tookTooLong(error) && (await this.#putOff(only))) {
        this.#failures = 0
        this.#arm(0)
      } else this.#failed(error, tried)
    }
  }

  terminate(): void {
    this.#unsubscribe()
  }

  /** The rules that run are kept all the same: what is routed as it is stored names them. */
  async #isIdle(): Promise<boolean> {
    await this.#keep(this.#options.rules())
    return !(await anythingToRoute(this.#options.db))
  }

  /** One event that was in hand before, by itself; false where there is none. */
  async #routeSuspect(onClaim: OnClaim): Promise<boolean> {
    const { db, telemetry, rules } = this.#options
    const suspect = await nextSuspect(db)
    // Where there is one there may be more: while others come without end, one of each.
    this.#lookAt = this.#ctx.clock.now() + (suspect === null ? LOOK_MS : 0)
    if (suspect === null) return false
    const { id, crashes } = suspect
    if (crashes >= MOST_CRASHES) {
      const reason = `a hub ended ${crashes + 1} times while it routed this event: nobody is told`
      await endUnrouted(db, id, rules().revision, reason)
      telemetry.emit({ kind: "route_failed", eventId: id, rule: null, error: scrub(reason) })
      return true
    }
    this.#owed.add(id)
    onClaim([id])
    const { plans } = await this.#route(id, onClaim)
    if (plans > 0) this.#owed.delete(id)
    return true
  }

  /** Whoever lives on has not died of it. */
  async #acquit(): Promise<void> {
    if (this.#owed.size === 0) return
    await acquit(this.#options.db, [...this.#owed])
    this.#owed.clear()
  }

  /** One batch, or one suspect. `onClaim` hears which events it is about. */
  async #route(suspect: EventId | null, onClaim: OnClaim): Promise<Routed> {
    const { db, telemetry, pubsub, settings, handoff = null } = this.#options
    const { clock } = this.#ctx
    const began = clock.now()
    const ruleSet = this.#options.rules()
    let plans: readonly Plan[] = []
    const decide: Decide = async (events, ports) => {
      onClaim(events.map((event) => event.id))
      const [first] = events
      const condemned = first !== undefined && (this.#failedAlone.get(first.id) ?? 0) >= MAX_FAILURES_ALONE
      plans = condemned
        ? events.map((event) => failedPlan(event, ruleSet, "what follows from this event could not be stored"))
        : await decideBatch(ruleSet, events, ports, {
            settings,
            ids: newIdsAt(clock.wall().getTime()),
            onBug: (error) => telemetry.emit({ kind: "bug_found", where: "routing", error: describeError(error) }),
            // A turn of the loop, not a timer: eighteen timers of "0" were 20 of a batch's 50 ms.
            breathe: () => new Promise((done) => setImmediate(done)),
          })
      return plans
    }
    await this.#keep(ruleSet)
    const alone = suspect !== null
    const routed = await (alone ? routeAlone(db, suspect, decide) : routeBatch(db, this.#limit, decide, handoff))
    for (const eventId of routed.unreadable) {
      const error = scrub("its stored content cannot be read by this hub: put off for an hour")
      telemetry.emit({ kind: "route_failed", eventId, rule: null, error })
    }
    if (routed.plans > 0) {
      await tellOf(pubsub, routed, broadcastsOf(plans))
      this.#report(routed, plans, clock.now() - began)
      for (const { event } of plans) this.#failedAlone.delete(event.id)
    }
    return routed
  }

  /** A plan names its rules by revision, so the set is kept before the first plan is. */
  async #keep(ruleSet: RuleSet): Promise<void> {
    const now = this.#ctx.clock.now()
    if (ruleSet.hash === this.#savedHash && now - this.#savedAt < MARK_MS) return
    await saveRuleSet(this.#options.db, ruleSet)
    this.#savedHash = ruleSet.hash
    this.#savedAt = now
    this.#options.onKept?.(ruleSet)
  }

  #report(routed: Routed, plans: readonly Plan[], ms: number): void {
    const { telemetry } = this.#options
    const count = (of: (plan: Plan) => number): number => plans.reduce((sum, plan) => sum + of(plan), 0)
    telemetry.emit({
      kind: "route_done",
      events: routed.plans,
      rulesMatched: count((plan) => plan.decisions.filter((decision) => decision.matched).length),
      notifications: routed.notifications.length,
      deliveries: routed.deliveries,
      suppressed: count((plan) => plan.deliveries.filter(({ start }) => start.status === "suppressed").length),
      ms: Math.round(ms * 10) / 10,
    })
    telemetry.emit({ kind: "rules_counted", rules: countsByRule(plans) })
    for (const { event, failures } of plans) {
      for (const { rule, reason, unquoted = reason } of failures) {
        telemetry.emit({ kind: "route_failed", eventId: event.id, rule, error: scrub(unquoted) })
      }
    }
  }

  #succeeded(): void {
    this.#failures = 0
    this.#notBefore = 0
    this.#limit = Math.min(BATCH, this.#limit * 2)
  }

  /** One event from which more follows than can be stored in time must not stand before all others. False: it does. */
  async #putOff(eventId: EventId): Promise<boolean> {
    const { db, telemetry } = this.#options
    try {
      const { seconds, times } = await putOff(db, eventId)
      const last = times >= MOST_PUT_OFFS
      const what = "what follows from this event takes longer to store than it may"
      if (last) await endUnrouted(db, eventId, this.#options.rules().revision, `${what}: nobody is told`)
      const error = scrub(`${what}: ${last ? `given up after ${times} tries` : `put off for ${seconds} s`}`)
      telemetry.emit({ kind: "route_failed", eventId, rule: null, error })
      return true
    } catch (error) {
      // Then it fails alone once more.
      if (databaseProblem(error) === null) throw error
      return false
    }
  }

  /**
   * Away is weather: wait and look again, with less, because what follows from a full batch may be more than a statement
   * has time for. Anything else may be one event's fault, so the next batches are of one event each until something
   * works; the one that fails alone again and again is the one.
   */
  #failed(error: unknown, tried: readonly EventId[]): void {
    if (databaseProblem(error) !== "away") {
      this.#options.telemetry.emit({ kind: "bug_found", where: "router", error: describeError(error) })
      const [only, another] = tried
      if (only !== undefined && another === undefined) {
        this.#failedAlone.set(only, (this.#failedAlone.get(only) ?? 0) + 1)
      }
      this.#limit = 1
    } else if (tried.length > 0) this.#limit = Math.max(1, Math.floor(tried.length / 4))
    this.#failures += 1
    if (this.#failures === STALLED_AFTER)
      this.#options.telemetry.emit({
        kind: "routing_stalled",
        failures: this.#failures,
        error: describeError(error),
      })
    const delay = this.#jittered(Math.min(MAX_BACKOFF_MS, POLL_MS * 2 ** Math.min(this.#failures - 1, 10)))
    this.#notBefore = this.#ctx.clock.now() + delay
    this.#arm(delay)
  }

  #arm(ms: number): void {
    this.#poll?.cancel()
    this.#poll = this.#ctx.sendAfter(ms, "poll")
  }

  #jittered(ms: number): number {
    return ms * (0.8 + 0.4 * (this.#options.random ?? Math.random)())
  }
}
