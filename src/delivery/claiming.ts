/**
 * From due rows to deliveries that may be sent now: taken under a lease, still wished for, and within what the account and
 * each address may get. Whatever is held back is written down as such, with the attempt that was counted for it.
 */
import type { SendingChannel } from "../domain/channel.ts"
import type { ClaimedDelivery } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import type { Database } from "../store/database.ts"
import { claimDue, type Lease, releaseClaimed, type Unsent } from "../store/deliveries.ts"
import { putOff } from "../store/put-off.ts"
import { heedNewer, placeOf } from "./in-place.ts"
import type { SendLimits } from "./send-limits.ts"
import { hasWishes, heedWishes } from "./wishes.ts"

export interface ClaimingOptions {
  readonly db: Database
  readonly channel: SendingChannel
  readonly owner: string
  readonly leaseMs: number
  /** Null: nothing is limited. */
  readonly limits: SendLimits | null
  /** Ended or put off by their time or their people. */
  readonly onUnsent: (unsent: readonly Unsent[]) => void
  /** A message or a wish that cannot be opened: left to its lease. */
  readonly onUnreadable: (id: DeliveryId, error: unknown) => void
}

export interface Claim {
  readonly claimed: readonly ClaimedDelivery[]
  /** There was no more room: there may be more that are due. */
  readonly full: boolean
  /** Milliseconds until it is worth looking again, where that is known. */
  readonly againInMs: number | null
}

/**
 * Both reject with the database's error; what was taken by then is given back by the next `due`, and so what was taken after
 * `late`, when nobody waited for it any more.
 */
export interface Claiming {
  /** Claims up to `room` of what is due. */
  due(room: number, late: AbortSignal): Promise<Claim>
  /** Of what was stored as claimed, those that may be sent now. */
  stored(claimed: readonly ClaimedDelivery[], late: AbortSignal): Promise<Claim>
  /** Whether nothing is to be asked about these: then they may be sent at once. */
  mayGo(claimed: readonly ClaimedDelivery[]): boolean
  /** Perhaps taken, and not to be sent: given back by the next `due`. */
  owe(leases: readonly Lease[]): void
  /** What is still to be given back; it is the caller's from then on. */
  owed(): readonly Lease[]
}

const NOTHING: Claim = { claimed: [], full: true, againInMs: null }

export function createClaiming({ db, channel, owner, leaseMs, limits, ...heard }: ClaimingOptions): Claiming {
  /** Taken when the database went away or was too slow: nothing of it was sent, and once its lease runs out nobody knows that. */
  const lost: Lease[] = []

  const claimUpTo = async (room: number, taken: Lease[]): Promise<Claim> => {
    const limit = Math.min(room, limits?.room().count ?? room)
    if (limit === 0) return NOTHING
    let over = 0
    const onUnsent = (unsent: readonly Unsent[]): void => {
      over = unsent.length
      heard.onUnsent(unsent)
    }
    const claimed = await claimDue(db, { channel, limit, owner, leaseMs, onUnreadable: heard.onUnreadable, onUnsent })
    taken.push(...claimed)
    const { full, ...ready } = await wishedAndLet(claimed)
    return { ...ready, full: full || claimed.length + over === limit }
  }

  const wishedAndLet = async (claimed: readonly ClaimedDelivery[]): Promise<Claim> => {
    const wished = await heedNewer(db, owner, await heedWishes(db, owner, claimed, heard), heard.onUnsent)
    if (limits === null || wished.length === 0) return { claimed: wished, full: false, againInMs: null }
    const { go, putOff: late } = await limits.admit(wished)
    if (late.length > 0) {
      await putOff(db, owner, late)
      heard.onUnsent(late.map(({ id, reason }) => ({ id, status: "scheduled", reason, failover: false })))
    }
    const waits = late.flatMap(({ delayMs }) => delayMs ?? [])
    // What stays as due as it was is claimed as soon as the account has room again.
    return { claimed: go, full: waits.length < late.length, againInMs: waits.length > 0 ? Math.min(...waits) : null }
  }

  /** `taken` is filled as it goes; whatever goes wrong, none of it is forgotten. */
  const unlessLate = async (taken: Lease[], late: AbortSignal, work: () => Promise<Claim>): Promise<Claim> => {
    try {
      const claim = await work()
      if (!late.aborted) return claim
      lost.push(...taken)
      return NOTHING
    } catch (error) {
      lost.push(...taken)
      throw error
    }
  }

  return {
    due(room, late) {
      const taken = lost.splice(0)
      return unlessLate(taken, late, async () => {
        await releaseClaimed(db, owner, taken)
        taken.length = 0
        return claimUpTo(room, taken)
      })
    },
    stored: (claimed, late) => unlessLate([...claimed], late, () => wishedAndLet(claimed)),
    mayGo: (claimed) => limits === null && !claimed.some((one) => hasWishes(one) || placeOf(one.message) !== null),
    owe: (leases) => void lost.push(...leases),
    owed: () => lost.splice(0),
  }
}
