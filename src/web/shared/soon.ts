/** Work that is asked for more often than it is worth doing. */

/** One `act` for a burst of calls, `ms` after the first. */
export function settled(act: () => void, ms: number): () => void {
  let waiting = false
  return () => {
    if (waiting) return
    waiting = true
    setTimeout(() => {
      waiting = false
      act()
    }, ms)
  }
}

/** At once, and then not again for `ms`. */
export function atMostEvery(act: () => void, ms: number): () => void {
  let last = Number.NEGATIVE_INFINITY
  return () => {
    const now = performance.now()
    if (now - last < ms) return
    last = now
    act()
  }
}
