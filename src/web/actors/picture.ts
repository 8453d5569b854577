/** The tree as the hub tells it, on the topic `dashboard`, read with care: what an older hub leaves out is null here. */
import { each, type Fields, fields, text, textOrNull } from "../shared/fields.ts"

export type ActorState = "starting" | "running" | "stopping" | "stopped" | "backoff" | "ignored"

export interface Mailbox {
  readonly depth: number
  readonly bound: number
  /** Messages refused for want of room, since the actor's start. */
  readonly dropped: number
}

export interface Restart {
  /** Milliseconds since 1970, by the hub's clock. */
  readonly at: number
  /** `error`, `timeout`, … */
  readonly reason: string
  readonly detail: string | null
}

export interface Actor {
  /** What a restart is asked by. */
  readonly id: string
  readonly name: string
  readonly kind: string
  readonly type: string
  readonly state: ActorState
  /** Counts its starts, from 1. */
  readonly incarnation: number
  readonly mailbox: Mailbox | null
  readonly handled: number | null
  /** For how long the message in hand is being handled; null: none is. */
  readonly handlerAgeMs: number | null
  readonly restarts: number
  /** At most ten, newest last. */
  readonly recentRestarts: readonly Restart[]
  /** Null: it supervises nobody. Of a pool at most 50. */
  readonly children: readonly Actor[] | null
  readonly childrenCount: number
  readonly childrenStates: Readonly<Record<string, number>>
  /** Not in the hub's picture, because its supervisor is down: drawn from memory. */
  readonly away: boolean
}

export interface DeadLetter {
  readonly at: number
  /** The id of whom it was for. */
  readonly to: string
  readonly why: string
  /** The message's kind, never its content. */
  readonly message: string | null
}

export interface Picture {
  readonly node: string
  readonly at: number
  readonly stuck: number
  readonly deadLetters: { readonly count: number; readonly recent: readonly DeadLetter[] }
  readonly tree: Actor
}

const STATES: ReadonlyMap<string, ActorState> = new Map(
  (["starting", "running", "stopping", "stopped", "backoff", "ignored"] as const).map((state) => [state, state]),
)

/** Null where it is no such picture. */
export function readPicture(value: unknown): Picture | null {
  const of = fields(value)
  const tree = readActor(of?.["tree"])
  if (of === null || tree === null) return null
  const lost = fields(of["dead_letters"])
  return {
    node: text(of["node"]),
    at: moment(of["at"]),
    stuck: number(of["stuck"]) ?? 0,
    deadLetters: { count: number(lost?.["count"]) ?? 0, recent: each(lost?.["recent"], readDeadLetter) },
    tree,
  }
}

function readActor(value: unknown): Actor | null {
  const of = fields(value)
  const id = textOrNull(of?.["id"])
  if (of === null || id === null) return null
  const children = Array.isArray(of["children"]) ? each(of["children"], readActor) : null
  return {
    id,
    name: textOrNull(of["name"]) ?? id,
    kind: text(of["kind"]),
    type: text(of["type"]),
    state: STATES.get(text(of["state"])) ?? "stopped",
    incarnation: number(of["incarnation"]) ?? 0,
    mailbox: readMailbox(fields(of["mailbox"])),
    handled: number(of["handled"]),
    handlerAgeMs: number(of["handler_age_ms"]),
    restarts: number(of["restarts"]) ?? 0,
    recentRestarts: each(of["recent_restarts"], readRestart),
    children,
    childrenCount: number(of["children_count"]) ?? children?.length ?? 0,
    childrenStates: countsOf(fields(of["children_states"]) ?? {}),
    away: false,
  }
}

const readMailbox = (of: Fields | null): Mailbox | null =>
  of === null
    ? null
    : { depth: number(of["depth"]) ?? 0, bound: number(of["bound"]) ?? 0, dropped: number(of["dropped"]) ?? 0 }

function readRestart(value: unknown): Restart | null {
  const of = fields(value)
  return of === null ? null : { at: moment(of["at"]), reason: text(of["reason"]), detail: textOrNull(of["detail"]) }
}

function readDeadLetter(value: unknown): DeadLetter | null {
  const of = fields(value)
  if (of === null) return null
  return { at: moment(of["at"]), to: text(of["to"]), why: text(of["why"]), message: textOrNull(of["message"]) }
}

const countsOf = (of: Fields): Record<string, number> =>
  Object.fromEntries(Object.entries(of).flatMap(([name, value]) => (typeof value === "number" ? [[name, value]] : [])))

const number = (value: unknown): number | null => (typeof value === "number" && Number.isFinite(value) ? value : null)

/** 0 for what is no time. */
function moment(value: unknown): number {
  const at = typeof value === "string" ? Date.parse(value) : Number.NaN
  return Number.isNaN(at) ? 0 : at
}

/** Everybody in the picture by id, parents before their children. */
export function everybody(tree: Actor): ReadonlyMap<string, Actor> {
  const found = new Map<string, Actor>()
  const walk = (actor: Actor): void => {
    found.set(actor.id, actor)
    for (const child of actor.children ?? []) walk(child)
  }
  walk(tree)
  return found
}

/** How many actors stand below this one, those that are not in the picture included. */
export function below(actor: Actor): number {
  const shown = actor.children ?? []
  return shown.reduce((sum, child) => sum + below(child), Math.max(actor.childrenCount, shown.length))
}

/** Is it doing what it is there for? `ignored` chose not to run. */
export const isWell = (state: ActorState): boolean => state === "running" || state === "ignored"
