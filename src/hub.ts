/**
 * The whole hub, wired in reading order: an event comes in by `ingest`, becomes durable in `store`, is decided by
 * `routing`, leaves by `delivery` and `channels`, and is on open screens by `realtime`. The tree at the end is what
 * runs: started in this order, stopped in reverse. Long, because the wiring is read in one piece.
 */

import pkg from "../package.json" with { type: "json" }
import { builtPages } from "../scripts/pages.ts"
import { channelCatalogue } from "./channels/catalogue.ts"
import { failing, failureSwitch } from "./channels/failing.ts"
import type { Config, ConfigWarning } from "./config.ts"
import { inPlace } from "./delivery/in-place.ts"
import { deliveryTree } from "./delivery/tree.ts"
import { ACKNOWLEDGE } from "./domain/answer-button.ts"
import type { SendingChannel } from "./domain/channel.ts"
import { linkTokens } from "./domain/link-token.ts"
import { Secret } from "./domain/secret.ts"
import { explaining } from "./explained.ts"
import { acknowledgeRoutes } from "./http/acknowledge.ts"
import { actorRoutes } from "./http/actors.ts"
import { actorsHealth } from "./http/actors-health.ts"
import { createApp } from "./http/app.ts"
import { auditRoutes } from "./http/audit.ts"
import { createAuthenticator } from "./http/auth.ts"
import { backtestRoutes } from "./http/backtests.ts"
import { clientAddress } from "./http/client-address.ts"
import { deliveryRoutes } from "./http/deliveries.ts"
import { dlqRoutes } from "./http/dlq.ts"
import { docsRoutes } from "./http/docs.ts"
import { eventRoutes } from "./http/events.ts"
import { healthRoutes } from "./http/health.ts"
import { countsJson, inboxRoutes, markInbox } from "./http/inbox.ts"
import { listRoutes } from "./http/lists.ts"
import { openapiRoutes } from "./http/openapi.ts"
import { noteOperation } from "./http/operations.ts"
import { outboxRoutes } from "./http/outbox.ts"
import { pageRoutes } from "./http/pages.ts"
import { preferencesRoutes } from "./http/preferences.ts"
import { pushRoutes } from "./http/push.ts"
import { recipientRoutes } from "./http/recipients.ts"
import { rejectedRoutes } from "./http/rejected.ts"
import type { RouteFile } from "./http/route.ts"
import { rulesRoutes } from "./http/rules.ts"
import { httpListener } from "./http/server.ts"
import { socketRoutes } from "./http/socket.ts"
import { socketsRoutes } from "./http/sockets.ts"
import { traceRoutes } from "./http/trace.ts"
import { unsubscribeRoutes } from "./http/unsubscribe.ts"
import { whyRoutes } from "./http/why.ts"
import { rehearsalRoutes } from "./inbound/rehearsal.ts"
import { inboundRoutes } from "./inbound/routes.ts"
import { slackShows } from "./inbound/slack-answer.ts"
import { telegramPolling } from "./inbound/telegram-polling.ts"
import { createAccept } from "./ingest/accept.ts"
import { ingestRoutes } from "./ingest/http.ts"
import { jetStreamHealth, jetStreamSource } from "./ingest/jetstream.ts"
import { createRateLimits } from "./ingest/rate-limit.ts"
import { createRejections } from "./ingest/rejections.ts"
import { silence } from "./ingest/silence.ts"
import { standardWebhookRoutes } from "./ingest/standard-webhook.ts"
import { zohoRoutes } from "./ingest/zoho.ts"
import { tellOfDeliveries } from "./pubsub/delivery-changes.ts"
import { natsPubSub } from "./pubsub/nats.ts"
import { localPubSub } from "./pubsub/pubsub.ts"
import { joinLimits } from "./realtime/limits.ts"
import { createRealtime } from "./realtime/realtime.ts"
import { stepOf } from "./routing/explain-later.ts"
import { router } from "./routing/router.ts"
import { ruleNamed } from "./routing/rule-by-name.ts"
import { ruleSetView } from "./routing/rule-set-view.ts"
import { timers } from "./routing/timers.ts"
import { unheardTypes } from "./routing/unheard.ts"
import type { ChildSpec } from "./runtime/child-spec.ts"
import { systemClock } from "./runtime/clock.ts"
import { describeExit } from "./runtime/exit.ts"
import { startTree, supervisor } from "./runtime/supervisor.ts"
import type { Tree } from "./runtime/tree.ts"
import { firstRules, openStore, openTelemetry, rulesHealth, StartRefused, sourcesHealth, workGauges } from "./start.ts"
import type { Database } from "./store/database.ts"
import { databaseClock } from "./store/database-clock.ts"
import { createHandoff } from "./store/handoff.ts"
import { inboxCounts } from "./store/notifications.ts"
import { businessesOf } from "./store/outbox.ts"
import { HISTORY_ROUND, type PrunerOptions, pruner } from "./store/pruner.ts"
import { dueWork } from "./store/queue-depth.ts"
import { streamHeads, streamHistory, streamTails } from "./store/streams.ts"
import { databasePool, embeddedServer } from "./store/supervised-database.ts"
import { brokenAccounts } from "./telemetry/broken-accounts.ts"
import { fromRuntime } from "./telemetry/from-runtime.ts"
import { ruleTally } from "./telemetry/rule-counts.ts"
import { describeError } from "./telemetry/scrub.ts"
import { sharedLook } from "./telemetry/shared-look.ts"
import { treeMetrics } from "./telemetry/tree-metrics.ts"

