/**
 * What this node has leased of each limit and may spend by itself. Pure: time is an argument, and what goes to the
 * database and comes back is data. A lease is given up after a second: a node that falls silent then holds back, of each
 * limit, at most twice what it had spent of its last lease, and never more than a tenth of a second's worth.
 */
import type { Lease, LeaseRequest } from "./rate-buckets.ts"

/** `count` of something under one limit of `perSecond` of them; `key` names who or what is limited. */
export interface Charge {
  readonly key: string
  readonly perSecond: number
  readonly count: number
}

/** How a limit stands, as far as this node knows. */
export interface Standing {
  readonly key: string
  readonly perSecond: number
  /** Whole ones that would pass now. */
  readonly remaining: number
  /** Until the limit is untouched again. */
  readonly resetMs: number
}

export type Taken =
  /** All charges were taken. */
  | { readonly kind: "taken" }
  /** None was: this key has too little, and will have enough after `retryMs` if nobody else takes it. */
  | { readonly kind: "refused"; readonly key: string; readonly retryMs: number }
  /** None was: what is here does not do, and the bucket may have more. */
  | { readonly kind: "lacking" }

/** Tokens that were not spent so long after their lease are given up. */
export const LEASE_MS = 1_000
/** The largest block beyond what is wanted at once, as a share of the limit. */
const BLOCK_SHARE = 0.1
/** After a bucket gave less than was wanted it is asked again when it may hold this share of the limit: 20 times a second. */
const WORTH_ASKING_SHARE = 0.05
/** Keys remembered; beyond it the one that was leased longest ago is forgotten, and at most its block lost. */
const MOST_KEYS = 10_000

interface Held {
  tokens: number
  leasedAt: number
  /** Taken since `leasedAt`. */
  spent: number
  /** In the bucket after the lease. */
  left: number
  /** The bucket gave less than was wanted. */
  short: boolean
  /** What was wanted beyond those who waited. */
  block: number
}

export class Ledger {
  readonly #held = new Map<string, Held>()
  readonly #mostKeys: number

  constructor(mostKeys = MOST_KEYS) {
    this.#mostKeys = mostKeys
  }

  /** Takes all charges or none. Keys must differ. `now`: monotonic milliseconds, here and below. */
  take(charges: readonly Charge[], now: number): Taken {
    let lacking = false
    let refused: Extract<Taken, { kind: "refused" }> | null = null
    for (const charge of charges) {
      if (this.#tokens(charge.key, now) >= charge.count) continue
      const retryMs = this.waitFor(charge, now)
      if (retryMs === 0) lacking = true
      else if (refused === null || retryMs > refused.retryMs) refused = { kind: "refused", key: charge.key, retryMs }
    }
    if (refused !== null) return refused
    if (lacking) return { kind: "lacking" }
    for (const { key, count } of charges) {
      const held = this.#held.get(key)
      if (held === undefined) continue
      held.tokens -= count
      held.spent += count
    }
    return { kind: "taken" }
  }

  /** A charge that was taken and not used after all. */
  giveBack({ key, count }: Charge): void {
    const held = this.#held.get(key)
    if (held === undefined) return
    held.tokens += count
    held.spent = Math.max(0, held.spent - count)
  }

  /** The leases that those who wait need; each of them is a list of charges. */
  requests(waiting: Iterable<readonly Charge[]>, now: number): readonly LeaseRequest[] {
    const wanted = new Map<string, { perSecond: number; least: number; sum: number }>()
    for (const charges of waiting) {
      for (const { key, perSecond, count } of charges) {
        const known = wanted.get(key)
        if (known === undefined) wanted.set(key, { perSecond, least: count, sum: count })
        else {
          known.least = Math.min(known.least, count)
          known.sum += count
        }
      }
    }
    return [...wanted].flatMap(([key, { perSecond, least, sum }]) => {
      const tokens = this.#tokens(key, now)
      if (tokens >= sum) return []
      const lacks = Math.max(1, least - tokens)
      const want = Math.max(lacks, sum - tokens + this.#block(key, perSecond, now))
      return [{ key, perSecond, least: lacks, want }]
    })
  }

  /** Books what the database answered to `requests`. */
  book(requests: readonly LeaseRequest[], leases: readonly Lease[], now: number): void {
    const asked = new Map(requests.map((request) => [request.key, request]))
    for (const { key, granted, left } of leases) {
      const request = asked.get(key)
      if (request === undefined) continue
      const tokens = this.#tokens(key, now) + granted
      const block = this.#block(key, request.perSecond, now)
      this.#held.delete(key)
      this.#held.set(key, { tokens, leasedAt: now, spent: 0, left, short: granted < request.want, block })
    }
    for (const key of this.#held.keys()) {
      if (this.#held.size <= this.#mostKeys) break
      this.#held.delete(key)
    }
  }

  /** How much is left of a limit; one that nobody here has asked about counts as untouched. */
  standing(key: string, perSecond: number, now: number): Standing {
    const free = Math.min(perSecond, this.#tokens(key, now) + this.#inBucket(key, perSecond, now))
    const resetMs = ((perSecond - free) / perSecond) * 1_000
    return { key, perSecond, remaining: Math.max(0, Math.floor(free)), resetMs }
  }

  /** Milliseconds for which a charge would be refused; 0: it would pass, or the bucket is worth asking. */
  waitFor({ key, perSecond, count }: Charge, now: number): number {
    const tokens = this.#tokens(key, now)
    if (tokens >= count) return 0
    const lacks = Math.min(count - tokens, perSecond)
    const share = this.#held.get(key)?.short === true ? perSecond * WORTH_ASKING_SHARE : 0
    const missing = Math.max(lacks, share) - this.#inBucket(key, perSecond, now)
    return missing <= 0 ? 0 : (missing / perSecond) * 1_000
  }

  /** Keys that are remembered. */
  get size(): number {
    return this.#held.size
  }

  #tokens(key: string, now: number): number {
    const held = this.#held.get(key)
    return held === undefined || now - held.leasedAt > LEASE_MS ? 0 : held.tokens
  }

  /** What the bucket may hold at most: others take from it too. */
  #inBucket(key: string, perSecond: number, now: number): number {
    const held = this.#held.get(key)
    if (held === undefined) return perSecond
    return Math.min(perSecond, held.left + (perSecond * (now - held.leasedAt)) / 1_000)
  }

  /** Beyond what is wanted now: twice what was spent since the last lease, if that was within the last second. */
  #block(key: string, perSecond: number, now: number): number {
    const held = this.#held.get(key)
    if (held === undefined || now - held.leasedAt > LEASE_MS) return 0
    // A bucket that ran dry says nothing about how much is spent here.
    const wish = held.short ? Math.max(held.block, 2 * held.spent) : 2 * held.spent
    return Math.min(wish, Math.floor(perSecond * BLOCK_SHARE))
  }
}
