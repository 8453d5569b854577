/**
 * What a source has promised to do, and whether it does: at least so many events in a time that passes only within
 * certain hours. Pure: who is asked when, and what is then said, is ingest's.
 */
import { type DailyWindow, isOpen, opensAt, openTimeAfter } from "./daily-window.ts"
import type { BusinessId } from "./ids.ts"

export interface SourcePromise {
  readonly source: string
  /** Null: each business that the source speaks for. */
  readonly business: BusinessId | null
  readonly atLeast: number
  readonly perMs: number
  /** Null: at any hour. */
  readonly window: DailyWindow | null
  /** In words: "1 event per 6h between 08:00 and 20:00 (Asia/Baghdad)". Two promises are the same where these are. */
  readonly expected: string
  /** `rules/erp.yaml:3:5` */
  readonly at: string
}

/** Late looks at the end of the hours are still theirs. */
const NOTICED_WITHIN_MS = 60_000

export type Verdict =
  /** Held, and it cannot be broken before `until`. */
  | { readonly kind: "held"; readonly until: number }
  /** Broken, and nobody is to be told before `until`: it is outside of the hours. */
  | { readonly kind: "later"; readonly until: number }
  /** `seen`: how many events there were where `atLeast` had been promised. */
  | { readonly kind: "broken"; readonly since: number; readonly lastEventAt: number | null; readonly seen: number }

/**
 * `heard` are the moments of the source's last events, newest first, `atLeast` of them at most. `firstSeen` is when the
 * promise was first known: before that nothing was owed.
 */
export function judge(promise: SourcePromise, heard: readonly number[], firstSeen: number, now: number): Verdict {
  const oldest = heard.at(-1)
  const start = Math.max(firstSeen, oldest ?? firstSeen)
  const until = brokenAt(promise, start)
  if (now < until) return { kind: "held", until }
  const { window } = promise
  if (window !== null && !isOpen(window, now) && !isOpen(window, now - NOTICED_WITHIN_MS)) {
    return { kind: "later", until: opensAt(window, now) }
  }
  const lastEventAt = heard[0] ?? null
  return { kind: "broken", since: lastEventAt ?? firstSeen, lastEventAt, seen: seenWithin(promise, heard, now) }
}

/** Whether a promise that was broken is held again by what was heard alone: when it was first known does not matter. */
export function heldAgain(promise: SourcePromise, heard: readonly number[], now: number): boolean {
  const decisive = heard[promise.atLeast - 1]
  return decisive !== undefined && now < brokenAt(promise, decisive)
}

/** The moment from which an event at `start` counts no more. */
const brokenAt = ({ window, perMs }: SourcePromise, start: number): number =>
  window === null ? start + perMs : openTimeAfter(window, start, perMs)

function seenWithin(promise: SourcePromise, heard: readonly number[], now: number): number {
  // Newest first: those that still count stand before those that do not.
  let low = 0
  let high = heard.length
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (brokenAt(promise, heard[middle] ?? 0) > now) low = middle + 1
    else high = middle
  }
  return low
}
