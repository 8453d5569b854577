/**
 * The actor `silence`: notices that a source which promised to speak does not, and that it speaks again. It sleeps until
 * the next moment at which one could fall silent; while one is silent, news of accepted events wakes it.
 */
import type { SourcePromise } from "../domain/source-promise.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import { type ActorContext, actor, type Behaviour } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import type { Timer } from "../runtime/clock.ts"
import { type Database, databaseProblem } from "../store/database.ts"
import { databaseNow, type SilentSource } from "../store/silent-sources.ts"
import type { Accept } from "./accept.ts"
import { type Known, look, NotAccepted } from "./silence-look.ts"

export interface SilenceOptions {
  readonly db: Database
  readonly accept: Accept
  readonly pubsub: PubSub
  /** Of the rules that run now. */
  readonly promises: () => readonly SourcePromise[]
  /** Calls the listener when other rules run. Returns the way to stop that. */
  readonly onRules: (listener: () => void) => () => void
  /**
   * Milliseconds since the Unix epoch. Default: the database's clock, which says when events were accepted; a node that is
   * ahead of it would call silent who has just spoken.
   */
  readonly now?: () => Promise<number>
  /** After a start, and after the database was away, nobody is called silent for so long. Default 30,000. */
  readonly graceMs?: number
}

export interface Silence {
  readonly spec: ChildSpec
  /** What the last look has seen. */
  silent(): readonly SilentSource[]
}

type Message = "look" | "spoke" | "rules"

/** Producers whose hub was away need a moment to say what they had to say. */
const GRACE_MS = 30_000
const RETRY_MS = 5_000
/** While a source is silent, each commit could be its first word: of many, one look, and a twentieth of the time for looks. */
const SPOKE_MS = 1_000
const COST_FACTOR = 20
/** News may be lost; and whatever the database's clock does, this is how wrong the time of the next look can be. */
const SILENT_LOOK_MS = 30_000
const LONGEST_SLEEP_MS = 3_600_000

export function silence(options: SilenceOptions): Silence {
  const seen: { silent: readonly SilentSource[] } = { silent: [] }
  const spec = actor<Message>({
    id: "silence",
    start: (ctx) => new Watcher(ctx, options, seen),
    // One look sees what three wake-ups were about.
    mailbox: { bound: 4, overflow: "drop_newest" },
    handlerTimeoutMs: 60_000,
    backoff: { firstStart: "retry" },
  })
  return { spec, silent: () => seen.silent }
}

class Watcher implements Behaviour<Message> {
  readonly #ctx: ActorContext<Message>
  readonly #options: SilenceOptions
  readonly #seen: { silent: readonly SilentSource[] }
  readonly #unsubscribe: readonly (() => void)[]
  #next: { readonly at: number; readonly timer: Timer } | null = null
  #known: Known = new Map()
  #told = false
  #lookedAt = Number.NEGATIVE_INFINITY
  #tookMs = 0
  /** On the monotonic clock. */
  #graceUntil: number

  constructor(ctx: ActorContext<Message>, options: SilenceOptions, seen: { silent: readonly SilentSource[] }) {
    this.#ctx = ctx
    this.#options = options
    this.#seen = seen
    this.#graceUntil = ctx.clock.now() + this.#graceMs
    this.#unsubscribe = [
      options.pubsub.subscribe((news) => {
        if (this.#told || this.#seen.silent.length === 0) return
        if (!news.some(({ kind }) => kind === "events_accepted")) return
        this.#told = ctx.self.send("spoke") === "ok"
      }),
      options.onRules(() => void ctx.self.send("rules")),
    ]
    this.#lookWithin(0)
  }

  async handle(message: Message): Promise<void> {
    switch (message) {
      case "spoke":
        this.#lookWithin(this.#lookedAt + Math.max(SPOKE_MS, this.#tookMs * COST_FACTOR) - this.#ctx.clock.now())
        return
      case "look":
      case "rules":
        this.#next?.timer.cancel()
        this.#next = null
        this.#told = false
        await this.#look()
    }
  }

  terminate(): void {
    for (const stop of this.#unsubscribe) stop()
  }

  async #look(): Promise<void> {
    const { clock } = this.#ctx
    const { db, accept, promises } = this.#options
    this.#lookedAt = clock.now()
    try {
      const now = await (this.#options.now?.() ?? databaseNow(db))
      const knownAt = clock.now()
      const notBefore = now + Math.max(0, this.#graceUntil - knownAt)
      const { known, silent, next } = await look({
        db,
        accept,
        promises: promises(),
        known: this.#known,
        now,
        notBefore,
      })
      this.#known = known
      this.#seen.silent = silent
      this.#tookMs = clock.now() - this.#lookedAt
      if (silent.length > 0) this.#lookWithin(SILENT_LOOK_MS)
      if (next !== null) this.#lookWithin(next - now - (clock.now() - knownAt))
    } catch (error) {
      // The door is full, or the database is away: weather. Whoever is silent then may only not have been heard.
      if (!(error instanceof NotAccepted) && databaseProblem(error) !== "away") throw error
      this.#graceUntil = clock.now() + RETRY_MS + this.#graceMs
      this.#lookWithin(RETRY_MS)
    }
  }

  get #graceMs(): number {
    return this.#options.graceMs ?? GRACE_MS
  }

  #lookWithin(ms: number): void {
    const wait = Math.min(LONGEST_SLEEP_MS, Math.max(0, ms))
    const at = this.#ctx.clock.now() + wait
    if (this.#next !== null && this.#next.at <= at) return
    this.#next?.timer.cancel()
    this.#next = { at, timer: this.#ctx.sendAfter(wait, "look") }
  }
}
