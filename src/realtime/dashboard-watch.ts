/**
 * When the dashboard looks at the tree, and what it then pushes: at once where something has started or ended, at most
 * four times a second; once a second where only figures moved; nothing where nothing moved. Encoded once for all who
 * may see the same. While nobody watches there is no timer and no look.
 */
import type { ActorContext } from "../runtime/actor.ts"
import type { Timer } from "../runtime/clock.ts"
import type { Sight } from "../telemetry/actor-sight.ts"
import { type ActorTree, actorTree, type SeenTree } from "../telemetry/actor-tree.ts"
import type { Emitter } from "../telemetry/bus.ts"
import type { AdminWatch, Enter } from "./admin-topic.ts"
import { audience, fanOut, type NativeTopics, spelling, subscriptionName, type TopicView } from "./fanout.ts"

/** What is watched. */
export interface Watched {
  /** This node's name. */
  readonly node: string
  /** The tree as it is now; null: there is none yet. */
  look(): SeenTree | null
  /** Calls the listener when something in the tree has started, ended or is waited for. Returns the way to stop that. */
  onChange(listener: () => void): () => void
}

export interface WatchDeps {
  readonly watched: Watched
  readonly native: NativeTopics
  readonly telemetry: Emitter
}

export type DashboardMessage = Enter | { readonly kind: "changed" } | { readonly kind: "due" }

/** The topic, its family, its actor and that one's kind. */
export const DASHBOARD = "dashboard"
/** At most four pushes a second, and once a second where only figures moved. */
const CHANGE_MS = 250
const FIGURES_MS = 1_000
/** Looking takes a twentieth of the time at most, as far as a change is still seen within a second. */
const COST_FACTOR = 20
const LATEST_MS = 900
/** Different tenancies that watch at once. */
const MOST_SIGHTS = 100

/** What one tenancy is shown. */
interface Shown {
  readonly sight: Sight
  readonly view: TopicView
  /** The last look, good for joins that come at once. */
  tree: ActorTree
  /** What of the last push is compared with the next; null: whatever comes is pushed. */
  pushed: string | null
}

export class Watch implements AdminWatch<DashboardMessage> {
  readonly #deps: WatchDeps
  readonly #ctx: ActorContext<DashboardMessage>
  readonly #views: Set<string>
  readonly #shown = new Map<string, Shown>()
  #lookedAt = Number.NEGATIVE_INFINITY
  #tookMs = 0
  #next: { readonly at: number; readonly timer: Timer } | null = null
  #unsubscribe: (() => void) | null = null
  /** A change was told and not looked at: more of them say nothing new. */
  #told = false

  constructor(deps: WatchDeps, ctx: ActorContext<DashboardMessage>, views: Set<string>) {
    this.#deps = deps
    this.#ctx = ctx
    this.#views = views
  }

  handle(message: DashboardMessage): void {
    switch (message.kind) {
      case "enter":
        message.reply(this.#enter(message.sight, message.admit))
        return
      case "changed":
        this.#lookNoLaterThan(this.#lookedAt + Math.min(LATEST_MS, this.#every(CHANGE_MS)))
        return
      case "due":
        this.#next = null
        this.#told = false
        this.#pushWhatMoved()
        return
    }
  }

  /** Back to doing nothing. */
  rest(): void {
    this.#unsubscribe?.()
    this.#unsubscribe = null
    this.#next?.timer.cancel()
    this.#next = null
    this.#shown.clear()
  }

  #enter(sight: Sight, admit: Enter["admit"]): boolean {
    const shown = this.#shown.get(sight.key) ?? this.#open(sight)
    if (shown === null) return false
    if (this.#ctx.clock.now() - this.#lookedAt >= CHANGE_MS) {
      const seen = this.#look()
      if (seen === null) return false
      shown.tree = this.#made(seen, sight)
      // Who watches already has not seen this: it goes out with the next look, whatever that shows.
      if (shown.pushed !== moved(shown.tree)) shown.pushed = null
    }
    const { tree, view } = shown
    // A socket that went meanwhile is found at the next look, as one that left is.
    admit({
      response: { actors: tree },
      recovered: null,
      view: view.id,
      subscription: (version) => subscriptionName(view, "whole", version),
    })
    this.#views.add(view.id)
    this.#unsubscribe ??= this.#deps.watched.onChange(() => {
      if (this.#told) return
      this.#told = this.#ctx.self.send({ kind: "changed" }) === "ok"
    })
    this.#lookNoLaterThan(this.#ctx.clock.now() + this.#every(FIGURES_MS))
    return true
  }

  #open(sight: Sight): Shown | null {
    if (this.#shown.size >= MOST_SIGHTS) return null
    const seen = this.#look()
    if (seen === null) return null
    const id = `dashboard ${sight.key}`
    const view: TopicView = {
      id,
      family: DASHBOARD,
      streams: [],
      businesses: null,
      spellings: [spelling(id, "whole", DASHBOARD)],
      actor: DASHBOARD,
    }
    const tree = this.#made(seen, sight)
    const shown = { sight, view, tree, pushed: moved(tree) }
    this.#shown.set(sight.key, shown)
    return shown
  }

  #pushWhatMoved(): void {
    const { native, telemetry } = this.#deps
    for (const [key, { view }] of this.#shown) {
      if (audience(native, view) > 0) continue
      this.#shown.delete(key)
      this.#views.delete(view.id)
    }
    if (this.#shown.size === 0) {
      this.rest()
      return
    }
    const began = this.#ctx.clock.now()
    const seen = this.#look()
    if (seen !== null) {
      for (const shown of this.#shown.values()) {
        shown.tree = this.#made(seen, shown.sight)
        const now = moved(shown.tree)
        if (now === shown.pushed) continue
        shown.pushed = now
        const count = fanOut(native, shown.view, [{ event: "actors", payload: JSON.stringify(shown.tree) }])
        telemetry.emit({ kind: "frames_pushed", family: DASHBOARD, count })
      }
    }
    this.#tookMs = this.#ctx.clock.now() - began
    this.#lookNoLaterThan(began + this.#every(FIGURES_MS))
  }

  #look(): SeenTree | null {
    this.#lookedAt = this.#ctx.clock.now()
    return this.#deps.watched.look()
  }

  #made(seen: SeenTree, sight: Sight): ActorTree {
    return actorTree(seen, { node: this.#deps.watched.node, at: this.#ctx.clock.wall(), sight })
  }

  #every(ms: number): number {
    return Math.max(ms, this.#tookMs * COST_FACTOR)
  }

  #lookNoLaterThan(at: number): void {
    if (this.#next !== null && this.#next.at <= at) return
    this.#next?.timer.cancel()
    const timer = this.#ctx.sendAfter(Math.max(0, at - this.#ctx.clock.now()), { kind: "due" })
    this.#next = { at, timer }
  }
}

const OWN_FIGURES = new Set(["mailbox", "handled", "handler_age_ms"])

/** What is compared: all but the time, and the figures of this actor itself, which looking moves. */
const moved = (tree: ActorTree): string =>
  JSON.stringify(tree, function (this: { readonly kind?: unknown }, key, value: unknown) {
    return key === "at" && this === tree
      ? undefined
      : this.kind === DASHBOARD && OWN_FIGURES.has(key)
        ? undefined
        : value
  })
