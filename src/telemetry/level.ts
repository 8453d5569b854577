/** What each fact is worth to a reader of the log. What happens once per event or per message is for debugging. */
import type { TelemetryEvent } from "./events.ts"

export type LineLevel = "debug" | "info" | "warn" | "error"

export function levelOf(event: TelemetryEvent): LineLevel {
  switch (event.kind) {
    case "http_request":
      return event.status >= 500 ? "warn" : "debug"
    case "actor_exited":
      return event.error === null ? "debug" : "warn"
    case "delivery_settled":
      return event.status === "dead" || event.status === "unknown" ? "warn" : "debug"
    case "shutdown_finished":
      return event.clean ? "info" : "warn"
    case "delivery_attempted":
      return event.outcome === "unusable" ? "warn" : "debug"
    case "bug_found":
    case "actor_gave_up":
    case "database_down":
    case "rules_refused":
    case "route_failed":
    case "routing_stalled":
    case "timer_failed":
    case "jetstream_unfit":
      return "error"
    case "config_warning":
    case "actor_restarted":
    case "actor_stalled":
    case "actor_abandoned":
    case "actor_abandoned_ended":
    case "mailbox_dropped":
    case "lease_lost":
    case "deliveries_rescued":
    case "breaker_opened":
    case "pubsub_down":
    case "rules_source_away":
    case "jetstream_down":
    case "jetstream_held":
    case "jetstream_repaired":
    case "reader_dropped":
    case "telegram_updates_down":
      return "warn"
    case "actor_restart_asked":
    case "hub_starting":
    case "hub_listening":
    case "shutdown_started":
    case "shutdown_phase":
    case "rules_loaded":
    case "rules_source_back":
    case "dead_letters_replayed":
    case "breaker_closed":
    case "rows_pruned":
    case "telegram_updates_up":
    case "database_up":
    case "migration_applied":
    case "pubsub_up":
    case "jetstream_up":
    case "jetstream_resumed":
      return "info"
    case "actor_started":
    case "events_accepted":
    case "event_rejected":
    case "answer_taken":
    case "jetstream_settled":
    case "jetstream_handed_back":
    case "route_done":
    case "rules_counted":
    case "timers_fired":
    case "deliveries_claimed":
    case "socket_opened":
    case "socket_refused":
    case "socket_closed":
    case "topic_joined":
    case "topic_refused":
    case "topic_left":
    case "frame_malformed":
    case "frames_pushed":
      return "debug"
  }
}
