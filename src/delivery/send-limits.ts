/**
 * `HUB_SEND_LIMIT`, held over all nodes: what a channel's account may send in a second, and to each address. It is asked
 * after the claim, because a message's address is sealed until then; what is known to have no tokens is not claimed.
 * What may not go yet is put off, each to a place of its own, so that a crowd for one address is not claimed again and again.
 */
import { createHmac } from "node:crypto"
import type { SendingChannel } from "../domain/channel.ts"
import type { ClaimedDelivery } from "../domain/delivery.ts"
import type { Secret } from "../domain/secret.ts"
import { addressOf, type SendLimit } from "../domain/send-limit.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Queryable } from "../store/database.ts"
import type { PutOff } from "../store/put-off.ts"
import { leaseTokens } from "../store/rate-buckets.ts"
import { type Charge, Ledger } from "../store/rate-ledger.ts"
import { rateSweep } from "../store/rate-sweep.ts"

export interface SendLimitOptions {
  readonly channel: SendingChannel
  readonly limit: SendLimit
  /** Keys the hashes of addresses: the same on every node. */
  readonly secret: Secret
  readonly db: Queryable
  readonly clock: Pick<Clock, "now">
}

/** `count` may be claimed now, as far as this node knows; where that is none, it is worth asking `againInMs` later. */
export interface Room {
  readonly count: number
  readonly againInMs: number
}

export interface Let {
  readonly go: readonly ClaimedDelivery[]
  readonly putOff: readonly PutOff[]
}

export interface SendLimits {
  room(): Room
  /** Takes a token for each that may go. Rejects with the database's error; then none may. */
  admit(claimed: readonly ClaimedDelivery[]): Promise<Let>
}

/** Nobody is put off for longer: limits may change meanwhile. */
const LONGEST_MS = 60_000
/** Others took what was there. */
const UNLUCKY_MS = 50
/** Addresses whose next free place is remembered. */
const MOST_PLACES = 10_000

/** Null where no limit is set: then nothing is asked and nothing costs. */
export function createSendLimits({ channel, limit, secret, db, clock }: SendLimitOptions): SendLimits | null {
  const { account, each } = limit
  if (account === null && each === null) return null
  const ledger = new Ledger()
  const sweep = rateSweep(db, clock)
  const places = new Places(MOST_PLACES)

  const ours: Charge | null = account === null ? null : { key: `send:${channel}`, perSecond: account, count: 1 }
  const theirs = (one: ClaimedDelivery, perSecond: number): Charge => {
    const hash = createHmac("sha256", secret.reveal())
      .update(`send:${channel}:${addressOf(one.message)}`)
      .digest("base64url")
    return { key: `send:${channel}:${hash.slice(0, 22)}`, perSecond, count: 1 }
  }

  /** Whether each of the charges was taken, after at most one statement; else how long it would have to wait. */
  const take = async (charges: readonly Charge[]): Promise<readonly number[]> => {
    const ask = (charge: Charge): number | null => {
      const taken = ledger.take([charge], clock.now())
      return taken.kind === "taken" ? 0 : taken.kind === "refused" ? Math.max(1, taken.retryMs) : null
    }
    const waits = charges.map(ask)
    const lacking = charges.filter((_, index) => waits[index] === null)
    if (lacking.length > 0) {
      const requests = ledger.requests(
        lacking.map((charge) => [charge]),
        clock.now(),
      )
      ledger.book(requests, await leaseTokens(db, requests), clock.now())
    }
    const all = charges.map((charge, index) => waits[index] ?? ask(charge) ?? UNLUCKY_MS)
    await sweep()
    return all
  }

  return {
    room() {
      if (ours === null) return { count: Number.POSITIVE_INFINITY, againInMs: 0 }
      const againInMs = ledger.waitFor(ours, clock.now())
      // A full bucket of less than one lends the rest of it.
      const count = againInMs > 0 ? 0 : Math.max(1, ledger.standing(ours.key, ours.perSecond, clock.now()).remaining)
      return { count, againInMs }
    },
    async admit(claimed) {
      const putOff: PutOff[] = []
      let left = claimed.map((one) => ({ one, charge: each === null ? null : theirs(one, each) }))
      if (each !== null) {
        const waits = await take(left.flatMap(({ charge }) => charge ?? []))
        left = left.filter(({ one, charge }, index) => {
          const waitMs = waits[index] ?? 0
          if (waitMs === 0 || charge === null) return true
          const place = places.next(`${one.priority} ${charge.key}`, clock.now() + waitMs, 1_000 / each)
          const delayMs = Math.min(LONGEST_MS, place - clock.now())
          putOff.push({ id: one.id, attempt: one.attempt, reason: "address_limit", delayMs })
          return false
        })
      }
      if (ours !== null && left.length > 0) {
        const waits = await take(left.map(() => ours))
        left = left.filter(({ one, charge }, index) => {
          if ((waits[index] ?? 0) === 0) return true
          if (charge !== null) ledger.giveBack(charge)
          putOff.push({ id: one.id, attempt: one.attempt, reason: "account_limit", delayMs: null })
          return false
        })
      }
      return { go: left.map(({ one }) => one), putOff }
    },
  }
}

/** For each address and priority the moment after the last one that was put off: what is urgent waits for its like alone. */
class Places {
  readonly #free = new Map<string, number>()
  readonly #most: number

  constructor(most: number) {
    this.#most = most
  }

  /** The first free moment from `earliest` on, which is then taken for `stepMs`. Monotonic milliseconds. */
  next(key: string, earliest: number, stepMs: number): number {
    const place = Math.max(earliest, this.#free.get(key) ?? earliest)
    this.#free.delete(key)
    // Beyond the longest wait places are all the same.
    this.#free.set(key, Math.min(place, earliest + LONGEST_MS) + stepMs)
    for (const oldest of this.#free.keys()) {
      if (this.#free.size <= this.#most) break
      this.#free.delete(oldest)
    }
    return place
  }
}
