/**
 * One per channel, so that a broken provider never slows another: when woken, by a hint or by the lookout, it claims what there is
 * room for, has each delivery tried once, and settles what it still holds. It owns nothing that cannot be rebuilt from
 * the rows: a killed dispatcher's leases run out and are rescued. Long, because its messages share one state.
 */
import type { ChannelWorker } from "../channels/channel.ts"
import { type ClaimedDelivery, DEFAULT_RETRY, type RetryPolicy } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import { type ActorContext, actor, type Behaviour, type TaskOutcome } from "../runtime/actor.ts"
import { backoffDelay } from "../runtime/backoff.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import type { Timer } from "../runtime/clock.ts"
import { type Database, databaseProblem } from "../store/database.ts"
import { type Lease, releaseClaimed, renewLeases, type Unsent } from "../store/deliveries.ts"
import type { Handoff, Reservation } from "../store/handoff.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { describeError } from "../telemetry/scrub.ts"
import { Account } from "./account.ts"
import { type Attempted, type AttemptOptions, attempt } from "./attempt.ts"
import { type Claim, createClaiming } from "./claiming.ts"
import { CUT_MS, DRAIN_MS, type Drain } from "./drain.ts"
import { learning } from "./gone.ts"
import { Held, InFlight } from "./in-flight.ts"
import { LOOK_MAX_MS, type Lookout } from "./lookout.ts"
import { Room } from "./room.ts"
import { attemptDeadlines } from "./send.ts"
import type { SendLimits } from "./send-limits.ts"
import { createSettler } from "./settling.ts"

export interface DispatcherOptions {
  readonly worker: ChannelWorker
  readonly db: Database
  readonly pubsub: PubSub
  readonly telemetry: Emitter
  readonly drain: Drain
  readonly lookout: Lookout
  readonly handoff: Handoff
  /** [0, 1). */
  readonly random: () => number
  readonly policy?: RetryPolicy
  /** Sends at once; default 32. */
  readonly inFlight?: number
  /** Of the account and its addresses; none where absent. */
  readonly limits?: SendLimits | null
  /** Default 15,000; renewed three times within. */
  readonly leaseMs?: number
}

interface Claimed extends Claim {
  readonly since: number
  readonly era: number
}

export type DispatcherMessage =
  /** Something became due. */
  | { readonly kind: "wake" }
  | { readonly kind: "renew" }
  | { readonly kind: "claimed"; readonly outcome: TaskOutcome<Claimed> }
  /** Stored as claimed, in room that was kept. */
  | { readonly kind: "handed"; readonly kept: number; readonly claim: Claimed }
  | { readonly kind: "handed_late"; readonly kept: number; readonly leases: readonly Lease[] }
  | { readonly kind: "let"; readonly kept: number; readonly outcome: TaskOutcome<Claimed> }
  | { readonly kind: "renewed"; readonly asked: readonly Lease[]; readonly outcome: TaskOutcome<readonly Lease[]> }
  | { readonly kind: "attempted"; readonly together: readonly Held[]; readonly outcome: TaskOutcome<unknown> }

const dispatcherId = (worker: ChannelWorker): string => `dispatcher:${worker.channel}`

const LEASE_MS = 15_000
const IN_FLIGHT = 32
/** From this many sends at once on a claim takes half of them: while it is at the database, the other half is sent. */
const WIDE = 128
/** Deliveries that may be held for each one that may be sending: the others wait for their settlement's commit. */
const HELD_PER_SEND = 4
/** A query's own deadline is 6 s. */
const QUERY_MS = 8_000
/** An attempt, and the patience of its settlement. */
const ATTEMPT_MS = 330_000
const DATABASE_AWAY = { minMs: 200, maxMs: 5_000, jitter: 1 }

/** The actor `dispatcher:<channel>`. */
export const dispatcher = (options: DispatcherOptions): ChildSpec =>
  actor<DispatcherMessage>({
    id: dispatcherId(options.worker),
    kind: "dispatcher",
    shutdownMs: DRAIN_MS + CUT_MS,
    start: (ctx) => startDispatcher(ctx, options),
  })

