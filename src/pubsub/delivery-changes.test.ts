import { expect, test } from "bun:test"
import { createTelemetry } from "../telemetry/bus.ts"
import { fakeClock } from "../testing/fake-clock.ts"
import { tellOfDeliveries } from "./delivery-changes.ts"
import { localPubSub, type News } from "./pubsub.ts"

test("who watches deliveries hears of the first change at once, of the next together, and of a flood a part", async () => {
  const telemetry = createTelemetry()
  const clock = fakeClock()
  const pubsub = localPubSub((error) => {
    throw error
  })
  const heard: (readonly string[])[] = []
  pubsub.subscribe((news: readonly News[]) => {
    for (const item of news) if (item.kind === "deliveries_changed") heard.push(item.ids)
  })
  tellOfDeliveries(telemetry, { pubsub, clock })
  const settle = (deliveryId: string): void =>
    telemetry.emit({
      kind: "delivery_settled",
      channel: "sms",
      deliveryId,
      status: "delivered",
      reason: null,
      latencySeconds: null,
    })

  telemetry.emit({ kind: "deliveries_claimed", channel: "sms", count: 1, deliveryIds: ["dlv_1"], ms: 1 })
  await clock.advance(0)
  expect(heard).toEqual([["dlv_1"]])
  settle("dlv_1")
  settle("dlv_2")
  await clock.advance(249)
  expect(heard).toHaveLength(1)
  await clock.advance(1)
  expect(heard[1]).toEqual(["dlv_1", "dlv_2"])
  telemetry.emit({ kind: "deliveries_rescued", count: 1, deliveryIds: ["dlv_3"] })
  await clock.advance(250)
  expect(heard.pop()).toEqual(["dlv_3"])
  for (let n = 0; n < 2_000; n++) settle(`dlv_${n}`)
  await clock.advance(250)
  expect(heard[2]).toHaveLength(500)
  expect(clock.pending).toBe(0)
})
