/**
 * News between nodes, over NATS core. It stays a hint: nothing waits for NATS, nothing is kept for it while it is away,
 * and what this node's own rooms hear never goes through it. Whoever misses news finds out by position or on its poll.
 */
import { connect, Events, type NatsConnection } from "nats"
import type { Secret } from "../domain/secret.ts"
import { service } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import type { Clock } from "../runtime/clock.ts"
import { pause } from "../runtime/pause.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { describeError } from "../telemetry/scrub.ts"
import { decodeNews, encodeNews } from "./news-codec.ts"
import { localPubSub, type Neighbours, type News, type PubSub } from "./pubsub.ts"

export interface NatsPubSubOptions {
  /** One server or a comma list. */
  readonly url: Secret
  readonly clock: Clock
  readonly telemetry: Emitter
  /** Tells this process from the others. Default: random. */
  readonly node?: string
}

export interface NatsPubSub extends PubSub, Neighbours {
  /** Keeps the connection, for ever. Starts at once, whether NATS is there or not. */
  readonly child: ChildSpec
  status(): { readonly state: "up" | "down"; readonly sinceMs: number }
}

const SUBJECT = "hub.news"
/** And the node's name: where it is asked. */
const ASKED = "hub.asked."
/** Questions that are being answered at once; more are not heard, and time out where they were asked. */
const MOST_ASKED = 10_000
const CONNECT_TIMEOUT_MS = 3_000
const RETRY_MS = 1_000
/** A server that went silent is noticed after two missed pings. */
const PING_MS = 5_000
const DRAIN_MS = 1_000
/** Room for the envelope and the protocol's own line under the server's max_payload. */
const ENVELOPE_BYTES = 1_024
/** What may be on its way unconfirmed; more is dropped, because a stalled server must not fill our memory. */
const MOST_OUTSTANDING_BYTES = 16 * 1024 * 1024

export function natsPubSub(options: NatsPubSubOptions): NatsPubSub {
  const { clock, telemetry } = options
  const node = options.node ?? crypto.randomUUID()
  const local = localPubSub((error) =>
    telemetry.emit({ kind: "bug_found", where: "news listener", error: describeError(error) }),
  )
  let link: NatsConnection | null = null
  let state: "up" | "down" = "down"
  let since = clock.now()
  let outstanding = 0

  const turn = (to: "up" | "down", error: unknown): void => {
    if (state === to) return
    const ms = clock.now() - since
    state = to
    since = clock.now()
    if (to === "up") telemetry.emit({ kind: "pubsub_up", transport: "nats", afterMs: ms })
    else telemetry.emit({ kind: "pubsub_down", transport: "nats", error: describeError(error) })
  }

  const limitOf = (connection: NatsConnection): number => (connection.info?.max_payload ?? 1024 * 1024) - ENVELOPE_BYTES

  const send = (news: readonly News[]): void => {
    const connection = link
    if (connection === null || state === "down") return
    const limit = limitOf(connection)
    for (const message of encodeNews(node, news, limit)) {
      if (outstanding + message.length > MOST_OUTSTANDING_BYTES) return
      connection.publish(SUBJECT, message)
      if (outstanding === 0) confirm(connection)
      outstanding += message.length
    }
  }

  /** Counts down what was on its way once the server has answered for it. */
  const confirm = (connection: NatsConnection): void => {
    queueMicrotask(() => {
      const sent = outstanding
      connection.flush().then(
        () => {
          if (link !== connection) return
          outstanding -= sent
          if (outstanding > 0) confirm(connection)
        },
        () => {
          if (link === connection) outstanding = 0
        },
      )
    })
  }

  let asked = 0
  let answer: Parameters<Neighbours["answerWith"]>[0] | null = null
  const listen = (connection: NatsConnection): void => {
    connection.subscribe(ASKED + node, {
      callback(error, message) {
        if (error !== null || answer === null || asked >= MOST_ASKED) return
        asked += 1
        answer(message.data, limitOf(connection))
          .then((said) => message.respond(said))
          .catch(() => undefined) // the line is gone, and the question with it
          .finally(() => {
            asked -= 1
          })
      },
    })
    connection.subscribe(SUBJECT, {
      callback(error, message) {
        if (error !== null) return
        const news = decodeNews(message.string(), node)
        if (news !== null) local.publish(news)
      },
    })
  }

  /** One connection, from its first success to its end. The client reconnects by itself; this ends when it gives up. */
  const hold = async (signal: AbortSignal): Promise<void> => {
    const connection = await connect({
      servers: options.url.reveal().split(","),
      name: "hub",
      noEcho: true,
      timeout: CONNECT_TIMEOUT_MS,
      pingInterval: PING_MS,
      maxPingOut: 2,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RETRY_MS,
      reconnectJitter: RETRY_MS,
    })
    if (signal.aborted) return connection.close()
    link = connection
    outstanding = 0
    listen(connection)
    // Up means that the server knows of our subscription.
    await connection.flush()
    turn("up", null)
    let lines = 0
    const watch = async (): Promise<void> => {
      for await (const { type, data } of connection.status()) {
        if (type === Events.Disconnect) {
          lines += 1
          turn("down", new Error(`disconnected from ${String(data)}`))
        } else if (type === Events.Reconnect) {
          outstanding = 0
          const line = lines
          connection.flush().then(
            () => {
              if (line === lines && link === connection) turn("up", null)
            },
            () => undefined, // it is away again, and says so itself
          )
        }
      }
    }
    const ended = await Promise.race([connection.closed(), watch()])
    link = null
    turn("down", ended instanceof Error ? ended : new Error("the connection ended"))
  }

  const child = service({
    id: "nats",
    kind: "pubsub",
    start(ctx) {
      let first = true
      const keep = async (): Promise<void> => {
        while (!ctx.signal.aborted) {
          try {
            await hold(ctx.signal)
          } catch (error) {
            link = null
            // Said once: an outage of a day is one line.
            if (first) telemetry.emit({ kind: "pubsub_down", transport: "nats", error: describeError(error) })
          }
          first = false
          if (!ctx.signal.aborted) await pause(clock, RETRY_MS, ctx.signal)
        }
      }
      keep().catch((error: unknown) => ctx.fail(error))
      return {
        async stop() {
          const connection = link
          link = null
          // Not an outage: nothing is to be told.
          state = "down"
          if (connection === null) return
          const deadline = Promise.withResolvers<void>()
          const timer = clock.after(DRAIN_MS, deadline.resolve)
          await Promise.race([connection.drain().catch(() => {}), deadline.promise])
          timer.cancel()
          await connection.close()
        },
      }
    },
  })

  return {
    child,
    node,
    async ask(whom, question, timeoutMs) {
      const connection = link
      if (connection === null || state === "down" || question.length > limitOf(connection)) return null
      return connection.request(ASKED + whom, question, { timeout: timeoutMs }).then(
        ({ data }) => data,
        () => null, // nobody of that name is there, or not in time
      )
    },
    answerWith(how) {
      answer = how
    },
    status: () => ({ state, sinceMs: clock.now() - since }),
    subscribe: (listener) => local.subscribe(listener),
    publish(news) {
      if (news.length === 0) return
      local.publish(news)
      try {
        send(news)
      } catch {
        // Closing or reconnecting: a hint that is lost.
      }
    },
  }
}
