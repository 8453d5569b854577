/**
 * A circuit breaker, one per account of a channel. When the provider is away, or our credential is no good, trying that
 * on every recipient costs their tries and helps nobody: the breaker opens, nothing is claimed, and after a pause one
 * delivery at a time finds out whether it works again. Pure: time and randomness are arguments.
 */
import { type Outcome, PLACE_TAKEN } from "../domain/delivery.ts"
import { backoffDelay } from "../runtime/backoff.ts"

/**
 * What one try says about the account. `failing`: the provider's fault. `unusable`: our credential's. `throttled`: it
 * works, and wants less. `nothing`: the try was cut short by us, or told only of itself.
 */
export type Verdict = "well" | "failing" | "unusable" | "throttled" | "nothing"

export type Cause = "outage" | "credential" | "throttled"

/** One piece of the sliding window, from `at` (monotonic milliseconds) on. */
interface Slice {
  readonly at: number
  readonly well: number
  readonly failing: number
}

interface Common {
  /** Changes with each change of state: what was begun in an earlier era says nothing about this one. */
  readonly era: number
  /** How often it opened since it last worked at full width. */
  readonly openings: number
}

interface Closed extends Common {
  readonly state: "closed"
  /** Sends at once; Infinity: no limit from here. */
  readonly limit: number
  readonly window: readonly Slice[]
  /** How many were throttled since one worked. */
  readonly throttled: number
}

interface Open extends Common {
  readonly state: "open"
  readonly cause: Cause
  /** Monotonic milliseconds. */
  readonly until: number
}

/** One delivery at a time may go, and decides. */
interface Probing extends Common {
  readonly state: "probing"
}

export type Breaker = Closed | Open | Probing

export interface Heard {
  /** Of the breaker when the delivery was claimed. */
  readonly era: number
  readonly verdict: Verdict
  /** Monotonic milliseconds. */
  readonly now: number
  /** [0, 1), for the pause. */
  readonly random: () => number
  /** The account's own bound of sends at once: at it, a recovery is over. */
  readonly bound: number
  /** How long the provider asked to be left alone. */
  readonly wishMs?: number | null
}

/** It opens when this share of at least `MINIMUM` telling tries failed within the window (reliability §4.3). */
export const FAILURE_RATE = 0.5
export const MINIMUM = 20
export const WINDOW_MS = 30_000
const SLICE_MS = WINDOW_MS / 10
/**
 * So many in a row were throttled: whoever goes on asking is shut out for longer, so nothing is claimed for as long as the
 * provider wishes. Not for long, since it may have meant one address.
 */
export const THROTTLED_IN_A_ROW = 10
const WISH = { minMs: 1_000, maxMs: 5_000 } as const
/** Short at first, since most outages are; long for what only a person can mend. */
const PAUSES = {
  outage: { minMs: 1_000, maxMs: 60_000, jitter: 0.5 },
  credential: { minMs: 30_000, maxMs: 300_000, jitter: 0.2 },
} as const

export const CLOSED: Closed = {
  state: "closed",
  era: 0,
  openings: 0,
  limit: Number.POSITIVE_INFINITY,
  window: [],
  throttled: 0,
}
/** For a dispatcher that has just crashed: should that repeat, each crash holds one delivery and not all it could. */
export const CAREFUL: Closed = { ...CLOSED, limit: 1 }

/** Reasons that are about this one message, or were found before the provider was asked. */
const TELLS_NOTHING = new Set([
  "still_in_progress",
  "deferred",
  "chat_migrated",
  "no_webhook",
  "url_refused",
  PLACE_TAKEN,
  "not_tried",
])

/** What an outcome says about the account that it was tried with; `cut`: we ended the try ourselves. */
export function verdictOf(outcome: Outcome, cut: boolean): Verdict {
  switch (outcome.kind) {
    case "delivered":
    case "captured":
      return "well"
    case "rejected": // It was judged, so somebody is there.
      return TELLS_NOTHING.has(outcome.reason) ? "nothing" : "well"
    case "unusable":
      return "unusable"
    case "retry":
      if (outcome.reason === "rate_limited") return "throttled"
      return cut || TELLS_NOTHING.has(outcome.reason) ? "nothing" : "failing"
    case "unknown":
      return cut ? "nothing" : "failing"
  }
}

