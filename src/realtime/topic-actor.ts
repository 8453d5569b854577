/**
 * One actor per view that somebody here shows: it puts the view's news in order, closes gaps from the history, and lets
 * sockets in. Joining and publishing are messages of one mailbox, so nothing falls between a join's offset and the
 * first push. If it ends, its sockets hear `phx_error`, rejoin, and find a fresh one; no other topic notices. Long, because
 * what came, what is asked and who waits are one state; what of it can be decided apart is in sequencer.ts and returning.ts.
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
import { found, Returning, remembered, type Tail, type Verdict } from "./returning.ts"
import { Sequencer, type StreamItem } from "./sequencer.ts"
import type { Entry, ReadHistory, ReadTails, StreamNews, TopicMessage } from "./topic-message.ts"

export interface TopicActorDeps {
  readonly native: NativeTopics
  readonly heads: ReadHeads
  readonly history: ReadHistory
  readonly tails: ReadTails
  readonly telemetry: Emitter
  readonly limits: RealtimeLimits
  started(view: TopicView, self: ActorRef<TopicMessage>): void
  /** `orphaned`: sockets still show the view and must be told. */
  ended(view: TopicView, orphaned: boolean): void
}

/** News overtakes news by milliseconds; only what stays away longer is asked of the database. */
const GAP_PATIENCE_MS = 50
const RETRY_MS = 1_000
const REFILL_PAGE = 300
const QUERY_TIMEOUT_MS = 5_000
const AUDIENCE_CHECK_MS = 30_000
/** Every so many checks what is remembered ages: for most who come back, minutes are enough, and memory is to follow what comes. */
const CHECKS_AN_AGE = 10
const MOST_EARLY = 1_000
const MOST_WAITING = 10_000
/** A string that spells more streams than this asks first which of them is alive. */
const MOST_READINGS_AT_ONCE = 4

/** What a person's screens hear of an item that went out before. */
const CHANGED = "notification_changed"
const AGAIN: Verdict = { kind: "again" }

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
        // Where nobody shows it, as while the database is away, no connection has to be looked at.
        terminate: () => deps.ended(view, audience(deps.native, view) > 0),
      }
    },
  })

class Topic {
  readonly #view: TopicView
  readonly #deps: TopicActorDeps
  readonly #ctx: ActorContext<TopicMessage>
  /** Null until the heads were read; then a stream that is absent stands at 0. */
  #epoch: string | null = null
  readonly #sequencers = new Map<StreamKey, Sequencer>()
  #early: StreamNews[] = []
  #entering: Entry[] = []
  readonly #refilling = new Set<StreamKey>()
  readonly #returning = new Returning()
  /** Something has changed since the end of a stream was asked for. */
  #outdated = false
  #checks = 0
  /** Somebody asks the database where the streams are. */
  #opening = false
  /** Clients that have seen more than this node wait for it to catch up: by the next reading, or by that which is under way. */
  #ahead: Entry[] = []
  #asked: Entry[] = []

