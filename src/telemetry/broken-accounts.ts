/** Which channels have an account that cannot be used now, and why: for `/health/detailed`, from what they tell. */
import type { Telemetry } from "./bus.ts"

/** The reason by channel, empty where all is well. A message that is delivered proves that the account works again. */
export function brokenAccounts(telemetry: Pick<Telemetry, "subscribe">): ReadonlyMap<string, string> {
  const broken = new Map<string, string>()
  telemetry.subscribe((event) => {
    if (event.kind === "breaker_opened") broken.set(event.channel, event.reason)
    if (event.kind === "breaker_closed") broken.delete(event.channel)
    if (event.kind === "delivery_settled" && event.status === "delivered") broken.delete(event.channel)
  })
  return broken
}
