/** The runtime knows nothing of the hub: here its reports become telemetry, one for one. */
import type { RuntimeEvent } from "../runtime/event.ts"
import { describeExit, type ExitReason } from "../runtime/exit.ts"
import type { TelemetryEvent } from "./events.ts"
import { describeError, type ScrubbedText, scrub } from "./scrub.ts"

export function fromRuntime(event: RuntimeEvent): TelemetryEvent {
  switch (event.type) {
    case "started":
      return { kind: "actor_started", ...about(event), ms: event.tookMs }
    case "exited":
      return { kind: "actor_exited", ...about(event), ...ending(event.reason), asked: event.asked }
    case "restarting":
      return { kind: "actor_restarted", ...about(event), ...ending(event.reason), delayMs: event.delayMs }
    case "gave_up":
      return {
        kind: "actor_gave_up",
        actor: scrub(event.id),
        child: scrub(event.child),
        restarts: event.intensity,
        withinMs: event.periodMs,
        ...ending(event.reason),
      }
    case "abandoned":
      return { kind: "actor_abandoned", ...about(event), doing: event.doing }
    case "abandoned_settled":
      return {
        kind: "actor_abandoned_ended",
        ...about(event),
        error: event.error === undefined ? null : describeError(event.error),
      }
    case "stalled":
      return { kind: "actor_stalled", ...about(event), ms: event.ageMs }
    case "dead_letters":
      return { kind: "mailbox_dropped", ...about(event), why: event.why, count: event.count }
  }
}

function about({ id, kind, incarnation }: { id: string; kind: string; incarnation: number }) {
  return { actor: scrub(id), actorKind: kind, incarnation }
}

/** A calm end needs no text. */
function ending(reason: ExitReason): { reason: ExitReason["kind"]; error: ScrubbedText | null } {
  switch (reason.kind) {
    case "normal":
    case "shutdown":
    case "killed":
      return { reason: reason.kind, error: null }
    case "error":
      return { reason: reason.kind, error: describeError(reason.error) }
    case "timeout":
    case "failed_to_start":
    case "noproc":
      return { reason: reason.kind, error: scrub(describeExit(reason)) }
  }
}
