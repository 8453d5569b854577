/**
 * One topic with the stock client: joined with the last position that was seen, so that a join after a lost line brings
 * back what was missed; with presence where there is a name to be seen by. What it shows is `Facts`; how is the card's.
 */
import { type Channel, Presence } from "phoenix"
import { each, fields, text } from "../shared/fields.ts"
import type { Wanted } from "./link.ts"
import { cameBack, endedBy, isFinal, refusedJoin } from "./words.ts"

/** The client's words for a channel, and `refused` for a join that is not tried again. */
export type TopicState = "closed" | "joining" | "joined" | "errored" | "refused"

export interface Facts {
  readonly state: TopicState
  /** A sentence on the state; empty where the word says it all. */
  readonly said: string
  readonly epoch: string | null
  readonly offset: number | null
  /** How it last came back. */
  readonly comeback: { readonly said: string; readonly good: boolean } | null
  /** Null: not asked for. */
  readonly present: readonly Present[] | null
}

/** Somebody who is there, on `screens` of theirs. */
export interface Present {
  readonly key: string
  readonly names: readonly string[]
  readonly screens: number
}

export interface Arrived {
  readonly event: string
  readonly payload: unknown
  readonly offset: number | null
  /** It came with a join, not as it happened. */
  readonly recovered: boolean
}

export interface SubscriptionListener {
  changed(facts: Facts): void
  arrived(message: Arrived): void
}

/** The answer to a push. */
export type PushAnswer =
  | { readonly status: "ok" | "error"; readonly response: unknown; readonly ms: number }
  | { readonly status: "timeout" }

/** Makes a channel; null while there is no line. */
export type OpenChannel = (topic: string, params: () => object) => Channel | null

const nothing: Facts = { state: "closed", said: "", epoch: null, offset: null, comeback: null, present: null }
const OWN_EVENTS = /^(phx_|chan_reply_|presence_)/

export class Subscription {
  readonly wanted: Wanted
  readonly #listener: SubscriptionListener
  /** By which name to be seen; empty: not at all. */
  readonly #name: () => string
  #facts = nothing
  #channel: Channel | null = null
  #lostAt: number | null = null
  #everJoined = false

  constructor(wanted: Wanted, name: () => string, listener: SubscriptionListener) {
    this.wanted = wanted
    this.#name = name
    this.#listener = listener
  }

  get facts(): Facts {
    return this.#facts
  }