export { alsoMissing, StartRefused } from "./start.ts"

/** For what was said last to a socket, and the more of them there were the longer: the last ones are read late. */
const farewellMs = (sockets: number): number => Math.min(1_000, 250 + 2 * sockets)

export interface Hub {
  /** `http://localhost:4000`, with the port that was really taken. */
  readonly url: string
  readonly port: number
  readonly db: Database
  readonly tree: Tree
  /**
   * Drains and stops: no new work, sockets closed with 1012, sends in flight finish, leases given back, database last.
   * `lingerMs`: so long it only says that it is not ready, and still serves.
   */
  stop(why: string, lingerMs?: number): Promise<void>
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
  const began = systemClock.now()

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
  const clock = databaseClock(systemClock, db, (error) =>
    telemetry.emit({ kind: "bug_found", where: "store/database-clock", error: describeError(error) }),
  )
  await clock.set()

  // News between rooms, and between nodes where there are several.
  const nats = config.natsUrl === null ? null : natsPubSub({ url: config.natsUrl, clock, telemetry })
  const pubsub =
    nats ??
    localPubSub((error) => telemetry.emit({ kind: "bug_found", where: "news listener", error: describeError(error) }))

  // 1, 2: events in, durable before the answer.
  const unheard = unheardTypes(rules.get)
  const accept = createAccept({ db, pubsub, clock, telemetry, unheard: unheard.now })
  const limits = createRateLimits({ limits: config.rateLimit, db, clock })
  const rejections = createRejections({ db, clock, telemetry })
  let draining = false
  const stream =
    config.natsUrl === null
      ? null
      : jetStreamSource({ url: config.natsUrl, clock, telemetry, accept, limits, rejections })

  // 3 to 6: what follows from them.
  const links = linkTokens(config.encryptionKeys.map(({ key }) => key))
  const channels = channelCatalogue(config, {
    publicUrl: config.http.publicUrl,
    button: (id) => ACKNOWLEDGE + links.acknowledge(id),
  })
  const defaultSlack =
    config.slack.webhookUrl !== null || channels.some((c) => c.channel === "slack" && c.mode === "captured")
  const { postalAddress } = config.email
  const slackBot = config.slack.botToken !== null
  const settings = { publicUrl: config.http.publicUrl, defaultSlack, slackBot, tokens: links, postalAddress }
  const handoff = createHandoff(clock)
  const routing = router({ db, pubsub, telemetry, rules: rules.get, onKept: unheard.kept, settings, handoff })

  // 7: and what follows later.
  const later = timers({ db, pubsub, telemetry, rules: rules.get, settings })

  const tally = ruleTally(clock, (name) => ruleNamed(rules.get(), name) !== null)
  telemetry.subscribe(tally.subscriber)

  // Who promised to speak and does not: an event like any other.
  const silences = silence({
    db,
    accept,
    pubsub,
    promises: () => rules.get().sources,
    onRules: (listener) =>
      telemetry.subscribe((event) => {
        if (event.kind === "rules_loaded") listener()
      }),
  })

  // 8 to 10: messages out, by a dispatcher for each channel.
  const captured = new Set(channels.filter((c) => c.mode === "captured").map((c) => c.channel))
  const failures = config.production ? null : failureSwitch()
  const workers = channels.flatMap(({ channel, worker }) => {
    if (worker === null) return []
    return failures !== null && captured.has(channel) ? [failing(worker, failures)] : [inPlace(worker, db)]
  })
  // Nothing is sent for a captured message, so only the database bounds how many may be under way.
  // And systems that hang must leave room for those that answer.
  const inFlightOf = (channel: SendingChannel) =>
    captured.has(channel) ? 2_000 : channel === "webhook" ? 256 : undefined
  const deliveries = deliveryTree({
    db,
    workers,
    pubsub,
    telemetry,
    clock,
    handoff,
    inFlightOf,
    policyOf: (channel) => config.retry[channel],
    sendLimits: { of: (channel) => config.sendLimit[channel], secret: config.encryptionKeys[0]?.key ?? new Secret("") },
  })
  const broken = brokenAccounts(telemetry)
  tellOfDeliveries(telemetry, { pubsub, clock })

