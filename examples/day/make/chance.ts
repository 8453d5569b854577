// The only chance in the day: one seeded stream, so that every machine makes the same bytes. Whoever draws in another
// order makes another day.

/** mulberry32: small, seeded, the same on every machine. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

const random = seeded(20260302)

/** From 0 up to but not 1. */
export const fraction = (): number => random()
export const chance = (p: number): boolean => random() < p
/** A whole number, both ends included. */
export const between = (low: number, high: number): number => low + Math.floor(random() * (high - low + 1))

export function pick<T>(list: readonly T[]): T {
  const one = list[Math.floor(random() * list.length)]
  if (one === undefined) throw new Error("nothing to pick from")
  return one
}

const counters = new Map<string, number>()
/** The next number of a series, starting where last year left off. */
export const next = (series: string, first: number): number => {
  const number = (counters.get(series) ?? first - 1) + 1
  counters.set(series, number)
  return number
}
