/** What a topic's actor is told: news, sockets that want in, and the answers to what it asked of the database. */
import type { StreamKey } from "../domain/stream.ts"
import type { TaskOutcome } from "../runtime/actor.ts"
import type { Payload } from "./frame.ts"
import type { Heads } from "./heads.ts"
import type { Recover } from "./recovery.ts"
import type { Tail } from "./returning.ts"
import type { StreamItem } from "./sequencer.ts"

/** A message of a stream; `position` null: it has no place in the history and goes out as it comes. */
export interface StreamNews {
  readonly stream: StreamKey
  readonly position: number | null
  readonly event: string
  readonly payload: string
}

/** What came after a position, in order; `pruned` where a part of it is gone. */
export type ReadHistory = (stream: StreamKey, after: number, limit: number) => Promise<readonly StreamItem[] | "pruned">

/** Of each stream what came after a position, or the newest of it; with the epoch, so that one statement answers who comes back. */
export type ReadTails = (
  asks: readonly { readonly stream: StreamKey; readonly after: number }[],
  most: { readonly messages: number; readonly bytes: number },
) => Promise<ReadonlyMap<StreamKey, Tail>>

export interface Entered {
  readonly kind: "joined" | "unavailable"
}

export interface Entry {
  readonly recover: Recover | null
  /** Bytes of earlier answers that its socket has not taken yet. */
  backlog(): number
  /** Answers the socket and subscribes it, at once. */
  admit(response: Payload, recovered: number | null): void
  readonly reply: (entered: Entered) => void
}

export type TopicMessage =
  | { readonly kind: "news"; readonly items: readonly StreamNews[] }
  | { readonly kind: "enter"; readonly entry: Entry }
  | { readonly kind: "heads_read"; readonly outcome: TaskOutcome<Heads> }
  /** From the check that runs every few seconds: how far the streams go. */
  | { readonly kind: "reaches"; readonly positions: ReadonlyMap<StreamKey, number> }
  | { readonly kind: "refill_due"; readonly stream: StreamKey }
  | {
      readonly kind: "refilled"
      readonly stream: StreamKey
      /** How far the stream was known to go when it was asked: so far the answer reaches, or there is a hole. */
      readonly known: number
      readonly outcome: TaskOutcome<readonly StreamItem[] | "pruned">
    }
  /** The ends of streams, read from `from` on for clients that come back. */
  | {
      readonly kind: "tails_read"
      readonly from: number
      readonly outcome: TaskOutcome<ReadonlyMap<StreamKey, Tail>>
    }
  | { readonly kind: "audience_check" }
