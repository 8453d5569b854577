/**
 * Messages by pull: one request at a time, never more in memory than a batch in hand and a batch in wait. A request dies
 * with its server without a word, so the server's heartbeats are listened for, and silence ends the pulling.
 */
import { createInbox, type Msg, type NatsConnection, nanos } from "nats"
import type { Clock, Timer } from "../runtime/clock.ts"
import type { StreamMessage } from "./jetstream-message.ts"
import { CONSUMER, STREAM } from "./jetstream-repair.ts"

/** `gone`: the consumer, the stream or the connection. `silent`: no heartbeat. `stopped`: we were asked to. */
export type PullEnd = "gone" | "silent" | "stopped"

export interface Puller {
  /**
   * What has come, at most `most`; waits for the first, and no longer than `withinMs` if that is a number. Null once it
   * has ended and nothing is left.
   */
  take(most: number, withinMs?: number | null): Promise<readonly StreamMessage[] | null>
  /** While held nothing more is asked for. */
  hold(held: boolean): void
  /** What has come and was not taken. */
  waiting(): readonly StreamMessage[]
  /** Asks for nothing more; what has come can still be taken. */
  end(why: PullEnd): void
}

export interface PullerOptions {
  readonly connection: NatsConnection
  readonly clock: Clock
  /** Messages that one request asks for, and that wait here. */
  readonly batch: number
  readonly expiresMs: number
  readonly ended: (why: PullEnd) => void
}

const HEARTBEAT_MS = 1_000
/** Missed heartbeats that mean silence. */
const MISSES = 2.5
const CHECK_MS = 250
/** Room in memory for one request; one message always fits. */
const BATCH_BYTES = 8 * 1024 * 1024
/** Time in which the server forgets the request that we left behind: 2.9 loses count of what comes back before that. */
const NAK_MS = 2 * HEARTBEAT_MS
const encoder = new TextEncoder()

export function createPuller(options: PullerOptions): Puller {
  const { connection, clock, batch, expiresMs } = options
  const heartbeatMs = Math.min(HEARTBEAT_MS, expiresMs / 2)
  const inbox = createInbox()
  let number = 0
  let request: { readonly subject: string; left: number } | null = null
  let heard = clock.now()
  let held = false
  let end: PullEnd | null = null
  let waiting: StreamMessage[] = []
  let wake = (): void => {}
  let timer: Timer | null = null

  const finish = (why: PullEnd): void => {
    if (end !== null) return
    end = why
    request = null
    timer?.cancel()
    // What is on its way to us is let go of too: a message that nobody answers for comes back in half a minute only.
    if (why === "stopped") subscription.drain().catch(() => {})
    else if (!connection.isClosed()) subscription.unsubscribe()
    wake()
    options.ended(why)
  }

  const ask = (): void => {
    if (end !== null || held || request !== null || waiting.length > batch / 2) return
    const count = batch - waiting.length
    number += 1
    request = { subject: `${inbox}.${number}`, left: count }
    heard = clock.now()
    const body = {
      batch: count,
      expires: nanos(expiresMs),
      idle_heartbeat: nanos(heartbeatMs),
      max_bytes: Math.max(BATCH_BYTES, 2 * (connection.info?.max_payload ?? 0)),
    }
    try {
      connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${STREAM}.${CONSUMER}`, JSON.stringify(body), {
        reply: request.subject,
      })
    } catch {
      finish("gone") // the connection is closed
    }
  }

  const status = (message: Msg): void => {
    const code = message.headers?.code ?? 0
    if (code === 0 || code === 100 || message.subject !== request?.subject) return
    // 404 and 408: nothing more came in time. Some 409 end only this request; all others say that something is wrong.
    const over = code === 404 || code === 408 || /maxbytes/i.test(message.headers?.description ?? "")
    if (over) {
      request = null
      ask()
    } else finish("gone")
  }

  const received = (message: Msg): void => {
    if (request !== null) {
      request.left -= 1
      if (request.left === 0) request = null
    }
    waiting.push(streamMessage(message))
    wake()
    ask()
  }

  const subscription = connection.subscribe(`${inbox}.*`, {
    callback(error, message) {
      if (end !== null) {
        if (error === null && isOfStream(message)) streamMessage(message).nak()
        return
      }
      heard = clock.now()
      if (error !== null) finish("gone")
      else if (isOfStream(message)) received(message)
      else status(message)
    },
  })

  const check = (): void => {
    if (request !== null && clock.now() - heard > MISSES * heartbeatMs) finish("silent")
    else timer = clock.after(CHECK_MS, check)
  }
  timer = clock.after(CHECK_MS, check)
  ask()

  return {
    async take(most, withinMs = null) {
      if (waiting.length === 0 && end === null) {
        const { promise, resolve } = Promise.withResolvers<void>()
        wake = resolve
        const late = withinMs === null ? null : clock.after(withinMs, resolve)
        await promise
        late?.cancel()
      }
      if (waiting.length === 0 && end !== null) return null
      const taken = waiting.slice(0, most)
      waiting = waiting.slice(taken.length)
      ask()
      return taken
    },
    hold(now) {
      held = now
      ask()
    },
    waiting: () => waiting,
    end: finish,
  }
}

/** A message of the stream can be answered; what the server says of our request cannot. */
const isOfStream = (message: Msg): boolean => message.reply?.startsWith("$JS.ACK.") === true

/**
 * What an ack subject says: `$JS.ACK[.<domain>.<account>].<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer
 * sequence>.<time in ns>.<pending>[.<random>]`. As text, because the time is more than a double holds.
 */
export function readAck(subject: string): {
  readonly sequence: string
  readonly place: string
  readonly redelivered: boolean
} {
  const tokens = subject.split(".")
  const [deliveries, sequence = "", , time] = tokens.slice(tokens.length >= 11 ? 6 : 4)
  return { sequence, place: `${sequence}:${time}`, redelivered: Number(deliveries) > 1 }
}

/** A reply that is lost, because NATS is away or the message another's by now, means a redelivery and nothing else. */
function streamMessage(message: Msg): StreamMessage {
  const reply = (word: string) => (): void => {
    try {
      message.respond(encoder.encode(word))
    } catch {
      // The connection is closed.
    }
  }
  return {
    subject: message.subject,
    data: message.data,
    headers: message.headers ?? [],
    ...readAck(message.reply ?? ""),
    ack: reply("+ACK"),
    term: reply("+TERM"),
    working: reply("+WPI"),
    nak: (delayMs = NAK_MS) => reply(`-NAK {"delay":${nanos(Math.ceil(delayMs))}}`)(),
  }
}
