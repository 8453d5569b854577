/** One delivery, one pipe, exactly one try: send, decide, write down. What it did is told as telemetry on the way. */
import type { ChannelWorker } from "../channels/channel.ts"
import { type RetryPolicy, settle } from "../domain/delivery.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { describeError } from "../telemetry/scrub.ts"
import type { Held } from "./in-flight.ts"
import { sendOnce } from "./send.ts"
import type { Settler } from "./settling.ts"

export interface AttemptOptions {
  readonly worker: ChannelWorker
  readonly settler: Settler
  readonly telemetry: Emitter
  readonly clock: Clock
  readonly policy: RetryPolicy
  /** [0, 1). */
  readonly random: () => number
  readonly leaseMs: number
  /** The try is over, its settlement begins: there is room for another, unless the account turned out to be unusable. */
  readonly onSent: (unusable: string | null) => void
  /** After it, a settlement that the database does not take is given up. */
  readonly giveUp: AbortSignal
}

/** What the dispatcher has to know of an attempt. */
export interface Attempted {
  /** When it is to be tried again, where that was written. */
  readonly againInMs: number | null
}

const NOTHING: Attempted = { againInMs: null }

/** Rejects only when the database refuses the settlement, which is a bug. */
export async function attempt(held: Held, options: AttemptOptions): Promise<Attempted> {
  const { worker, settler, telemetry, clock, policy, random, leaseMs, giveUp, onSent } = options
  const { id, attempt: number, channel, tries, ageMs } = held.claimed
  const lost = (): void => telemetry.emit({ kind: "lease_lost", channel, deliveryId: id })

  // The process was paused between the claim and here: whoever rescued it may be sending.
  if (clock.now() - held.since >= leaseMs) held.lose()
  if (held.lost) {
    lost()
    return NOTHING
  }

  const { outcome, bug, ms } = await sendOnce(held.claimed, worker, { clock, signal: held.aborter.signal })
  held.sent = true
  onSent(outcome.kind === "unusable" ? outcome.reason : null)
  const reason = "reason" in outcome ? outcome.reason : null
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

  const settlement = settle({ attempt: tries, ageMs: ageMs + (clock.now() - held.since) }, outcome, policy, random())
  const written = await settler.settle({ id, attempt: number, outcome, settlement }, giveUp)
  if (written.kind !== "settled") {
    lost()
    return NOTHING
  }
  telemetry.emit({
    kind: "delivery_settled",
    channel,
    deliveryId: id,
    status: settlement.status,
    reason: "reason" in settlement ? settlement.reason : null,
    latencySeconds: written.latencyMs / 1_000,
  })
  return { againInMs: "delayMs" in settlement ? settlement.delayMs : null }
}
