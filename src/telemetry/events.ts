/**
 * Everything that the hub says about itself, as one union. An event carries ids, counts, codes and durations, never a
 * person's data or a secret: free text can only be `ScrubbedText`. Names are past facts; subscribers decide what a
 * fact is worth (a line, a counter, nothing).
 */
import type { DeliveryStatus, Outcome } from "../domain/delivery.ts"
import type { TimerOutcome } from "../domain/firing.ts"
import type { TimerKind } from "../domain/timer.ts"
import type { ExitReason } from "../runtime/exit.ts"
import type { RuleCounts } from "./rule-counts.ts"
import type { ScrubbedText } from "./scrub.ts"

/** Durations are milliseconds unless the name says otherwise. */
export type TelemetryEvent =
  | ProcessEvent
  | ActorEvent
  | HttpEvent
  | IngestEvent
  | JetStreamEvent
  | RoutingEvent
  | DeliveryEvent
  | RealtimeEvent
  | DependencyEvent

export type TelemetryKind = TelemetryEvent["kind"]

export type ProcessEvent =
  | { readonly kind: "hub_starting"; readonly version: string; readonly nodeEnv: string }
  | { readonly kind: "hub_listening"; readonly host: string; readonly port: number; readonly ms: number }
  | { readonly kind: "config_warning"; readonly setting: string; readonly problem: string }
  | { readonly kind: "shutdown_started"; readonly signal: string }
  | { readonly kind: "shutdown_phase"; readonly phase: string; readonly ms: number }
  | { readonly kind: "shutdown_finished"; readonly ms: number; readonly clean: boolean }
  | { readonly kind: "bug_found"; readonly where: string; readonly error: ScrubbedText }

/** What the runtime reports (see `from-runtime.ts`). `actor` is its id, scrubbed since a topic's id may name a person. */
export type ActorEvent =
  | ({ readonly kind: "actor_started"; readonly ms: number } & Actor)
  | ({
      readonly kind: "actor_exited"
      readonly reason: ActorExit
      /** Whether somebody asked it to stop. */
      readonly asked: boolean
      readonly error: ScrubbedText | null
    } & Actor)
  | ({
      readonly kind: "actor_restarted"
      readonly delayMs: number
      readonly reason: ActorExit
      readonly error: ScrubbedText | null
    } & Actor)
  | {
      readonly kind: "actor_gave_up"
      readonly actor: ScrubbedText
      readonly child: ScrubbedText
      readonly restarts: number
      readonly withinMs: number
      readonly reason: ActorExit
      readonly error: ScrubbedText | null
    }
  /** A handler has been running for `ms` and is waited for. */
  | ({ readonly kind: "actor_stalled"; readonly ms: number } & Actor)
  | ({ readonly kind: "actor_abandoned"; readonly doing: string } & Actor)
  | ({ readonly kind: "actor_abandoned_ended"; readonly error: ScrubbedText | null } & Actor)
  | ({ readonly kind: "mailbox_dropped"; readonly why: string; readonly count: number } & Actor)
  /** An operator asked; `by` is the caller's label, `answer` what they were told. */
  | {
      readonly kind: "actor_restart_asked"
      readonly actor: ScrubbedText
      readonly by: string
      readonly answer: string
    }

interface Actor {
  readonly actor: ScrubbedText
  /** From the child's spec: a closed set, so metrics count by it. */
  readonly actorKind: string
  readonly incarnation: number
}

export type ActorExit = ExitReason["kind"]

/** `route` is the pattern (`/v1/events/:id`), never the path. */
export type HttpEvent = {
  readonly kind: "http_request"
  readonly method: string
  readonly route: string
  readonly status: number
  readonly ms: number
  readonly requestId: string | null
}

/** `via` is the door: http, nats, zoho, webhook, resources. */
export type IngestEvent =
  | {
      readonly kind: "events_accepted"
      readonly via: string
      readonly count: number
      readonly duplicates: number
      /** Of a type that no rule names: routed as they were stored. */
      readonly unheard: number
      readonly ms: number
      /** How many of each event type; for the log alone, producers choose these names. */
      readonly byType: Readonly<Record<string, number>>
    }
  | { readonly kind: "event_rejected"; readonly via: string; readonly code: string; readonly count: number }
  /** Something that a provider or a person has answered, and what became of it; both are words of `inbound/door.ts`. */
  | { readonly kind: "answer_taken"; readonly via: string; readonly what: string; readonly effect: string }
  /** Telegram's updates cannot be asked for, and why in a word; said once for each reason. */
  | { readonly kind: "telegram_updates_down"; readonly reason: string }
  | { readonly kind: "telegram_updates_up" }

/** The stream that events come by (contract §5.3). */
export type JetStreamEvent =
  /** Connected, and the stream and its consumer are as they should be. */
  | { readonly kind: "jetstream_up"; readonly afterMs: number }
  | { readonly kind: "jetstream_down"; readonly error: ScrubbedText }
  | { readonly kind: "jetstream_repaired"; readonly what: JetStreamRepair }
  /** Something is not as it should be and not ours to change; said once for each. */
  | { readonly kind: "jetstream_unfit"; readonly error: ScrubbedText }
  /** Messages cannot be stored now: no more are fetched, those in hand are kept. Said once, until they are. */
  | { readonly kind: "jetstream_held"; readonly messages: number; readonly error: ScrubbedText }
  | { readonly kind: "jetstream_resumed"; readonly afterMs: number }
  /** A batch is durable and let go of. `redelivered`: how many of it had been brought before. */
  | {
      readonly kind: "jetstream_settled"
      readonly acked: number
      readonly terminated: number
      readonly redelivered: number
      readonly ms: number
    }
  /** More waits for limits than may be in hand: these come again later. */
  | { readonly kind: "jetstream_handed_back"; readonly count: number }