/** How many claimed in this era may be sending at once. */
export function limitOf(breaker: Breaker): number {
  switch (breaker.state) {
    case "closed":
      return breaker.limit
    case "open":
      return 0
    case "probing":
      return 1
  }
}

/** The breaker at a moment: an open one whose time has come lets one through. */
export const look = (breaker: Breaker, now: number): Breaker =>
  breaker.state === "open" && now >= breaker.until
    ? { state: "probing", era: breaker.era + 1, openings: breaker.openings }
    : breaker

/** After a try. */
export function learn(breaker: Breaker, heard: Heard): Breaker {
  const { verdict } = heard
  if (heard.era !== breaker.era) return breaker
  if (verdict === "nothing")
    // Who is careful and recovers from nothing waits for tries that end, whatever they say.
    return breaker.state === "closed" && breaker.openings === 0
      ? { ...breaker, limit: widened(breaker.limit, heard.bound) }
      : breaker
  switch (breaker.state) {
    case "open":
      return breaker
    case "closed":
      if (verdict === "throttled") {
        const throttled = breaker.throttled + 1
        return throttled < THROTTLED_IN_A_ROW ? { ...breaker, throttled } : paused(breaker, heard)
      }
      if (verdict === "unusable") return opened(breaker, heard, "credential", breaker.openings + 1)
      return counted(breaker, heard, verdict)
    case "probing":
      // Recovery is no burst: what piled up meanwhile goes out slowly at first.
      if (verdict === "well") return { ...CLOSED, era: breaker.era + 1, openings: breaker.openings, limit: 2 }
      // It is there, and asks for less: no longer pauses than before.
      if (verdict === "throttled") return paused(breaker, heard)
      return opened(breaker, heard, verdict === "unusable" ? "credential" : "outage", breaker.openings + 1)
  }
}

/** By the provider's wish, and no shorter than the last pause where there was one. */
function paused({ era, openings }: Breaker, { now, random, wishMs }: Heard): Open {
  const last = openings > 0 ? backoffDelay(PAUSES.outage, openings, random) : WISH.minMs * (1 + 0.5 * random())
  const wish = Math.min(WISH.maxMs, wishMs ?? 0)
  return { state: "open", era: era + 1, openings, cause: "throttled", until: now + Math.max(last, wish) }
}

const opened = (
  { era }: Breaker,
  { now, random }: Heard,
  cause: Exclude<Cause, "throttled">,
  openings: number,
): Open => ({
  state: "open",
  era: era + 1,
  openings,
  cause,
  until: now + backoffDelay(PAUSES[cause], openings, random),
})

/** One more for each that worked doubles the width with every round trip. */
const widened = (limit: number, bound: number): number => (limit + 1 >= bound ? Number.POSITIVE_INFINITY : limit + 1)

function counted(breaker: Closed, heard: Heard, verdict: "well" | "failing"): Breaker {
  const window = added(breaker.window, heard.now, verdict)
  if (verdict === "well") {
    const limit = widened(breaker.limit, heard.bound)
    return { ...breaker, window, limit, throttled: 0, openings: Number.isFinite(limit) ? breaker.openings : 0 }
  }
  let [well, failing] = [0, 0]
  for (const slice of window) {
    well += slice.well
    failing += slice.failing
  }
  if (well + failing >= MINIMUM && failing >= FAILURE_RATE * (well + failing))
    return opened(breaker, heard, "outage", breaker.openings + 1)
  const limit = Number.isFinite(breaker.limit) ? Math.max(1, Math.floor(breaker.limit / 2)) : breaker.limit
  return { ...breaker, window, limit }
}

function added(window: readonly Slice[], now: number, verdict: "well" | "failing"): readonly Slice[] {
  const [first, last] = [window.at(0), window.at(-1)]
  const kept =
    first === undefined || now - first.at < WINDOW_MS ? window : window.filter((slice) => now - slice.at < WINDOW_MS)
  // Nearly every try falls into the last slice: thousands a second where nothing leaves.
  return last !== undefined && now - last.at < SLICE_MS
    ? kept.with(-1, counting(last, verdict))
    : [...kept, counting({ at: now, well: 0, failing: 0 }, verdict)]
}

const counting = ({ at, well, failing }: Slice, verdict: "well" | "failing"): Slice =>
  verdict === "well" ? { at, well: well + 1, failing } : { at, well, failing: failing + 1 }
