/**
 * What of one business waits for its limits, in the order in which it came: nobody else waits behind it. What is more
 * than it may hold is to come again when it would be its turn, so that a flood goes around in no circle; until then
 * what is newer has to come behind it.
 */
import type { Clock } from "../runtime/clock.ts"
import type { Incoming } from "../store/events.ts"
import type { InHand } from "./jetstream-in-hand.ts"
import type { Admission, RateLimits } from "./rate-limit.ts"

/** One event of a message in hand. `index`: its place in the message. */
export interface Entry {
  readonly hand: InHand
  readonly index: number
  readonly incoming: Incoming
}

interface Waiting {
  readonly entry: Entry
  /** Its limits have let it pass; it may still wait behind one that they have not. */
  admitted: boolean
}

type Stop = Exclude<Admission, { kind: "admitted" }>

/** Looks again at least so often, for tokens that others gave up. */
const LONGEST_WAIT_MS = 250
const SHORTEST_WAIT_MS = 10
/** A lane asks for so many events first, and for twice as many each time all of them pass. */
const FIRST_ASKED = 8
/** A message that was handed back comes again within these. */
const SOONEST_MS = 500
const LATEST_MS = 60_000

export class Lane {
  readonly #clock: Clock
  #waiting: Waiting[] = []
  /** Of each message, how many of its events wait here. */
  readonly #hands = new Map<InHand, number>()
  #bytes = 0
  /** Nothing is asked before. */
  #dueAt = 0
  /** What one event takes of the limit that holds this lane up. */
  #eventMs = 0
  /** When the last message that was handed back comes again. */
  #opensAt = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get messages(): number {
    return this.#hands.size
  }

  get bytes(): number {
    return this.#bytes
  }

  get dueInMs(): number {
    return Math.max(0, this.#dueAt - this.#clock.now())
  }

  /** Whether a message that comes for the first time has to come behind others that were handed back. */
  get closed(): boolean {
    return this.#opensAt > this.#clock.now()
  }

  has(hand: InHand): boolean {
    return this.#hands.has(hand)
  }

  /** All events of a message that are this business's; what comes again goes before what was sent after it. */
  push(entries: readonly Entry[]): void {
    const hand = entries[0]?.hand
    if (hand === undefined) return
    let place = this.#waiting.length
    for (; place > 0; place -= 1) {
      const last = this.#waiting[place - 1]
      if (last === undefined || inOrder(last.entry.hand, hand) <= 0) break
    }
    this.#waiting.splice(place, 0, ...entries.map((entry) => ({ entry, admitted: false })))
    this.#hands.set(hand, entries.length)
    this.#bytes += hand.message.data.byteLength
  }

  /** Asks the limits, as far as they let pass; `take` has what they did. Throws what they throw. */
  async ask(limits: RateLimits): Promise<void> {
    let passed = 0
    for (let count = FIRST_ASKED; passed < this.#waiting.length && this.dueInMs === 0; count *= 2) {
      const asked = this.#waiting.slice(passed, passed + count)
      // Together, so that they share a lease.
      const answers = await Promise.all(asked.map((waiting) => admit(waiting, limits)))
      const stop = answers.find((answer) => answer !== null)
      if (stop !== undefined) this.#stop(stop)
      passed += count
    }
  }

  #stop(why: Stop): void {
    switch (why.kind) {
      case "limited":
        this.#eventMs = 1_000 / why.standing.perSecond
        this.#dueAt = this.#clock.now() + Math.max(SHORTEST_WAIT_MS, Math.min(LONGEST_WAIT_MS, why.retryMs))
        return
      case "overloaded":
        this.#dueAt = this.#clock.now() + LONGEST_WAIT_MS
    }
  }

  /** What may be stored: it waits here no more. */
  take(): readonly Entry[] {
    const stopped = this.#waiting.findIndex(({ admitted }) => !admitted)
    const taken = this.#waiting.splice(0, stopped === -1 ? this.#waiting.length : stopped)
    for (const { entry } of taken) {
      const left = (this.#hands.get(entry.hand) ?? 0) - 1
      if (left > 0) this.#hands.set(entry.hand, left)
      else this.#forget(entry.hand)
    }
    return taken.map(({ entry }) => entry)
  }

  /** Takes a message's events out. */
  drop(hand: InHand): void {
    if (!this.#hands.has(hand)) return
    this.#waiting = this.#waiting.filter(({ entry }) => entry.hand !== hand)
    this.#forget(hand)
  }

  /** How long a message of so many events shall stay away, in ms: until its turn, as far as one can know. */
  turn(events: number): number {
    const now = this.#clock.now()
    // Half of the lane early: turns come back a little out of order, and there they are put in order again.
    const turn = Math.max(this.#opensAt, now + (this.#waiting.length / 2) * this.#eventMs) + events * this.#eventMs
    const wait = Math.min(LATEST_MS, Math.max(SOONEST_MS, turn - now))
    this.#opensAt = now + wait
    return wait
  }

  #forget(hand: InHand): void {
    this.#hands.delete(hand)
    this.#bytes -= hand.message.data.byteLength
  }
}

/** As they stand in the stream: negative where the first was sent before the second. */
export const inOrder = (one: InHand, other: InHand): number =>
  Number(one.message.sequence) - Number(other.message.sequence)

/** Null: it passes. */
async function admit(waiting: Waiting, limits: RateLimits): Promise<Stop | null> {
  if (waiting.admitted) return null
  const answer = await limits.admit({ caller: null, events: [waiting.entry.incoming.event] })
  if (answer.kind !== "admitted") return answer
  waiting.admitted = true
  return null
}
