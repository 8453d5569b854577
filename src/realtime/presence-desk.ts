/**
 * One life of the presence's actor: it tells changes of the roster to the sockets here and to the other nodes, some at a
 * time, lets newcomers in with the state between two diffs, and forgets nodes that fall silent.
 */
import type { JsonObject } from "../domain/json.ts"
import type { PubSub } from "../pubsub/pubsub.ts"
import type { ActorContext } from "../runtime/actor.ts"
import type { Timer } from "../runtime/clock.ts"
import type { Emitter } from "../telemetry/bus.ts"
import { type Form, fanOut, type NativeTopics, spelling, subscriptionName, type TopicView } from "./fanout.ts"
import type { RealtimeLimits } from "./limits.ts"
import { presenceKey } from "./presence-meta.ts"
import { diffOf, stateOf } from "./presence-payloads.ts"
import { bytesOf, type Change, type Roster } from "./presence-roster.ts"
import { type PresenceMessage, readPresenceMessage } from "./presence-wire.ts"
import type { JoinRequest, TopicClient } from "./topic.ts"

export interface DeskDeps {
  readonly native: NativeTopics
  readonly telemetry: Emitter
  /** The way to the other nodes; null: there are none. */
  readonly peers: PubSub | null
  readonly limits: Pick<RealtimeLimits, "presenceBytes" | "presenceBytesPerSecond">
}

export type DeskMessage =
  | { readonly kind: "heard"; readonly message: PresenceMessage }
  | { readonly kind: "flush_due" }
  | { readonly kind: "beat_due" }
  | { readonly kind: "state_due" }

/** Changes wait so long for others to go out with them; after a quiet time they do not wait. */
const FLUSH_MS = 100
/** And longer after much went out: what everybody does to everybody grows with the square of them. */
const LONGEST_FLUSH_MS = 2_000
const BEAT_MS = 1_000
/** A node that said nothing for so long is taken for dead. */
const SILENT_MS = 4_000
/** A node's state is told, and asked for, this often at most: whoever asks meanwhile hears the next one. */
const STATE_MS = 500

/** A view with somebody present on this node. */
interface Shown {
  /** The id of the view. */
  readonly of: string
  /** The view's spellings under names of their own, which only those present hear. */
  readonly view: TopicView
  readonly scopes: readonly string[]
  sockets: number
}

interface Here {
  readonly id: string
  readonly shown: Shown
}

interface Newcomer {
  readonly client: TopicClient
  readonly shown: Shown
  readonly form: Form
}

/** Who sees whom: whoever shows the same stream. A person's own topics are apart by what their tokens name. */
const scopesOf = (view: TopicView): readonly string[] => (view.businesses === null ? view.streams : [view.id])

export class Desk {
  readonly #deps: DeskDeps
  readonly #ctx: ActorContext<DeskMessage>
  readonly #roster: Roster
  readonly #shown = new Map<string, Shown>()
  readonly #showing = new Map<string, Set<Shown>>()
  readonly #here = new Map<TopicClient, Here>()
  /** Bytes that those on the way in will add to each scope. */
  readonly #held = new Map<string, number>()
  #newcomers: Newcomer[] = []
  #flush: Timer | null = null
  #nextFlushAt = Number.NEGATIVE_INFINITY
  #beatAt: number
  #state: Timer | null = null
  #stateAt = Number.NEGATIVE_INFINITY
  readonly #askedAt = new Map<string, number>()
  readonly #unsubscribe: (() => void) | undefined

