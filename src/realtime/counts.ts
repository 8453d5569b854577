/**
 * The little numbers beside the bell. Counts are read from the rows, never added up, so they cannot drift; everyone
 * whose counts may have changed since the last read is asked for in one query, one query at a time.
 */
import type { BusinessId, RecipientId } from "../domain/ids.ts"
import type { Json } from "../domain/json.ts"
import { type ActorContext, actor, type TaskOutcome } from "../runtime/actor.ts"
import type { ChildSpec } from "../runtime/child-spec.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { fanOut, type NativeTopics, type TopicView } from "./fanout.ts"
import type { TopicClient } from "./topic.ts"

/** A person's counts within some of their businesses (null: all), as the JSON that is pushed. */
export type OwnCounts = (businesses: readonly BusinessId[] | null) => Json

/** Counts of each person; absent = nothing to tell. */
export type CountsOf = (recipients: readonly RecipientId[]) => Promise<ReadonlyMap<RecipientId, OwnCounts>>

export type CountsMessage =
  | { readonly kind: "changed"; readonly recipient: RecipientId }
  | ({ readonly kind: "joined" } & Joined)
  | { readonly kind: "read"; readonly round: Round; readonly outcome: TaskOutcome<ReadonlyMap<RecipientId, OwnCounts>> }
  | { readonly kind: "read_due" }

interface Joined {
  readonly recipient: RecipientId
  readonly view: TopicView
  readonly client: TopicClient
}

interface Round {
  /** Everyone who shows this person hears. */
  readonly changed: Set<RecipientId>
  /** Sockets that have just joined hear alone. */
  readonly joined: Joined[]
}

export interface CountsDeps {
  readonly native: NativeTopics
  /** What shows a person here. */
  readonly viewsOf: (recipient: RecipientId) => readonly TopicView[]
  readonly countsOf: CountsOf
  readonly telemetry: Emitter
}

export const COUNTS_ACTOR = "counts"
const QUERY_TIMEOUT_MS = 5_000
const RETRY_MS = 1_000
/** People in one query; the rest is the next one's. */
const MOST_AT_ONCE = 1_000
const MOST_WAITING = 100_000

export const countsActor = (deps: CountsDeps): ChildSpec =>
  actor<CountsMessage>({
    id: COUNTS_ACTOR,
    mailbox: { bound: MOST_WAITING, overflow: "drop_newest" },
    start: (ctx) => new Counts(deps, ctx),
    // What it does wrong must not end anybody's topic.
    backoff: {},
  })

class Counts {
  readonly #deps: CountsDeps
  readonly #ctx: ActorContext<CountsMessage>
  #next: Round = { changed: new Set(), joined: [] }
  #reading = false

  constructor(deps: CountsDeps, ctx: ActorContext<CountsMessage>) {
    this.#deps = deps
    this.#ctx = ctx
  }

  handle(message: CountsMessage): void {
    switch (message.kind) {
      case "changed":
        this.#next.changed.add(message.recipient)
        this.#readSoon()
        return
      case "joined":
        if (this.#next.joined.length < MOST_WAITING) this.#next.joined.push(message)
        this.#readSoon()
        return
      case "read_due":
        this.#read()
        return
      case "read":
        this.#tell(message.round, message.outcome)
        return
    }
  }

  /** Not at once: what changes in the same turn is asked for together. */
  #readSoon(): void {
    if (this.#reading) return
    this.#reading = true
    this.#ctx.sendAfter(0, { kind: "read_due" })
  }

  #read(): void {
    const changed = [...this.#next.changed].slice(0, MOST_AT_ONCE)
    const joined = this.#next.joined.splice(0, MOST_AT_ONCE)
    for (const recipient of changed) this.#next.changed.delete(recipient)
    const round: Round = { changed: new Set(changed), joined }
    const asked = [...new Set([...changed, ...joined.map(({ recipient }) => recipient)])]
    this.#ctx.task(
      () => this.#deps.countsOf(asked),
      (outcome) => ({ kind: "read", round, outcome }),
      { timeoutMs: QUERY_TIMEOUT_MS },
    )
  }

  #tell(round: Round, outcome: TaskOutcome<ReadonlyMap<RecipientId, OwnCounts>>): void {
    if (outcome.kind !== "done") {
      for (const recipient of round.changed) this.#next.changed.add(recipient)
      this.#next.joined.unshift(...round.joined)
      this.#ctx.sendAfter(RETRY_MS, { kind: "read_due" })
      return
    }
    let frames = 0
    for (const recipient of round.changed) {
      const counts = outcome.value.get(recipient)
      if (counts === undefined) continue
      for (const view of this.#deps.viewsOf(recipient)) {
        const payload = JSON.stringify(counts(view.businesses))
        frames += fanOut(this.#deps.native, view, [{ event: "counts", payload }])
      }
    }
    for (const { recipient, view, client } of round.joined) {
      const counts = outcome.value.get(recipient)
      if (counts === undefined || round.changed.has(recipient)) continue
      client.push("counts", counts(view.businesses))
      frames += 1
    }
    if (frames > 0) this.#deps.telemetry.emit({ kind: "frames_pushed", family: "notifications", count: frames })
    this.#reading = false
    if (this.#next.changed.size > 0 || this.#next.joined.length > 0) this.#readSoon()
  }
}
