/** What becomes of one person's message on one channel, before it is known who shares its address. Pure. */
import type { Channel, PersonalChannel } from "../domain/channel.ts"
import type { Severity } from "../domain/event.ts"
import type { EarlierDelivery } from "../domain/firing.ts"
import type { RecipientId } from "../domain/ids.ts"
import { NO_PREFERENCES, type Preferences, wishOf } from "../domain/preferences.ts"
import type { Recipient } from "../domain/recipient.ts"
import type { Round } from "../domain/timer.ts"
import type { LoadedNotify } from "./rule-set.ts"

/** One action tells these people at one moment. */
export interface Turn {
  readonly action: LoadedNotify
  /** The action's place in its rule. */
  readonly place: number
  /** The action's own, or those of a later step. */
  readonly channels: readonly Channel[]
  /** Tried one after the other for whom all before were definitely not sent. */
  readonly failover: readonly PersonalChannel[]
  /** What it sends counts for failover: the action has one, and this is no later step of an escalation. */
  readonly inChain: boolean
  readonly round: Round
  /** The moment of telling: as planned, whenever somebody got round to it. Milliseconds since the Unix epoch, as below. */
  readonly at: number
  /** Nothing is sent from then on. */
  readonly expiresAt: number | null
  /** Sorted by id. */
  readonly people: readonly Recipient[]
  readonly preferences: ReadonlyMap<RecipientId, Preferences>
  /** For each person the gates of the action's limits, in the limits' order. Nobody is limited where it is empty. */
  readonly limitKeys: ReadonlyMap<RecipientId, readonly string[]>
}

export type Fate =
  | { readonly kind: "send" }
  | { readonly kind: "hold"; readonly until: number; readonly reason: string }
  | { readonly kind: "not"; readonly status: "suppressed" | "expired"; readonly reason: string }

export const EXPIRED: Fate = { kind: "not", status: "expired", reason: "expires_in" }
export const suppressed = (reason: string): Fate => ({ kind: "not", status: "suppressed", reason })

/** Of somebody who has an address there: as they wish, and in time. */
export function fateOf(turn: Turn, recipient: Recipient, channel: PersonalChannel, severity: Severity): Fate {
  const { category, commercial, bypassQuietHours } = turn.action
  const occasion = { channel, severity, category, commercial, bypassQuietHours }
  const wishes = turn.preferences.get(recipient.id)
  if (wishes === undefined && !commercial) return { kind: "send" }
  const wish = wishOf(wishes ?? NO_PREFERENCES, occasion, turn.at, recipient.timezone)
  switch (wish.kind) {
    case "send":
      return wish
    case "never":
      return suppressed(wish.reason)
    case "hold":
      return turn.expiresAt !== null && wish.until >= turn.expiresAt ? EXPIRED : wish
  }
}

/** Reasons for which somebody is not to be told at all: another channel would not be right either. */
const REFUSALS: readonly string[] = ["cooldown", "throttled", "shadow", "superseded"]

const isRefusal = (reason: string | null): boolean => reason !== null && REFUSALS.includes(reason)

/** Definitely not sent, so that the next channel is due. */
export const failedAtOnce = (fate: Fate): boolean => fate.kind === "not" && !isRefusal(fate.reason)

/** The same of a delivery that was stored. */
export function failedForGood({
  status,
  reason,
  maybeDuplicate,
}: Pick<EarlierDelivery, "status" | "reason" | "maybeDuplicate">): boolean {
  switch (status) {
    case "dead":
    case "expired":
      return !maybeDuplicate
    case "suppressed":
      return !maybeDuplicate && !isRefusal(reason)
    case "scheduled":
    case "queued":
    case "sending":
    case "delivered":
    case "retrying":
    case "unknown":
    case "captured":
    case "cancelled":
      return false
  }
}
