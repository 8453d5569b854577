/**
 * Clients that come back to one stream and have missed more than is remembered here: the end of the stream is read once
 * for all who wait, from the furthest back of them. Who comes while it is read waits for the next reading.
 */
import { HISTORY_MESSAGES } from "../domain/stream.ts"
import type { Recover } from "./recovery.ts"
import type { Sequencer, StreamItem } from "./sequencer.ts"
import type { Entry } from "./topic-message.ts"

/** The end of a stream: everything after `since`, up to `head`. */
export interface Tail {
  readonly epoch: string
  readonly head: number
  readonly since: number
  readonly messages: readonly StreamItem[]
}

export interface Waiting {
  readonly entry: Entry
  readonly recover: Recover
  /** Readings that did not tell, because the stream went on meanwhile. */
  readonly readings: number
}

/** What becomes of one client. `again`: another reading will tell. */
export type Verdict =
  | { readonly kind: "missed"; readonly messages: readonly StreamItem[] }
  | { readonly kind: "pruned" }
  | { readonly kind: "again" }

const MOST_WAITING = 10_000
const MOST_READINGS = 3

export class Returning {
  #waiting: Waiting[] = []
  /** From where it is being read; null: it is not. */
  #reading: number | null = null

  get awaited(): boolean {
    return this.#waiting.length > 0
  }

  /** False: too many wait, or this one has waited for too many readings. */
  add(entry: Entry, recover: Recover, readings = 0): boolean {
    if (this.#waiting.length >= MOST_WAITING || readings >= MOST_READINGS) return false
    this.#waiting.push({ entry, recover, readings })
    return true
  }

  /** From where to read now; null: somebody reads, or nobody waits. */
  begin(): number | null {
    if (this.#reading !== null || this.#waiting.length === 0) return null
    this.#reading = this.#waiting.reduce((least, { recover }) => Math.min(least, recover.offset), Infinity)
    return this.#reading
  }

  /** Those who waited, now that the reading has ended. */
  end(): readonly Waiting[] {
    const all = this.#waiting
    this.#waiting = []
    this.#reading = null
    return all
  }
}

/** What a client at `offset` missed, by what is remembered alone. */
export function remembered(sequencer: Sequencer, offset: number): Verdict {
  const messages = sequencer.since(offset)
  if (messages !== null) return { kind: "missed", messages }
  return sequencer.last - offset > HISTORY_MESSAGES ? { kind: "pruned" } : { kind: "again" }
}

/** The same with what was read from `from` on. What has not gone out here yet comes as news. */
export function found(sequencer: Sequencer, offset: number, tail: Tail, from: number): Verdict {
  const known = remembered(sequencer, offset)
  if (known.kind !== "again" || offset < from) return known
  if (offset < tail.since) return { kind: "pruned" }
  const end = Math.min(tail.head, sequencer.last)
  const since = sequencer.since(end)
  if (since === null) return { kind: "again" }
  const read = tail.messages.filter(({ position }) => position > offset && position <= end)
  return { kind: "missed", messages: [...read, ...since] }
}
