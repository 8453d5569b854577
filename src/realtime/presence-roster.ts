/**
 * Who is present, on all nodes, as far as this one has heard: pure, without time or network of its own. Each node alone
 * changes its own people and counts the changes, so messages may be lost, repeated or turned around: whoever is behind a
 * node's clock asks for its state, and until then changes nothing.
 */
import type { JsonObject } from "../domain/json.ts"
import { type Diff, type PresenceMessage, type Present, pieces } from "./presence-wire.ts"

/** Of one join between two flushes; null: it was not there, or is there no more. Never the same `ref` twice. */
export interface Change {
  readonly before: Present | null
  readonly after: Present | null
}

/** What a message asks of whoever received it. */
export type Wanted = { readonly kind: "ask"; readonly node: string } | { readonly kind: "tell_state" } | null

interface Peer {
  life: number
  clock: number
  heardAt: number
  readonly ids: Set<string>
  collecting: { readonly clock: number; readonly parts: Map<number, readonly Present[]> } | null
}

interface Scope {
  readonly people: Map<string, Present>
  bytes: number
}

/** The wire's share of a presence beside its key and meta, generously. */
const ENTRY_BYTES = 120

export class Roster {
  readonly node: string
  readonly life: number
  #clock = 0
  #minted = 0
  readonly #all = new Map<string, Present>()
  readonly #own = new Set<string>()
  readonly #scopes = new Map<string, Scope>()
  readonly #peers = new Map<string, Peer>()
  /** What has changed since the last flush, as it was before. */
  readonly #before = new Map<string, Present | null>()

  constructor(node: string, life: number) {
    this.node = node
    this.life = life
  }

  /** Somebody came to this node; gives the id of the join. */
  join(keyOf: (id: string) => string, scopes: readonly string[], meta: JsonObject): string {
    const id = this.#mint()
    this.#own.add(id)
    this.#put({ id, ref: id, prev: null, key: keyOf(id), scopes, meta })
    return id
  }

