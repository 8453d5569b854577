/**
 * Direct handoff: while nothing older waits and a dispatcher of this process has room, a delivery is stored as claimed by
 * it, so that one commit instead of two lies between an event and its messages. It is a claim like any other, with a
 * lease, a counted attempt and an owner to settle with; only the queue between is left out.
 */
import type { SendingChannel } from "../domain/channel.ts"
import type { ClaimedDelivery, NewDelivery } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import type { Clock } from "../runtime/clock.ts"
import { type Database, databaseProblem } from "./database.ts"
import { type Lease, releaseClaimed } from "./deliveries.ts"

/** Whoever sends what one channel has. */
export interface Taker {
  /** Keeps room for so many; null: there is none, or something older waits. */
  reserve(count: number): Reservation | null
}

/** Room that is kept until one of both is called. */
export interface Reservation {
  readonly owner: string
  readonly leaseMs: number
  /** They are committed as its own. False: whoever had the room is gone. */
  take(claimed: readonly ClaimedDelivery[]): boolean
  /** They are not to be sent, and may be committed all the same: they are given back. False: as above. */
  drop(leases: readonly Lease[]): boolean
}

export interface Handoff {
  /** Returns the way to leave. The last who joins for a channel has it. */
  join(channel: SendingChannel, taker: Taker): () => void
  /** For one transaction, when it begins. */
  begin(): Handing
}

/** What one transaction hands over. */
export interface Handing {
  /** Before they are stored: all of a channel find room, or none, so that what is urgent never waits behind what is not. */
  reserve(deliveries: readonly NewDelivery[]): void
  /** By whom it is to be stored as claimed; null: it waits to be claimed. */
  placeOf(delivery: NewDelivery): Reservation | null
  /** It is stored so. */
  stored(claimed: ClaimedDelivery): void
  /** It is committed. Rejects where the database refuses to take back what nobody is there for, which is a bug. */
  committed(db: Database): Promise<void>
  /** It is rolled back, or nobody knows. */
  failed(): void
}

/** What was decided longer ago asks its people, its address and its limits again: so it goes through the queue. */
const FRESH_MS = 1_000

export function createHandoff(clock: Pick<Clock, "now">): Handoff {
  const takers = new Map<SendingChannel, Taker>()
  return {
    join(channel, taker) {
      takers.set(channel, taker)
      return () => {
        if (takers.get(channel) === taker) takers.delete(channel)
      }
    },
    begin: () => new OneHanding(takers, clock),
  }
}

/** A lease of the first attempt. */
const firstLease = ({ id }: { readonly id: DeliveryId }): Lease => ({ id, attempt: 1 })

class OneHanding implements Handing {
  readonly #takers: ReadonlyMap<SendingChannel, Taker>
  readonly #clock: Pick<Clock, "now">
  readonly #began: number
  readonly #places = new Map<SendingChannel, Reservation>()
  /** To be stored as claimed: whether they are, only the commit says. */
  readonly #asked = new Map<SendingChannel, NewDelivery[]>()
  readonly #stored = new Map<SendingChannel, ClaimedDelivery[]>()

  constructor(takers: ReadonlyMap<SendingChannel, Taker>, clock: Pick<Clock, "now">) {
    this.#takers = takers
    this.#clock = clock
    this.#began = clock.now()
  }

  reserve(deliveries: readonly NewDelivery[]): void {
    const queued = deliveries.filter(({ start }) => start.status === "queued")
    for (const [channel, all] of Map.groupBy(queued, (delivery) => delivery.channel)) {
      const place = this.#takers.get(channel)?.reserve(all.length) ?? null
      if (place === null) continue
      this.#places.set(channel, place)
      this.#asked.set(channel, all)
    }
  }

  placeOf({ channel, start }: NewDelivery): Reservation | null {
    return start.status === "queued" ? (this.#places.get(channel) ?? null) : null
  }

  stored(claimed: ClaimedDelivery): void {
    const all = this.#stored.get(claimed.channel)
    if (all === undefined) this.#stored.set(claimed.channel, [claimed])
    else all.push(claimed)
  }

  async committed(db: Database): Promise<void> {
    const fresh = this.#clock.now() - this.#began < FRESH_MS
    for (const [channel, place] of this.#places) {
      const claimed = this.#stored.get(channel) ?? []
      if (fresh ? place.take(claimed) : place.drop(claimed)) continue
      await releaseClaimed(db, place.owner, claimed).catch((error: unknown) => {
        // Away: their leases run out instead.
        if (databaseProblem(error) !== "away") throw error
      })
    }
  }

  failed(): void {
    // Where nobody is left to give them back, their leases run out, if there are any.
    for (const [channel, place] of this.#places) place.drop((this.#asked.get(channel) ?? []).map(firstLease))
  }
}
