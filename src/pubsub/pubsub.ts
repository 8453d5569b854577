/**
 * News between rooms and nodes. News is a hint: the row in PostgreSQL is the truth, so news may be lost, and a
 * listener must find out for itself (by position, or on its poll) what it missed.
 */
import type { SendingChannel } from "../domain/channel.ts"
import type { Severity } from "../domain/event.ts"
import type { EventId } from "../domain/ids.ts"
import type { JsonObject } from "../domain/json.ts"
import type { StreamKey } from "../domain/stream.ts"

/** Which event it is, without what it says; as it goes out. */
export interface EventGlimpse {
  readonly id: EventId
  readonly type: string
  readonly source: string
  readonly severity: Severity
  readonly business_id: string
  readonly location_id: string | null
  readonly accepted_at: string
}

export type News =
  /** Events were committed; the router has work where any of them is `toRoute`. */
  | { readonly kind: "events_accepted"; readonly count: number; readonly toRoute: number }
  /** The same, for whoever watches: some of the events, and how many there were of each place. */
  | {
      readonly kind: "events_passing"
      readonly events: readonly EventGlimpse[]
      readonly counts: readonly (readonly [business: string, location: string | null, count: number])[]
    }
  /** Deliveries became due now on these channels. */
  | { readonly kind: "deliveries_due"; readonly channels: readonly SendingChannel[] }
  /** These deliveries are not what they were: for whoever watches them. Of a flood, some. */
  | { readonly kind: "deliveries_changed"; readonly ids: readonly string[] }
  /** Timers were set, the first of them for this moment (milliseconds since the Unix epoch). */
  | { readonly kind: "timers_set"; readonly at: number }
  /** A message of a stream. `payload` is the encoded JSON object, `_offset` included where it has a position. */
  | {
      readonly kind: "stream_message"
      readonly stream: StreamKey
      readonly event: string
      /** Null: a message without a place in the history (`counts`, `notification_changed`). */
      readonly position: number | null
      readonly payload: string
    }
  /** A person's counts may have changed: whoever shows them asks the store. */
  | { readonly kind: "counts_changed"; readonly recipient: string }
  /** An operator sends this person's sockets away: `realtime/send-away.ts`. */
  | { readonly kind: "sockets_kicked"; readonly recipient: string; readonly businesses: readonly string[] | null }
  /** Between the presences of the nodes (`realtime/presence-wire.ts`). */
  | { readonly kind: "presence"; readonly message: JsonObject }

export interface PubSub {
  /** Hands over all news of one commit at once, so that listeners can work in one tick. Never throws, never waits. */
  publish(news: readonly News[]): void
  /** `listen` gets the news of this node and of the others. Returns the way to stop. */
  subscribe(listen: (news: readonly News[]) => void): () => void
}

/** Questions from one node to another, by its name. Like news they may be lost: then there is no answer. */
export interface Neighbours {
  /** Of this process, and of no other. */
  readonly node: string
  /** Null: it is gone or away, did not answer in time, or the question is too large. */
  ask(node: string, question: Uint8Array, timeoutMs: number): Promise<Uint8Array | null>
  /** How this node answers, with at most `most` bytes. There is one who does. */
  answerWith(answer: (question: Uint8Array, most: number) => Promise<Uint8Array>): void
}

/** News within this process only. A listener that throws is reported and never stops the others. */
export function localPubSub(report: (error: unknown) => void): PubSub {
  const listeners = new Set<(news: readonly News[]) => void>()
  return {
    publish(news) {
      if (news.length === 0) return
      for (const listen of listeners) {
        try {
          listen(news)
        } catch (error) {
          report(error)
        }
      }
    },
    subscribe(listen) {
      listeners.add(listen)
      return () => {
        listeners.delete(listen)
      }
    },
  }
}
