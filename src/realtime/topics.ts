/**
 * Which views have an actor here, and the two ways to reach one: news that came, and sockets that want in. Rooms of the
 * path meet here by news only; what is nobody's business on this node is dropped in one look-up.
 */
import type { RecipientId } from "../domain/ids.ts"
import { notificationStream, type StreamKey } from "../domain/stream.ts"
import type { News } from "../pubsub/pubsub.ts"
import type { PoolRef } from "../runtime/pool.ts"
import { ActorDown, type ActorRef, Busy, CallTimeout } from "../runtime/ref.ts"
import { type Form, subscriptionName, type TopicView } from "./fanout.ts"
import type { Recover } from "./recovery.ts"
import type { Admission, JoinOutcome, JoinRequest } from "./topic.ts"
import type { Entered, StreamNews, TopicMessage } from "./topic-message.ts"

const unavailable = { kind: "refused", response: { reason: "unavailable" } } as const

/** An actor that ended just before it was asked is started anew, this many times. */
const TRIES = 3

interface Live {
  readonly view: TopicView
  readonly ref: ActorRef<TopicMessage>
}

export class Topics {
  readonly #live = new Map<string, Live>()
  /** Usually one: a stream also shows in a string that spells several, and a person's in each tenancy they come with. */
  readonly #showing = new Map<StreamKey, readonly Live[]>()
  readonly #starting = new Map<string, Promise<void>>()
  readonly #joinTimeoutMs: number
  #pool: PoolRef<TopicView> | null = null

  constructor(joinTimeoutMs: number) {
    this.#joinTimeoutMs = joinTimeoutMs
  }

  get size(): number {
    return this.#live.size
  }

  usePool(pool: PoolRef<TopicView> | null): void {
    this.#pool = pool
  }

  started(view: TopicView, ref: ActorRef<TopicMessage>): void {
    this.ended(view)
    const live = { view, ref }
    this.#live.set(view.id, live)
    for (const stream of view.streams) this.#showing.set(stream, [...(this.#showing.get(stream) ?? []), live])
  }

  ended(view: TopicView): void {
    const live = this.#live.get(view.id)
    if (live === undefined) return
    this.#live.delete(view.id)
    for (const stream of live.view.streams) {
      const left = (this.#showing.get(stream) ?? []).filter((other) => other !== live)
      if (left.length > 0) this.#showing.set(stream, left)
      else this.#showing.delete(stream)
    }
  }

  /** What shows a person's notifications here. */
  viewsOf(recipient: RecipientId): readonly TopicView[] {
    return (this.#showing.get(notificationStream(recipient)) ?? []).map(({ view }) => view)
  }

  /** Every stream that is shown here, for the check of how far they go. */
  streams(): readonly StreamKey[] {
    return [...this.#showing.keys()]
  }

  /** Tells those who show these streams, and nobody else, how far they go. */
  reach(streams: readonly StreamKey[], positions: ReadonlyMap<StreamKey, number>): void {
    for (const stream of streams) {
      for (const { ref } of this.#showing.get(stream) ?? []) ref.send({ kind: "reaches", positions })
    }
  }

  /** Hands the messages of one commit to the actors that show their streams, each its share in one piece. */
  dispatch(news: readonly News[]): void {
    let shares: Map<ActorRef<TopicMessage>, StreamNews[]> | null = null
    for (const item of news) {
      if (item.kind !== "stream_message") continue
      for (const { ref } of this.#showing.get(item.stream) ?? []) {
        shares ??= new Map()
        const share = shares.get(ref)
        if (share === undefined) shares.set(ref, [item])
        else share.push(item)
      }
    }
    // A full mailbox drops it: a gap, which is filled from the history.
    if (shares !== null) for (const [ref, items] of shares) ref.send({ kind: "news", items })
  }

  /** Lets a socket into a view, which is started if it has to be. */
  async enter(
    request: Pick<JoinRequest, "admit" | "backlog">,
    view: TopicView,
    form: Form,
    recover: Recover | null,
  ): Promise<JoinOutcome> {
    const admit = (response: Admission["response"], recovered: number | null): void => {
      // The strings of the view that lives, so that ten thousand sockets on it do not hold ten thousand copies.
      const living = this.#live.get(view.id)?.view ?? view
      const subscription: Admission["subscription"] = (version) => subscriptionName(living, form, version)
      request.admit({ response, recovered, view: living.id, subscription })
    }
    for (let tries = TRIES; tries > 0; tries--) {
      const ref = this.#live.get(view.id)?.ref ?? (await this.#start(view))
      if (ref === null) return unavailable
      try {
        const entered = await ref.call<Entered>(
          (reply) => ({ kind: "enter", entry: { recover, backlog: () => request.backlog(), admit, reply } }),
          this.#joinTimeoutMs,
        )
        return entered.kind === "joined" ? { kind: "joined" } : unavailable
      } catch (error) {
        if (error instanceof Busy || error instanceof CallTimeout) return unavailable
        if (!(error instanceof ActorDown)) throw error
      }
    }
    return unavailable
  }

  async #start(view: TopicView): Promise<ActorRef<TopicMessage> | null> {
    const starting = this.#starting.get(view.id)
    if (starting !== undefined) await starting
    else if (this.#pool !== null) {
      const started = this.#pool.startChild(view).then(
        () => {},
        () => {},
      )
      this.#starting.set(view.id, started)
      await started
      this.#starting.delete(view.id)
    }
    return this.#live.get(view.id)?.ref ?? null
  }
}
