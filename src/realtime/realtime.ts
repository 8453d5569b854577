/**
 * The fifth room: the same news, on open screens. This file wires it: sockets (native, outside the tree: a socket is
 * only its client's), topics (an actor for each view that somebody shows), counts, and the feed that hands news to them.
 */
import type { RecipientId } from "../domain/ids.ts"
import type { Secret } from "../domain/secret.ts"
import type { Neighbours, PubSub } from "../pubsub/pubsub.ts"
import { service } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import type { Clock, Timer } from "../runtime/clock.ts"
import { pool } from "../runtime/pool.ts"
import type { ActorRef } from "../runtime/ref.ts"
import { supervisor } from "../runtime/supervisor.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { describeError } from "../telemetry/scrub.ts"
import { AcceptRate } from "./accept-rate.ts"
import type { Connection } from "./connection.ts"
import { COUNTS_ACTOR, type CountsMessage, type CountsOf, countsActor } from "./counts.ts"
import { dashboard } from "./dashboard.ts"
import type { Watched } from "./dashboard-watch.ts"
import { type BusinessesOf, deliveriesTopic } from "./deliveries-topic.ts"
import { doors } from "./doors.ts"
import { drainSockets, retryHint } from "./drain.ts"
import type { DrawerShape } from "./drawers.ts"
import { eventsTopic } from "./events-topic.ts"
import type { NativeTopics, TopicView } from "./fanout.ts"
import type { HandshakeSettings } from "./handshake.ts"
import { type ReadHeads, sharedHeads } from "./heads.ts"
import type { MarkInbox } from "./inbox-pushes.ts"
import { defaultLimits, type RealtimeLimits } from "./limits.ts"
import { LocalTopics } from "./local-topics.ts"
import { longPolling, type ReadBody } from "./longpoll.ts"
import { notificationsTopic } from "./notifications-topic.ts"
import { createPresence } from "./presence.ts"
import { resourcesTopic } from "./resources-topic.ts"
import { endRevoked, type Kick, kickNews, meantBy, obeyKicks, type RevokedOf } from "./send-away.ts"
import { sharedTails } from "./tails.ts"
import type { TopicFamily } from "./topic.ts"
import { topicActor } from "./topic-actor.ts"
import type { ReadHistory, ReadTails } from "./topic-message.ts"
import { Topics } from "./topics.ts"
import { type SocketData, websocketHandler } from "./websocket.ts"

export interface RealtimeDeps extends HandshakeSettings {
  readonly pubsub: PubSub
  readonly clock: Clock
  readonly telemetry: Emitter
  /** The news that other nodes hear too, for presence; without it there are no other nodes. */
  readonly peers?: PubSub | null
  /** The other nodes, where polls of their clients may come to this one. */
  readonly neighbours?: Neighbours | null
  /** What the nodes share: the sessions of polls are signed by it. Without it a session is this process's alone. */
  readonly sessionSecret?: Secret | null
  /** There are other nodes, and nothing that they say arrives. Absent: never. */
  readonly cutOff?: () => boolean
  /** store/streams.ts, bound to the database. */
  readonly heads: ReadHeads
  readonly history: ReadHistory
  readonly tails: ReadTails
  readonly countsOf: CountsOf
  /** http/inbox.ts; without it nothing can be marked over sockets. */
  readonly markInbox?: MarkInbox
  /** Asked every few seconds of the sockets that came with an API key; without it keys are good for ever. */
  readonly revokedOf?: RevokedOf
  /** What admins see on the topic `dashboard`; without it there is no such topic. */
  readonly watched?: Watched
  /** store/delivery-reads.ts, bound to the database; without it there is no topic `deliveries`. */
  readonly businessesOf?: BusinessesOf
  /** Whether operators may come from where this request does; default: from anywhere. */
  readonly operatorsFrom?: (request: Request, server: Bun.Server<SocketData>) => boolean
  readonly limits?: Partial<RealtimeLimits>
  /** More topics, before the hub's own; for tests. */
  readonly families?: readonly TopicFamily[]
  /** [0, 1), for the moments at which nodes check. */
  readonly random?: () => number
}

