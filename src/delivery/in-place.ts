/**
 * Later news of the same thing: sent so that it takes the earlier message's place, one at a time for each place. Whoever is
 * told the same event again, by an escalation, gets an answer beneath the message: a change would be noticed by nobody.
 */
import type { ChannelWorker, Earlier, SendRequest } from "../channels/channel.ts"
import type { SendingChannel } from "../domain/channel.ts"
import { type ClaimedDelivery, type Outcome, PLACE_TAKEN } from "../domain/delivery.ts"
import type { InPlace, Message } from "../domain/message.ts"
import type { Database } from "../store/database.ts"
import type { Unsent } from "../store/deliveries.ts"
import { leavePlace, type Shown, supersededAt, takePlace } from "../store/message-places.ts"
import { type Withholding, withhold } from "../store/wishes.ts"

/** Longer than a try lasts. */
const HOLD_MS = 20_000
/** Of one that finds its place taken, where nobody knows for how long. */
const LOOK_AGAIN_MS = 1_000
/** Why a delivery is not sent any more. */
const SUPERSEDED = "superseded"

/** Null: its channel or its rule changes nothing in place. */
export const placeOf = (message: Message): InPlace | null =>
  (message.channel === "telegram" || message.channel === "slack") && message.inPlace !== undefined
    ? message.inPlace
    : null

/** The worker, for messages that have a place. What was certainly not sent is tried again, whatever became of the database. */
export const inPlace = (worker: ChannelWorker, db: Database): ChannelWorker => ({
  channel: worker.channel,
  async send(request) {
    const place = placeOf(request.message)
    return place === null ? worker.send(request) : sendTo(place, request, worker, db)
  },
})

const notNow = (detail: string, retryAfterMs: number | null): Outcome => ({
  kind: "retry",
  reason: PLACE_TAKEN,
  detail,
  retryAfterMs,
})

async function sendTo(
  place: InPlace,
  request: SendRequest<SendingChannel>,
  worker: ChannelWorker,
  db: Database,
): Promise<Outcome> {
  const { id } = request
  const taken = await takePlace(db, place, id, HOLD_MS).catch(() => null)
  if (taken === null) return notNow("nobody could say where the earlier message is", null)
  if (taken.kind === "busy")
    return notNow("another delivery is changing the same message", Math.max(1, Math.min(taken.forMs, LOOK_AGAIN_MS)))
  // Its next claim ends it.
  if (taken.kind === "superseded") return notNow("newer news has its place", LOOK_AGAIN_MS)
  const { shows } = taken
  let now: Shown | null = null
  try {
    const earlier = shows === null ? null : earlierOf(shows, place, request)
    const outcome = await worker.send({ ...request, earlier })
    if (outcome.kind === "delivered" && outcome.reference !== undefined)
      now = { event: place.event, delivery: id, reference: outcome.reference }
    return outcome
  } finally {
    // Where it cannot be written, the place is free again after a while and the next message is a new one.
    await leavePlace(db, place, id, now).catch(() => {})
  }
}

function earlierOf({ event, delivery, reference }: Shown, place: InPlace, { id }: { readonly id: string }): Earlier {
  const toldAgain = event === place.event && delivery !== id
  return { reference, how: toldAgain ? "answer" : "change" }
}

/** Of a batch those whose place shows nothing newer. Without such messages that is all of them, and costs nothing. */
export async function heedNewer(
  db: Database,
  owner: string,
  claimed: readonly ClaimedDelivery[],
  onUnsent: (unsent: readonly Unsent[]) => void,
): Promise<readonly ClaimedDelivery[]> {
  const places = claimed.flatMap(({ message }) => placeOf(message) ?? [])
  if (places.length === 0) return claimed
  const superseded = await supersededAt(db, places)
  if (superseded.size === 0) return claimed
  const isOld = ({ message }: ClaimedDelivery): boolean => {
    const place = placeOf(message)
    return place !== null && superseded.has(place)
  }
  const old = claimed.filter(isOld)
  const withheld = old.map(({ id, attempt }): Withholding => ({ id, attempt, reason: SUPERSEDED, until: null }))
  onUnsent(await withhold(db, owner, withheld))
  return claimed.filter((one) => !isOld(one))
}
