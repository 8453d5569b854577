/** Figures of the stream that events come by. What waits in it is a gauge of its own: only NATS knows. */
import type { Subscriber } from "./bus.ts"
import type { Registry } from "./registry.ts"

export function jetStreamMetrics(registry: Registry): Subscriber {
  let up: number | null = null
  registry.gauge("hub_jetstream_up", "Whether events can be fetched from JetStream", () => up)
  let held: number | null = null
  registry.gauge("hub_jetstream_held", "1 while fetched messages cannot be stored and no more are fetched", () => held)
  registry.gauge("hub_jetstream_pending", "Messages of the stream that are not stored yet", () => null)
  registry.gauge("hub_jetstream_limited", "Messages in hand that wait for a limit of their business", () => null)
  const settled = registry.counter("hub_jetstream_messages_total", "Messages let go of, by how", ["how"])
  const again = registry.counter("hub_jetstream_redelivered_total", "Messages that had been brought before", [])
  const repairs = registry.counter("hub_jetstream_repairs_total", "Repairs of the stream and its consumer", ["what"])

  return (event) => {
    switch (event.kind) {
      case "jetstream_up":
        up = 1
        return
      case "jetstream_down":
        up = 0
        return
      case "jetstream_held":
        held = 1
        return
      case "jetstream_resumed":
        held = 0
        return
      case "jetstream_repaired":
        return repairs.inc({ what: event.what })
      case "jetstream_handed_back":
        return settled.inc({ how: "handed_back" }, event.count)
      case "jetstream_settled":
        settled.inc({ how: "acked" }, event.acked)
        settled.inc({ how: "terminated" }, event.terminated)
        return again.inc({}, event.redelivered)
    }
  }
}