export type JetStreamRepair =
  | "stream_created"
  | "subjects_restored"
  | "consumer_created"
  | "consumer_updated"
  | "consumer_replaced"

export type RoutingEvent =
  | {
      readonly kind: "route_done"
      readonly events: number
      readonly rulesMatched: number
      readonly notifications: number
      readonly deliveries: number
      readonly suppressed: number
      readonly ms: number
    }
  /** What a batch of events or timers came to, for each rule that did something. */
  | { readonly kind: "rules_counted"; readonly rules: Readonly<Record<string, RuleCounts>> }
  | {
      readonly kind: "route_failed"
      readonly eventId: string
      readonly rule: string | null
      readonly error: ScrubbedText
    }
  /** `lateMs`: how long after their moment the latest of them was taken up. `outcomes` count each word. */
  | {
      readonly kind: "timers_fired"
      readonly outcomes: Readonly<Partial<Record<TimerOutcome, number>>>
      readonly notifications: number
      readonly deliveries: number
      readonly suppressed: number
      readonly lateMs: number
      readonly ms: number
    }
  /** A timer's firing failed. `last`: it is not tried again, and nothing follows from it. */
  | {
      readonly kind: "timer_failed"
      readonly timer: TimerKind
      readonly timerId: string
      readonly attempts: number
      readonly last: boolean
    }
  /** Several batches in a row did not get through and nothing is routed; said once, until one does. */
  | { readonly kind: "routing_stalled"; readonly failures: number; readonly error: ScrubbedText }
  | {
      readonly kind: "rules_loaded"
      readonly revision: string
      readonly rules: number
      readonly templates: number
      readonly ms: number
    }
  /** The repository that is followed could not be asked; said once, until it can. What ran goes on. */
  | { readonly kind: "rules_source_away"; readonly error: ScrubbedText }
  | { readonly kind: "rules_source_back"; readonly failures: number }
  /** The last good set keeps running. `errors` are the first few; `count` is all of them. */
  | { readonly kind: "rules_refused"; readonly count: number; readonly errors: readonly ScrubbedText[] }

/** `outcome`, `reason` and `status` are the delivery glossary's codes, never a provider's text. */
export type DeliveryEvent =
  | {
      readonly kind: "deliveries_claimed"
      readonly channel: string
      readonly count: number
      /** For whoever watches deliveries. */
      readonly deliveryIds?: readonly string[]
      readonly ms: number
    }
  | {
      readonly kind: "delivery_attempted"
      readonly channel: string
      readonly deliveryId: string
      readonly attempt: number
      readonly outcome: Outcome["kind"]
      readonly reason: string | null
      readonly ms: number
    }
  | {
      readonly kind: "delivery_settled"
      readonly channel: string
      readonly deliveryId: string
      readonly status: DeliveryStatus
      readonly reason: string | null
      /** From the making of the delivery, just after the event was accepted, or from its last replay, to this settlement; null when it is not known. */
      readonly latencySeconds: number | null
    }
  | { readonly kind: "lease_lost"; readonly channel: string; readonly deliveryId: string }
  | {
      readonly kind: "deliveries_rescued"
      readonly count: number
      /** For whoever watches deliveries. */
      readonly deliveryIds?: readonly string[]
    }
  | { readonly kind: "dead_letters_replayed"; readonly count: number }
  | { readonly kind: "breaker_opened"; readonly channel: string; readonly reason: string; readonly forMs: number }
  | { readonly kind: "breaker_closed"; readonly channel: string }
  | { readonly kind: "rows_pruned"; readonly table: string; readonly count: number; readonly ms: number }

/**
 * `transport` is websocket or longpoll; `family` is a topic's first part (`resources`), never the topic. Every
 * `topic_joined` is followed by a `topic_left`, also when its socket just goes: open joins are counted by them.
 */
export type RealtimeEvent =
  | { readonly kind: "socket_opened"; readonly transport: string }
  | { readonly kind: "socket_refused"; readonly transport: string; readonly reason: string }
  | { readonly kind: "socket_closed"; readonly transport: string; readonly code: number; readonly ms: number }
  | { readonly kind: "topic_joined"; readonly family: string; readonly recovered: number | null }
  | { readonly kind: "topic_refused"; readonly family: string; readonly reason: string }
  | { readonly kind: "topic_left"; readonly family: string }
  | { readonly kind: "frame_malformed"; readonly reason: string }
  | { readonly kind: "frames_pushed"; readonly family: string; readonly count: number }
  | { readonly kind: "reader_dropped"; readonly transport: string; readonly backlogBytes: number }

export type DependencyEvent =
  | { readonly kind: "database_up"; readonly afterMs: number }
  | { readonly kind: "database_down"; readonly error: ScrubbedText }
  | { readonly kind: "migration_applied"; readonly name: string; readonly ms: number }
  | { readonly kind: "pubsub_up"; readonly transport: string; readonly afterMs: number }
  | { readonly kind: "pubsub_down"; readonly transport: string; readonly error: ScrubbedText }
