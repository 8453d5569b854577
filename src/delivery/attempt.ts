/** One delivery, one pipe, exactly one try: send, decide, write down. What it did is told as telemetry on the way. */
import type { ChannelWorker } from "../channels/channel.ts"
import { type RetryPolicy, settle } from "../domain/delivery.ts"
import type { Clock } from "../runtime/clock.ts"
import type { InTime } from "../runtime/deadlines.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { tellOfEnds } from "../telemetry/ends.ts"
import { describeError } from "../telemetry/scrub.ts"
import { accountOf, isElsewhere } from "./account.ts"
import { type Verdict, verdictOf } from "./breaker.ts"
import type { Learn } from "./gone.ts"
import type { Held } from "./in-flight.ts"
import { type Sent, sendOnce } from "./send.ts"
import type { Settler } from "./settling.ts"

export interface AttemptOptions {
  readonly worker: ChannelWorker
  readonly settler: Settler
  readonly telemetry: Emitter
  readonly clock: Clock
  /** Of the tries of this dispatcher. */
  readonly inTime: InTime
  readonly policy: RetryPolicy
  /** [0, 1). */
  readonly random: () => number
  readonly leaseMs: number
  /** The try is over, its settlement begins: there is room for another, if what was seen of the account allows it. */
  readonly onSent: (held: Held, verdict: Verdict, reason: string, wishMs: number | null) => void
  /** What it says of the address. */
  readonly learn: Learn
  /** After it, a settlement that the database does not take is given up. */
  readonly giveUp: AbortSignal
}

/** What the dispatcher has to know of an attempt. */
export interface Attempted {
  /** When it is to be tried again, where that was written. */
  readonly againInMs: number | null
  /** The next channel's timer was set. */
  readonly failover: boolean
}

/**
 * It was claimed before its rule's end and is past it, as a process may be stopped in between. Or it was due within its day,
 * and nobody was there to try it: what was tried before is not tried again beyond it, where a provider has forgotten its
 * key and would send it a second time.
 */
function isTooLate(
  { claimed: { tries, ageMs, expiresInMs }, since }: Held,
  { clock, policy }: Pick<AttemptOptions, "clock" | "policy">,
): boolean {
  if (expiresInMs === undefined && tries <= 1) return false
  const heldMs = clock.now() - since
  return (expiresInMs !== undefined && heldMs >= expiresInMs) || (tries > 1 && ageMs + heldMs >= policy.maxAgeMs)
}

const TOO_LATE: Sent = {
  outcome: {
    kind: "retry",
    reason: "not_tried",
    detail: "its time was over before this try began",
    retryAfterMs: null,
  },
  bug: null,
  ms: 0,
}

const NOTHING: Attempted = { againInMs: null, failover: false }

/** Rejects only when the database refuses the settlement, which is a bug. */
export async function attempt(held: Held, options: AttemptOptions): Promise<Attempted> {
  const { worker, settler, telemetry, clock, inTime, policy, random, leaseMs, giveUp, onSent, learn } = options
  const { id, attempt: number, channel, tries, ageMs } = held.claimed
  const account = accountOf(held.claimed.message)
  const lost = (): void => telemetry.emit({ kind: "lease_lost", channel, deliveryId: id })

  // The process was paused between the claim and here: whoever rescued it may be sending.
  if (clock.now() - held.since >= leaseMs) held.lose()
  if (held.lost) {
    lost()
    return NOTHING
  }

  const { outcome, bug, ms } = isTooLate(held, options)
    ? TOO_LATE
    : await sendOnce(held.claimed, worker, { clock, cut: held.cut, inTime })
  held.sent = true
  const reason = "reason" in outcome ? outcome.reason : null
  const verdict = isElsewhere(held.claimed.message) ? "nothing" : verdictOf(outcome, held.cut.made)
  onSent(held, verdict, reason ?? "", "retryAfterMs" in outcome ? outcome.retryAfterMs : null)
  telemetry.emit({
    kind: "delivery_attempted",
    channel,
    deliveryId: id,
    attempt: number,
    outcome: outcome.kind,
    reason,
    ms,
  })
  if (bug !== null) telemetry.emit({ kind: "bug_found", where: `channels/${channel}`, error: describeError(bug) })
  if (held.lost) {
    lost()
    return NOTHING
  }

  const own: RetryPolicy = held.claimed.holdUnknown && !policy.knowsRepeats ? { ...policy, onUnknown: "hold" } : policy
  const settlement = settle({ attempt: tries, ageMs: ageMs + (clock.now() - held.since) }, outcome, own, random())
  const written = await settler.settle({ id, attempt: number, outcome, settlement, account }, giveUp)
  if (written.kind !== "settled") {
    lost()
    return NOTHING
  }
  telemetry.emit({
    kind: "delivery_settled",
    channel,
    deliveryId: id,
    status: written.expired ? "expired" : settlement.status,
    reason: written.expired ? "expires_in" : "reason" in settlement ? settlement.reason : null,
    latencySeconds: (ageMs + clock.now() - held.since) / 1_000,
  })
  // Where it cannot be written now, the next message finds the address gone again.
  const learning = learn(id, held.claimed.message, outcome)?.catch((error: unknown) => {
    telemetry.emit({ kind: "bug_found", where: "delivery/gone", error: describeError(error) })
    return []
  })
  const stopped = learning === undefined ? [] : await learning
  tellOfEnds(telemetry, stopped)
  return {
    againInMs: "delayMs" in settlement && !written.expired ? settlement.delayMs : null,
    // What waited for the same address may have a next channel too.
    failover: written.failover || stopped.length > 0,
  }
}
