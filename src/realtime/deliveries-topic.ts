/**
 * `deliveries`: which deliveries have changed, on any node; for admins, each those of their own businesses. Only ids:
 * whoever shows one asks for it. At most four pushes a second, and nothing is done while nobody watches.
 */
import type { BusinessId } from "../domain/ids.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { ActorContext, TaskOutcome } from "../runtime/actor.ts"
import type { Timer } from "../runtime/clock.ts"
import type { Sight } from "../telemetry/actor-sight.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { type AdminTopic, type AdminTopicOptions, type AdminWatch, adminTopic, type Enter } from "./admin-topic.ts"
import { audience, fanOut, type NativeTopics, spelling, subscriptionName, type TopicView } from "./fanout.ts"

export const DELIVERIES = "deliveries"

/** Whose each delivery is; what is not there any more is left out. */
export type BusinessesOf = (deliveries: readonly string[]) => Promise<ReadonlyMap<string, BusinessId>>

type Found = ReadonlyMap<string, BusinessId>
type Message = { readonly kind: "due" } | { readonly kind: "found"; readonly outcome: TaskOutcome<Found> }

interface DeliveriesDeps {
  readonly native: NativeTopics
  readonly pubsub: PubSub
  readonly telemetry: Emitter
  readonly businessesOf: BusinessesOf
}

export type DeliveriesTopicDeps = DeliveriesDeps & Pick<AdminTopicOptions<Message>, "joinTimeoutMs" | "orphan">

const PUSH_MS = 250
/** In one push: a frame of some 20 kB. */
const MOST_SHOWN = 500
/** Different tenancies that watch at once. */
const MOST_SIGHTS = 100

export const deliveriesTopic = (deps: DeliveriesTopicDeps): AdminTopic =>
  adminTopic<Message>({
    ...deps,
    name: DELIVERIES,
    id: "deliveries-topic",
    watch: (ctx, views) => new DeliveriesWatch(deps, ctx, views),
  })

interface Shown {
  readonly sight: Sight
  readonly view: TopicView
}

class DeliveriesWatch implements AdminWatch<Message> {
  readonly #deps: DeliveriesDeps
  readonly #ctx: ActorContext<Message | Enter>
  readonly #views: Set<string>
  readonly #shown = new Map<string, Shown>()
  readonly #waiting = new Set<string>()
  #unsubscribe: (() => void) | null = null
  #timer: Timer | null = null
  #looking = false
  #pushedAt = Number.NEGATIVE_INFINITY

  constructor(deps: DeliveriesDeps, ctx: ActorContext<Message | Enter>, views: Set<string>) {
    this.#deps = deps
    this.#ctx = ctx
    this.#views = views
  }

  handle(message: Message | Enter): void {
    if (message.kind === "enter") message.reply(this.#enter(message))
    else if (message.kind === "due") this.#look()
    else this.#push(message.outcome)
  }

  rest(): void {
    this.#unsubscribe?.()
    this.#unsubscribe = null
    this.#timer?.cancel()
    this.#timer = null
    this.#waiting.clear()
    this.#shown.clear()
  }

  #enter({ sight, admit }: Enter): boolean {
    const known = this.#shown.get(sight.key)
    if (known === undefined && this.#shown.size >= MOST_SIGHTS) return false
    const id = `deliveries ${sight.key}`
    const view = known?.view ?? {
      id,
      family: DELIVERIES,
      streams: [],
      businesses: null,
      spellings: [spelling(id, "whole", DELIVERIES)],
      actor: DELIVERIES,
    }
    if (known === undefined) this.#shown.set(sight.key, { sight, view })
    this.#views.add(view.id)
    admit({
      response: {},
      recovered: null,
      view: view.id,
      subscription: (version) => subscriptionName(view, "whole", version),
    })
    this.#unsubscribe ??= this.#deps.pubsub.subscribe((news) => {
      for (const item of news) if (item.kind === "deliveries_changed") this.#take(item.ids)
    })
    return true
  }

  #take(ids: readonly string[]): void {
    for (const id of ids) if (this.#waiting.size < MOST_SHOWN) this.#waiting.add(id)
    this.#schedule()
  }

  #schedule(): void {
    if (this.#looking || this.#waiting.size === 0) return
    this.#timer ??= this.#ctx.sendAfter(this.#pushedAt + PUSH_MS - this.#ctx.clock.now(), { kind: "due" })
  }

  #look(): void {
    this.#timer = null
    for (const [key, { view }] of this.#shown) {
      if (audience(this.#deps.native, view) > 0) continue
      this.#shown.delete(key)
      this.#views.delete(view.id)
    }
    if (this.#shown.size === 0) {
      this.rest()
      return
    }
    const ids = [...this.#waiting]
    this.#waiting.clear()
    this.#looking = true
    this.#ctx.task(
      () => this.#deps.businessesOf(ids),
      (outcome) => ({ kind: "found", outcome }),
    )
  }

  #push(outcome: TaskOutcome<Found>): void {
    this.#looking = false
    this.#pushedAt = this.#ctx.clock.now()
    // Away database: whoever shows a delivery cannot ask for it now either, and asks again by itself.
    const found = outcome.kind === "done" ? [...outcome.value] : []
    const { native, telemetry } = this.#deps
    for (const { sight, view } of this.#shown.values()) {
      const ids = found.filter(([, business]) => sight.has(business)).map(([id]) => id)
      if (ids.length === 0) continue
      const count = fanOut(native, view, [{ event: DELIVERIES, payload: JSON.stringify({ ids }) }])
      telemetry.emit({ kind: "frames_pushed", family: DELIVERIES, count })
    }
    this.#schedule()
  }
}
