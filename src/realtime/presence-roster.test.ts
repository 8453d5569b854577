import { expect, test } from "bun:test"
import fc from "fast-check"
import { Presence } from "phoenix"
import type { JsonObject } from "../domain/json.ts"
import { diffOf, stateOf } from "./presence-payloads.ts"
import { Roster } from "./presence-roster.ts"
import { type PresenceMessage, pieces, readPresenceMessage } from "./presence-wire.ts"

const NODES = 3
const TOPIC = "resources:b1:l1"
const KEYS = ["ann", "ben", "~__proto__"] as const

/** What Phoenix's class needs of a channel: a browser in a few lines. */
class Browser {
  readonly #on = new Map<string, (payload: JsonObject) => void>()
  readonly presence: Presence
  constructor() {
    const channel = {
      on: (event: string, run: (payload: JsonObject) => void) => void this.#on.set(event, run),
      joinRef: () => "1",
    }
    // The class asks nothing else of a channel.
    this.presence = new Presence(channel as unknown as ConstructorParameters<typeof Presence>[0])
  }
  hear(event: "presence_state" | "presence_diff", payload: JsonObject): void {
    this.#on.get(event)?.(JSON.parse(JSON.stringify(payload)))
  }
  /** Keys with their metas in the order of their refs: the class keeps them in the order in which they came. */
  get seen(): unknown {
    // The published types do not say that the state is public.
    return sorted((this.presence as unknown as { readonly state: JsonObject }).state)
  }
}

interface Metas {
  readonly metas: readonly { readonly phx_ref: string }[]
}
const sorted = (state: JsonObject): unknown =>
  Object.keys(state)
    .sort()
    // The hub's own payload, or the class's copy of it.
    .map((key) => [key, [...(state[key] as unknown as Metas).metas].sort((a, b) => (a.phx_ref < b.phx_ref ? -1 : 1))])

/** A node with a browser on it that was there from the beginning. */
class Node {
  readonly browser = new Browser()
  roster: Roster
  here: string[] = []
  readonly name: string
  constructor(name: string) {
    this.name = name
    this.roster = new Roster(name, 1)
    this.browser.hear("presence_state", {})
  }
  flush(): readonly PresenceMessage[] {
    const { changes, messages } = this.roster.flush()
    for (const { before, after } of changes) expect(before?.ref).not.toBe(after?.ref)
    if (changes.length > 0) this.browser.hear("presence_diff", diffOf(changes))
    return messages
  }
  /** Its presence starts anew; its browser rejoins and is told the state of the moment. */
  restart(): void {
    this.roster = new Roster(this.name, this.roster.life + 1)
    this.here = []
    this.browser.hear("presence_state", stateOf(this.roster.in([TOPIC])))
  }
  get state(): unknown {
    return sorted(stateOf(this.roster.in([TOPIC])))
  }
}

const step = fc.oneof(
  fc.record({
    kind: fc.constantFrom("join", "leave", "update", "flush", "state", "beat"),
    node: fc.nat(NODES - 1),
    n: fc.nat(5),
  }),
  fc.record({ kind: fc.constantFrom("restart", "silent"), node: fc.nat(NODES - 1), n: fc.nat(NODES - 1) }),
  // Any message of the past, to any node: so they come late, twice, turned around, or never.
  fc.record({ kind: fc.constant("deliver"), node: fc.nat(NODES - 1), n: fc.nat(200) }),
  fc.record({ kind: fc.constant("deliver"), node: fc.nat(NODES - 1), n: fc.nat(200) }),
)

/** Everybody's next beats, and what follows from them, over a network that loses nothing. */
function beatRound(nodes: readonly Node[]): void {
  let waiting: PresenceMessage[] = nodes.flatMap((node) => [...node.flush(), node.roster.beat()])
  for (let turns = 0; waiting.length > 0; turns++) {
    expect(turns).toBeLessThan(4)
    const next: PresenceMessage[] = []
    for (const message of waiting) {
      for (const node of nodes) {
        const wanted = node.roster.receive(message, 1)
        if (wanted?.kind === "ask") next.push(wanted)
        if (wanted?.kind === "tell_state") next.push(...node.flush(), ...node.roster.state())
      }
    }
    waiting = next
  }
  for (const node of nodes) node.flush()
}