  // And what is older than it is to be kept goes, at night.
  const { retention } = config
  const pruned: PrunerOptions["pruned"] = (table, count, ms) =>
    telemetry.emit({ kind: "rows_pruned", table, count, ms })
  const pruning = pruner({ db, retention, random: Math.random, pruned })
  const history = pruner({ db, retention, random: Math.random, pruned, round: HISTORY_ROUND })

  // What runs all this, once it does: shown to operators, over HTTP and live.
  let running: Tree | null = null
  const node = `hubbub-${crypto.randomUUID().slice(0, 4)}`
  const look = () => running?.snapshot() ?? null
  const glance = sharedLook(clock, look)
  const onChange = (listener: () => void) =>
    telemetry.subscribe((event) => {
      if (event.kind.startsWith("actor_")) listener()
    })

  // 11: the same news, on open screens.
  const auth = createAuthenticator({ config, db, clock })
  const realtime = createRealtime({
    pubsub,
    peers: nats,
    neighbours: nats,
    sessionSecret: config.encryptionKeys[0]?.key ?? null,
    cutOff: () => nats?.status().state === "down",
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
    limits: { socketsPerSecond: config.http.socketRate, ...joinLimits(config.topicsPerSocket) },
    watched: { node, look, onChange },
    operatorsFrom(request, server) {
      const { adminAllow, trustedProxies } = config.http
      const peer = server.requestIP(request)?.address ?? null
      const address = clientAddress(peer, request.headers.get("x-forwarded-for"), trustedProxies)
      return adminAllow === null || (address !== null && adminAllow.contains(address))
    },
    businessesOf: (ids) => businessesOf(db, ids),
    revokedOf: auth.revokedOf,
    markInbox: ({ recipient, businesses }, ids, mark) =>
      markInbox({ db, pubsub, telemetry }, { recipient, within: businesses }, ids, mark),
    heads: (streams) => streamHeads(db, streams),
    history: (stream, after, limit) => streamHistory(db, stream, after, limit),
    tails: (asks, most) => streamTails(db, asks, most),
    countsOf: async (recipients) =>
      new Map([...(await inboxCounts(db, recipients))].map(([id, within]) => [id, (own) => countsJson(within(own))])),
  })

  // What people answer. Telegram without a webhook is asked for it.
  const answers = { db, accept, pubsub, clock, telemetry, rejections, links }
  const { botToken, webhookSecret, apiRoot } = config.telegram
  const polling =
    botToken === null || webhookSecret !== null ? null : telegramPolling({ ...answers, token: botToken, apiRoot })

