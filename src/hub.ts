/**
 * The whole hub, wired in reading order: an event comes in by `ingest`, becomes durable in `store`, is decided by
 * `routing`, leaves by `delivery` and `channels`, and is on open screens by `realtime`. The tree at the end is what
 * runs: started in this order, stopped in reverse.
 */

import pkg from "../package.json" with { type: "json" }
import { builtPages } from "../scripts/pages.ts"
import { channelCatalogue } from "./channels/catalogue.ts"
import type { Config, ConfigWarning } from "./config.ts"
import { deliveryTree } from "./delivery/tree.ts"
import type { SendingChannel } from "./domain/channel.ts"
import { createApp } from "./http/app.ts"
import { createAuthenticator } from "./http/auth.ts"
import { deliveryRoutes } from "./http/deliveries.ts"
import { docsRoutes } from "./http/docs.ts"
import { eventRoutes } from "./http/events.ts"
import { healthRoutes } from "./http/health.ts"
import { countsJson, inboxRoutes } from "./http/inbox.ts"
import { openapiRoutes } from "./http/openapi.ts"
import { pageRoutes } from "./http/pages.ts"
import { recipientRoutes } from "./http/recipients.ts"
import type { RouteFile } from "./http/route.ts"
import { rulesRoutes } from "./http/rules.ts"
import { httpListener } from "./http/server.ts"
import { socketRoutes } from "./http/socket.ts"
import { traceRoutes } from "./http/trace.ts"
import { createAccept } from "./ingest/accept.ts"
import { ingestRoutes } from "./ingest/http.ts"
import { natsPubSub } from "./pubsub/nats.ts"
import { localPubSub } from "./pubsub/pubsub.ts"
import { createRealtime } from "./realtime/realtime.ts"
import { router } from "./routing/router.ts"
import { ruleSetView } from "./routing/rule-set.ts"
import type { ChildSpec } from "./runtime/child-spec.ts"
import { systemClock } from "./runtime/clock.ts"
import { describeExit } from "./runtime/exit.ts"
import { startTree, supervisor } from "./runtime/supervisor.ts"
import type { Tree } from "./runtime/tree.ts"
import { firstRules, openStore, openTelemetry, rulesHealth, StartRefused, workGauges } from "./start.ts"
import type { Database } from "./store/database.ts"
import { inboxCounts } from "./store/notifications.ts"
import { dueWork } from "./store/queue-depth.ts"
import { streamHeads, streamHistory } from "./store/streams.ts"
import { databasePool, embeddedServer } from "./store/supervised-database.ts"
import { brokenAccounts } from "./telemetry/broken-accounts.ts"
import { fromRuntime } from "./telemetry/from-runtime.ts"
import { describeError } from "./telemetry/scrub.ts"

export { alsoMissing, StartRefused } from "./start.ts"

export interface Hub {
  /** `http://localhost:4000`, with the port that was really taken. */
  readonly url: string
  readonly port: number
  readonly db: Database
  readonly tree: Tree
  /** Drains and stops: no new work, sockets closed with 1012, sends in flight finish, leases given back, database last. */
  stop(why: string): Promise<void>
}

export interface HubOptions {
  readonly warnings?: readonly ConfigWarning[]
  /** Aborted while starting: what has started is stopped again. */
  readonly signal?: AbortSignal
  /** The tree has ended by itself: the process should too. */
  readonly onGiveUp: (reason: string) => void
  /** A line for the operator that is no log line. */
  readonly notice: (line: string) => void
}

