import { describe, expect, test } from "bun:test"
import type { ActorInfo } from "../runtime/child-spec.ts"
import type { SeenTree } from "../telemetry/actor-tree.ts"
import { actorsHealth } from "./actors-health.ts"

describe("the supervision tree's part of /health/detailed", () => {
  const at = new Date("2026-01-05T09:00:00.000Z")
  const part = {
    kind: "x",
    significant: false,
    incarnation: 1,
    restarts: 0,
    recentRestarts: [],
    state: "running",
  } as const
  const gaveUp = (secondsAgo: number) => ({
    at: new Date(at.getTime() - secondsAgo * 1_000),
    reason: { kind: "shutdown", detail: "more than 5 restarts" } as const,
  })
  const leaf = { ...part, id: "a", type: "actor" } as const
  const seen = (child: ActorInfo, stuck = 0): SeenTree => ({
    root: { ...part, id: "hub", type: "supervisor" as const, children: [child] },
    stuck,
    deadLetters: 0,
    recentDeadLetters: [],
  })
  test.each([
    ["up while all is well", seen(leaf), { status: "up", detail: { actors: 2, backoff: 0, gave_up: 0, stuck: 0 } }],
    ["degraded while something is stuck", seen(leaf, 2), { status: "degraded", detail: { stuck: 2 } }],
    ["degraded in backoff", seen({ ...leaf, state: "backoff" }), { status: "degraded", detail: { backoff: 1 } }],
    [
      "degraded just after a supervisor gave up",
      seen({ ...leaf, type: "supervisor", recentRestarts: [gaveUp(59)] }),
      { status: "degraded", detail: { gave_up: 1 } },
    ],
    [
      "up just after an actor crashed",
      seen({ ...leaf, recentRestarts: [{ at, reason: { kind: "error", error: new Error("once") } }] }),
      { status: "up", detail: { gave_up: 0 } },
    ],
    ["up again a minute later", seen({ ...leaf, type: "supervisor", recentRestarts: [gaveUp(61)] }), { status: "up" }],
  ])("is %s", (_, given, expected) => {
    expect(actorsHealth(given, at)).toMatchObject(expected)
  })
  test("is degraded before the tree has started", () => {
    expect(actorsHealth(null, at)).toMatchObject({ status: "degraded" })
  })
})
