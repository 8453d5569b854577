/**
 * What a commit shows to operators who watch events come: which they were, never what they say. Of a flood a sample is
 * shown and all are counted, so that watching costs the same at ten events a second as at ten thousand.
 */
import type { EventGlimpse, News } from "../pubsub/pubsub.ts"
import type { Clock } from "../runtime/clock.ts"
import type { Incoming, Stored } from "../store/events.ts"

/** Glimpses a second in the long run, and at once. */
const PER_SECOND = 200
const BURST = 200

type Outcome = Stored | { readonly kind: "unstorable" }

/** Makes the news of one commit from its items and what became of them; null where nothing was new. */
export function createGlimpses(
  clock: Clock,
): (items: readonly Incoming[], outcomes: readonly Outcome[]) => News | null {
  let tokens = BURST
  let filledAt = clock.now()
  return (items, outcomes) => {
    const now = clock.now()
    tokens = Math.min(BURST, tokens + ((now - filledAt) / 1_000) * PER_SECOND)
    filledAt = now
    const events: EventGlimpse[] = []
    const counts = new Map<string, [business: string, location: string | null, count: number]>()
    outcomes.forEach((outcome, index) => {
      const item = items[index]
      if (outcome.kind !== "accepted" || item === undefined) return
      const { type, source, severity, business, location } = item.event
      const place = `${business} ${location ?? ""}` // neither holds a space
      const counted = counts.get(place)
      if (counted === undefined) counts.set(place, [business, location, 1])
      else counted[2] += 1
      if (tokens < 1) return
      tokens -= 1
      const accepted_at = new Date(outcome.acceptedAt).toISOString()
      events.push({ id: outcome.id, type, source, severity, business_id: business, location_id: location, accepted_at })
    })
    return counts.size === 0 ? null : { kind: "events_passing", events, counts: [...counts.values()] }
  }
}
