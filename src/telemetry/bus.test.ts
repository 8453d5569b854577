import { describe, expect, test } from "bun:test"
import { createTelemetry } from "./bus.ts"
import type { TelemetryEvent } from "./events.ts"

const event: TelemetryEvent = { kind: "deliveries_rescued", count: 1 }

describe("telemetry", () => {
  test("hands every event to every subscriber, in order", () => {
    const telemetry = createTelemetry()
    const seen: string[] = []
    telemetry.subscribe(({ kind }) => seen.push(`one ${kind}`))
    telemetry.subscribe(({ kind }) => seen.push(`two ${kind}`))
    telemetry.emit(event)
    expect(seen).toEqual(["one deliveries_rescued", "two deliveries_rescued"])
  })

  test("a subscriber that throws reaches neither the emitter nor the others", () => {
    const telemetry = createTelemetry()
    let seen = 0
    telemetry.subscribe(() => {
      throw new Error("broken exporter")
    })
    telemetry.subscribe(() => {
      seen += 1
    })
    telemetry.emit(event)
    expect([seen, telemetry.subscriberFailures]).toEqual([1, 1])
  })

  test("a subscriber may leave while an event goes round, and one that subscribed twice leaves once", () => {
    const telemetry = createTelemetry()
    let seen = 0
    const count = () => {
      seen += 1
    }
    const leave = telemetry.subscribe(count)
    telemetry.subscribe(() => leave())
    telemetry.subscribe(count)
    telemetry.emit(event)
    telemetry.emit(event)
    expect(seen).toBe(3)
  })
})
