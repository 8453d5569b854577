// A bounded queue in front of one actor. A ring that grows by doubling up to its bound, so that 10,000 idle actors cost
// nothing and a busy one never shifts an array.

import type { Overflow } from "./actor.ts"

export class Mailbox<T> {
  readonly bound: number
  readonly overflow: Overflow
  /** Messages this mailbox turned away or threw out. */
  dropped = 0
  /** Items in it that stand outside the bound and are never thrown out. */
  beyond = 0
  private ring: (T | undefined)[] = []
  private head = 0
  private count = 0

  private readonly isBeyond: (item: T) => boolean

  constructor(
    settings: { readonly bound: number; readonly overflow: Overflow },
    isBeyond: (item: T) => boolean = () => false,
  ) {
    this.isBeyond = isBeyond
    this.bound = settings.bound
    this.overflow = settings.overflow
  }

  /** Items within the bound. */
  get depth(): number {
    return this.count - this.beyond
  }

  /** All items. */
  get size(): number {
    return this.count
  }

  /** Adds at the end. When full: by policy; a message thrown out to make room is handed to `evicted`. */
  push(item: T, evicted: (item: T) => void): "ok" | "busy" | "dropped" {
    if (this.count - this.beyond >= this.bound) {
      this.dropped++
      switch (this.overflow) {
        case "reject":
          return "busy"
        case "drop_newest":
          return "dropped"
        case "drop_oldest":
          evicted(this.takeWithin())
      }
    }
    this.append(item)
    return "ok"
  }

  /** Adds at the end whatever the bound. `isBeyond` must say yes to it. */
  pushBeyond(item: T): void {
    this.append(item)
    this.beyond++
  }

  private append(item: T): void {
    if (this.count === this.ring.length) this.grow()
    this.ring[(this.head + this.count) & (this.ring.length - 1)] = item
    this.count++
  }

  /** The oldest item. Only when `size` is above 0; who takes one that is beyond the bound counts it down. */
  take(): T {
    // The slot under `head` was filled by push when size > 0; T itself may include undefined, so no check can tell.
    const item = this.ring[this.head] as T
    this.ring[this.head] = undefined
    this.head = (this.head + 1) & (this.ring.length - 1)
    this.count--
    return item
  }

  /** The oldest item within the bound, leaving the order of the others. Only when `depth` is above 0. */
  private takeWithin(): T {
    const before: T[] = []
    let item = this.take()
    while (this.beyond > 0 && this.isBeyond(item)) {
      before.push(item)
      item = this.take()
    }
    for (const kept of before.reverse()) {
      this.head = (this.head - 1) & (this.ring.length - 1)
      this.ring[this.head] = kept
      this.count++
    }
    return item
  }

  /** A power of two, so that the index is a mask; nothing as long as nothing has come. */
  private grow(): void {
    const bigger: (T | undefined)[] = new Array(Math.max(8, this.ring.length * 2))
    for (let at = 0; at < this.count; at++) bigger[at] = this.ring[(this.head + at) & (this.ring.length - 1)]
    this.ring = bigger
    this.head = 0
  }
}
