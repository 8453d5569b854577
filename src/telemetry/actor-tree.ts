/**
 * The supervision tree as JSON, for `GET /admin/actors` and the topic `dashboard`: from what the runtime knows to what
 * one caller may see. Bounded whatever the tree holds: of a pool of ten thousand, those that need somebody are shown,
 * the others counted. Nothing of a message, no address, no other tenant.
 */
import type { ActorInfo, ActorState, RestartRecord } from "../runtime/child-spec.ts"
import type { DeadLetter, DeadLetterWhy } from "../runtime/dead-letters.ts"
import { describeExit, type ExitReason } from "../runtime/exit.ts"
import type { TreeSnapshot } from "../runtime/tree.ts"
import { type Sight, shownId, shownName } from "./actor-sight.ts"
import { mostUrgent } from "./actor-urgency.ts"
import { describeError, scrub } from "./scrub.ts"

// Aliases rather than interfaces: only these are JSON to the compiler.
export type ActorTree = {
  readonly node: string
  readonly at: string
  readonly stuck: number
  readonly dead_letters: { readonly count: number; readonly recent: readonly DeadLetterLine[] }
  readonly tree: ActorLine
}

export type ActorLine = {
  /** What a restart is asked by. */
  readonly id: string
  /** For people. */
  readonly name: string
  readonly kind: string
  readonly type: ActorInfo["type"]
  readonly state: ActorState
  readonly incarnation: number
  readonly mailbox: { readonly depth: number; readonly bound: number; readonly dropped: number } | null
  /** Messages of this incarnation; null: it has no mailbox. */
  readonly handled: number | null
  readonly handler_age_ms: number | null
  readonly restarts: number
  /** Newest last. */
  readonly recent_restarts: readonly RestartLine[]
  /** Null: no supervisor. Of a pool, or of a large tree, only some. */
  readonly children: readonly ActorLine[] | null
  /** All of them, shown or not. */
  readonly children_count: number | null
  readonly children_states: Readonly<Partial<Record<ActorState, number>>> | null
}

export type RestartLine = { readonly at: string; readonly reason: ExitReason["kind"]; readonly detail: string | null }

export type DeadLetterLine = {
  readonly at: string
  readonly to: string
  readonly kind: string | null
  readonly why: DeadLetterWhy
  readonly message: string | null
}

/** What of a snapshot is shown. */
export type SeenTree = Pick<TreeSnapshot, "root" | "stuck" | "deadLetters" | "recentDeadLetters">

export interface Showing {
  readonly node: string
  readonly at: Date
  readonly sight: Sight
}

const MOST_OF_A_POOL = 50
/** Lines in all; a hub has some thirty besides its pools. */
const MOST_LINES = 400
const RESTARTS_SHOWN = 10
const RESTARTS_SHOWN_IN_A_POOL = 3
/** Enough to know an error by; the log has all of it. */
const LONGEST_DETAIL = 200

/** What a caller with this sight is shown. Pure. */
export function actorTree(seen: SeenTree, { node, at, sight }: Showing): ActorTree {
  const view = new View(sight)
  const tree = view.line(seen.root, false)
  const recent = seen.recentDeadLetters.filter(({ to }) => view.mayName(to))
  return {
    node,
    at: at.toISOString(),
    stuck: seen.stuck,
    dead_letters: { count: seen.deadLetters, recent: recent.map(deadLetterLine) },
    tree,
  }
}

class View {
  readonly #sight: Sight
  /** Ids of the hub's own parts, which every admin may know. */
  readonly #own = new Set<string>()
  #left = MOST_LINES - 1

  constructor(sight: Sight) {
    this.#sight = sight
  }

  mayName(id: string): boolean {
    return this.#sight.unlimited || this.#own.has(id) || this.#sight.owns(id)
  }

  line(info: ActorInfo, inPool: boolean): ActorLine {
    if (!inPool) this.#own.add(info.id)
    const { children } = info
    return {
      id: shownId(info.id),
      name: shownName(info.id),
      kind: info.kind,
      type: info.type,
      state: info.state,
      incarnation: info.incarnation,
      mailbox: info.mailbox === undefined ? null : { ...info.mailbox },
      handled: info.handled ?? null,
      handler_age_ms: info.handlerAgeMs === undefined ? null : Math.round(info.handlerAgeMs * 10) / 10,
      restarts: info.restarts,
      recent_restarts: this.#restarts(info, inPool),
      children: children === undefined ? null : this.#children(info, children, inPool),
      children_count: children?.length ?? null,
      children_states: children === undefined ? null : statesOf(children),
    }
  }

  #children(parent: ActorInfo, all: readonly ActorInfo[], inPool: boolean): readonly ActorLine[] {
    const comeAndGo = inPool || parent.type === "pool"
    const seen = comeAndGo && !this.#sight.unlimited ? all.filter(({ id }) => this.#sight.owns(id)) : all
    const most = Math.min(this.#left, parent.type === "pool" ? MOST_OF_A_POOL : seen.length)
    const shown = parent.type === "pool" ? mostUrgent(seen, most) : seen.slice(0, most)
    // Taken before any of them spends it on children of its own: a sibling is worth more than a grandchild.
    this.#left -= shown.length
    return shown.map((child) => this.line(child, comeAndGo))
  }

  /** Why a shared part crashed may quote whoever it worked for. */
  #restarts({ id, recentRestarts }: ActorInfo, inPool: boolean): readonly RestartLine[] {
    const detailed = this.#sight.unlimited || this.#sight.owns(id)
    return recentRestarts
      .slice(inPool ? -RESTARTS_SHOWN_IN_A_POOL : -RESTARTS_SHOWN)
      .map((record) => (detailed ? restartLine(record) : { ...restartLine(record), detail: null }))
  }
}

function statesOf(children: readonly ActorInfo[]): Partial<Record<ActorState, number>> {
  const states: Partial<Record<ActorState, number>> = {}
  for (const { state } of children) states[state] = (states[state] ?? 0) + 1
  return states
}

/** A record never changes, and scrubbing it is most of the work of showing it. */
const made = new WeakMap<RestartRecord, RestartLine>()

function restartLine(record: RestartRecord): RestartLine {
  const known = made.get(record)
  if (known !== undefined) return known
  const { at, reason } = record
  const line = { at: at.toISOString(), reason: reason.kind, detail: exitDetail(reason) }
  made.set(record, line)
  return line
}

/** What there is to say beyond the kind of an end, scrubbed; null: nothing. */
export function exitDetail(reason: ExitReason): string | null {
  const text = describeExit(reason)
  if (text === reason.kind) return null
  const clean = reason.kind === "error" ? describeError(reason.error) : scrub(text)
  return clean.length > LONGEST_DETAIL ? `${clean.slice(0, LONGEST_DETAIL - 1)}…` : clean
}

const deadLetterLine = ({ at, to, kind, why, message }: DeadLetter): DeadLetterLine => ({
  at: at.toISOString(),
  to: shownId(to),
  kind: kind ?? null,
  why,
  message: message === undefined ? null : scrub(message),
})
