/**
 * Events in over NATS JetStream (contract §5.3). NATS is a transport that may forget, repeat or vanish: nothing is
 * acknowledged before the commit, everything may come again, and whatever is missing on the server is made anew. It has a
 * connection of its own, so that neither news nor messages wait for each other.
 */
import type { NatsConnection } from "nats"
import type { Secret } from "../domain/secret.ts"
import type { PartHealth } from "../http/health.ts"
import { service } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import type { Timer } from "../runtime/clock.ts"
import { pause } from "../runtime/pause.ts"
import { databaseProblem } from "../store/database.ts"
import { describeError, type ScrubbedText, scrub } from "../telemetry/scrub.ts"
import { type Line, openLine, withDeadline } from "./jetstream-line.ts"
import { createPuller, type Puller } from "./jetstream-pull.ts"
import { repair, type StreamState } from "./jetstream-repair.ts"
import { createSettling, type SettleRooms, type Settling } from "./jetstream-settle.ts"

export interface JetStreamOptions extends SettleRooms {
  /** One server or a comma list. */
  readonly url: Secret
  /** How long a message may be in hand before another node gets it. Default 30,000, the least that production uses. */
  readonly ackWaitMs?: number
}

export interface JetStreamStatus {
  readonly state: "up" | "down"
  /** Fetched messages cannot be stored now. */
  readonly held: boolean
  /** Not ours to repair; see the log. */
  readonly troubles: number
  /** Messages that are not stored yet, some seconds ago; null: not known. */
  readonly pending: number | null
  /** Of the messages in hand, those that wait for a limit of their business. */
  readonly limited: number
}

export interface JetStreamSource {
  /** Keeps the connection, for ever. Starts at once, whether NATS is there or not. */
  readonly child: ChildSpec
  status(): JetStreamStatus
}

const BATCH = 100
const EXPIRES_MS = 5_000
const ACK_WAIT_MS = 30_000
/** How many of these a message is kept from the other nodes while this one cannot store it. */
const HELD_WAITS = 2
const CHECK_MS = 5_000
const REQUEST_TIMEOUT_MS = 2_000
const RETRY_MS = 250
const LONGEST_RETRY_MS = 2_000
/** Failures in a row after which the operator hears of it: a server that starts has no JetStream for a moment. */
const FAILURES = 4
/** For a batch on its way, at a stop. One that hangs is with a database that answers nobody, and comes again. */
const STOP_MS = 2_000

