/** When a call is repeated, and how long to wait before: pure. */

/** How often and how soon. All times in milliseconds. */
export interface RetryPolicy {
  /** Tries in all, the first one included. */
  readonly attempts: number
  /** The longest pause after the first failure; it doubles with each further one. */
  readonly baseMs: number
  /** The longest pause that is our own idea. */
  readonly capMs: number
  /** The longest pause that the hub may ask for. */
  readonly retryAfterCapMs: number
}

/** Some 4 s in the worst case, where the hub asks for nothing. */
export const DEFAULT_RETRY: RetryPolicy = { attempts: 5, baseMs: 250, capMs: 5_000, retryAfterCapMs: 30_000 }

const REPEATED: readonly number[] = [408, 429, 502, 503, 504]

/** Whether the same request may be answered otherwise in a while. */
export const isPassing = (status: number): boolean => REPEATED.includes(status)

/** A `Retry-After` of seconds or of a date, in milliseconds; undefined where there is none that can be read. */
export function readRetryAfter(header: string | null, now: Date): number | undefined {
  const text = header?.trim() ?? ""
  if (/^\d+(\.\d+)?$/.test(text)) return Number(text) * 1_000
  const date = /^[A-Za-z]{3}/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime())
}

/**
 * How long to wait after so many tries: full jitter below a doubling bound, and never sooner than asked. What was asked
 * comes first and the jitter after it, so that those who were told the same moment do not come back in step.
 */
export function pauseMs(policy: RetryPolicy, tries: number, asked: number | undefined, random: () => number): number {
  const bound = Math.min(policy.capMs, policy.baseMs * 2 ** (tries - 1))
  return Math.min(asked ?? 0, policy.retryAfterCapMs) + random() * bound
}
