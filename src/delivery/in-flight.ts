/** The deliveries that this dispatcher holds under a lease, and what it knows about each lease. */
import type { ClaimedDelivery } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import type { Lease } from "../store/deliveries.ts"
import { Cut } from "./send.ts"

export class Held {
  readonly claimed: ClaimedDelivery
  /** Monotonic milliseconds, taken before the claim: the lease is not older than this. */
  readonly since: number
  /** Of its account's breaker when it was claimed. */
  readonly era: number
  readonly cut = new Cut()
  /** The try is over and only its settlement is left: it takes no provider's time any more. */
  sent = false
  /** Once true, never settled: somebody else may be sending it by now. */
  lost = false

  constructor(claimed: ClaimedDelivery, since: number, era: number) {
    this.claimed = claimed
    this.since = since
    this.era = era
  }

  lose(): void {
    this.lost = true
    this.cut.make()
  }
}

export class InFlight {
  private readonly byId = new Map<DeliveryId, Held>()
  private waiting: (() => void)[] = []

  get size(): number {
    return this.byId.size
  }

  /** Those whose try is not over. */
  get sending(): number {
    let sending = 0
    for (const held of this.byId.values()) if (!held.sent) sending += 1
    return sending
  }

  /** The same, of those that were claimed in one era of the breaker. */
  sendingOf(era: number): number {
    let sending = 0
    for (const held of this.byId.values()) if (!held.sent && held.era === era) sending += 1
    return sending
  }

  has(held: Held): boolean {
    return this.byId.get(held.claimed.id) === held
  }

  add(held: Held): void {
    // That it could be claimed again proves that the earlier lease had ended.
    this.byId.get(held.claimed.id)?.lose()
    this.byId.set(held.claimed.id, held)
  }

  remove(held: Held): void {
    if (this.has(held)) this.byId.delete(held.claimed.id)
    if (this.byId.size > 0) return
    for (const done of this.waiting) done()
    this.waiting = []
  }

  /** Settles when nothing is held. */
  empty(): Promise<void> {
    if (this.byId.size === 0) return Promise.resolve()
    const { promise, resolve } = Promise.withResolvers<void>()
    this.waiting.push(resolve)
    return promise
  }

  all(): readonly Held[] {
    return [...this.byId.values()]
  }

  leases(): readonly Lease[] {
    return this.all()
      .filter((held) => !held.lost)
      .map(({ claimed }) => ({ id: claimed.id, attempt: claimed.attempt }))
  }

  /** After a renewal: of those asked about, the ones that were not answered for are lost. */
  keepOnly(asked: readonly Lease[], held: readonly Lease[]): void {
    const kept = new Set(held.map(({ id, attempt }) => `${id}/${attempt}`))
    for (const { id, attempt } of asked) {
      const one = this.byId.get(id)
      if (one?.claimed.attempt === attempt && !kept.has(`${id}/${attempt}`)) one.lose()
    }
  }
}
