/**
 * Metrics are a subscriber of telemetry: each fact moves a few counters. What only a query or a live object knows (the
 * depth of a queue, the sockets that are open) is a gauge that its owner sets with `gauge`.
 */
import { SENDING_CHANNELS } from "../domain/channel.ts"
import { type Clock, systemClock } from "../runtime/clock.ts"
import type { Subscriber } from "./bus.ts"
import { jetStreamMetrics } from "./jetstream-metrics.ts"
import { processMetrics } from "./process-metrics.ts"
import { createRegistry, type GaugeReader, type Registry } from "./registry.ts"

export interface Metrics {
  readonly subscriber: Subscriber
  /** Sets who is asked for a gauge at every scrape; the last one set wins. */
  gauge(name: string, help: string, read: GaugeReader): void
  /** The same for a counter that somebody else keeps. */
  total(name: string, help: string, read: GaugeReader): void
  /** The body of `GET /metrics`. Never rejects. */
  render(): Promise<string>
  /** Stops measuring the event loop. */
  close(): void
}

export const metricsContentType = "text/plain; version=0.0.4; charset=utf-8"

const requestSeconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
/** From a few milliseconds to the day after which a delivery is given up. */
const deliverySeconds = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600, 21_600, 86_400,
]

export function createMetrics(clock: Clock = systemClock): Metrics {
  const registry = createRegistry(clock)
  const stopLoop = processMetrics(registry, clock)
  const path = pathMetrics(registry)
  const jetStream = jetStreamMetrics(registry)
  const edges = edgeMetrics(registry)
  const rules = rulesMetrics(registry, clock)
  const actors = actorMetrics(registry)

  const unknownYet = () => null
  registry.gauge("queue_depth", "Deliveries that wait to be sent, by status or channel", unknownYet)
  registry.gauge("hub_oldest_due_seconds", "Age of the oldest work that is due and not done", unknownYet)
  registry.gauge("hub_dead_letters", "Deliveries that ended dead or unknown and wait for somebody", unknownYet)

  return {
    subscriber(event) {
      path(event)
      jetStream(event)
      edges(event)
      rules(event)
      actors(event)
    },
    gauge: registry.gauge,
    total: registry.total,
    render: registry.render,
    close: stopLoop,
  }
}