/** Starts everything; resolves when the port listens. Throws StartRefused with lines for the operator. */
export async function startHub(config: Config, options: HubOptions): Promise<Hub> {
  const clock = systemClock
  const began = clock.now()

  // What happened, and who hears of it.
  const { telemetry, metrics, close: closeTelemetry } = openTelemetry(config, options.warnings ?? [], pkg.version)

  const refused = (error: unknown): never => {
    closeTelemetry()
    throw error
  }

  // What the hub is told to do and has to show: checked before anything is started for it.
  const rules = await firstRules(config, telemetry).catch(refused)
  const pages = await builtPages().catch(refused)

  // Where everything is durable.
  const { db, embedded } = await openStore(config, telemetry, options).catch(refused)

  // News between rooms, and between nodes where there are several.
  const nats = config.natsUrl === null ? null : natsPubSub({ url: config.natsUrl, clock, telemetry })
  const pubsub =
    nats ??
    localPubSub((error) => telemetry.emit({ kind: "bug_found", where: "news listener", error: describeError(error) }))

  // 1, 2: events in, durable before the answer.
  const accept = createAccept({ db, pubsub, clock, telemetry })

  // 3 to 6: what follows from them.
  const channels = channelCatalogue(config)
  const defaultSlack =
    config.slack.webhookUrl !== null || channels.some((c) => c.channel === "slack" && c.mode === "captured")
  const routing = router({
    db,
    pubsub,
    telemetry,
    rules: rules.get,
    settings: { publicUrl: config.http.publicUrl, defaultSlack },
  })

  // 7 to 10: messages out, by a dispatcher for each channel.
  const workers = channels.flatMap((channel) => (channel.worker === null ? [] : [channel.worker]))
  const captured = new Set(channels.filter((c) => c.mode === "captured").map((c) => c.channel))
  // Nothing is sent for a captured message, so only the database bounds how many may be under way.
  const inFlightOf = (channel: SendingChannel) => (captured.has(channel) ? 256 : undefined)
  const deliveries = deliveryTree({ db, workers, pubsub, telemetry, clock, inFlightOf })
  const broken = brokenAccounts(telemetry)

  // 11: the same news, on open screens.
  const auth = createAuthenticator({ config, db, clock })
  const realtime = createRealtime({
    pubsub,
    clock,
    telemetry,
    authenticate: async (token) => {
      const found = await auth.authenticateToken(token)
      if (!("failure" in found)) return found
      return found.failure === "unavailable" ? "unavailable" : null
    },
    publicUrl: config.http.publicUrl,
    anonymousTopics: config.anonymousTopics,
    allowedOrigins: config.http.allowedOrigins,
    heads: (streams) => streamHeads(db, streams),
    history: (stream, after, limit) => streamHistory(db, stream, after, limit),
    countsOf: async (recipients) =>
      new Map([...(await inboxCounts(db, recipients))].map(([id, within]) => [id, (own) => countsJson(within(own))])),
  })

  // The front.
  let draining = false
  const about = { version: pkg.version }
  const described: readonly RouteFile[] = [
    ingestRoutes({ accept, clock, telemetry }),
    eventRoutes({ db }),
    traceRoutes({ db }),
    inboxRoutes({ db, pubsub }),
    deliveryRoutes({ db, pubsub, telemetry }),
    recipientRoutes({ db }),
    rulesRoutes(() => ruleSetView(rules.get())),
    healthRoutes({
      ...about,
      clock,
      draining: () => draining,
      pingDatabase: () => db.query("select 1"),
      metrics: metrics.render,
      parts: {
        rules: () => rulesHealth(rules),
        work: async () => ({ status: "up", detail: { ...(await dueWork(db)) } }),
        channels: () => ({
          status: broken.size > 0 ? "degraded" : "up",
          detail: Object.fromEntries(channels.map((c) => [c.channel, broken.get(c.channel) ?? c.mode])),
        }),
        realtime: () => ({
          status: "up",
          detail: { sockets: realtime.gauges.sockets(), topics: realtime.gauges.topics() },
        }),
        ...(nats === null ? {} : { nats: () => ({ status: nats.status().state === "up" ? "up" : "degraded" }) }),
      },
    }),
  ]
  const app = createApp({
    config,
    authenticate: auth.authenticate,
    clock,
    telemetry,
    files: [
      ...described,
      openapiRoutes(described, about),
      docsRoutes(),
      socketRoutes(realtime.upgrade),
      pageRoutes(pages),
    ],
  })
  const http = httpListener({
    app,
    port: config.http.port,
    host: config.http.host,
    websocket: realtime.websocket,
    beforeStop: () => {
      draining = true
      return realtime.drain()
    },
  })

  workGauges(metrics, db)

  const children: readonly ChildSpec[] = [
    ...(embedded === null ? [] : [embeddedServer(embedded.server, embedded.options)]),
    databasePool(db),
    ...(nats === null ? [] : [nats.child]),
    supervisor({ id: "path", strategy: "one_for_one", children: [deliveries, rules.spec, routing] }),
    realtime.child,
    http.child,
  ]
  const tree = await startTree(supervisor({ id: "hub", strategy: "one_for_one", children }), {
    clock,
    emit: (event) => telemetry.emit(fromRuntime(event)),
    onGiveUp: (reason) => options.onGiveUp(describeExit(reason)),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  }).catch(async (error: unknown) => {
    // A start that was called off in its first moments has not taken the server into the tree.
    await embedded?.server.stop()
    return refused(StartRefused.from(error, config))
  })

  const port = http.port()
  telemetry.emit({ kind: "hub_listening", host: config.http.host, port, ms: clock.now() - began })
  return {
    url: `http://localhost:${port}`,
    port,
    db,
    tree,
    async stop(why) {
      const asked = clock.now()
      telemetry.emit({ kind: "shutdown_started", signal: why })
      draining = true
      await tree.stop()
      telemetry.emit({ kind: "shutdown_finished", ms: clock.now() - asked, clean: true })
      closeTelemetry()
    },
  }
}
