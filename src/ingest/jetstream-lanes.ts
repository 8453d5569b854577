/**
 * All that waits for a limit, a lane for each business. What is in hand is bounded, by lane and in all; only what has just
 * come is ever handed back, so that what waits keeps its place.
 */
import type { BusinessId } from "../domain/ids.ts"
import type { Clock } from "../runtime/clock.ts"
import { type InHand, readyOf } from "./jetstream-in-hand.ts"
import { type Entry, inOrder, Lane } from "./jetstream-lane.ts"
import type { RateLimits } from "./rate-limit.ts"

export interface LaneBounds {
  readonly lanes: number
  /** One message may wait in a lane, whatever its size. */
  readonly lane: Load
  readonly all: Load
}

interface Load {
  readonly messages: number
  readonly bytes: number
}

/** Well below what the consumer allows unacknowledged, and enough that a limit is used while messages come back. */
export const LANE_BOUNDS: LaneBounds = {
  lanes: 256,
  lane: { messages: 500, bytes: 2 * 1024 * 1024 },
  all: { messages: 4_000, bytes: 16 * 1024 * 1024 },
}

/** A message to be let go of, and for how long. */
export interface HandedBack {
  readonly hand: InHand
  readonly delayMs: number
}

/** A message, and lanes that it waits in. */
interface Fresh {
  readonly hand: InHand
  readonly lanes: readonly Lane[]
}

export class Lanes {
  /** What may be stored, in the order of the stream; whoever has stored it takes it out. */
  readonly ready: Entry[] = []
  readonly #lanes = new Map<BusinessId, Lane>()
  readonly #limits: RateLimits | null
  readonly #clock: Clock
  readonly #bounds: LaneBounds
  /** What came since `shed`. */
  #fresh: Fresh[] = []

  /** Null limits: nothing ever waits. */
  constructor(limits: RateLimits | null, clock: Clock, bounds: LaneBounds = LANE_BOUNDS) {
    this.#limits = limits
    this.#clock = clock
    this.#bounds = bounds
  }

  /** What waits for a limit; a message that waits in two lanes is counted in both. */
  get waiting(): Load {
    let [messages, bytes] = [0, 0]
    for (const lane of this.#lanes.values()) {
      messages += lane.messages
      bytes += lane.bytes
    }
    return { messages, bytes }
  }

  /** Until something that waits may pass; null: nothing waits. */
  get dueInMs(): number | null {
    const waits = [...this.#lanes.values()].filter(({ messages }) => messages > 0)
    return waits.length === 0 ? null : Math.min(...waits.map(({ dueInMs }) => dueInMs))
  }

  /** Takes a message's events in. Not null where it has to come behind others: then nothing was taken. */
  add(hand: InHand): HandedBack | null {
    const entries = readyOf(hand).map((ready): Entry => ({ hand, ...ready }))
    if (this.#limits === null) {
      this.ready.push(...entries)
      return null
    }
    const lanes: Lane[] = []
    for (const [business, own] of Map.groupBy(entries, ({ incoming }) => incoming.event.business)) {
      const lane = this.#lanes.get(business) ?? new Lane(this.#clock)
      this.#lanes.set(business, lane)
      lane.push(own)
      lanes.push(lane)
    }
    const closed = hand.message.redelivered ? [] : lanes.filter((lane) => lane.closed)
    if (closed.length === 0) {
      this.#fresh.push({ hand, lanes })
      return null
    }
    for (const lane of lanes) lane.drop(hand)
    return handBack({ hand, lanes: closed })
  }

  /** Asks the limits for what waits. Throws what they throw, and then it still waits. */
  async pass(): Promise<void> {
    const limits = this.#limits
    if (limits === null) return
    const lanes = [...this.#lanes.values()]
    await Promise.all(lanes.map((lane) => lane.ask(limits)))
    const passed = lanes.flatMap((lane) => lane.take()).sort((a, b) => inOrder(a.hand, b.hand))
    for (const entry of passed) this.ready.push(entry)
  }

  /** What of the messages that came since the last time waits and is too much; the oldest first. */
  shed(): readonly HandedBack[] {
    this.#tidy()
    const over: Fresh[] = []
    const all = { ...this.waiting }
    for (const { hand, lanes } of this.#fresh.toReversed()) {
      const its = lanes.filter((lane) => lane.has(hand))
      const tooMuch = exceeds(all, this.#bounds.all) || this.#tooMany() || its.some((lane) => this.#full(lane))
      if (its.length === 0 || !tooMuch) continue
      for (const lane of its) {
        lane.drop(hand)
        all.messages -= 1
        all.bytes -= hand.message.data.byteLength
      }
      over.push({ hand, lanes: its })
      this.#tidy()
    }
    this.#fresh = []
    return over.reverse().map(handBack)
  }

  #tooMany(): boolean {
    return this.#lanes.size > this.#bounds.lanes
  }

  #full(lane: Lane): boolean {
    return lane.messages > 1 && exceeds(lane, this.#bounds.lane)
  }

  /** Empty lanes go; one that waits for what it handed back stays, unless there are too many. */
  #tidy(): void {
    for (const [business, lane] of this.#lanes)
      if (lane.messages === 0 && (!lane.closed || this.#tooMany())) this.#lanes.delete(business)
  }
}

const exceeds = (has: Load, bound: Load): boolean => has.messages > bound.messages || has.bytes > bound.bytes

/** Until the latest of its turns; who is not over a limit is not held up by it. */
const handBack = ({ hand, lanes }: Fresh): HandedBack => ({
  hand,
  delayMs: Math.max(...lanes.map((lane) => lane.turn(Math.max(1, Math.ceil(hand.left / lanes.length))))),
})
