// A bounded queue in front of one actor. A ring that grows by doubling up to its bound, so that 10,000 idle actors cost
// nothing and a busy one never shifts an array.

import type { Overflow } from "./actor.ts"

export class Mailbox<T> {
  readonly bound: number
  readonly overflow: Overflow
  /** Messages this mailbox turned away or threw out. */
  dropped = 0
  private ring: (T | undefined)[] = new Array(8)
  private head = 0
  private count = 0

  constructor(settings: { readonly bound: number; readonly overflow: Overflow }) {
    this.bound = settings.bound
    this.overflow = settings.overflow
  }

  get depth(): number {
    return this.count
  }

  /** Adds at the end. When full: by policy; a message thrown out to make room is handed to `evicted`. */
  push(item: T, evicted: (item: T) => void): "ok" | "busy" | "dropped" {
    if (this.count >= this.bound) {
      this.dropped++
      switch (this.overflow) {
        case "reject":
          return "busy"
        case "drop_newest":
          return "dropped"
        case "drop_oldest":
          evicted(this.take())
      }
    }
    if (this.count === this.ring.length) this.grow()
    this.ring[(this.head + this.count) & (this.ring.length - 1)] = item
    this.count++
    return "ok"
  }

  /** The oldest item. Only when `depth` is above 0. */
  take(): T {
    // The slot under `head` was filled by push when depth > 0; T itself may include undefined, so no check can tell.
    const item = this.ring[this.head] as T
    this.ring[this.head] = undefined
    this.head = (this.head + 1) & (this.ring.length - 1)
    this.count--
    return item
  }

  /** A power of two, so that the index is a mask. */
  private grow(): void {
    const bigger: (T | undefined)[] = new Array(this.ring.length * 2)
    for (let at = 0; at < this.count; at++) bigger[at] = this.ring[(this.head + at) & (this.ring.length - 1)]
    this.ring = bigger
    this.head = 0
  }
}
