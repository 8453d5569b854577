/**
 * One actor per view that somebody here shows: it puts the view's news in order, closes gaps from the history, and lets
 * sockets in. Joining and publishing are messages of one mailbox, so nothing falls between a join's offset and the
 * first push. If it ends, its sockets hear `phx_error`, rejoin, and find a fresh one; no other topic notices.
 */
import type { StreamKey } from "../domain/stream.ts"
import { type ActorContext, actor, type TaskOutcome } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import { NORMAL } from "../runtime/exit.ts"
import type { ActorRef } from "../runtime/ref.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { audience, fanOut, type Message, type NativeTopics, shown, type TopicView } from "./fanout.ts"
import type { Payload } from "./frame.ts"
import type { Heads, ReadHeads } from "./heads.ts"
import type { RealtimeLimits } from "./limits.ts"
import { notRecovered, recovered, startsHere } from "./recovery.ts"
import { Sequencer, type StreamItem } from "./sequencer.ts"
import type { Entry, ReadHistory, StreamNews, TopicMessage } from "./topic-message.ts"

export interface TopicActorDeps {
  readonly native: NativeTopics
  readonly heads: ReadHeads
  readonly history: ReadHistory
  readonly telemetry: Emitter
  readonly limits: RealtimeLimits
  started(view: TopicView, self: ActorRef<TopicMessage>): void
  /** `orphaned`: sockets may still show the view and must be told. */
  ended(view: TopicView, orphaned: boolean): void
}

/** News overtakes news by milliseconds; only what stays away longer is asked of the database. */
const GAP_PATIENCE_MS = 50
const RETRY_MS = 1_000
const REFILL_PAGE = 300
const QUERY_TIMEOUT_MS = 5_000
const AUDIENCE_CHECK_MS = 30_000
const MOST_EARLY = 1_000
const MOST_WAITING = 10_000

/** A temporary child: when it ends, whoever still needs it starts it anew. */
export const topicActor = (view: TopicView, deps: TopicActorDeps): ChildSpec =>
  actor<TopicMessage>({
    id: view.actor,
    kind: "topic",
    restart: "temporary",
    mailbox: { bound: 20_000, overflow: "reject" },
    start: (ctx) => {
      const topic = new Topic(view, deps, ctx)
      deps.started(view, ctx.self)
      return {
        handle: (message) => topic.handle(message),
        terminate: () => deps.ended(view, !topic.deserted),
      }
    },
  })

class Topic {
  /** It ended because nobody was there. */
  deserted = false
  readonly #view: TopicView
  readonly #deps: TopicActorDeps
  readonly #ctx: ActorContext<TopicMessage>
  /** Null until the heads were read; then a stream that is absent stands at 0. */
  #epoch: string | null = null
  readonly #sequencers = new Map<StreamKey, Sequencer>()
  #early: StreamNews[] = []
  #entering: Entry[] = []
  readonly #refilling = new Set<StreamKey>()
  /** Clients that come back, by the offset that they come back with: they share one query. */
  readonly #returning = new Map<number, Entry[]>()
  /** Clients that have seen more than this node: they wait for it to catch up. */
  #ahead: Entry[] = []

  constructor(view: TopicView, deps: TopicActorDeps, ctx: ActorContext<TopicMessage>) {
    this.#view = view
    this.#deps = deps
    this.#ctx = ctx
    this.#readHeads()
    ctx.sendAfter(AUDIENCE_CHECK_MS, { kind: "audience_check" })
  }

  handle(message: TopicMessage): void {
    switch (message.kind) {
      case "news":
        this.#news(message.items)
        return
      case "enter":
        this.#enter(message.entry)
        return
      case "heads_read":
        this.#started(message.outcome)
        return
      case "reaches":
        this.#reaches(message.positions)
        return
      case "refill_due":
        this.#refill(message.stream)
        return
      case "refilled":
        this.#refilled(message.stream, message.outcome)
        return
      case "missed_read":
        this.#missedRead(message.stream, message.offset, message.outcome)
        return
      case "audience_check":
        this.#checkAudience()
        return
    }
  }

  #news(items: readonly StreamNews[]): void {
    if (this.#epoch === null) {
      // Nobody is in yet; what is dropped here is found as a gap.
      for (const item of items) if (this.#early.length < MOST_EARLY) this.#early.push(item)
      return
    }
    const out: Message[] = []
    for (const { stream, position, event, payload } of items) {
      if (position === null) {
        out.push({ event, payload })
        continue
      }
      const sequencer = this.#sequencer(stream)
      for (const message of sequencer.take({ position, event, payload })) out.push(message)
      if (sequencer.behind) this.#awaitRefill(stream, GAP_PATIENCE_MS)
    }
    this.#push(out)
  }

