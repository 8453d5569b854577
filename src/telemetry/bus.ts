/**
 * Nothing in the hub logs; it emits. The bus hands each event to its subscribers at once, in the emitter's own turn,
 * so a subscriber must be quick; one that throws is dropped for that event and never reaches the emitter.
 */
import type { TelemetryEvent } from "./events.ts"

export type Subscriber = (event: TelemetryEvent) => void

/** What a room needs in order to say what happened. */
export interface Emitter {
  emit(event: TelemetryEvent): void
}

export interface Telemetry extends Emitter {
  /** Returns the way to unsubscribe. */
  subscribe(subscriber: Subscriber): () => void
  /** How often a subscriber threw: the only trace of it, since reporting it here could throw again. */
  readonly subscriberFailures: number
}

export function createTelemetry(): Telemetry {
  // Replaced, never changed in place: a subscriber may leave while an event is going round.
  let subscribers: readonly Subscriber[] = []
  let failures = 0
  return {
    emit(event) {
      for (const subscriber of subscribers) {
        try {
          subscriber(event)
        } catch {
          failures += 1
        }
      }
    },
    subscribe(subscriber) {
      const own: Subscriber = (event) => subscriber(event)
      subscribers = [...subscribers, own]
      return () => {
        subscribers = subscribers.filter((other) => other !== own)
      }
    },
    get subscriberFailures() {
      return failures
    },
  }
}

/** For code that is called without telemetry, such as a command line tool. */
export const silent: Emitter = { emit() {} }
