/**
 * How much more a dispatcher may take: from the queue, and of what is being stored right now. What waits for room is not
 * overtaken: where there was too little once, everything goes through the queue until a claim leaves nothing behind.
 */
import type { Account } from "./account.ts"
import type { InFlight } from "./in-flight.ts"
import type { SendLimits } from "./send-limits.ts"

export interface RoomOptions {
  readonly account: Account
  readonly inFlight: InFlight
  readonly limits: SendLimits | null
}

export class Room {
  readonly #options: RoomOptions
  /** Of the claim that is under way. */
  #asked = 0
  #kept = 0
  #behind = true

  constructor(options: RoomOptions) {
    this.#options = options
  }

  get free(): number {
    const { account, inFlight } = this.#options
    return Math.max(0, account.room(inFlight) - this.#kept - this.#asked)
  }

  /** For a claim, of at most `most`; answers for how many. */
  ask(most: number): number {
    this.#asked = 0
    this.#asked = Math.min(most, this.free)
    return this.#asked
  }

  /** The claim is over, and what it took is in flight from now on; `left`: more waits than it has taken. */
  answered(left: boolean): void {
    this.#asked = 0
    this.#behind = left
  }

  /** Something waits that only a claim finds. */
  fellBehind(): void {
    this.#behind = true
  }

  /** Keeps room for all of so many, or for none. */
  keep(count: number): boolean {
    const allowed = this.#options.limits?.room().count ?? count
    this.#behind ||= this.free < count || allowed < count
    if (this.#behind) return false
    this.#kept += count
    return true
  }

  letGo(count: number): void {
    this.#kept -= count
  }
}