export interface Realtime {
  /** The room's part of the supervision tree. */
  readonly child: ChildSpec
  /** For `Bun.serve` or Elysia's `listen`. */
  readonly websocket: Bun.WebSocketHandler<SocketData>
  /** Answers a request to `/socket/websocket`: undefined when it became a socket. */
  upgrade(request: Request, server: Bun.Server<SocketData>): Promise<Response | undefined>
  /** Answers a request of any method to `/socket/longpoll`; may hold it for `pollWindowMs`. */
  longPoll(request: Request, server: Bun.Server<SocketData>, body: ReadBody): Promise<Response>
  /** How long an answer may be held, in seconds: the listener must not give the request up before. */
  readonly heldSeconds: number
  /** Answers a request to one of the older drawers' paths, as `upgrade` does. */
  drawer(request: Request, server: Bun.Server<SocketData>, shape: DrawerShape): Promise<Response | undefined>
  /** Where everybody hears what is published, by sockets and by polls. */
  readonly native: NativeTopics
  /** Closes a person's sockets, on all nodes; gives how many are here. */
  kick(kick: Kick): number
  /** Takes no new sockets, closes all with 1012 (many are spread over `drainMs`), resolves when none is left. */
  drain(): Promise<void>
  /** Takes sockets again after a drain: the listener was started anew. */
  reopen(): void
  /** For metrics and health. */
  readonly gauges: { sockets(): number; joined(): number; topics(): number; heldPolls(): number }
}

/** Nodes ask how far their streams go about this often, for news that was lost with nothing after it. */
const TAIL_CHECK_MS = 10_000
/** While nothing comes from the other nodes it is all that shows what they take, and once more when they are back. */
const ALONE_CHECK_MS = 1_000
/** How long a revoked key's sockets may stay: as long as its requests are believed. */
const KEY_CHECK_MS = 2_000

