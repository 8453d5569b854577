/** A bounded memory of answers, each with its own end: the one used longest ago goes first. */
import type { Clock } from "../runtime/clock.ts"

export interface Recent<V> {
  get(key: string): V | undefined
  /** `until` is in the clock's monotonic milliseconds. */
  set(key: string, value: V, until: number): void
}

export function createRecent<V>(capacity: number, clock: Clock): Recent<V> {
  const entries = new Map<string, { readonly value: V; readonly until: number }>()
  return {
    get(key) {
      const entry = entries.get(key)
      if (entry === undefined) return undefined
      entries.delete(key)
      if (entry.until <= clock.now()) return undefined
      // A Map keeps the order of insertion, so the oldest use is always first.
      entries.set(key, entry)
      return entry.value
    },
    set(key, value, until) {
      entries.delete(key)
      entries.set(key, { value, until })
      if (entries.size <= capacity) return
      const oldest = entries.keys().next()
      if (oldest.done !== true) entries.delete(oldest.value)
    },
  }
}
