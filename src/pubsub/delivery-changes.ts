/**
 * Tells whoever watches, on any node, which deliveries have changed: claimed, tried, settled. Only hints, some 4 a second
 * and of a flood a part, so that watching costs the same whatever there is to send.
 */
import type { Clock } from "../runtime/clock.ts"
import type { Telemetry } from "../telemetry/bus.ts"
import type { PubSub } from "./pubsub.ts"

const EVERY_MS = 250
/** In one piece of news: 20 kB. */
const MOST = 500

export function tellOfDeliveries(
  telemetry: Pick<Telemetry, "subscribe">,
  { pubsub, clock }: { readonly pubsub: PubSub; readonly clock: Clock },
): void {
  const changed = new Set<string>()
  let waiting = false
  let toldAt = Number.NEGATIVE_INFINITY
  const tell = (): void => {
    waiting = false
    toldAt = clock.now()
    pubsub.publish([{ kind: "deliveries_changed", ids: [...changed] }])
    changed.clear()
  }
  const note = (ids: readonly string[]): void => {
    for (const id of ids) if (changed.size < MOST) changed.add(id)
    if (waiting || changed.size === 0) return
    waiting = true
    clock.after(Math.max(0, toldAt + EVERY_MS - clock.now()), tell)
  }
  telemetry.subscribe((event) => {
    switch (event.kind) {
      case "deliveries_claimed":
      case "deliveries_rescued":
        return note(event.deliveryIds ?? [])
      case "delivery_settled":
        return note([event.deliveryId])
    }
  })
}