  constructor(deps: DeskDeps, ctx: ActorContext<DeskMessage>, roster: Roster) {
    this.#deps = deps
    this.#ctx = ctx
    this.#roster = roster
    this.#beatAt = ctx.clock.now()
    if (deps.peers === null) return
    this.#unsubscribe = deps.peers.subscribe((news) => {
      for (const item of news) {
        const message = item.kind === "presence" ? readPresenceMessage(item.message) : null
        // Our own news comes by too.
        if (message !== null && (message.kind === "ask") === (message.node === roster.node))
          ctx.self.send({ kind: "heard", message })
      }
    })
    this.#beat()
  }

  /** Room for somebody on the way in, until the answer is called, since many come at once; null: there is none. */
  holdRoom(view: TopicView, meta: JsonObject): (() => void) | null {
    const scopes = scopesOf(view)
    const bytes = bytesOf({ key: "", meta })
    const held = scopes.reduce((sum, scope) => sum + (this.#held.get(scope) ?? 0), 0)
    if (this.#roster.bytesIn(scopes) + held + bytes > this.#deps.limits.presenceBytes) return null
    const hold = (more: number): void => {
      for (const scope of scopes) {
        const now = (this.#held.get(scope) ?? 0) + more
        if (now === 0) this.#held.delete(scope)
        else this.#held.set(scope, now)
      }
    }
    hold(bytes)
    return () => hold(-bytes)
  }

  // These three are called by sockets and are no messages: whoever leaves must be taken out, however full a mailbox is.

  enter({ client, principal }: JoinRequest, view: TopicView, form: Form, meta: JsonObject): void {
    if (!client.whenLeft(() => this.#left(client))) return
    const shown = this.#show(view)
    const id = this.#roster.join((own) => presenceKey(principal, own), shown.scopes, meta)
    this.#here.set(client, { id, shown })
    this.#newcomers.push({ client, shown, form })
    this.#flushSoon()
  }

  /** `full`: it says more than before, and there is no room for that. */
  update(client: TopicClient, meta: JsonObject): "ok" | "not_present" | "full" {
    const here = this.#here.get(client)
    if (here === undefined) return "not_present"
    const more = this.#roster.growthBy(here.id, meta)
    const { scopes } = here.shown
    if (more > 0 && this.#roster.bytesIn(scopes) + more > this.#deps.limits.presenceBytes) return "full"
    this.#roster.update(here.id, meta)
    this.#flushSoon()
    return "ok"
  }

  #left(client: TopicClient): void {
    const here = this.#here.get(client)
    if (here === undefined) return
    this.#here.delete(client)
    here.shown.sockets -= 1
    if (here.shown.sockets === 0) this.#hide(here.shown)
    this.#roster.leave(here.id)
    this.#flushSoon()
  }

  handle(message: DeskMessage): void {
    switch (message.kind) {
      case "heard":
        this.#heard(message.message)
        return
      case "flush_due":
        this.#flush = null
        this.#flushNow()
        return
      case "beat_due":
        this.#forgetSilent()
        this.#beat()
        return
      case "state_due":
        this.#state = null
        this.#stateAt = this.#ctx.clock.now()
        // A state is of its clock: what was not told yet is told first.
        this.#flushNow()
        this.#tell(this.#roster.state())
        return
    }
  }

  /** The other nodes need not wait until this one has been silent for long. */
  close(): void {
    this.#unsubscribe?.()
    this.#tell([{ kind: "gone", node: this.#roster.node, life: this.#roster.life }])
  }

  /** Ends the topics of all who are present here; they come back, to whoever is at the desk then. */
  abandon(): void {
    const clients = [...this.#here.keys()]
    this.#here.clear()
    for (const client of clients) client.fail("channel_crash")
  }

  #heard(message: PresenceMessage): void {
    const now = this.#ctx.clock.now()
    const wanted = this.#roster.receive(message, now)
    if (this.#roster.changed) this.#flushSoon()
    if (wanted?.kind === "tell_state") {
      this.#state ??= this.#ctx.sendAfter(Math.max(0, this.#stateAt + STATE_MS - now), { kind: "state_due" })
    } else if (wanted !== null && now - (this.#askedAt.get(wanted.node) ?? Number.NEGATIVE_INFINITY) >= STATE_MS) {
      this.#askedAt.set(wanted.node, now)
      this.#tell([wanted])
    }
  }

  #flushSoon(): void {
    const wait = Math.max(0, this.#nextFlushAt - this.#ctx.clock.now())
    this.#flush ??= this.#ctx.sendAfter(wait, { kind: "flush_due" })
  }

  /** What has changed goes out, then whoever is new hears how it is now: nothing is heard twice, nothing is missed. */
  #flushNow(): void {
    const { changes, messages } = this.#roster.flush()
    this.#tell(messages)
    // Whoever is present in several scopes of one view is shown there once.
    const seen = new Map<Shown, Set<Change>>()
    for (const change of changes) {
      for (const scope of (change.after ?? change.before)?.scopes ?? []) {
        for (const shown of this.#showing.get(scope) ?? []) {
          const known = seen.get(shown)
          if (known === undefined) seen.set(shown, new Set([change]))
          else known.add(change)
        }
      }
    }
    let bytes = 0
    for (const [{ view }, own] of seen) {
      const payload = JSON.stringify(diffOf([...own]))
      const count = fanOut(this.#deps.native, view, [{ event: "presence_diff", payload }])
      if (count > 0) this.#deps.telemetry.emit({ kind: "frames_pushed", family: view.family, count })
      bytes += count * payload.length
    }
    bytes += this.#welcome()
    const pause = (bytes / this.#deps.limits.presenceBytesPerSecond) * 1_000
    this.#nextFlushAt = this.#ctx.clock.now() + Math.min(LONGEST_FLUSH_MS, Math.max(FLUSH_MS, pause))
  }

  /** How many bytes that were, about. */
  #welcome(): number {
    const newcomers = this.#newcomers
    if (newcomers.length === 0) return 0
    this.#newcomers = []
    let bytes = 0
    const states = new Map<Shown, JsonObject>()
    for (const { client, shown, form } of newcomers) {
      if (!this.#here.has(client)) continue
      const state = states.get(shown) ?? stateOf(this.#roster.in(shown.scopes))
      states.set(shown, state)
      client.follow((version) => subscriptionName(shown.view, form, version))
      client.push("presence_state", state)
      bytes += this.#roster.bytesIn(shown.scopes)
    }
    return bytes
  }

  #show(view: TopicView): Shown {
    const known = this.#shown.get(view.id)
    if (known !== undefined) {
      known.sockets += 1
      return known
    }
    const id = `presence ${view.id}`
    const spellings = view.spellings.map(({ form, topic }) => spelling(id, form, topic))
    const fresh: Shown = { of: view.id, view: { ...view, id, spellings }, scopes: scopesOf(view), sockets: 1 }
    this.#shown.set(view.id, fresh)
    for (const scope of fresh.scopes) {
      const there = this.#showing.get(scope)
      if (there === undefined) this.#showing.set(scope, new Set([fresh]))
      else there.add(fresh)
    }
    return fresh
  }

  #hide(shown: Shown): void {
    this.#shown.delete(shown.of)
    for (const scope of shown.scopes) {
      const there = this.#showing.get(scope)
      there?.delete(shown)
      if (there?.size === 0) this.#showing.delete(scope)
    }
  }

  #beat(): void {
    this.#beatAt = this.#ctx.clock.now()
    this.#tell([this.#roster.beat()])
    this.#ctx.sendAfter(BEAT_MS, { kind: "beat_due" })
  }

  #forgetSilent(): void {
    const now = this.#ctx.clock.now()
    // A process that was held up itself has not heard what the others said meanwhile.
    if (now - this.#beatAt > 2 * BEAT_MS) this.#roster.allHeard(now)
    this.#roster.forgetSilent(now - SILENT_MS)
    for (const [node, at] of this.#askedAt) if (now - at > STATE_MS) this.#askedAt.delete(node)
    if (this.#roster.changed) this.#flushSoon()
  }

  #tell(messages: readonly PresenceMessage[]): void {
    if (messages.length > 0) this.#deps.peers?.publish(messages.map((message) => ({ kind: "presence", message })))
  }
}
