/**
 * What of the stream is in this node's hands, from bytes to settled: what can be stored is committed, what never can is
 * kept with the rejected, and only then is each message let go of, on its own. What is over a limit waits in its lane,
 * and nobody else behind it.
 */
import type { Clock } from "../runtime/clock.ts"
import type { Emitter } from "../telemetry/bus.ts"
import type { Accept } from "./accept.ts"
import { type InHand, refusalOf, takeInHand } from "./jetstream-in-hand.ts"
import { type HandedBack, type LaneBounds, Lanes } from "./jetstream-lanes.ts"
import type { StreamMessage } from "./jetstream-message.ts"
import type { RateLimits } from "./rate-limit.ts"
import type { Rejections } from "./rejections.ts"

export interface SettleRooms {
  readonly accept: Accept
  /** Null: nothing is limited. */
  readonly limits: RateLimits | null
  readonly rejections: Pick<Rejections, "keep">
  readonly clock: Clock
  readonly telemetry: Emitter
  readonly laneBounds?: LaneBounds
}

/** `overloaded` and `late` are `accept`'s: what was not stored is still in hand, and may be tried again. */
export type RoundResult = "settled" | "overloaded" | "late"

export interface Settling {
  /** Reads messages; they are in hand until a round lets go of them. */
  take(messages: readonly StreamMessage[]): void
  /** Stores and settles what its limits let pass. Rejects as the database does; nothing is let go of without a commit. */
  round(): Promise<RoundResult>
  /** Everything in hand. */
  messages(): Iterable<StreamMessage>
  /** Of these, how many wait for a limit. */
  limited(): number
  /** Until a round is worth it again, in ms; null: nothing waits for a limit. */
  dueInMs(): number | null
  /** Whoever is there in two seconds may have all of it. */
  letGo(): void
}

/** Items for one call of `accept`: lists of 1,000 in 100 messages would never fit its queue at once. */
const MOST_ITEMS = 1_000

export function createSettling(rooms: SettleRooms): Settling {
  const { accept, limits, rejections, clock, telemetry } = rooms
  const lanes = new Lanes(limits, clock, rooms.laneBounds)
  const inHand = new Set<InHand>()

  /** Null: all that could be was stored. */
  const store = async (): Promise<"overloaded" | "late" | null> => {
    await lanes.pass()
    while (lanes.ready.length > 0) {
      const some = lanes.ready.slice(0, MOST_ITEMS)
      const stored = await accept(
        some.map(({ incoming }) => incoming),
        "nats",
      )
      if (typeof stored === "string") return stored
      some.forEach(({ hand, index }, n) => {
        const result = stored[n]
        if (result === undefined) throw new Error("accept gave fewer results than items")
        hand.results[index] = result
        hand.left -= 1
      })
      lanes.ready.splice(0, some.length)
    }
    return null
  }

  const handBack = (some: readonly HandedBack[]): void => {
    for (const { hand, delayMs } of some) {
      inHand.delete(hand)
      hand.message.nak(delayMs)
    }
    if (some.length > 0) telemetry.emit({ kind: "jetstream_handed_back", count: some.length })
  }

  return {
    take(messages) {
      const back: HandedBack[] = []
      for (const message of messages) {
        const hand = takeInHand(message, clock.wall().getTime(), telemetry)
        inHand.add(hand)
        const turned = lanes.add(hand)
        if (turned !== null) back.push(turned)
      }
      handBack(back)
    },
    async round() {
      const began = clock.now()
      const failed = await store()
      if (failed !== null) return failed
      const done = [...inHand].filter(({ left }) => left === 0)
      const refusals = done.map(refusalOf)
      const rejected = refusals.filter((refusal) => refusal !== null)
      if (rejected.length > 0) await rejections.keep(rejected)

      // From here on everything is durable: a message that is let go of and brought again all the same changes nothing.
      done.forEach((hand, index) => {
        inHand.delete(hand)
        if (refusals[index] === null) hand.message.ack()
        else hand.message.term()
      })
      handBack(lanes.shed())
      for (const [code, group] of Map.groupBy(rejected, ({ code }) => code))
        telemetry.emit({ kind: "event_rejected", via: "nats", code, count: group.length })
      if (done.length > 0)
        telemetry.emit({
          kind: "jetstream_settled",
          acked: done.length - rejected.length,
          terminated: rejected.length,
          redelivered: done.filter(({ message }) => message.redelivered).length,
          ms: clock.now() - began,
        })
      return "settled"
    },
    *messages() {
      for (const { message } of inHand) yield message
    },
    limited: () => lanes.waiting.messages,
    dueInMs: () => lanes.dueInMs,
    letGo() {
      for (const { message } of inHand) message.nak()
      inHand.clear()
    },
  }
}
