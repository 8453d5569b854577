/**
 * The stock client comes back after 10 ms without jitter, so after a restart all of them knock at once. A burst is let
 * in as it comes; the rest wait for their turn without an answer, because whoever is refused knocks again at once.
 */
import type { Clock } from "../runtime/clock.ts"

/** `refused`: too many wait already; `retryAfterMs` says when there may be room. */
export type Turn = { readonly kind: "come_in" } | { readonly kind: "refused"; readonly retryAfterMs: number }

/** Below what Bun gives a request without an answer, and what clients give a handshake. */
const LONGEST_WAIT_MS = 5_000
const COME_IN: Turn = { kind: "come_in" }

export class AcceptRate {
  readonly #clock: Clock
  readonly #costMs: number
  readonly #burstMs: number
  /** When the door would be free if it let in one after the other. */
  #free = Number.NEGATIVE_INFINITY

  /** `perSecond` sockets, after a burst of `burst`. */
  constructor(clock: Clock, perSecond: number, burst: number) {
    this.#clock = clock
    this.#costMs = 1_000 / perSecond
    this.#burstMs = burst * this.#costMs
  }

  /** Resolves when it is this one's turn, in the order in which they came; 5 s later at most. */
  async turn(): Promise<Turn> {
    const now = this.#clock.now()
    const free = Math.max(this.#free, now) + this.#costMs
    const waitMs = free - this.#burstMs - now
    if (waitMs > LONGEST_WAIT_MS) return { kind: "refused", retryAfterMs: waitMs }
    this.#free = free
    if (waitMs <= 0) return COME_IN
    return new Promise((resolve) => this.#clock.after(waitMs, () => resolve(COME_IN)))
  }
}
