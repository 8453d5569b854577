/** Which channels cannot do their work now, and why: for `/health/detailed`, from what they tell. */
import { SENDING_CHANNELS } from "../domain/channel.ts"
import { type Clock, systemClock } from "../runtime/clock.ts"
import type { Telemetry } from "./bus.ts"

/** So many crashes in so long are no accident. */
const CRASHES = 3
const CRASH_MEMORY_MS = 30_000

interface Crashing {
  readonly times: readonly number[]
  /** Until when it counts as crashing: well for as long as crashes are remembered, its pause before a restart not counted. */
  readonly until: number
}

/** Each answers for the moment at which it is asked. */
export interface BrokenAccounts {
  /** How many channels are broken. */
  readonly size: number
  /** What opened the breaker of the channel's account, or `crashing`; undefined where all is well. */
  get(channel: string): string | undefined
}

export function brokenAccounts(
  telemetry: Pick<Telemetry, "subscribe">,
  clock: Pick<Clock, "now"> = systemClock,
): BrokenAccounts {
  const open = new Map<string, string>()
  const crashing = new Map<string, Crashing>()

  const crashed = (channel: string, pauseMs: number): void => {
    const now = clock.now()
    const before = crashing.get(channel)
    const times = [...(before?.times ?? []).filter((at) => now - at < CRASH_MEMORY_MS), now].slice(-CRASHES)
    const wasCrashing = before !== undefined && now < before.until
    const until = times.length >= CRASHES || wasCrashing ? now + pauseMs + CRASH_MEMORY_MS : now
    crashing.set(channel, { times, until })
  }

  telemetry.subscribe((event) => {
    switch (event.kind) {
      case "breaker_opened":
        open.set(event.channel, event.reason)
        return
      case "breaker_closed":
        open.delete(event.channel)
        return
      case "actor_started": {
        // Its breaker is a new one, and closed: if nothing was mended it opens again.
        const channel = CHANNEL_OF.get(event.actor)
        if (channel !== undefined) open.delete(channel)
        return
      }
      case "actor_restarted": {
        const channel = CHANNEL_OF.get(event.actor)
        if (channel !== undefined) crashed(channel, event.delayMs)
        return
      }
    }
  })

  const get = (channel: string): string | undefined =>
    clock.now() < (crashing.get(channel)?.until ?? Number.NEGATIVE_INFINITY) ? "crashing" : open.get(channel)
  return {
    get size() {
      return SENDING_CHANNELS.filter((channel) => get(channel) !== undefined).length
    },
    get,
  }
}

/** The actors of a channel, by their ids in the tree. */
const CHANNEL_OF: ReadonlyMap<string, string> = new Map(
  SENDING_CHANNELS.flatMap((channel) => [
    [`dispatcher:${channel}`, channel] as const,
    [`channel:${channel}`, channel] as const,
  ]),
)