  #enter(entry: Entry): void {
    const epoch = this.#epoch
    if (epoch === null) {
      if (this.#entering.length >= MOST_WAITING) entry.reply({ kind: "unavailable" })
      else this.#entering.push(entry)
      return
    }
    const { recover } = entry
    const here = this.#offset()
    if (recover === null) {
      this.#admit(entry, startsHere(epoch, here), null)
      return
    }
    const stream = this.#recoverable()
    if (recover.epoch !== epoch || stream === null) {
      this.#admit(entry, notRecovered(epoch, here), null)
      return
    }
    const sequencer = this.#sequencer(stream)
    if (recover.offset > sequencer.last) {
      this.#ahead.push(entry)
      this.#refill(stream)
      return
    }
    const missed = sequencer.since(recover.offset)
    if (missed !== null) {
      this.#bringBack(entry, epoch, sequencer, missed)
      return
    }
    const waiting = this.#returning.get(recover.offset)
    if (waiting === undefined) {
      this.#returning.set(recover.offset, [entry])
      this.#readMissed(stream, recover.offset)
    } else if (waiting.length >= MOST_WAITING) entry.reply({ kind: "unavailable" })
    else waiting.push(entry)
  }

  #started(outcome: TaskOutcome<Heads>): void {
    const entering = this.#entering
    this.#entering = []
    if (outcome.kind !== "done") {
      // The clients ask again by themselves; so does whoever enters next.
      for (const { reply } of entering) reply({ kind: "unavailable" })
      this.#desert(true)
      return
    }
    this.#epoch = outcome.value.epoch
    for (const stream of this.#view.streams) {
      const position = outcome.value.positions.get(stream)
      if (position !== undefined) this.#sequencers.set(stream, new Sequencer(position))
    }
    const early = this.#early
    this.#early = []
    this.#news(early)
    for (const entry of entering) this.#enter(entry)
  }

  #reaches(positions: ReadonlyMap<StreamKey, number>): void {
    if (this.#epoch === null) return
    for (const stream of this.#view.streams) {
      const position = positions.get(stream)
      if (position === undefined) continue
      const sequencer = this.#sequencer(stream)
      sequencer.reaches(position)
      if (sequencer.behind) this.#awaitRefill(stream, GAP_PATIENCE_MS)
    }
  }

  #awaitRefill(stream: StreamKey, ms: number): void {
    if (this.#refilling.has(stream)) return
    this.#refilling.add(stream)
    this.#ctx.sendAfter(ms, { kind: "refill_due", stream })
  }

  #refill(stream: StreamKey): void {
    const sequencer = this.#sequencer(stream)
    if (!sequencer.behind && this.#ahead.length === 0) {
      // What was missing came by itself.
      this.#refilling.delete(stream)
      return
    }
    this.#refilling.add(stream)
    this.#ctx.task(
      () => this.#deps.history(stream, sequencer.last, REFILL_PAGE),
      (outcome) => ({ kind: "refilled", stream, outcome }),
      { timeoutMs: QUERY_TIMEOUT_MS },
    )
  }

  #refilled(stream: StreamKey, outcome: TaskOutcome<readonly StreamItem[] | "pruned">): void {
    const ahead = this.#ahead
    this.#ahead = []
    if (outcome.kind !== "done") {
      for (const { reply } of ahead) reply({ kind: "unavailable" })
      this.#ctx.sendAfter(RETRY_MS, { kind: "refill_due", stream })
      return
    }
    this.#refilling.delete(stream)
    const sequencer = this.#sequencer(stream)
    // A hole that cannot be filled is never skipped in silence: the clients rejoin and are told.
    if (outcome.value === "pruned") {
      for (const { reply } of ahead) reply({ kind: "unavailable" })
      this.#desert(true)
      return
    }
    const before = sequencer.last
    this.#push(sequencer.fill(outcome.value))
    if (sequencer.behind && sequencer.last === before && outcome.value.length === 0) {
      for (const { reply } of ahead) reply({ kind: "unavailable" })
      this.#desert(true)
      return
    }
    if (sequencer.behind) this.#awaitRefill(stream, outcome.value.length === REFILL_PAGE ? 0 : GAP_PATIENCE_MS)
    for (const entry of ahead) {
      const { recover } = entry
      // Still ahead of everything that exists: positions of another life of this database.
      if (recover !== null && recover.offset > sequencer.last && !sequencer.behind && this.#epoch !== null) {
        this.#admit(entry, notRecovered(this.#epoch, this.#offset()), null)
      } else this.#enter(entry)
    }
  }

  #readMissed(stream: StreamKey, offset: number): void {
    this.#ctx.task(
      () => this.#deps.history(stream, offset, this.#deps.limits.recoveredMessages + 1),
      (outcome) => ({ kind: "missed_read", stream, offset, outcome }),
      { timeoutMs: QUERY_TIMEOUT_MS },
    )
  }

  #missedRead(stream: StreamKey, offset: number, outcome: TaskOutcome<readonly StreamItem[] | "pruned">): void {
    const entries = this.#returning.get(offset) ?? []
    this.#returning.delete(offset)
    const epoch = this.#epoch
    if (outcome.kind !== "done" || epoch === null) {
      for (const { reply } of entries) reply({ kind: "unavailable" })
      return
    }
    const sequencer = this.#sequencer(stream)
    const history = outcome.value
    const missed = history === "pruned" ? null : this.#join(sequencer, offset, history)
    for (const entry of entries) {
      if (missed === null) this.#admit(entry, notRecovered(epoch, this.#offset()), null)
      else this.#bringBack(entry, epoch, sequencer, missed)
    }
    if (history !== "pruned") sequencer.remember(history)
  }

  /** What was read, up to what has gone out here, and what went out while it was read. Null: not all of it. */
  #join(sequencer: Sequencer, offset: number, history: readonly StreamItem[]): readonly StreamItem[] | null {
    if (history.length > this.#deps.limits.recoveredMessages) return null
    const read = history.filter(({ position }) => position <= sequencer.last)
    const since = sequencer.since(read.at(-1)?.position ?? offset)
    return since === null ? null : [...read, ...since]
  }

  #bringBack(entry: Entry, epoch: string, sequencer: Sequencer, all: readonly StreamItem[]): void {
    const missed = shown(this.#view, all)
    const characters = missed.reduce((sum, { payload }) => sum + payload.length, 0)
    if (characters > this.#deps.limits.recoveredBytes) {
      this.#admit(entry, notRecovered(epoch, sequencer.last), null)
    } else this.#admit(entry, recovered(epoch, sequencer.last, missed), missed.length)
  }

  #admit(entry: Entry, response: Payload, count: number | null): void {
    entry.admit(response, count)
    entry.reply({ kind: "joined" })
  }

  #push(all: readonly Message[]): void {
    const messages = all.length === 0 ? all : shown(this.#view, all)
    if (messages.length === 0) return
    const count = fanOut(this.#deps.native, this.#view, messages)
    if (count > 0) this.#deps.telemetry.emit({ kind: "frames_pushed", family: this.#view.family, count })
  }

  #readHeads(): void {
    this.#ctx.task(
      () => this.#deps.heads(this.#view.streams),
      (outcome) => ({ kind: "heads_read", outcome }),
      { timeoutMs: QUERY_TIMEOUT_MS },
    )
  }

  #checkAudience(): void {
    if (audience(this.#deps.native, this.#view) === 0) this.#desert(false)
    else this.#ctx.sendAfter(AUDIENCE_CHECK_MS, { kind: "audience_check" })
  }

  #desert(orphans: boolean): void {
    this.deserted = !orphans
    this.#ctx.exit(NORMAL)
  }

  #sequencer(stream: StreamKey): Sequencer {
    const known = this.#sequencers.get(stream)
    if (known !== undefined) return known
    const fresh = new Sequencer(0)
    this.#sequencers.set(stream, fresh)
    return fresh
  }

  /** A string that spells several streams has no position of its own; the furthest is a fair sign of life. */
  #offset(): number {
    return [...this.#sequencers.values()].reduce((most, { last }) => Math.max(most, last), 0)
  }

  /** The one stream that an offset can mean: the only one, or the only one where anything was ever pushed. */
  #recoverable(): StreamKey | null {
    const [only, other] = this.#view.streams
    if (only !== undefined && other === undefined) return only
    const alive = [...this.#sequencers].filter(([, { last }]) => last > 0).map(([stream]) => stream)
    return alive.length > 1 ? null : (alive[0] ?? only ?? null)
  }
}
