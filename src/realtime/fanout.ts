/**
 * From one message to every subscriber without touching any of them: encoded once for each protocol version and
 * spelling that somebody here has joined, then handed to the server's native topics. Native names are built from the
 * stream, never from what a client sent, so two tenants whose topics are spelled alike cannot meet in one.
 */
import type { StreamKey } from "../domain/stream.ts"
import { type Serializer, serializerV1, serializerV2 } from "./frame.ts"

/** A wire topic that shows a view. A pair of ids has two: `resources:a-b` and `resources:a:b`. */
export interface Spelling {
  readonly form: "whole" | "hyphen" | "colon"
  readonly topic: string
}

/** What a joined topic shows: one stream, or (for callers without limits) every stream that one string spells. */
export interface TopicView {
  /** The stream's key, or `spelled …`, which no key looks like. */
  readonly id: string
  readonly family: string
  readonly streams: readonly StreamKey[]
  readonly spellings: readonly Spelling[]
  /** How its actor is called on an operator's screen: without anything personal. */
  readonly actor: string
}

export interface Message {
  readonly event: string
  /** Encoded JSON. */
  readonly payload: string
}

/** The native side: Bun's server, where sockets subscribe. */
export interface NativeTopics {
  publish(name: string, frame: string): void
  subscribers(name: string): number
}

const serializers: readonly Serializer[] = [serializerV2, serializerV1]

/** The native topic of a view in one spelling and version. */
export const subscriptionName = (view: TopicView, form: Spelling["form"], version: "1" | "2"): string =>
  `${version} ${form} ${view.id}`

/** Sends messages to everyone who shows the view; how many frames that were. All of it happens in this tick. */
export function fanOut(native: NativeTopics, view: TopicView, messages: readonly Message[]): number {
  let frames = 0
  for (const { form, topic } of view.spellings) {
    for (const serializer of serializers) {
      const name = subscriptionName(view, form, serializer.version)
      const subscribers = native.subscribers(name)
      if (subscribers === 0) continue
      for (const { event, payload } of messages) native.publish(name, serializer.broadcast(topic, event, payload))
      frames += subscribers * messages.length
    }
  }
  return frames
}

/** How many sockets here show the view. */
export function audience(native: NativeTopics, view: TopicView): number {
  let sockets = 0
  for (const { form } of view.spellings) {
    for (const { version } of serializers) sockets += native.subscribers(subscriptionName(view, form, version))
  }
  return sockets
}
