/**
 * JSON that may come in. PostgreSQL refuses NUL and lone surrogates, a million-deep array breaks every recursive
 * walker behind us, and `__proto__` is an old trap: such values are named here, by pointer, before anything trusts them.
 */
import type { Json, JsonObject } from "./json.ts"

/** One thing that is wrong with an input; `pointer` is an RFC 6901 JSON pointer, "" for the whole. */
export interface FieldError {
  readonly pointer: string
  readonly detail: string
}

/** Contract §5.1. A string may be as long as the event: a scanned receipt in base64 is one string of 200 KB. */
export const JSON_LIMITS = { depth: 32, keys: 1_000, errors: 20 } as const

const FORBIDDEN_KEYS = new Set(["__proto__", "constructor", "prototype"])

/** One more step of a pointer. */
export const pointerTo = (parent: string, key: string | number): string =>
  `${parent}/${String(key).replaceAll("~", "~0").replaceAll("/", "~1")}`

/** An invoice of 100 lines as an ERP writes it whole; its sender cannot be asked to say less. */
export const SIGNED_KEYS = 20_000

interface Walk {
  keys: number
  readonly mostKeys: number
  readonly errors: FieldError[]
}

/** What is wrong with a parsed value, `JSON_LIMITS.errors` at most; empty where it may be stored. Never deeper than the limit. */
export function checkJson(value: Json, mostKeys: number = JSON_LIMITS.keys): readonly FieldError[] {
  const walk: Walk = { keys: 0, mostKeys, errors: [] }
  visit(value, "", 1, walk)
  return walk.errors
}

function visit(value: Json, pointer: string, depth: number, walk: Walk): void {
  if (walk.errors.length >= JSON_LIMITS.errors) return
  if (typeof value === "string") {
    checkText(value, pointer, "string", walk)
    return
  }
  if (typeof value === "number") {
    // JSON has no infinity: it can only be a numeral that no double holds.
    if (!Number.isFinite(value)) walk.errors.push({ pointer, detail: "expected a number that a double can hold" })
    return
  }
  if (typeof value !== "object" || value === null) return
  if (depth > JSON_LIMITS.depth) {
    walk.errors.push({ pointer, detail: `nested more than ${JSON_LIMITS.depth} deep` })
    return
  }
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) {
      const item: Json | undefined = value[index]
      // Pointers are built for containers alone: a scalar in order needs none.
      if (item !== undefined && needsVisit(item)) visit(item, pointerTo(pointer, index), depth + 1, walk)
      if (walk.errors.length >= JSON_LIMITS.errors) return
    }
    return
  }
  // `JSON.parse` makes plain objects, whose prototype has nothing to enumerate; a list of pairs would cost as much as the rest.
  for (const key in value) {
    const item: Json = (value as JsonObject)[key] ?? null // no list: that was asked above
    walk.keys += 1
    if (walk.keys > walk.mostKeys) {
      if (walk.keys === walk.mostKeys + 1) walk.errors.push({ pointer: "", detail: `more than ${walk.mostKeys} keys` })
      return
    }
    if (FORBIDDEN_KEYS.has(key))
      walk.errors.push({ pointer: pointerTo(pointer, key), detail: "a key of this name is not taken" })
    else if (!isSound(key)) checkText(key, pointer, "key", walk)
    else if (needsVisit(item)) visit(item, pointerTo(pointer, key), depth + 1, walk)
  }
}

/** Far above what may be stored, far below where writing a value down becomes slow. */
const WRITABLE_DEPTH = 1_000

/**
 * The value as JSON; null where it is nested too deep. `JSON.stringify` throws there too, but a value of 50,000 levels
 * keeps it busy for seconds first, and an event loop that is busy for so long is ended.
 */
export const writeJson = (value: Json): string | null =>
  isDeeper(value, WRITABLE_DEPTH) ? null : JSON.stringify(value)

const isDeeper = (value: Json, limit: number): boolean =>
  typeof value === "object" &&
  value !== null &&
  (limit === 0 || Object.values(value).some((item) => isDeeper(item, limit - 1)))

const isSound = (text: string): boolean => !text.includes("\0") && text.isWellFormed()

function needsVisit(value: Json): boolean {
  if (typeof value === "string") return !isSound(value)
  if (typeof value === "number") return !Number.isFinite(value)
  return typeof value === "object" && value !== null
}

function checkText(text: string, pointer: string, what: "string" | "key", walk: Walk): void {
  if (text.includes("\0")) walk.errors.push({ pointer, detail: `a ${what} with a NUL character` })
  else if (!text.isWellFormed()) walk.errors.push({ pointer, detail: `a ${what} with half a surrogate pair` })
}
