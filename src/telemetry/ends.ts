/** Deliveries that ended where no channel had them: an end is one, whoever wrote it. */
import type { EndedWaiting } from "../domain/delivery.ts"
import type { Emitter } from "./bus.ts"

/** To be called when it is committed. */
export function tellOfEnds(telemetry: Emitter, ended: readonly EndedWaiting[]): void {
  for (const { id, channel, status, reason } of ended)
    telemetry.emit({ kind: "delivery_settled", channel, deliveryId: id, status, reason, latencySeconds: null })
}