/** From an accepted event to a settled delivery. */
function pathMetrics(registry: Registry): Subscriber {
  const accepted = registry.counter("hub_events_accepted_total", "Events accepted and durable", ["via"])
  const duplicates = registry.counter("hub_events_duplicate_total", "Events that were accepted before", ["via"])
  const rejected = registry.counter("hub_events_rejected_total", "Events refused, by problem code", ["via", "code"])
  const answers = registry.counter("hub_answers_total", "Receipts and replies, by what they did", [
    "via",
    "what",
    "effect",
  ])
  const commit = registry.histogram("hub_accept_seconds", "Time to make a batch of events durable", [], requestSeconds)
  const routed = registry.counter("hub_events_routed_total", "Events that every rule has seen", [])
  const routeFailures = registry.counter("hub_route_failures_total", "Events that could not be routed", [])
  const fired = registry.counter("hub_timers_fired_total", "Timers that were due, by what became of them", ["outcome"])
  const late = registry.histogram(
    "hub_timer_lateness_seconds",
    "From a timer's moment to its firing",
    [],
    requestSeconds,
  )
  const timersFailed = registry.counter("hub_timer_failures_total", "Firings that failed", ["timer"])
  const matched = registry.counter("hub_rules_matched_total", "Matches of a rule with an event", [])
  const emitted = registry.counter("notifications_emitted_total", "Notifications made", [])
  const planned = registry.counter("hub_deliveries_planned_total", "Deliveries made", [])
  const suppressed = registry.counter("hub_deliveries_suppressed_total", "Deliveries made but held back for good", [])
  const attempts = registry.counter("hub_delivery_attempts_total", "Tries, by what the channel saw", [
    "channel",
    "outcome",
    "reason",
  ])
  const attemptTime = registry.histogram("hub_delivery_attempt_seconds", "Time of one try", ["channel"], requestSeconds)
  const settled = registry.counter("hub_deliveries_settled_total", "Tries, by what the delivery became", [
    "channel",
    "status",
  ])
  const delivered = registry.counter("notifications_delivered_total", "Deliveries accepted by a provider", ["channel"])
  const failed = registry.counter("notifications_failed_total", "Deliveries given up: dead, unknown or expired", [
    "channel",
  ])
  const retries = registry.counter("hub_delivery_retries_total", "Deliveries that will be tried again", ["channel"])
  const latency = registry.histogram(
    "delivery_latency_seconds",
    "From the event's acceptance to the provider's",
    ["channel"],
    deliverySeconds,
  )
  const leases = registry.counter("hub_leases_lost_total", "Deliveries finished after another holder took over", [
    "channel",
  ])
  const rescued = registry.counter("hub_deliveries_rescued_total", "Deliveries taken over from a lost holder", [])
  const replayed = registry.counter("hub_dead_letters_replayed_total", "Dead letters sent again by an operator", [])
  const breakers = registry.counter(
    "hub_breakers_opened_total",
    "Times a channel was paused: its provider was away, or its credential unusable",
    ["channel"],
  )
  const pruned = registry.counter("hub_rows_pruned_total", "Rows deleted when their time was over", ["table"])

  // A rate over a series that begins at one misses the one.
  for (const channel of SENDING_CHANNELS)
    for (const counter of [delivered, failed, retries]) counter.inc({ channel }, 0)

  return (event) => {
    switch (event.kind) {
      case "events_accepted":
        accepted.inc({ via: event.via }, event.count)
        duplicates.inc({ via: event.via }, event.duplicates)
        routed.inc({}, event.unheard)
        commit.observe({}, event.ms / 1_000)
        return
      case "event_rejected":
        return rejected.inc({ via: event.via, code: event.code }, event.count)
      case "answer_taken":
        return answers.inc({ via: event.via, what: event.what, effect: event.effect })
      case "route_done":
        routed.inc({}, event.events)
        matched.inc({}, event.rulesMatched)
        emitted.inc({}, event.notifications)
        planned.inc({}, event.deliveries)
        return suppressed.inc({}, event.suppressed)
      case "route_failed":
        return routeFailures.inc({})
      case "timers_fired":
        for (const [outcome, count] of Object.entries(event.outcomes)) fired.inc({ outcome }, count)
        late.observe({}, event.lateMs / 1_000)
        emitted.inc({}, event.notifications)
        planned.inc({}, event.deliveries)
        return suppressed.inc({}, event.suppressed)
      case "timer_failed":
        return timersFailed.inc({ timer: event.timer })
      case "routing_stalled":
        // The age of the oldest due work says for how long.
        return
      case "delivery_attempted":
        attempts.inc({ channel: event.channel, outcome: event.outcome, reason: event.reason ?? "" })
        return attemptTime.observe({ channel: event.channel }, event.ms / 1_000)
      case "delivery_settled": {
        const { channel, status, latencySeconds } = event
        settled.inc({ channel, status })
        if (status === "retrying") retries.inc({ channel })
        if (status === "dead" || status === "unknown" || status === "expired") failed.inc({ channel })
        if (status === "delivered") delivered.inc({ channel })
        if ((status === "delivered" || status === "captured") && latencySeconds !== null)
          latency.observe({ channel }, latencySeconds)
        return
      }
      case "lease_lost":
        return leases.inc({ channel: event.channel })
      case "deliveries_rescued":
        return rescued.inc({}, event.count)
      case "dead_letters_replayed":
        return replayed.inc({}, event.count)
      case "breaker_opened":
        return breakers.inc({ channel: event.channel })
      case "rows_pruned":
        return pruned.inc({ table: event.table }, event.count)
    }
  }
}

