/** What has passed over the line, newest last and bounded: a page that stays open for a week must not grow. */
import { decode, hidden, type Message, sizeOf } from "./wire.ts"

/** Enough to read back a minute; each is a line of the page. */
export const MOST_KEPT = 500

/** `line`: not a frame but what became of the line itself. */
export type Way = "in" | "out" | "line"

export interface Passed {
  readonly id: number
  readonly at: Date
  readonly way: Way
  readonly bytes: number
  /** As it was on the wire, secrets hidden; of the line, a sentence. */
  readonly raw: string
  /** Null for the line. */
  readonly message: Message | null
}

/** What is looked at. `topic` null: all. */
export interface Filter {
  readonly topic: string | null
  /** Words that must stand somewhere in the frame, whatever their case. */
  readonly words: string
  readonly heartbeats: boolean
}

export class FrameLog {
  #kept: Passed[] = []
  #total = 0

  /** How many have passed, those that are no longer kept too. */
  get total(): number {
    return this.#total
  }

  get kept(): readonly Passed[] {
    return this.#kept
  }

  frame(way: "in" | "out", raw: string, message: Message, secrets: readonly string[]): Passed {
    const shown = hidden(raw, secrets)
    return this.#keep({ way, bytes: sizeOf(raw), raw: shown, message: shown === raw ? message : decode(shown) })
  }

  line(said: string): Passed {
    return this.#keep({ way: "line", bytes: 0, raw: said, message: null })
  }

  clear(): void {
    this.#kept = []
    this.#total = 0
  }

  #keep(entry: Omit<Passed, "id" | "at">): Passed {
    this.#total += 1
    const passed = { ...entry, id: this.#total, at: new Date() }
    this.#kept.push(passed)
    if (this.#kept.length > MOST_KEPT) this.#kept.shift()
    return passed
  }
}

const isHeartbeat = ({ message }: Passed): boolean => message?.topic === "phoenix"

/** What became of the line is part of every view. */
export function fits(passed: Passed, { topic, words, heartbeats }: Filter): boolean {
  const { message } = passed
  if (message === null) return words === "" || passed.raw.toLowerCase().includes(words.toLowerCase())
  if (isHeartbeat(passed) && !heartbeats) return false
  if (topic !== null && message.topic !== topic && !isHeartbeat(passed)) return false
  return words === "" || passed.raw.toLowerCase().includes(words.toLowerCase())
}