  // The front.
  const about = { version: pkg.version }
  const described: readonly RouteFile[] = [
    ingestRoutes({ accept, clock, telemetry, limits, rejections }),
    zohoRoutes({ accept, clock, telemetry, rejections, limits, secret: config.zoho.webhookSecret }),
    standardWebhookRoutes({ accept, clock, telemetry, rejections, limits, sources: config.webhookSources }),
    eventRoutes({ db }),
    traceRoutes({ db }),
    inboxRoutes({ db, pubsub, telemetry }),
    whyRoutes({ db, clock, stepOf: (timer) => stepOf(rules.get(), timer) }),
    deliveryRoutes({ db }),
    outboxRoutes({ db, captured: [...captured], failures, broken: (channel) => broken.get(channel) }),
    dlqRoutes({ db, pubsub, telemetry }),
    auditRoutes({ db }),
    socketsRoutes({ db, kick: realtime.kick }),
    rejectedRoutes({ db }),
    recipientRoutes({ db }),
    preferencesRoutes({ db }),
    unsubscribeRoutes({ db, links, wall: () => clock.wall().getTime() }),
    acknowledgeRoutes({ db, pubsub, telemetry, links }),
    inboundRoutes({
      ...answers,
      slackShows: slackShows({ loopback: !config.production }),
      twilio: {
        authToken: config.twilio.authToken,
        publicUrl: config.http.publicUrl,
        anyHost: !config.production,
      },
      secrets: {
        resend: config.email.resendWebhookSecret,
        telegram: config.telegram.webhookSecret,
        slack: config.slack.signingSecret,
      },
    }),
    ...(config.production
      ? []
      : [rehearsalRoutes({ db, accept, pubsub, clock, telemetry, rejections, links, captured })]),
    pushRoutes({ db, publicKey: config.vapid?.publicKey ?? null, loopback: !config.production }),
    listRoutes({ db }),
    actorRoutes({
      node,
      clock,
      telemetry,
      tree: () => running,
      note: (who, actor) => noteOperation(db, who, "actor.restart", { actor, node }),
      once: { http: "it carries your own request, and says goodbye to every socket when it stops" },
    }),
    backtestRoutes({ db }),
    rulesRoutes({
      running: () => ruleSetView(rules.get(), tally.of),
      ...explaining({ db, clock, rules: rules.get, settings }),
    }),
    healthRoutes({
      ...about,
      clock,
      draining: () => draining,
      pingDatabase: () => db.query("select 1"),
      metrics: metrics.render,
      parts: {
        rules: () => rulesHealth(rules),
        sources: () => sourcesHealth(rules.get().sources, silences.silent()),
        work: async () => ({ status: "up", detail: { ...(await dueWork(db)) } }),
        channels: () => ({
          status: broken.size > 0 ? "degraded" : "up",
          detail: Object.fromEntries(channels.map((c) => [c.channel, broken.get(c.channel) ?? c.mode])),
        }),
        actors: () => actorsHealth(glance(), clock.wall()),
        realtime: () => ({
          status: "up",
          detail: { sockets: realtime.gauges.sockets(), topics: realtime.gauges.topics() },
        }),
        ...(stream === null ? {} : { jetstream: () => jetStreamHealth(stream.status()) }),
        ...(nats === null ? {} : { nats: () => ({ status: nats.status().state === "up" ? "up" : "degraded" }) }),
      },
    }),
  ]
  const app = createApp({
    config,
    authenticate: auth.authenticate,
    clock,
    telemetry,
    files: [...described, openapiRoutes(described, about), docsRoutes(), socketRoutes(realtime), pageRoutes(pages)],
  })
  const http = httpListener({
    app,
    port: config.http.port,
    host: config.http.host,
    reusePort: config.http.reusePort,
    websocket: realtime.websocket,
    beforeStart: () => {
      draining = false
      realtime.reopen()
    },
    async beforeStop() {
      draining = true
      const sockets = realtime.gauges.sockets()
      await realtime.drain()
      // The last closes are on their way, and the listener's end would overtake them.
      if (sockets > 0) await new Promise((done) => clock.after(farewellMs(sockets), () => done(null)))
    },
  })

  workGauges(metrics, db)
  metrics.total("hub_rule_matches_total", "Events that each running rule fitted, on this node", tally.matches)
  metrics.gauge("hub_broken_channels", "Channels that are paused for their account, or crash", () => broken.size)
  metrics.gauge("hub_silent_sources", "Sources that promised to speak and do not", () => silences.silent().length)
  if (stream !== null) {
    metrics.gauge("hub_jetstream_pending", "Messages not stored yet", () => stream.status().pending)
    metrics.gauge("hub_jetstream_limited", "Messages that wait for a limit", () => stream.status().limited)
  }
  treeMetrics(metrics, () => glance()?.kinds ?? null)

  const sources = [...(stream === null ? [] : [stream.child]), ...(polling === null ? [] : [polling])]
  const children: readonly ChildSpec[] = [
    ...(embedded === null ? [] : [embeddedServer(embedded.server, embedded.options)]),
    databasePool(db),
    rejections.child,
    ...(nats === null ? [] : [nats.child]),
    supervisor({
      id: "path",
      strategy: "one_for_one",
      children: [deliveries, rules.spec, routing, later, silences.spec, pruning, history],
    }),
    realtime.child,
    ...(sources.length === 0 ? [] : [supervisor({ id: "sources", strategy: "one_for_one", children: sources })]),
    http.child,
  ]
  const tree = await startTree(
    supervisor({ id: "hub", strategy: "one_for_one", intensity: 3, periodMs: 60_000, children }),
    {
      clock,
      emit: (event) => telemetry.emit(fromRuntime(event)),
      onGiveUp: (reason) => options.onGiveUp(describeExit(reason)),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    },
  ).catch(async (error: unknown) => {
    // A start that was called off in its first moments has not taken the server into the tree.
    await embedded?.server.stop()
    return refused(StartRefused.from(error, config))
  })
  running = tree

  const port = http.port()
  telemetry.emit({ kind: "hub_listening", host: config.http.host, port, ms: clock.now() - began })
  return {
    url: `http://localhost:${port}`,
    port,
    db,
    tree,
    async stop(why, lingerMs = 0) {
      const asked = clock.now()
      telemetry.emit({ kind: "shutdown_started", signal: why })
      draining = true
      if (lingerMs > 0) await new Promise((done) => clock.after(lingerMs, () => done(null)))
      await tree.stop()
      telemetry.emit({ kind: "shutdown_finished", ms: clock.now() - asked, clean: true })
      closeTelemetry()
    },
  }
}