/** Requests, sockets, and what the hub depends on. */
function edgeMetrics(registry: Registry): Subscriber {
  const requests = registry.counter("hub_http_requests_total", "Requests answered", ["method", "route", "status"])
  const requestTime = registry.histogram("hub_http_request_seconds", "Time to answer", ["route"], requestSeconds)
  let openSockets = 0
  registry.gauge("hub_sockets", "Sockets open on this node", () => openSockets)
  const sockets = registry.counter("hub_sockets_opened_total", "Sockets opened", ["transport"])
  const closed = registry.counter("hub_sockets_closed_total", "Sockets closed", ["transport", "code"])
  let openTopics = 0
  registry.gauge("hub_topics_joined", "Joins that are open on this node", () => openTopics)
  const joins = registry.counter("hub_joins_total", "Topics joined", ["family"])
  const refused = registry.counter("hub_joins_refused_total", "Joins refused", ["family", "reason"])
  const malformed = registry.counter("hub_frames_malformed_total", "Frames that make no sense", ["reason"])
  const pushed = registry.counter("hub_frames_pushed_total", "Frames pushed to sockets", ["family"])
  const dropped = registry.counter("hub_readers_dropped_total", "Sockets closed because they read too slowly", [])
  let databaseUp: number | null = null
  registry.gauge("hub_database_up", "Whether the database answers", () => databaseUp)
  let pubsubUp: number | null = null
  registry.gauge("hub_pubsub_up", "Whether the bus between nodes is connected", () => pubsubUp)

  return (event) => {
    switch (event.kind) {
      case "http_request":
        requests.inc({ method: event.method, route: event.route, status: String(event.status) })
        return requestTime.observe({ route: event.route }, event.ms / 1_000)
      case "socket_opened":
        openSockets += 1
        return sockets.inc({ transport: event.transport })
      case "socket_closed":
        openSockets -= 1
        return closed.inc({ transport: event.transport, code: String(event.code) })
      case "topic_joined":
        openTopics += 1
        return joins.inc({ family: event.family })
      case "topic_left":
        openTopics -= 1
        return
      case "topic_refused":
        return refused.inc({ family: event.family, reason: event.reason })
      case "frame_malformed":
        return malformed.inc({ reason: event.reason })
      case "frames_pushed":
        return pushed.inc({ family: event.family }, event.count)
      case "reader_dropped":
        return dropped.inc({})
      case "database_up":
      case "database_down":
        databaseUp = event.kind === "database_up" ? 1 : 0
        return
      case "pubsub_up":
      case "pubsub_down":
        pubsubUp = event.kind === "pubsub_up" ? 1 : 0
        return
    }
  }
}

function rulesMetrics(registry: Registry, clock: Clock): Subscriber {
  let running: { revision: string; rules: number; at: number } | null = null
  let lastGood: number | null = null
  let reachable = 1
  const info = () => (running === null ? null : [{ labels: { revision: running.revision }, value: 1 }])
  registry.gauge("hub_rules_info", "The rule set that runs, by revision", info)
  registry.gauge("hub_rules", "Rules in the set that runs", () => running?.rules ?? null)
  registry.gauge("hub_rules_loaded_timestamp_seconds", "When the running set was loaded", () => running?.at ?? null)
  registry.gauge("hub_rules_last_load_ok", "0 while a refused change waits to be mended", () => lastGood)
  registry.gauge("hub_rules_source_up", "0 while the repository that is followed cannot be asked", () => reachable)
  const refusals = registry.counter("hub_rules_refused_total", "Changes of the rules that were refused", [])

  return (event) => {
    if (event.kind === "rules_loaded") {
      running = { revision: event.revision, rules: event.rules, at: clock.wall().getTime() / 1_000 }
      lastGood = 1
    } else if (event.kind === "rules_refused") {
      lastGood = 0
      refusals.inc({})
    } else if (event.kind === "rules_source_away") reachable = 0
    else if (event.kind === "rules_source_back") reachable = 1
  }
}

function actorMetrics(registry: Registry): Subscriber {
  const crashes = registry.counter("hub_actor_crashes_total", "Ends that nobody asked for", ["kind", "reason"])
  const gaveUp = registry.counter("hub_supervisors_gave_up_total", "Supervisors that ran out of restarts", [])
  const lost = registry.counter("hub_mailbox_dropped_total", "Messages that nobody will handle", ["kind", "why"])
  const bugs = registry.counter("hub_bugs_total", "Throws that nothing expected", [])

  return (event) => {
    switch (event.kind) {
      case "actor_exited":
        if (event.error !== null) crashes.inc({ kind: event.actorKind, reason: event.reason })
        return
      case "actor_gave_up":
        return gaveUp.inc({})
      case "mailbox_dropped":
        return lost.inc({ kind: event.actorKind, why: event.why }, event.count)
      case "bug_found":
        return bugs.inc({})
    }
  }
}