test("whatever order, loss and repetition the nodes' messages had: after a beat all show the same, and so do the diffs that browsers saw", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), (steps) => {
      const nodes = Array.from({ length: NODES }, (_, n) => new Node(`n${n}`))
      const sent: PresenceMessage[] = []
      for (const { kind, node: at, n } of steps) {
        const node = nodes[at]
        if (node === undefined) throw new Error("no such node")
        const id = node.here[n % Math.max(1, node.here.length)]
        if (kind === "join") node.here.push(node.roster.join(() => KEYS[n % KEYS.length] ?? "", [TOPIC], { n }))
        else if (kind === "leave" && id !== undefined) {
          node.roster.leave(id)
          node.here = node.here.filter((other) => other !== id)
        } else if (kind === "update" && id !== undefined) node.roster.update(id, { n })
        else if (kind === "flush") sent.push(...node.flush())
        else if (kind === "state") sent.push(...node.flush(), ...node.roster.state())
        else if (kind === "beat") sent.push(node.roster.beat())
        else if (kind === "restart") node.restart()
        else if (kind === "silent") node.roster.forgetSilent(2)
        else if (kind === "deliver") {
          const message = sent[n % Math.max(1, sent.length)]
          // As it arrives: through text.
          const read = message === undefined ? null : readPresenceMessage(JSON.parse(JSON.stringify(message)))
          if (read !== null) node.roster.receive(read, 1)
        }
      }
      beatRound(nodes)
      const everyone = nodes.flatMap(({ here }) => here).length
      for (const { state, browser, roster } of nodes) {
        expect(roster.size).toBe(everyone)
        expect(state).toEqual(nodes[0]?.state)
        expect(browser.seen).toEqual(state)
      }
    }),
    { numRuns: 400 },
  )
})

test("a node that falls silent leaves exactly once, and is whole when it speaks again", () => {
  const [near, far] = [new Roster("near", 1), new Roster("far", 1)]
  far.join(() => "ann", [TOPIC], {})
  const told = far.flush().messages
  for (const message of told) near.receive(message, 1_000)
  expect(near.flush().changes.map(({ after }) => after?.key)).toEqual(["ann"])
  near.forgetSilent(1_000)
  expect(near.flush().changes).toEqual([])
  near.forgetSilent(1_001)
  near.forgetSilent(1_002)
  expect(near.flush().changes.map(({ before, after }) => [before?.key, after])).toEqual([["ann", null]])
  expect(near.flush().changes).toEqual([])
  expect(near.receive(far.beat(), 9_000)).toEqual({ kind: "ask", node: "far" })
  for (const message of far.state()) near.receive(message, 9_000)
  expect(near.flush().changes.map(({ after }) => after?.key)).toEqual(["ann"])
})

test("a state of many people comes in parts, and counts when all of them are there", () => {
  const [near, far] = [new Roster("near", 1), new Roster("far", 1)]
  for (let n = 0; n < 1_000; n++) far.join(() => `p${n}`, [TOPIC], { words: "x".repeat(500) })
  expect(far.flush().messages.length).toBeGreaterThan(4)
  const parts = far.state()
  expect(parts.length).toBeGreaterThan(4)
  for (const part of parts) expect(JSON.stringify(part).length).toBeLessThan(200_000)
  for (const part of parts.slice(1)) near.receive(part, 0)
  expect(near.size).toBe(0)
  for (const part of parts.slice(0, 1)) near.receive(part, 0)
  expect(near.size).toBe(1_000)
  // And nothing of the past takes it back.
  far.join(() => "late", [TOPIC], {})
  for (const message of far.flush().messages) near.receive(message, 0)
  for (const part of parts) expect(near.receive(part, 0)).toBeNull()
  expect(near.size).toBe(1_001)
})

test("what is changed again before it was told goes out once, under one ref, with the ref that was known before", () => {
  const roster = new Roster("n", 1)
  const id = roster.join(() => "ann", [TOPIC], { at: 1 })
  roster.update(id, { at: 2 })
  expect(roster.flush().changes.map(({ after }) => [after?.meta, after?.prev])).toEqual([[{ at: 2 }, null]])
  roster.update(id, { at: 3 })
  roster.update(id, { at: 4 })
  const [change] = roster.flush().changes
  expect(change?.after?.meta).toEqual({ at: 4 })
  expect(change?.after?.prev).toBe(change?.before?.ref ?? "")
  const gone = roster.join(() => "ben", [TOPIC], {})
  roster.leave(gone)
  expect(roster.flush()).toEqual({ changes: [], messages: [] })
})

test("no message that a node of ours would not write is read", () => {
  const person = { id: "a", ref: "a", prev: null, key: "k", scopes: ["s"], meta: {} }
  const good = { kind: "state", node: "n", life: 1, clock: 1, part: 0, parts: 1, people: [person] }
  expect(readPresenceMessage(good)).not.toBeNull()
  for (const bad of [
    {},
    { kind: "beat", node: "n", life: 1 },
    { ...good, part: 1 },
    { ...good, clock: -1 },
    { ...good, people: [{ ...person, scopes: "s" }] },
    { ...good, people: [{ ...person, meta: [] }] },
    { ...good, kind: "diff" },
    { ...good, kind: "news" },
  ]) {
    expect(readPresenceMessage(bad)).toBeNull()
  }
  expect(pieces([])).toEqual([[]])
})
