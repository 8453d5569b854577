/** The line to NATS: whole or broken. The client mends it by itself; whoever uses it wants to know when. */
import { connect, Events, type NatsConnection } from "nats"
import type { Secret } from "../domain/secret.ts"
import type { Clock } from "../runtime/clock.ts"
import { describeError, type ScrubbedText, scrub } from "../telemetry/scrub.ts"

export interface Line {
  readonly connection: NatsConnection
  /** Resolves when the server is there, the connection is closed for good, or `signal` is aborted. */
  whole(signal: AbortSignal): Promise<void>
  /** Called at each break and at the end; the last one set. */
  onBreak(run: () => void): void
  /** Sends what is on its way, within a second each, and ends. */
  close(): Promise<void>
}

export interface LineOptions {
  /** One server or a comma list. */
  readonly url: Secret
  readonly clock: Clock
  readonly broken: (why: ScrubbedText) => void
}

const CONNECT_TIMEOUT_MS = 3_000
/** A server that comes back is used within half a second. */
const RECONNECT_MS = 250
/** One that went silent is noticed after two missed pings. */
const PING_MS = 5_000
const FAREWELL_MS = 1_000

/** Connects, or rejects where there is nobody. */
export async function openLine({ url, clock, broken }: LineOptions): Promise<Line> {
  const connection = await connect({
    servers: url.reveal().split(","),
    name: "hub-events",
    timeout: CONNECT_TIMEOUT_MS,
    pingInterval: PING_MS,
    maxPingOut: 2,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RECONNECT_MS,
    reconnectJitter: RECONNECT_MS,
  })
  let whole = true
  let onBreak = (): void => {}
  let onChange = (): void => {}

  const turn = (to: boolean, why: string): void => {
    if (whole === to) return
    whole = to
    if (!to) {
      broken(scrub(why))
      onBreak()
    }
    onChange()
  }
  const watch = async (): Promise<void> => {
    for await (const { type, data } of connection.status()) {
      if (type === Events.Disconnect) turn(false, `disconnected from ${String(data)}`)
      else if (type === Events.Reconnect) turn(true, "")
    }
  }
  const closed = connection.closed().then((error) => {
    turn(false, error instanceof Error ? describeError(error) : "the connection ended")
    onBreak()
    onChange()
  })
  Promise.all([watch(), closed]).catch((error: unknown) => turn(false, describeError(error)))

  return {
    connection,
    async whole(signal) {
      while (!whole && !connection.isClosed() && !signal.aborted) {
        const { promise, resolve } = Promise.withResolvers<void>()
        const stop = (): void => resolve()
        onChange = stop
        signal.addEventListener("abort", stop)
        await promise
        signal.removeEventListener("abort", stop)
      }
    },
    onBreak(run) {
      onBreak = run
    },
    async close() {
      await withDeadline(clock, FAREWELL_MS, () => connection.drain())
      await withDeadline(clock, FAREWELL_MS, () => connection.close())
    },
  }
}

/** Waits for `run`, but no longer than `ms`; how it ended is nobody's business. */
export async function withDeadline(clock: Clock, ms: number, run: () => Promise<unknown>): Promise<void> {
  const late = Promise.withResolvers<void>()
  const timer = clock.after(ms, late.resolve)
  const ended = async (): Promise<void> => {
    try {
      await run()
    } catch {
      // The line is broken: that is why there is a deadline.
    }
  }
  await Promise.race([ended(), late.promise])
  timer.cancel()
}
