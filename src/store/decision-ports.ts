/** What deciding asks the store, each once for a whole batch. */
import type { HubEvent } from "../domain/event.ts"
import type { Gates } from "../domain/gates.ts"
import type { EventId, RuleName, TimerId } from "../domain/ids.ts"
import type { FindAudience } from "./audience.ts"

/** Is there an event that silences this one? */
export interface InhibitorQuery {
  readonly event: HubEvent
  /** Patterns, as a rule's `event_type`. */
  readonly eventTypes: readonly string[]
  /** Paths at which both have equal values. */
  readonly equal: readonly string[]
  readonly withinMs: number
  /**
   * True for an event that does: its type, its business, its values and its time all fit. The last word; what the store
   * asks of its index (business, time of acceptance, types without wildcards) only keeps it short.
   */
  readonly fits: (candidate: HubEvent) => boolean
}

export interface Inhibitor {
  readonly id: EventId
  readonly type: string
}

/** Answers in the order of the questions: the latest that fits, or null. */
export type FindInhibitors = (queries: readonly InhibitorQuery[]) => Promise<readonly (Inhibitor | null)[]>

/**
 * Locks the gates of these keys, ascending, until what is decided is stored; no other key may be asked of them. Called a
 * second time within a firing: the first time for digests, whose keys sort before those of limits, so that all who lock
 * keep one order.
 */
export type HoldGates = (keys: readonly string[]) => Promise<Gates>

export interface DecisionPorts {
  readonly audience: FindAudience
  readonly inhibitors: FindInhibitors
  readonly gates: HoldGates
  /** Of an event that may have been routed before. */
  readonly digested?: FindDigested
}

/** By which actions of which rules an event was gathered already. */
export type FindDigested = (event: EventId) => Promise<readonly { readonly rule: RuleName; readonly action: number }[]>

/** The events of each digest, in order of acceptance; asked when their gates are held. */
export type FindGathered = (timers: readonly TimerId[]) => Promise<readonly (readonly HubEvent[])[]>

export interface FiringPorts extends Pick<DecisionPorts, "audience" | "gates"> {
  readonly gathered: FindGathered
}
