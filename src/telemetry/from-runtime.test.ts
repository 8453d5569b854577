import { describe, expect, test } from "bun:test"
import { fromRuntime } from "./from-runtime.ts"

describe("a report of the runtime", () => {
  const about = { id: "hub/realtime/notifications:canary@example.com", kind: "topic", incarnation: 2 }

  test("becomes telemetry without the person that an actor's id names", () => {
    const error = new Error("could not reach canary@example.com")
    const events = [
      fromRuntime({ type: "started", tookMs: 1, ...about }),
      fromRuntime({ type: "exited", reason: { kind: "error", error }, asked: false, wasReady: true, ...about }),
      fromRuntime({
        type: "gave_up",
        id: "hub/path",
        intensity: 3,
        periodMs: 5_000,
        child: about.id,
        reason: { kind: "failed_to_start", child: about.id, cause: { kind: "error", error } },
      }),
    ]
    expect(events.map(({ kind }) => kind)).toEqual(["actor_started", "actor_exited", "actor_gave_up"])
    expect(JSON.stringify(events)).not.toContain("canary")
    expect(events[1]).toMatchObject({ actorKind: "topic", reason: "error", error: "Error: could not reach «e-mail»" })
  })

  test("a calm end carries no error", () => {
    const event = fromRuntime({ type: "exited", reason: { kind: "shutdown" }, asked: true, wasReady: true, ...about })
    expect(event).toMatchObject({ kind: "actor_exited", reason: "shutdown", error: null, asked: true })
  })
})