export function jetStreamSource(options: JetStreamOptions): JetStreamSource {
  const { clock, telemetry } = options
  const ackWaitMs = options.ackWaitMs ?? ACK_WAIT_MS
  let state: JetStreamStatus["state"] = "down"
  let since = clock.now()
  let held = false
  let heldAt = 0
  let limited = (): number => 0
  let seen: StreamState | null = null
  let said: ReadonlySet<string> = new Set()

  const turn = (to: "up" | "down", error: ScrubbedText | null): void => {
    if (state === to) return
    const afterMs = clock.now() - since
    state = to
    since = clock.now()
    if (to === "up") telemetry.emit({ kind: "jetstream_up", afterMs })
    else telemetry.emit({ kind: "jetstream_down", error: error ?? scrub("the connection ended") })
  }

  /** Each trouble is said once, and again when it has been away. */
  const sayTroubles = (troubles: readonly string[]): void => {
    for (const trouble of troubles)
      if (!said.has(trouble)) telemetry.emit({ kind: "jetstream_unfit", error: scrub(trouble) })
    said = new Set(troubles)
  }

  const look = async (connection: NatsConnection): Promise<StreamState> => {
    const jsm = await connection.jetstreamManager({ timeout: REQUEST_TIMEOUT_MS, checkAPI: false })
    seen = await repair(jsm, {
      ackWaitMs,
      before: seen?.progress ?? null,
      repaired: (what) => telemetry.emit({ kind: "jetstream_repaired", what }),
    })
    sayTroubles(seen.troubles)
    return seen
  }

  /** A round, whatever it takes: while the database is away all stays in hand, and nothing more is asked for. */
  const settle = async (settling: Settling, puller: Puller, signal: AbortSignal): Promise<void> => {
    const began = clock.now()
    try {
      for (let tries = 0; ; tries += 1) {
        const why = await notSettled(settling)
        if (why === null) break
        if (!held) {
          held = true
          heldAt = clock.now()
          puller.hold(true)
          telemetry.emit({ kind: "jetstream_held", messages: [...settling.messages()].length, error: why })
        }
        await pause(clock, Math.min(RETRY_MS * 2 ** Math.min(tries, 10), LONGEST_RETRY_MS), signal)
        if (signal.aborted) return
      }
      if (held) telemetry.emit({ kind: "jetstream_resumed", afterMs: clock.now() - began })
    } finally {
      held = false
      puller.hold(false)
    }
  }

  /** Why a round could not store now; null where it is settled. Whatever is not the database's or our load is a bug. */
  const notSettled = async (settling: Settling): Promise<ScrubbedText | null> => {
    try {
      const result = await settling.round()
      return result === "settled" ? null : scrub(`the hub is ${result}`)
    } catch (error) {
      if (databaseProblem(error) !== "away") throw error
      return describeError(error)
    }
  }

  /** Pulls and stores until the connection, the consumer or we are gone. */
  const consume = async (line: Line, now: StreamState, signal: AbortSignal): Promise<void> => {
    const { connection } = line
    const timers = new Set<Timer>()
    const every = (ms: number, run: () => void): void => {
      const timer = clock.after(ms, () => {
        timers.delete(timer)
        run()
        if (!over.aborted) every(ms, run)
      })
      timers.add(timer)
    }
    const ending = new AbortController()
    const over = ending.signal
    const puller = createPuller({
      connection,
      clock,
      batch: Math.min(BATCH, now.maxBatch ?? BATCH),
      expiresMs: Math.min(EXPIRES_MS, now.maxExpiresMs ?? EXPIRES_MS),
      ended: () => ending.abort(),
    })
    const settling = createSettling(options)
    limited = settling.limited
    const stop = (): void => {
      puller.end("stopped")
    }
    signal.addEventListener("abort", stop)
    line.onBreak(() => puller.end("gone"))
    every(ackWaitMs / 3, () => {
      // Another node may have what we cannot store for so long; we go on trying, and the database knows duplicates.
      if (held && clock.now() - heldAt > HELD_WAITS * ackWaitMs) return
      for (const message of [...settling.messages(), ...puller.waiting()]) message.working()
    })
    let looking = false
    every(CHECK_MS, () => {
      if (looking) return
      looking = true
      look(connection)
        .catch(() => puller.end("gone"))
        .finally(() => {
          looking = false
        })
    })
    try {
      for (;;) {
        const taken = await puller.take(BATCH, settling.dueInMs())
        if (taken === null) return
        settling.take(taken)
        if (!signal.aborted) await settle(settling, puller, signal)
      }
    } finally {
      puller.end("gone")
      settling.letGo()
      limited = () => 0
      signal.removeEventListener("abort", stop)
      for (const timer of timers) timer.cancel()
    }
  }

  /** From a connection's first success to its end. The client reconnects by itself; this ends when it gives up. */
  const serve = async (line: Line, signal: AbortSignal): Promise<void> => {
    let failures = 0
    while (!signal.aborted && !line.connection.isClosed()) {
      await line.whole(signal)
      if (signal.aborted || line.connection.isClosed()) return
      const now = await look(line.connection).catch((error: unknown) => describeError(error))
      if (typeof now !== "string") {
        failures = 0
        turn("up", null)
        await consume(line, now, signal)
      } else {
        failures += 1
        if (failures === FAILURES) sayTroubles([`the stream cannot be used: ${now}`])
        if (failures >= FAILURES) turn("down", now)
      }
      await pause(clock, RETRY_MS, signal)
    }
  }

  const child = service({
    id: "jetstream",
    kind: "source",
    backoff: {},
    start(ctx) {
      let first = true
      const keep = async (): Promise<void> => {
        while (!ctx.signal.aborted) {
          const opened = await openLine({
            url: options.url,
            clock,
            broken: (why) => ctx.signal.aborted || turn("down", why),
          }).catch((error: unknown) => describeError(error))
          // Said once: an outage of a day is one line.
          if (typeof opened === "string") {
            if (first) telemetry.emit({ kind: "jetstream_down", error: opened })
          } else await serve(opened, ctx.signal).finally(() => opened.close())
          first = false
          await pause(clock, LONGEST_RETRY_MS / 2, ctx.signal)
        }
      }
      const kept = keep().catch((error: unknown) => {
        turn("down", describeError(error))
        ctx.fail(error)
      })
      return {
        async stop() {
          await withDeadline(clock, STOP_MS, () => kept)
          // Not an outage: nothing is to be told.
          state = "down"
          held = false
        },
      }
    },
  })

  return {
    child,
    status: () => ({
      state,
      held,
      troubles: said.size,
      pending: seen === null || state === "down" ? null : seen.pending + seen.unacked,
      limited: limited(),
    }),
  }
}

/** What `/health/detailed` says: codes and counts alone, for it is open. HTTP goes on whatever this says. */
export function jetStreamHealth({ state, held, troubles, pending }: JetStreamStatus): PartHealth {
  const well = state === "up" && !held && troubles === 0
  return { status: well ? "up" : "degraded", detail: { connected: state === "up", held, troubles, pending } }
}