function startDispatcher(
  ctx: ActorContext<DispatcherMessage>,
  options: DispatcherOptions,
): Behaviour<DispatcherMessage> {
  const { worker, db, pubsub, telemetry, drain, lookout, handoff, random, policy = DEFAULT_RETRY } = options
  const { inFlight: bound = IN_FLIGHT, leaseMs = LEASE_MS, limits = null } = options
  const { clock } = ctx
  const { channel } = worker
  // Of this incarnation: what an earlier one left behind is not ours to settle.
  const owner = crypto.randomUUID()
  const maxHeld = bound * HELD_PER_SEND
  const most = bound >= WIDE ? Math.ceil(bound / 2) : bound
  const settler = createSettler({ db, owner, clock, random, bound: maxHeld })
  const inFlight = new InFlight()
  const cutOff = new AbortController()
  const giveUp = cutOff.signal
  const account = new Account({
    channel,
    telemetry,
    clock,
    random,
    bound,
    maxHeld,
    careful: ctx.incarnation > 1,
    onChange(againInMs) {
      wanted = true
      if (againInMs !== null) wakeIn(againInMs)
    },
  })
  const onSent: AttemptOptions["onSent"] = (held, verdict, reason, wishMs) => {
    account.hear(held.era, verdict, reason, wishMs)
    fill()
  }
  const attempts: AttemptOptions = {
    worker,
    settler,
    telemetry,
    clock,
    inTime: attemptDeadlines(clock),
    policy,
    random,
    leaseMs,
    giveUp,
    onSent,
    learn: learning(db),
  }

  const room = new Room({ account, inFlight, limits })

  /** There may be due deliveries that nobody has asked for yet. */
  let wanted = true
  let claims = false
  let woken = false
  let failures = 0
  let notBefore = Number.NEGATIVE_INFINITY
  let due: { readonly at: number; readonly timer: Timer } | null = null
  const unstarted: Held[] = []

  const stopping = (): boolean => drain.closing || ctx.signal.aborted

  /** Answers whether it has begun a claim. `together`: those whose room it would be may be ending right now, one by one. */
  const fill = (together = true): boolean => {
    if (claims || !wanted || stopping() || clock.now() < notBefore || room.free === 0) return false
    const allowed = limits?.room()
    if (allowed?.count === 0) {
      wakeIn(allowed.againInMs)
      return false
    }
    claims = true
    wanted = false
    ctx.task(
      (late) => claim(together, late),
      (outcome) => ({ kind: "claimed", outcome }),
      { atStop: "finish", timeoutMs: QUERY_MS },
    )
    return true
  }

  const onUnreadable = (_: DeliveryId, error: unknown): void =>
    telemetry.emit({ kind: "bug_found", where: `delivery of ${channel}`, error: describeError(error) })

  const claim = async (together: boolean, late: AbortSignal): Promise<Claimed> => {
    // Deliveries that were settled together end one by one: a turn of the event loop makes their room one claim.
    if (together && inFlight.size > 0) await nextTurn()
    const { era } = account
    const since = clock.now()
    const claim = await claiming.due(room.ask(most), late)
    tellOfClaim(claim.claimed, since)
    return { ...claim, since, era }
  }

  const tellOfClaim = (claimed: readonly ClaimedDelivery[], since: number): void => {
    const deliveryIds = claimed.map(({ id }) => id)
    const count = deliveryIds.length
    if (count > 0) telemetry.emit({ kind: "deliveries_claimed", channel, count, deliveryIds, ms: clock.now() - since })
  }

  const reserve = (count: number): Reservation | null => {
    if (stopping() || clock.now() < notBefore || !room.keep(count)) return null
    const { era } = account
    const since = clock.now()
    const end = (message: DispatcherMessage): boolean => {
      const heard = ctx.self.send(message) === "ok"
      if (!heard) room.letGo(count)
      return heard
    }
    return {
      owner,
      leaseMs,
      take: (claimed) =>
        end({ kind: "handed", kept: count, claim: { claimed, full: false, againInMs: null, since, era } }),
      drop: (leases) => end({ kind: "handed_late", kept: count, leases }),
    }
  }

  const onHanded = (count: number, claim: Claimed): void => {
    const { claimed, since, era } = claim
    tellOfClaim(claimed, since)
    if (claiming.mayGo(claimed)) {
      room.letGo(count)
      begin(claim)
      return
    }
    ctx.task(
      async (late) => ({ ...(await claiming.stored(claimed, late)), since, era }),
      (outcome) => ({ kind: "let", kept: count, outcome }),
      { atStop: "finish", timeoutMs: QUERY_MS },
    )
  }

  /** Ended, or put off, without a try: nobody is told of it but whoever watches, and the next channel. */
  const onUnsent = (unsent: readonly Unsent[]): void => {
    for (const { id, status, reason } of unsent)
      telemetry.emit({ kind: "delivery_settled", channel, deliveryId: id, status, reason, latencySeconds: null })
    if (unsent.some(({ failover }) => failover)) timersSet()
  }

  const claiming = createClaiming({ db, channel, owner, leaseMs, limits, onUnsent, onUnreadable })

  const timersSet = (): void => pubsub.publish([{ kind: "timers_set", at: clock.wall().getTime() }])

  const onClaimed = (outcome: TaskOutcome<Claimed>): void => {
    if (outcome.kind === "done") {
      failures = 0
      begin(outcome.value)
    } else if (outcome.kind === "failed" && databaseProblem(outcome.error) !== "away") {
      throw outcome.error
    } else {
      databaseAway()
    }
  }

  const behind = (): void => {
    wanted = true
    room.fellBehind()
  }

  const begin = ({ claimed, full, since, era, againInMs }: Claimed): void => {
    const held = claimed.map((one) => new Held(one, since, era))
    if (full) behind()
    if (againInMs !== null && againInMs < LOOK_MAX_MS) wakeIn(againInMs)
    if (stopping()) unstarted.push(...held)
    else start(held)
  }

  const databaseAway = (): void => {
    failures += 1
    behind()
    const ms = backoffDelay(DATABASE_AWAY, failures, random)
    notBefore = clock.now() + ms
    wakeIn(ms)
  }

  /** Those of one claim are one task: most of what a task costs is its deadline and its way to be aborted. */
  const start = (together: readonly Held[]): void => {
    for (const held of together) inFlight.add(held)
    // The next claim is on its way before these are sent.
    const claiming = fill(false)
    if (together.length === 0) return
    const run = async (killed: AbortSignal): Promise<unknown> => {
      killed.addEventListener("abort", () => {
        for (const held of together) held.cut.make()
      })
      if (claiming) await nextTurn()
      return Promise.all(
        together.map((held) =>
          attempt(held, attempts).then(
            (done) => onAttempted(held, done),
            (error: unknown) => onFailed(held, error),
          ),
        ),
      )
    }
    ctx.task(run, (outcome) => ({ kind: "attempted", together, outcome }), { atStop: "finish", timeoutMs: ATTEMPT_MS })
  }

  const onAttempted = (held: Held, { againInMs, failover }: Attempted): void => {
    inFlight.remove(held)
    if (againInMs !== null) wakeIn(againInMs)
    if (failover) timersSet()
    fill()
  }

  /** The database refused this one settlement, or nothing ended: the lease runs out and the attempt counts. */
  const onFailed = (held: Held, error: unknown): void => {
    inFlight.remove(held)
    telemetry.emit({ kind: "bug_found", where: `delivery/${channel}`, error: describeError(error) })
    fill()
  }

  /** One timer, for the earliest moment that is known here; the lookout finds the rest. */
  const wakeIn = (ms: number): void => {
    const at = clock.now() + ms
    if (due !== null && due.at <= at) return
    due?.timer.cancel()
    due = { at, timer: ctx.sendAfter(ms + 1, { kind: "wake" }) }
  }

  const renew = (): void => {
    ctx.sendAfter(leaseMs / 3, { kind: "renew" })
    const asked = inFlight.leases()
    if (asked.length === 0) return
    const run = () => renewLeases(db, owner, asked, leaseMs)
    ctx.task(run, (outcome) => ({ kind: "renewed", asked, outcome }), { atStop: "finish", timeoutMs: QUERY_MS })
  }

  const onRenewed = (asked: readonly Lease[], outcome: TaskOutcome<readonly Lease[]>): void => {
    if (outcome.kind === "done") inFlight.keepOnly(asked, outcome.value)
    // Otherwise the database is away, for rescuers too; the fence decides when it is back.
    else if (outcome.kind === "failed" && databaseProblem(outcome.error) !== "away") throw outcome.error
  }

  const cut = (): void => {
    cutOff.abort()
    for (const held of inFlight.all()) held.cut.make()
  }

  const wake = (): void => {
    if (!woken) woken = ctx.self.send({ kind: "wake" }) === "ok"
  }
  const unsubscribe = pubsub.subscribe((news) => {
    if (news.some((one) => one.kind === "deliveries_due" && one.channels.includes(channel))) wake()
  })
  const leaveLookout = lookout.watch(channel, (inMs) => (inMs === 0 ? wake() : wakeIn(inMs)))
  const leaveHandoff = handoff.join(channel, { reserve })
  const leaveDrain = drain.join({
    idle: () => inFlight.empty(),
    cut,
    resume: () => ctx.self.send({ kind: "wake" }),
  })
  let cutTimer: Timer | null = null
  ctx.signal.addEventListener("abort", () => {
    unsubscribe()
    leaveLookout()
    leaveHandoff()
    leaveDrain()
    cutTimer = clock.after(DRAIN_MS, cut)
  })
  renew()
  fill()

  return {
    handle(message) {
      switch (message.kind) {
        case "wake":
          woken = false
          if (due !== null && due.at <= clock.now()) due = null
          wanted = true
          if (!stopping()) start(unstarted.splice(0))
          fill()
          return
        case "renew":
          return renew()
        case "claimed":
          claims = false
          room.answered(message.outcome.kind !== "done" || message.outcome.value.full || wanted)
          return onClaimed(message.outcome)
        case "handed":
          return onHanded(message.kept, message.claim)
        case "let":
          room.letGo(message.kept)
          return onClaimed(message.outcome)
        case "handed_late":
          room.letGo(message.kept)
          claiming.owe(message.leases)
          if (message.leases.length > 0) behind()
          fill()
          return
        case "renewed":
          return onRenewed(message.asked, message.outcome)
        case "attempted":
          if (message.outcome.kind === "done") return
          for (const held of message.together)
            if (inFlight.has(held)) onFailed(held, new Error("an attempt did not end"))
          return
      }
    },
    async terminate() {
      cutTimer?.cancel()
      const leases = [...claiming.owed(), ...unstarted.splice(0).map(({ claimed }) => claimed)]
      await releaseClaimed(db, owner, leases).catch((error: unknown) => {
        // Away at the very end: these leases run out instead.
        if (databaseProblem(error) !== "away") throw error
      })
    },
  }
}

const nextTurn = (): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  setImmediate(resolve)
  return promise
}
