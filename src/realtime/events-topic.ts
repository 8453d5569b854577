/**
 * `events`: which events are accepted, on any node, as they are; for admins, each those of their own places. At most
 * four pushes a second, encoded once for all who may see the same; what does not fit is counted in `more`.
 */
import type { BusinessId, LocationId } from "../domain/ids.ts"
import type { EventGlimpse, PubSub } from "../pubsub/pubsub.ts"
import type { ActorContext } from "../runtime/actor.ts"
import type { Timer } from "../runtime/clock.ts"
import type { Sight } from "../telemetry/actor-sight.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { type AdminTopic, type AdminTopicOptions, type AdminWatch, adminTopic, type Enter } from "./admin-topic.ts"
import { audience, fanOut, type NativeTopics, spelling, subscriptionName, type TopicView } from "./fanout.ts"

export const EVENTS = "events"

type Message = { readonly kind: "due" }

interface EventsDeps {
  readonly native: NativeTopics
  readonly pubsub: PubSub
  readonly telemetry: Emitter
}

export type EventsTopicDeps = EventsDeps & Pick<AdminTopicOptions<Message>, "joinTimeoutMs" | "orphan">

const PUSH_MS = 250
/** In one push: with the longest of everything, 100 of them are a frame of 60 kB. */
const MOST_SHOWN = 100
/** Different tenancies that watch at once. */
const MOST_SIGHTS = 100

export const eventsTopic = (deps: EventsTopicDeps): AdminTopic =>
  adminTopic<Message>({ ...deps, name: EVENTS, watch: (ctx, views) => new EventsWatch(deps, ctx, views) })

/** What one tenancy has not been shown yet. */
interface Shown {
  readonly sight: Sight
  readonly view: TopicView
  waiting: EventGlimpse[]
  /** All that came, those waiting included. */
  count: number
}

class EventsWatch implements AdminWatch<Message> {
  readonly #deps: EventsDeps
  readonly #ctx: ActorContext<Message | Enter>
  readonly #views: Set<string>
  readonly #shown = new Map<string, Shown>()
  #unsubscribe: (() => void) | null = null
  #timer: Timer | null = null
  #pushedAt = Number.NEGATIVE_INFINITY

  constructor(deps: EventsDeps, ctx: ActorContext<Message | Enter>, views: Set<string>) {
    this.#deps = deps
    this.#ctx = ctx
    this.#views = views
  }

  handle(message: Message | Enter): void {
    if (message.kind === "enter") message.reply(this.#enter(message))
    else this.#push()
  }

  rest(): void {
    this.#unsubscribe?.()
    this.#unsubscribe = null
    this.#timer?.cancel()
    this.#timer = null
    this.#shown.clear()
  }

  #enter({ sight, admit }: Enter): boolean {
    if (!this.#shown.has(sight.key) && this.#shown.size >= MOST_SIGHTS) return false
    const id = `events ${sight.key}`
    const view = this.#shown.get(sight.key)?.view ?? {
      id,
      family: EVENTS,
      streams: [],
      businesses: null,
      spellings: [spelling(id, "whole", EVENTS)],
      actor: EVENTS,
    }
    if (!this.#shown.has(sight.key)) this.#shown.set(sight.key, { sight, view, waiting: [], count: 0 })
    this.#views.add(view.id)
    admit({
      response: {},
      recovered: null,
      view: view.id,
      subscription: (version) => subscriptionName(view, "whole", version),
    })
    // News is sorted where it comes in: a message for each commit would fill the mailbox of whoever cannot keep up.
    this.#unsubscribe ??= this.#deps.pubsub.subscribe((news) => {
      for (const item of news) if (item.kind === "events_passing") this.#take(item.events, item.counts)
    })
    return true
  }

  #take(events: readonly EventGlimpse[], counts: readonly (readonly [string, string | null, number])[]): void {
    let came = false
    for (const shown of this.#shown.values()) {
      // Only compared with the ids of the grants, whatever they are.
      const may = (business: string, location: string | null): boolean =>
        shown.sight.sees(business as BusinessId, location as LocationId | null)
      for (const [business, location, count] of counts) {
        if (!may(business, location)) continue
        shown.count += count
        came = true
      }
      for (const event of events) {
        if (shown.waiting.length >= MOST_SHOWN) break
        if (may(event.business_id, event.location_id)) shown.waiting.push(event)
      }
    }
    if (!came) return
    this.#timer ??= this.#ctx.sendAfter(this.#pushedAt + PUSH_MS - this.#ctx.clock.now(), { kind: "due" })
  }

  #push(): void {
    this.#timer = null
    this.#pushedAt = this.#ctx.clock.now()
    const { native, telemetry } = this.#deps
    for (const [key, shown] of this.#shown) {
      const { view, waiting } = shown
      if (audience(native, view) === 0) {
        this.#shown.delete(key)
        this.#views.delete(view.id)
        continue
      }
      if (shown.count === 0) continue
      const payload = JSON.stringify({ events: waiting, more: shown.count - waiting.length })
      shown.waiting = []
      shown.count = 0
      const count = fanOut(native, view, [{ event: "events", payload }])
      telemetry.emit({ kind: "frames_pushed", family: EVENTS, count })
    }
    if (this.#shown.size === 0) this.rest()
  }
}
