/**
 * From one message to every subscriber without touching any of them: encoded once for each protocol version and
 * spelling that somebody here has joined, then handed to the server's native topics. Native names are built from the
 * stream, never from what a client sent, so two tenants whose topics are spelled alike cannot meet in one.
 */
import type { BusinessId } from "../domain/ids.ts"
import { isJsonObject, type Json } from "../domain/json.ts"
import type { StreamKey } from "../domain/stream.ts"
import { type Serializer, serializerV1, serializerV2 } from "./frame.ts"

/** A wire topic that shows a view. A pair of ids has two: `resources:a-b` and `resources:a:b`. */
export interface Spelling {
  readonly form: Form
  readonly topic: string
  /** Native names, by version of the protocol. */
  readonly names: Readonly<Record<Serializer["version"], string>>
}

export type Form = "whole" | "hyphen" | "colon"

/** A view's wire topic in one form; `id` is the view's. */
export const spelling = (id: string, form: Form, topic: string): Spelling => ({
  form,
  topic,
  names: { "1": `1 ${form} ${id}`, "2": `2 ${form} ${id}` },
})

/** What a joined topic shows: one stream, or (for callers without limits) every stream that one string spells. */
export interface TopicView {
  /** The stream's key, or `spelled …`, or the key and `in` which businesses: no key looks like these. */
  readonly id: string
  readonly family: string
  readonly streams: readonly StreamKey[]
  /** Whose messages it shows, where its stream holds those of several businesses; null: everything. */
  readonly businesses: readonly BusinessId[] | null
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

/** The native topic of a view in one form and version. */
export function subscriptionName({ id, spellings }: TopicView, form: Form, version: Serializer["version"]): string {
  const found = spellings.find((each) => each.form === form)
  if (found === undefined) throw new Error(`${id} is never spelled in the ${form} form`)
  return found.names[version]
}

/** Those of the messages that this view shows; what names no business says nothing of any. */
export function shown<M extends Message>({ businesses }: TopicView, messages: readonly M[]): readonly M[] {
  if (businesses === null) return messages
  return messages.filter(({ payload }) => {
    const body = JSON.parse(payload) as Json // payloads are JSON that we encoded ourselves
    const business = isJsonObject(body) ? body["business_id"] : undefined
    return business === undefined || businesses.some((own) => own === business)
  })
}

/** Sends messages to everyone who shows the view; how many frames that were. All of it happens in this tick. */
export function fanOut(native: NativeTopics, view: TopicView, messages: readonly Message[]): number {
  let frames = 0
  for (const { topic, names } of view.spellings) {
    for (const serializer of serializers) {
      const name = names[serializer.version]
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
  for (const { names } of view.spellings) {
    for (const { version } of serializers) sockets += native.subscribers(names[version])
  }
  return sockets
}