  /** Joins, with what is known of before. */
  join(open: OpenChannel): void {
    this.#drop()
    const seen = this.#name() !== ""
    const channel = open(this.wanted.topic, () => this.#params(seen))
    if (channel === null) return
    this.#channel = channel
    const mine = (): boolean => this.#channel === channel
    channel.onMessage = (event: string, payload: unknown): unknown => {
      if (mine() && !OWN_EVENTS.test(event)) this.#took(event, payload, false)
      return payload
    }
    channel.onError((reason: unknown) => {
      if (!mine()) return
      this.#lost()
      this.#set({ state: "errored", said: endedBy(text(fields(reason)?.["reason"])) })
    })
    channel.onClose(() => {
      if (!mine()) return
      this.#channel = null
      this.#lost()
      this.#set({ state: "closed", said: "The hub closed this topic." })
    })
    if (seen) this.#seePresence(channel, mine)
    this.#set({ state: "joining", said: "" })
    channel
      .join()
      .receive("ok", (reply: unknown) => {
        if (mine()) this.#joined(reply)
      })
      .receive("error", (reply: unknown) => {
        if (mine()) this.#refused(text(fields(reply)?.["reason"]))
      })
      .receive("timeout", () => {
        if (mine()) this.#set({ state: "errored", said: "No answer to the join; it is tried again." })
      })
  }

  /** Leaves, and forgets nothing: the next join recovers. */
  leave(said = ""): void {
    this.#drop()
    this.#set({ state: "closed", said })
  }

  /** The answer, or that none came in the client's own time. */
  push(event: string, payload: object): Promise<PushAnswer> {
    const channel = this.#channel
    if (channel === null) return Promise.resolve({ status: "timeout" })
    const began = performance.now()
    return new Promise((resolve) => {
      const answered = (status: "ok" | "error") => (response: unknown) =>
        resolve({ status, response, ms: performance.now() - began })
      channel
        .push(event, payload)
        .receive("ok", answered("ok"))
        .receive("error", answered("error"))
        .receive("timeout", () => resolve({ status: "timeout" }))
    })
  }

  /** Another name: said where one is seen already, else it takes a join to be seen, or no longer. */
  rename(open: OpenChannel): void {
    const name = this.#name()
    if (this.#channel === null) return
    if (this.#facts.present === null || name === "") this.join(open)
    else void this.push("presence_update", { name })
  }

  #params(seen: boolean): object {
    const { epoch, offset } = this.#facts
    return {
      ...(epoch === null || offset === null ? {} : { recover: { epoch, offset } }),
      ...(seen ? { presence: { name: this.#name() } } : {}),
    }
  }

  #seePresence(channel: Channel, mine: () => boolean): void {
    const presence = new Presence(channel)
    presence.onSync(() => {
      if (mine()) this.#set({ present: presence.list(readPresent) })
    })
  }

  #joined(reply: unknown): void {
    const of = fields(reply) ?? {}
    const [epoch, offset] = [of["epoch"], of["offset"]]
    const missed = each(of["missed"], fields)
    const offsets = missed.map(({ payload }) => offsetOf(payload)).filter((found) => found !== null)
    for (const { event, payload } of missed) this.#took(text(event), payload, true)
    const [first, last] = [offsets.at(0), offsets.at(-1)]
    const awayMs = this.#lostAt === null ? null : performance.now() - this.#lostAt
    const recovered = of["recovered"]
    const kind =
      recovered === true
        ? "recovered"
        : recovered === undefined
          ? "no_positions"
          : epoch === this.#facts.epoch
            ? "pruned"
            : "other_epoch"
    const range = first === undefined || last === undefined ? null : ([first, last] as const)
    const said = cameBack({ awayMs, kind, count: missed.length, offsets: range })
    const comeback = this.#everJoined ? { said, good: recovered !== false } : null
    this.#everJoined = true
    this.#lostAt = null
    this.#set({
      state: "joined",
      said: "",
      epoch: typeof epoch === "string" ? epoch : null,
      offset: typeof offset === "number" ? offset : null,
      comeback: comeback ?? this.#facts.comeback,
    })
  }

  #refused(reason: string): void {
    const final = isFinal(reason)
    if (final) this.#drop()
    this.#set({ state: final ? "refused" : "errored", said: refusedJoin(reason) })
  }

  #took(event: string, payload: unknown, recovered: boolean): void {
    const offset = offsetOf(payload)
    this.#listener.arrived({ event, payload, offset, recovered })
    if (offset !== null && !recovered) this.#set({ offset })
  }

  #lost(): void {
    if (this.#everJoined) this.#lostAt ??= performance.now()
  }

  #drop(): void {
    const channel = this.#channel
    if (channel === null) return
    this.#channel = null
    this.#lost()
    channel.leave()
    this.#facts = { ...this.#facts, present: null }
  }

  #set(change: Partial<Facts>): void {
    this.#facts = { ...this.#facts, ...change }
    this.#listener.changed(this.#facts)
  }
}

function offsetOf(payload: unknown): number | null {
  const found = fields(payload)?.["_offset"]
  return typeof found === "number" ? found : null
}

function readPresent(key: string, presence: unknown): Present {
  const metas = each(fields(presence)?.["metas"], fields)
  const names = metas.map((meta) => text(meta["name"])).filter((name) => name !== "")
  return { key, names: [...new Set(names)], screens: metas.length }
}
