/** What nodes tell each other of who is present, as JSON in the news; each tells of its own sockets alone. */
import { isJsonObject, type JsonObject } from "../domain/json.ts"

/** One socket on one topic. */
export type Present = {
  /** Of this join, on all nodes. */
  readonly id: string
  /** `phx_ref`: of this join with this meta. */
  readonly ref: string
  /** `phx_ref_prev`: the ref that this one replaced. */
  readonly prev: string | null
  readonly key: string
  /** Who sees it: whoever is present in one of these. */
  readonly scopes: readonly string[]
  readonly meta: JsonObject
}

/**
 * `life` counts the starts of a node's presence. `clock` counts the changes of that life: at 0 nobody is there, and a
 * diff leads from the clock before to its own. So whoever knows a node's clock knows whether it knows its people.
 */
export type PresenceMessage =
  | { readonly kind: "beat"; readonly node: string; readonly life: number; readonly clock: number }
  | ({ readonly kind: "diff" } & Diff)
  /** All of a node's people, or one of several parts. */
  | ({ readonly kind: "state" } & StatePart)
  /** Somebody has missed something of `node`: may it say its state. */
  | { readonly kind: "ask"; readonly node: string }
  /** It stops. */
  | { readonly kind: "gone"; readonly node: string; readonly life: number }

export type Diff = {
  readonly node: string
  readonly life: number
  readonly clock: number
  readonly put: readonly Present[]
  readonly out: readonly string[]
}

export type StatePart = {
  readonly node: string
  readonly life: number
  readonly clock: number
  readonly part: number
  readonly parts: number
  readonly people: readonly Present[]
}

/** Far below what NATS takes in one message. */
const MOST_CHARS = 100_000

/** In order, each piece below what fits into one message; one piece at least. */
export function pieces(people: readonly Present[]): readonly (readonly Present[])[] {
  const all: Present[][] = [[]]
  let chars = 0
  for (const one of people) {
    const size = JSON.stringify(one).length
    if (chars + size > MOST_CHARS && chars > 0) {
      all.push([])
      chars = 0
    }
    all.at(-1)?.push(one)
    chars += size
  }
  return all
}

/** Null: nothing that a node of ours would say, or a newer one's that this one does not know. */
export function readPresenceMessage(message: JsonObject): PresenceMessage | null {
  const { kind, node, life, clock, put, out, part, parts, people } = message
  if (typeof node !== "string") return null
  if (kind === "ask") return { kind, node }
  if (!isCount(life)) return null
  if (kind === "gone") return { kind, node, life }
  if (!isCount(clock)) return null
  if (kind === "beat") return { kind, node, life, clock }
  if (kind === "diff") {
    if (!isPeople(put) || !Array.isArray(out) || !out.every((id) => typeof id === "string")) return null
    return { kind, node, life, clock, put, out }
  }
  if (kind !== "state" || !isCount(part) || !isCount(parts) || part >= parts || !isPeople(people)) return null
  return { kind, node, life, clock, part, parts, people }
}

const isCount = (value: unknown): value is number =>
  typeof value === "number" && Number.isSafeInteger(value) && value >= 0

const isPeople = (value: unknown): value is readonly Present[] => Array.isArray(value) && value.every(isPresent)

function isPresent(value: unknown): boolean {
  if (!isJsonObject(value)) return false
  const { id, ref, prev, key, scopes, meta } = value
  return (
    typeof id === "string" &&
    typeof ref === "string" &&
    (prev === null || typeof prev === "string") &&
    typeof key === "string" &&
    Array.isArray(scopes) &&
    scopes.every((scope) => typeof scope === "string") &&
    isJsonObject(meta)
  )
}
