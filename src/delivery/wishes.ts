/**
 * Right before a try: do its people still wish it now? A retry can fall into the night, and somebody may have said no
 * since the message was made.
 */
import type { ClaimedDelivery } from "../domain/delivery.ts"
import type { DeliveryId } from "../domain/ids.ts"
import { NO_PREFERENCES, type Wish, wishOf } from "../domain/preferences.ts"
import type { Database } from "../store/database.ts"
import type { Unsent } from "../store/deliveries.ts"
import { forNobody } from "../store/departures.ts"
import { GONE, type Wishes, type WishingPerson, type Withholding, wishesOf, withhold } from "../store/wishes.ts"

export interface WishesHeard {
  /** Ended, or put off. */
  readonly onUnsent: (unsent: readonly Unsent[]) => void
  /** A wish that cannot be opened may be a no: its delivery is left to its lease. */
  readonly onUnreadable: (id: DeliveryId, error: unknown) => void
}

const NOBODY: Wishes = { now: 0, people: () => [] }

/** Whether there is anything to ask about it. */
export const hasWishes = ({ wishes, suppressed, left }: ClaimedDelivery): boolean =>
  wishes !== false || suppressed !== undefined || left !== undefined

/**
 * Of a batch those to send: never what goes to an address that is not written to any more. Without anybody to ask that is
 * all of them, and costs nothing.
 */
export async function heedWishes(
  db: Database,
  owner: string,
  claimed: readonly ClaimedDelivery[],
  { onUnsent, onUnreadable }: WishesHeard,
): Promise<readonly ClaimedDelivery[]> {
  if (!claimed.some(hasWishes)) return claimed
  const asked = claimed.filter(({ wishes }) => wishes !== false).map(({ id }) => id)
  const nobodys = await forNobody(
    db,
    claimed.flatMap(({ id, left, channel }) => (left === true && channel !== "webhook" ? [id] : [])),
  )
  const { now, people } = asked.length === 0 ? NOBODY : await wishesOf(db, asked, onUnreadable)
  const withheld: Withholding[] = []
  const send = claimed.filter((one) => {
    if (one.suppressed !== undefined) {
      withheld.push({ id: one.id, attempt: one.attempt, reason: one.suppressed, until: null })
      return false
    }
    if (nobodys.has(one.id)) {
      withheld.push({ id: one.id, attempt: one.attempt, reason: GONE, until: null })
      return false
    }
    if (one.wishes === false) return true
    const told = people(one.id)
    if (told === null) return false
    const wish = wishForAll(one, told, now)
    if (wish.kind === "send") return true
    const until = wish.kind === "hold" ? wish.until : null
    withheld.push({ id: one.id, attempt: one.attempt, reason: wish.reason, until })
    return false
  })
  if (withheld.length > 0) onUnsent(await withhold(db, owner, withheld))
  return send
}

/** An address that several share is written to as soon as one of them wishes it. `now`: milliseconds since the Unix epoch. */
export function wishForAll(
  { channel, wishes }: Pick<ClaimedDelivery, "channel" | "wishes">,
  people: readonly WishingPerson[],
  now: number,
): Wish {
  // A system has no wishes.
  if (wishes === false || channel === "webhook") return { kind: "send" }
  if (people.length === 0) return { kind: "never", reason: GONE }
  const all = people.map(({ preferences, timezone, severity }) =>
    wishOf(preferences ?? NO_PREFERENCES, { channel, severity, ...wishes }, now, timezone),
  )
  const [first = { kind: "send" }] = all
  const held = all.filter((wish) => wish.kind === "hold").sort((a, b) => a.until - b.until)
  return all.find((wish) => wish.kind === "send") ?? held[0] ?? first
}