  constructor(view: TopicView, deps: TopicActorDeps, ctx: ActorContext<TopicMessage>) {
    this.#view = view
    this.#deps = deps
    this.#ctx = ctx
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
        this.#refilled(message.stream, message.known, message.outcome)
        return
      case "tails_read":
        this.#tailsRead(message.from, message.outcome)
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
        if (event === CHANGED) this.#outdate(stream)
        continue
      }
      const sequencer = this.#sequencer(stream)
      for (const message of sequencer.take({ position, event, payload })) out.push(message)
      if (sequencer.behind) this.#awaitRefill(stream, GAP_PATIENCE_MS)
    }
    this.#push(out)
  }

  /** An item was read or deleted since it went out: who comes back is told of it as it is now. */
  #outdate(stream: StreamKey): void {
    this.#outdated = true
    this.#sequencer(stream).forget()
  }

  #enter(entry: Entry): void {
    const epoch = this.#epoch
    if (epoch === null) {
      this.#wait(entry)
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
      if (!this.#refilling.has(stream)) this.#refill(stream)
      return
    }
    this.#answer(entry, epoch, sequencer, remembered(sequencer, recover.offset))
    this.#askAgain(stream)
  }

  /** Until somebody has asked where the streams are. Who comes back asks for what was missed in the same statement. */
  #wait(entry: Entry): void {
    if (this.#entering.length >= MOST_WAITING) {
      entry.reply({ kind: "unavailable" })
      return
    }
    this.#entering.push(entry)
    if (this.#opening) return
    this.#opening = true
    const { streams } = this.#view
    if (entry.recover === null || streams.length > MOST_READINGS_AT_ONCE) this.#readHeads()
    else this.#askForTails(streams, entry.recover.offset)
  }

  #started(outcome: TaskOutcome<Heads>): void {
    if (outcome.kind === "done") this.#open(outcome.value)
    else this.#unopened()
  }

  #open({ epoch, positions }: Heads): void {
    this.#epoch = epoch
    for (const stream of this.#view.streams) {
      const position = positions.get(stream)
      if (position !== undefined) this.#sequencers.set(stream, new Sequencer(position))
    }
    const early = this.#early
    this.#early = []
    this.#news(early)
    const entering = this.#entering
    this.#entering = []
    for (const entry of entering) this.#enter(entry)
  }

  /** The clients ask again by themselves; so does whoever enters next. */
  #unopened(): void {
    for (const { reply } of this.#entering) reply({ kind: "unavailable" })
    this.#end()
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
    // Another stream of the view may be read already, and somebody wait for that.
    this.#asked = [...this.#asked, ...this.#ahead]
    this.#ahead = []
    const { known, last } = sequencer
    this.#read(
      () => this.#deps.history(stream, last, REFILL_PAGE),
      (outcome) => ({ kind: "refilled", stream, known, outcome }),
    )
  }

  #refilled(stream: StreamKey, known: number, outcome: TaskOutcome<readonly StreamItem[] | "pruned">): void {
    const asked = this.#asked
    this.#asked = []
    if (outcome.kind !== "done") {
      for (const { reply } of [...asked, ...this.#ahead.splice(0)]) reply({ kind: "unavailable" })
      this.#ctx.sendAfter(RETRY_MS, { kind: "refill_due", stream })
      return
    }
    this.#refilling.delete(stream)
    const sequencer = this.#sequencer(stream)
    if (outcome.value !== "pruned") this.#push(sequencer.fill(outcome.value))
    // A hole that cannot be filled is never skipped in silence: the clients rejoin and are told.
    if (outcome.value === "pruned" || (outcome.value.length === 0 && sequencer.last < known)) {
      for (const { reply } of [...asked, ...this.#ahead]) reply({ kind: "unavailable" })
      this.#end()
      return
    }
    if (sequencer.behind) this.#awaitRefill(stream, outcome.value.length === REFILL_PAGE ? 0 : GAP_PATIENCE_MS)
    for (const entry of asked) {
      const { recover } = entry
      // Still ahead of everything that exists: positions of another life of this database.
      if (recover !== null && recover.offset > sequencer.last && !sequencer.behind && this.#epoch !== null) {
        this.#admit(entry, notRecovered(this.#epoch, this.#offset()), null)
      } else this.#enter(entry)
    }
    if (this.#ahead.length > 0 && !this.#refilling.has(stream)) this.#refill(stream)
  }

  #askAgain(stream: StreamKey): void {
    const from = this.#returning.begin()
    if (from !== null) this.#askForTails([stream], from)
  }

  #askForTails(streams: readonly StreamKey[], from: number): void {
    const { recoveredMessages: messages, recoveredBytes: bytes } = this.#deps.limits
    const asks = streams.map((stream) => ({ stream, after: from }))
    this.#outdated = false
    this.#read(
      () => this.#deps.tails(asks, { messages, bytes }),
      (outcome) => ({ kind: "tails_read", from, outcome }),
    )
  }

  #tailsRead(from: number, outcome: TaskOutcome<ReadonlyMap<StreamKey, Tail>>): void {
    if (outcome.kind !== "done") {
      for (const { entry } of this.#returning.end()) entry.reply({ kind: "unavailable" })
      if (this.#epoch === null) this.#unopened()
      return
    }
    const tails = outcome.value
    if (this.#epoch === null) this.#openWith(tails)
    const stream = this.#recoverable()
    const tail = stream === null ? undefined : tails.get(stream)
    if (stream === null || tail === undefined || tail.epoch !== this.#epoch) {
      // Another database answers, or another place has begun to speak in this string: who waits asks again.
      for (const { entry } of this.#returning.end()) entry.reply({ kind: "unavailable" })
      if (tail !== undefined) this.#end()
      return
    }
    const sequencer = this.#sequencer(stream)
    for (const { entry, recover, readings } of this.#returning.end()) {
      const verdict = this.#outdated ? AGAIN : found(sequencer, recover.offset, tail, from)
      this.#answer(entry, tail.epoch, sequencer, verdict, readings + 1)
    }
    if (!this.#outdated) sequencer.remember(tail.messages)
    sequencer.reaches(tail.head)
    if (sequencer.behind) this.#awaitRefill(stream, GAP_PATIENCE_MS)
    this.#askAgain(stream)
  }

  /** What waits comes back by what was just read, where it can. */
  #openWith(tails: ReadonlyMap<StreamKey, Tail>): void {
    const waiting = this.#entering
    this.#entering = []
    const [{ epoch } = { epoch: "" }] = tails.values()
    this.#open({ epoch, positions: new Map([...tails].map(([stream, { head }]) => [stream, head])) })
    const stream = this.#recoverable()
    for (const entry of waiting) {
      const { recover } = entry
      const back = recover?.epoch === epoch && stream !== null && recover.offset <= this.#sequencer(stream).last
      if (!back) this.#enter(entry)
      else if (!this.#returning.add(entry, recover)) entry.reply({ kind: "unavailable" })
    }
  }

  #answer(entry: Entry, epoch: string, sequencer: Sequencer, verdict: Verdict, readings = 0): void {
    const { recover } = entry
    switch (verdict.kind) {
      case "missed": {
        const missed = shown(this.#view, verdict.messages)
        if (this.#isTooMuch(entry, missed)) entry.reply({ kind: "unavailable" })
        else this.#admit(entry, recovered(epoch, sequencer.last, missed), missed.length)
        return
      }
      case "pruned":
        this.#admit(entry, notRecovered(epoch, this.#offset()), null)
        return
      case "again":
        if (recover === null || !this.#returning.add(entry, recover, readings)) entry.reply({ kind: "unavailable" })
    }
  }

  /** Beside what it got of other topics just now: it would be dropped as a slow reader, come back to all, and be dropped again. */
  #isTooMuch({ backlog }: Entry, missed: readonly StreamItem[]): boolean {
    const waiting = backlog()
    const bytes = missed.reduce((sum, { payload }) => sum + payload.length, 0)
    return waiting > 0 && bytes > 0 && waiting + bytes > this.#deps.limits.politeBacklogBytes
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
    this.#read(
      () => this.#deps.heads(this.#view.streams),
      (outcome) => ({ kind: "heads_read", outcome }),
    )
  }

  /** Asks the database. Its end does not wait for the answer: until then nobody would be let in, nor told that it has ended. */
  #read<T>(ask: () => Promise<T>, done: (outcome: TaskOutcome<T>) => TopicMessage): void {
    const untilTheEnd = (signal: AbortSignal): Promise<T> =>
      new Promise((resolve, reject) => {
        const ended = (): void => reject(signal.reason)
        if (signal.aborted) ended()
        else signal.addEventListener("abort", ended)
        ask().then(resolve, reject)
      })
    this.#ctx.task(untilTheEnd, done, { timeoutMs: QUERY_TIMEOUT_MS })
  }

  /** Somebody is to be let in as soon as the database has answered. */
  get #awaited(): boolean {
    return this.#entering.length + this.#ahead.length + this.#asked.length > 0 || this.#returning.awaited
  }

  #checkAudience(): void {
    if (audience(this.#deps.native, this.#view) === 0 && !this.#awaited) this.#end()
    else this.#ctx.sendAfter(AUDIENCE_CHECK_MS, { kind: "audience_check" })
    this.#checks += 1
    if (this.#checks % CHECKS_AN_AGE === 0) for (const sequencer of this.#sequencers.values()) sequencer.age()
  }

  #end(): void {
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
