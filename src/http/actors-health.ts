/** What `/health/detailed` says of the supervision tree: degraded while something is stuck, waits after a crash, or gave up. */
import type { ActorInfo } from "../runtime/child-spec.ts"
import type { SeenTree } from "../telemetry/actor-tree.ts"
import type { PartHealth } from "./health.ts"

/** A supervisor that ran out of restarts is news for this long after it was started again. */
const GAVE_UP_MS = 60_000

/** `seen` null: the tree is still starting. */
export function actorsHealth(seen: SeenTree | null, now: Date): PartHealth {
  if (seen === null) return { status: "degraded", detail: { reason: "starting" } }
  const found = { actors: 0, backoff: 0, gave_up: 0 }
  count(seen.root, now.getTime(), found)
  const { stuck, deadLetters } = seen
  const unwell = stuck + found.backoff + found.gave_up > 0
  return { status: unwell ? "degraded" : "up", detail: { ...found, stuck, dead_letters: deadLetters } }
}

function count(actor: ActorInfo, now: number, found: { actors: number; backoff: number; gave_up: number }): void {
  found.actors += 1
  if (actor.state === "backoff") found.backoff += 1
  if (hasGivenUp(actor, now)) found.gave_up += 1
  for (const child of actor.children ?? []) count(child, now, found)
}

/** Only a supervisor that gave up ends with `shutdown` and is started again. */
function hasGivenUp({ recentRestarts }: ActorInfo, now: number): boolean {
  const last = recentRestarts.at(-1)
  return last?.reason.kind === "shutdown" && now - last.at.getTime() < GAVE_UP_MS
}
