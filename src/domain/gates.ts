/**
 * What rules remember from one event to the next: how often a person was told, and which digest is open. A gate is a
 * small state under a key. Deciding is pure; whoever decides holds the gates of his keys until his decision is stored.
 */
import type { TimerId } from "./ids.ts"

/** When a person was told, ascending, as far back as the limit's window reaches. Milliseconds since the Unix epoch. */
export interface LimitState {
  readonly kind: "limit"
  readonly times: readonly number[]
}

/** The digest that gathers now. */
export interface DigestState {
  readonly kind: "digest"
  readonly timer: TimerId
  readonly count: number
  readonly dueAt: number
}

export type GateState = LimitState | DigestState

/** The gates that somebody holds. Reads see what was written before, so that a batch decides as if one by one. */
export interface Gates {
  get(key: string): GateState | null
  /** `staleAt`: from when on the state means nothing any more. Null takes the state away. */
  set(key: string, state: GateState | null, staleAt: number): void
}
