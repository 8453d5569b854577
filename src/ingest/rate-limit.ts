/**
 * `HUB_RATE_LIMIT`, held across nodes (contract §3, §4). One function for every way in: `admit` takes the whole load or
 * nothing of it, so what was refused can be repeated as it is. Most calls are answered from this node's leases without
 * waiting; the rest share one statement.
 */
import type { Clock } from "../runtime/clock.ts"
import type { Queryable } from "../store/database.ts"
import { leaseTokens } from "../store/rate-buckets.ts"
import { type Charge, Ledger, type Standing } from "../store/rate-ledger.ts"
import { rateSweep } from "../store/rate-sweep.ts"
import { callerKey, chargesOf, type LimitName, type Limits, type Load, limitOf } from "./rate-limit-keys.ts"

export type Admission =
  /** `standing` of the limit that is nearest to its end; null where none applies. */
  | { readonly kind: "admitted"; readonly standing: Standing | null }
  | Limited
  /** Too many wait for the database to lease: nothing was taken. */
  | { readonly kind: "overloaded" }

export interface Limited {
  readonly kind: "limited"
  readonly by: LimitName
  /** After this it would pass, if nobody else comes first. Over 0. */
  readonly retryMs: number
  readonly standing: Standing
}

export interface RateLimits {
  /** Takes a load as a whole. Resolves without a query where the leases do. Throws what the database throws. */
  admit(load: Load): Promise<Admission>
  /** Whether this node knows already that a caller is over its limit: asked before anything of a body is read. */
  refusesCaller(caller: string): Limited | null
}

export interface RateLimitOptions {
  readonly limits: Limits
  readonly db: Queryable
  readonly clock: Clock
  /** Loads that may wait for a lease. */
  readonly maxWaiting?: number
}

const MAX_WAITING = 10_000
/** A load whose tokens were taken by others each time is refused after so many leases. */
const MOST_LEASES = 3
/** What a load that lost them all is told. */
const UNLUCKY_RETRY_MS = 100

interface Waiting {
  readonly charges: readonly Charge[]
  leases: number
  readonly resolve: (admission: Admission) => void
  readonly reject: (error: unknown) => void
}

/** Null where no limit is set: then nothing is asked and nothing costs. */
export function createRateLimits(options: RateLimitOptions): RateLimits | null {
  const { limits, db, clock, maxWaiting = MAX_WAITING } = options
  if (limits.caller === null && limits.business === null && limits.type === null) return null
  const ledger = new Ledger()
  let waiting: Waiting[] = []
  let leasing = false
  let scheduled = false
  const sweep = rateSweep(db, clock)

  const standingOf = ({ key, perSecond }: Charge): Standing => ledger.standing(key, perSecond, clock.now())

  const limited = (charge: Charge, retryMs: number): Limited => ({
    kind: "limited",
    by: limitOf(charge.key),
    retryMs,
    standing: standingOf(charge),
  })

  /** The answer that can be given now, or null where a lease is needed first. */
  const decide = (charges: readonly Charge[]): Admission | null => {
    const taken = ledger.take(charges, clock.now())
    switch (taken.kind) {
      case "taken":
        return { kind: "admitted", standing: nearest(charges.map(standingOf)) }
      case "refused": {
        const charge = charges.find(({ key }) => key === taken.key)
        if (charge === undefined) throw new Error("the ledger refused a key that was not asked")
        return limited(charge, taken.retryMs)
      }
      case "lacking":
        return null
    }
  }

  const lease = async (): Promise<void> => {
    scheduled = false
    if (leasing || waiting.length === 0) return
    leasing = true
    const round = waiting
    waiting = []
    try {
      const requests = ledger.requests(
        round.map(({ charges }) => charges),
        clock.now(),
      )
      // Between the asking and now, others may have left enough here.
      if (requests.length > 0) ledger.book(requests, await leaseTokens(db, requests), clock.now())
      for (const load of round) settle(load)
    } catch (error) {
      for (const { reject } of round) reject(error)
    } finally {
      leasing = false
    }
    schedule()
    await sweep()
  }

  const settle = (load: Waiting): void => {
    load.leases += 1
    const decided = decide(load.charges)
    const [first] = load.charges
    if (decided !== null) load.resolve(decided)
    else if (load.leases < MOST_LEASES || first === undefined) waiting.push(load)
    else load.resolve(limited(first, UNLUCKY_RETRY_MS))
  }

  const schedule = (): void => {
    if (scheduled || leasing || waiting.length === 0) return
    scheduled = true
    // Whoever asks in this turn of the loop joins the statement.
    queueMicrotask(() => void lease())
  }

  return {
    async admit(load) {
      const charges = chargesOf(limits, load)
      if (charges.length === 0) return { kind: "admitted", standing: null }
      const decided = decide(charges)
      if (decided !== null) return decided
      if (waiting.length >= maxWaiting) return { kind: "overloaded" }
      return new Promise((resolve, reject) => {
        waiting.push({ charges, leases: 0, resolve, reject })
        schedule()
      })
    },
    refusesCaller(caller) {
      if (limits.caller === null) return null
      const charge = { key: callerKey(caller), perSecond: limits.caller, count: 1 }
      const retryMs = ledger.waitFor(charge, clock.now())
      return retryMs === 0 ? null : limited(charge, retryMs)
    },
  }
}

/** Of several limits the one of which the smallest part is left. */
function nearest(standings: readonly Standing[]): Standing | null {
  let least: Standing | null = null
  for (const standing of standings)
    if (least === null || standing.remaining / standing.perSecond < least.remaining / least.perSecond) least = standing
  return least
}
