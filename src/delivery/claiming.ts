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
import { heedNewer } from "./in-place.ts"
import type { SendLimits } from "./send-limits.ts"
import { heedWishes } from "./wishes.ts"

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
 * Rejects with the database's error; what it had taken by then it gives back when it is asked again, and so what it took
 * after `late`, when nobody waited for it any more.
 */
export type Claiming = (room: number, late: AbortSignal) => Promise<Claim>

export function createClaiming({ db, channel, owner, leaseMs, limits, ...heard }: ClaimingOptions): Claiming {
  /** Taken when the database went away or was too slow: nothing of it was sent, and once its lease runs out nobody knows that. */
  const lost: Lease[] = []
  const claim = async (room: number, taken: Lease[]): Promise<Claim> => {
    const limit = Math.min(room, limits?.room().count ?? room)
    if (limit === 0) return { claimed: [], full: true, againInMs: null }
    let over = 0
    const onUnsent = (unsent: readonly Unsent[]): void => {
      over = unsent.length
      heard.onUnsent(unsent)
    }
    const claimed = await claimDue(db, { channel, limit, owner, leaseMs, onUnreadable: heard.onUnreadable, onUnsent })
    taken.push(...claimed)
    const wished = await heedNewer(db, owner, await heedWishes(db, owner, claimed, heard), heard.onUnsent)
    const full = claimed.length + over === limit
    if (limits === null || wished.length === 0) return { claimed: wished, full, againInMs: null }
    const { go, putOff: late } = await limits.admit(wished)
    if (late.length > 0) {
      await putOff(db, owner, late)
      heard.onUnsent(late.map(({ id, reason }) => ({ id, status: "scheduled", reason, failover: false })))
    }
    const waits = late.flatMap(({ delayMs }) => delayMs ?? [])
    // What stays as due as it was is claimed as soon as the account has room again.
    const stays = waits.length < late.length
    return { claimed: go, full: full || stays, againInMs: waits.length > 0 ? Math.min(...waits) : null }
  }
  return async (room, late) => {
    const taken = lost.splice(0)
    try {
      await releaseClaimed(db, owner, taken)
      taken.length = 0
      const claimed = await claim(room, taken)
      if (!late.aborted) return claimed
      lost.push(...taken)
      return { claimed: [], full: true, againInMs: null }
    } catch (error) {
      lost.push(...taken)
      throw error
    }
  }
}