  /** One of this node's says something else of itself. */
  update(id: string, meta: JsonObject): void {
    const now = this.#all.get(id)
    if (now === undefined) return
    // What nobody was told yet needs no name of its own.
    if (this.#before.has(id)) this.#put({ ...now, meta })
    else this.#put({ ...now, meta, ref: this.#mint(), prev: now.ref })
  }

  /** How many bytes more each of its scopes would come to with another meta. */
  growthBy(id: string, meta: JsonObject): number {
    const now = this.#all.get(id)
    return now === undefined ? 0 : bytesOf({ ...now, meta }) - bytesOf(now)
  }

  leave(id: string): void {
    if (this.#own.delete(id)) this.#drop(id)
  }

  /** What has changed since the last time, here and elsewhere, and what to tell the other nodes of it. */
  flush(): { readonly changes: readonly Change[]; readonly messages: readonly PresenceMessage[] } {
    const changes: Change[] = []
    const put: Present[] = []
    const out: string[] = []
    for (const [id, before] of this.#before) {
      const after = this.#all.get(id) ?? null
      if (before?.ref === after?.ref) continue
      changes.push({ before, after })
      if (this.#own.has(id) && after !== null) put.push(after)
      else if (before !== null && after === null && this.#isMine(id)) out.push(id)
    }
    this.#before.clear()
    return { changes, messages: this.#diffs(put, out) }
  }

  /** `now`: in milliseconds, for `forgetSilent`. */
  receive(message: PresenceMessage, now: number): Wanted {
    if (message.node === this.node) return message.kind === "ask" ? { kind: "tell_state" } : null
    if (message.kind === "ask") return null
    const known = this.#peers.get(message.node)
    if (known !== undefined && message.life < known.life) return null
    if (message.kind === "gone") {
      this.#forget(message.node)
      return null
    }
    const peer = this.#peer(message.node, message.life)
    peer.heardAt = now
    if (message.clock <= peer.clock) return null
    switch (message.kind) {
      case "beat":
        return { kind: "ask", node: message.node }
      case "diff":
        if (message.clock !== peer.clock + 1) return { kind: "ask", node: message.node }
        for (const id of message.out) this.#dropOf(peer, id)
        for (const one of message.put) this.#putOf(peer, one)
        peer.clock = message.clock
        return null
      case "state": {
        if (peer.collecting?.clock !== message.clock) peer.collecting = { clock: message.clock, parts: new Map() }
        const { parts } = peer.collecting
        parts.set(message.part, message.people)
        if (parts.size === message.parts) this.#replace(peer, message.clock, [...parts.values()].flat())
        return null
      }
    }
  }

  /** That this node is alive, and how far it is. */
  beat(): PresenceMessage {
    return { kind: "beat", node: this.node, life: this.life, clock: this.#clock }
  }

  /** This node's people as the others were told of them; to be asked for right after a flush. */
  state(): readonly PresenceMessage[] {
    const people = [...this.#own].flatMap((id) => this.#all.get(id) ?? [])
    const parts = pieces(people)
    const { node, life } = this
    return parts.map((piece, part) => {
      return { kind: "state", node, life, clock: this.#clock, part, parts: parts.length, people: piece }
    })
  }

  /** Nodes that said nothing since `since` are taken for dead. */
  forgetSilent(since: number): void {
    for (const [node, { heardAt }] of this.#peers) if (heardAt < since) this.#forget(node)
  }

  /** This node was deaf itself: nobody is blamed for it. */
  allHeard(now: number): void {
    for (const peer of this.#peers.values()) peer.heardAt = now
  }

  /** True where something was put or dropped since the last flush. */
  get changed(): boolean {
    return this.#before.size > 0
  }

  get size(): number {
    return this.#all.size
  }

  /** Everyone in one of the scopes, each once. */
  in(scopes: readonly string[]): readonly Present[] {
    const [only, other] = scopes
    if (only !== undefined && other === undefined) return [...(this.#scopes.get(only)?.people.values() ?? [])]
    return [...new Map(scopes.flatMap((scope) => [...(this.#scopes.get(scope)?.people ?? [])])).values()]
  }

  /** About how large a state of these scopes is on the wire. */
  bytesIn(scopes: readonly string[]): number {
    return scopes.reduce((sum, scope) => sum + (this.#scopes.get(scope)?.bytes ?? 0), 0)
  }

  #mint(): string {
    this.#minted += 1
    return `${this.node}.${this.life.toString(36)}.${this.#minted.toString(36)}`
  }

  #isMine(id: string): boolean {
    return id.startsWith(`${this.node}.`)
  }

  #diffs(put: readonly Present[], out: readonly string[]): readonly PresenceMessage[] {
    if (put.length === 0 && out.length === 0) return []
    const { node, life } = this
    // Who went costs a few bytes each, and goes with the first piece; of a great many, in several.
    const first = out.slice(0, MOST_OUT)
    const diffs: Diff[] = pieces(put).map((piece, n) => {
      return { node, life, clock: ++this.#clock, put: piece, out: n === 0 ? first : [] }
    })
    for (let at = MOST_OUT; at < out.length; at += MOST_OUT) {
      diffs.push({ node, life, clock: ++this.#clock, put: [], out: out.slice(at, at + MOST_OUT) })
    }
    return diffs.map((diff) => ({ kind: "diff", ...diff }))
  }

  #peer(node: string, life: number): Peer {
    const known = this.#peers.get(node)
    if (known !== undefined && known.life === life) return known
    if (known !== undefined) this.#forget(node)
    const fresh: Peer = { life, clock: 0, heardAt: 0, ids: new Set(), collecting: null }
    this.#peers.set(node, fresh)
    return fresh
  }

  #forget(node: string): void {
    const peer = this.#peers.get(node)
    if (peer === undefined) return
    for (const id of peer.ids) this.#drop(id)
    this.#peers.delete(node)
  }

  #replace(peer: Peer, clock: number, people: readonly Present[]): void {
    const ids = new Set(people.map(({ id }) => id))
    for (const id of peer.ids) if (!ids.has(id)) this.#dropOf(peer, id)
    for (const one of people) if (this.#all.get(one.id)?.ref !== one.ref) this.#putOf(peer, one)
    peer.clock = clock
    peer.collecting = null
  }

  #putOf(peer: Peer, one: Present): void {
    peer.ids.add(one.id)
    this.#put(one)
  }

  #dropOf(peer: Peer, id: string): void {
    if (peer.ids.delete(id)) this.#drop(id)
  }

  #put(one: Present): void {
    this.#drop(one.id)
    this.#all.set(one.id, one)
    for (const name of one.scopes) {
      const scope = this.#scopes.get(name) ?? { people: new Map<string, Present>(), bytes: 0 }
      this.#scopes.set(name, scope)
      scope.people.set(one.id, one)
      scope.bytes += bytesOf(one)
    }
  }

  #drop(id: string): void {
    const now = this.#all.get(id)
    if (!this.#before.has(id)) this.#before.set(id, now ?? null)
    if (now === undefined) return
    this.#all.delete(id)
    for (const name of now.scopes) {
      const scope = this.#scopes.get(name)
      if (scope === undefined) continue
      scope.people.delete(id)
      scope.bytes -= bytesOf(now)
      if (scope.people.size === 0) this.#scopes.delete(name)
    }
  }
}

const MOST_OUT = 1_000

/** What a presence of this key and meta adds to the state of each of its scopes. */
export const bytesOf = ({ key, meta }: Pick<Present, "key" | "meta">): number =>
  ENTRY_BYTES + Buffer.byteLength(key) + Buffer.byteLength(JSON.stringify(meta))