export function createRealtime(deps: RealtimeDeps): Realtime {
  const { clock, telemetry } = deps
  const limits = { ...defaultLimits, ...deps.limits }
  const random = deps.random ?? Math.random
  const connections = new Set<Connection>()
  const topics = new Topics(limits.joinTimeoutMs)
  const heads = sharedHeads(deps.heads)
  const tails = sharedTails(deps.tails)
  let server: Bun.Server<SocketData> | null = null
  let counts: ActorRef<CountsMessage> | null = null
  let draining: Promise<void> | null = null
  let emptied: (() => void) | null = null

  const opened = (connection: Connection): void => {
    connections.add(connection)
    if (draining !== null) connection.close(1012, retryHint(0))
  }
  const closed = (connection: Connection): void => {
    connections.delete(connection)
    if (connections.size === 0) emptied?.()
  }
  const { allowedOrigins, publicUrl } = deps
  const local = new LocalTopics()
  // By which names sockets hear. Asking the server takes microseconds, and of the four that a topic has (two spellings, two
  // versions) mostly one is joined.
  const joined = new Set<string>()
  const { neighbours = null, sessionSecret: secret = null } = deps
  const counted = { limits, clock, telemetry, opened, closed }
  const polls = longPolling({ topics: local, ...counted, allowedOrigins, publicUrl, neighbours, secret })
  // Before the first socket there is no server to publish to, and nobody to hear it.
  const native: NativeTopics = {
    publish(name, frame) {
      if (joined.has(name)) server?.publish(name, frame)
      local.publish(name, frame)
    },
    subscribers(name) {
      const sockets = joined.has(name) ? (server?.subscriberCount(name) ?? 0) : 0
      if (sockets === 0) joined.delete(name)
      return sockets + local.subscribers(name)
    },
  }
  const crash = (view: string): void => {
    for (const connection of connections) connection.crash(view, "channel_crash")
  }
  const { watched } = deps
  const { joinTimeoutMs } = limits
  const operators =
    watched === undefined ? null : dashboard({ watched, native, telemetry, joinTimeoutMs, orphan: crash })
  const passing = eventsTopic({ native, pubsub: deps.pubsub, telemetry, joinTimeoutMs, orphan: crash })
  const { businessesOf, pubsub } = deps
  const changing =
    businessesOf === undefined
      ? null
      : deliveriesTopic({ native, pubsub, telemetry, joinTimeoutMs, orphan: crash, businessesOf })
  const presence = createPresence({ native, telemetry, peers: deps.peers ?? null, limits })
  const families: readonly TopicFamily[] = [
    ...(deps.families ?? []),
    passing.family,
    ...(changing === null ? [] : [changing.family]),
    ...(operators === null ? [] : [operators.family]),
    resourcesTopic(topics, presence),
    notificationsTopic(topics, presence, deps.markInbox ?? null, (recipient, view, client) =>
      counts?.send({ kind: "joined", recipient, view, client }),
    ),
  ]
  const websocket = websocketHandler({ limits, telemetry, opened, closed, subscribed: (name) => void joined.add(name) })

  const { upgrade, drawer, longPoll } = doors({
    ...deps,
    local,
    connection: { families, limits, clock, telemetry },
    polls,
    rate: new AcceptRate(clock, limits.socketsPerSecond, 2 * limits.socketsPerSecond),
    isDraining: () => draining !== null,
    listens(from) {
      server = from
    },
  })

  function drain(): Promise<void> {
    if (draining !== null) return draining
    const closing = drainSockets({
      all: connections,
      left: () => connections,
      drainMs: limits.drainMs,
      clock,
      random,
    })
    draining = closing.done
    emptied = closing.emptied
    return draining
  }

  const topicPool = pool<TopicView>({
    id: "topics",
    child: (view) =>
      topicActor(view, {
        native,
        heads,
        history: deps.history,
        tails,
        telemetry,
        limits,
        started: (started, self) => topics.started(started, self),
        ended(gone, orphaned) {
          topics.ended(gone)
          if (orphaned) crash(gone.id)
        },
      }),
  })

  const feed = service({
    id: "feed",
    shutdownMs: limits.drainMs + 2_000,
    start(ctx) {
      topics.usePool(ctx.pool("topics"))
      counts = ctx.ref<CountsMessage>(COUNTS_ACTOR)
      const unsubscribe = deps.pubsub.subscribe((news) => {
        topics.dispatch(news)
        obeyKicks(news, connections)
        for (const item of news) {
          if (item.kind !== "counts_changed") continue
          // News carries plain text; whoever published it had a recipient.
          const recipient = item.recipient as RecipientId
          if (topics.viewsOf(recipient).length > 0) counts?.send({ kind: "changed", recipient })
        }
      })
      const timers = new Set<Timer>()
      const every = (ms: () => number, run: () => void): void => {
        const timer = clock.after(ms(), () => {
          timers.delete(timer)
          try {
            run()
          } catch (error) {
            // A timer has nobody above it: what it throws would end the process.
            telemetry.emit({ kind: "bug_found", where: "realtime timer", error: describeError(error) })
          }
          every(ms, run)
        })
        timers.add(timer)
      }
      every(
        () => limits.sweepMs,
        () => {
          const wall = clock.wall().getTime()
          for (const connection of connections) connection.sweep(wall)
        },
      )
      let checkedAt = clock.now()
      // What is shown already was shown while nobody listened to the news: this feed is not the first.
      let wasCutOff = topics.size > 0
      every(
        () => ALONE_CHECK_MS * (0.75 + random() / 2),
        () => {
          const cutOff = deps.cutOff?.() ?? false
          const due = clock.now() - checkedAt >= TAIL_CHECK_MS
          if (due || cutOff || wasCutOff) {
            checkedAt = clock.now()
            void checkTails(topics, heads)
          }
          wasCutOff = cutOff
        },
      )
      const { revokedOf } = deps
      if (revokedOf !== undefined) {
        every(
          () => KEY_CHECK_MS,
          () => void endRevoked(connections, revokedOf),
        )
      }
      return {
        async stop() {
          for (const timer of timers) timer.cancel()
          unsubscribe()
          // A restart of the feed alone must not close anybody's socket: that is only done when the hub stops.
          if (draining !== null) await draining
        },
      }
    },
  })

  return {
    child: supervisor({
      id: "realtime",
      strategy: "one_for_one",
      children: [
        topicPool,
        presence.child,
        countsActor({ native, viewsOf: (of) => topics.viewsOf(of), countsOf: deps.countsOf, telemetry }),
        ...(operators === null ? [] : [operators.child]),
        passing.child,
        ...(changing === null ? [] : [changing.child]),
        feed,
      ],
    }),
    websocket,
    upgrade,
    drawer,
    longPoll,
    heldSeconds: Math.ceil(limits.pollWindowMs / 1_000),
    native,
    kick(kick) {
      const here = meantBy(kick, connections).length
      pubsub.publish([kickNews(kick)])
      return here
    },
    drain,
    reopen() {
      draining = null
      emptied = null
    },
    gauges: {
      sockets: () => connections.size,
      joined: () => [...connections].reduce((sum, { topics: joined }) => sum + joined, 0),
      topics: () => topics.size,
      heldPolls: () => polls.held(),
    },
  }
}

/** A lost hint with nothing after it shows only here. Away database: the next check will see. */
async function checkTails(topics: Topics, heads: ReadHeads): Promise<void> {
  const streams = topics.streams()
  for (let at = 0; at < streams.length; at += 1_000) {
    try {
      const some = streams.slice(at, at + 1_000)
      const { positions } = await heads(some)
      topics.reach(some, positions)
    } catch {
      return
    }
  }
}
