// How long to wait before trying again something that is away. A child with a backoff never burns its supervisor's
// restart budget: an outage of a provider or of the database is not a bug in us.

/** All milliseconds; `jitter` is the share (0 to 1) by which a delay may be longer. */
export interface Backoff {
  /** First delay. Default 200. */
  readonly minMs?: number
  /** No delay is longer, jitter included. Default 30,000. */
  readonly maxMs?: number
  /** Default 0.2. */
  readonly jitter?: number
  /** A child that was ready for at least this long starts again from `minMs`. Default 30,000. */
  readonly resetAfterMs?: number
  /**
   * When the very first start fails: `retry` (default: being away at boot is no different from being away later, the
   * supervisor goes on without it) or `fail` (the supervisor's start fails, as for any other child).
   */
  readonly firstStart?: "retry" | "fail"
}

/**
 * The delay before restart number `failures` (1 = the first) in ms: minMs doubled per failure, plus up to `jitter` of it,
 * never above maxMs. `random` gives [0, 1).
 */
export function backoffDelay(backoff: Backoff, failures: number, random: () => number): number {
  const { minMs = 200, maxMs = 30_000, jitter = 0.2 } = backoff
  const plain = minMs * 2 ** Math.min(failures - 1, 30)
  return Math.min(maxMs, plain * (1 + jitter * random()))
}
