/**
 * Looking at the tree costs as much as the tree is large, and `/metrics` and `/health/detailed` are open to all: however
 * often they are asked, the tree is looked at twice a second at most. A scrape's many metrics share one look, too.
 */
import type { Clock } from "../runtime/clock.ts"

const SHARED_MS = 500

/** The same as `look`, at most 500 ms old; what is not there yet (null) is asked for every time. */
export function sharedLook<T>(clock: Clock, look: () => T | null): () => T | null {
  let last: { readonly at: number; readonly seen: T } | null = null
  return () => {
    const now = clock.now()
    if (last !== null && now - last.at < SHARED_MS) return last.seen
    const seen = look()
    last = seen === null ? null : { at: now, seen }
    return seen
  }
}
