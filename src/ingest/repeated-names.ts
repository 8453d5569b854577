/**
 * Names that stand twice in one object. `JSON.parse` keeps the last and says nothing, other readers keep the first: of two
 * amounts, or two businesses, the hub would store one that the sender may not have meant. So the text is looked through.
 */

import { isJsonObject, type Json } from "../domain/json.ts"
import { type FieldError, JSON_LIMITS, pointerTo } from "../domain/json-limits.ts"

/** Where a repeated name stands: names and indexes from the root. */
export type JsonPath = readonly (string | number)[]

interface Level {
  /** Null in a list. */
  readonly names: Set<string> | null
  /** The name or index of the value that is being read. */
  at: string | number
}

/** As deep as an event may be, in a list in an object. */
const DEEPEST = JSON_LIMITS.depth + 2
const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const COMMA = 0x2c
const COLON = 0x3a
const SPACE = 0x20
const LINE_FEED = 0x0a
const RETURN = 0x0d
const TAB = 0x09

/** What is said of the names at these paths. */
export const repeatedErrors = (paths: readonly JsonPath[]): readonly FieldError[] =>
  paths.slice(0, JSON_LIMITS.errors).map((path) => ({
    pointer: path.reduce<string>(pointerTo, ""),
    detail: "a name that stands twice in its object: say which one is meant",
  }))

const NONE: readonly JsonPath[] = []

/**
 * As `repeatedNames`, of a text and the `value` that `JSON.parse` made of it. Nearly every text has none, and counting is
 * cheaper than remembering: what repeats a name loses the earlier one in the value, with all that stood in it.
 */
export const repeatedIn = (text: string, value: Json, depth: number): readonly JsonPath[] =>
  namesWritten(text) === namesKept(value, 0) ? NONE : repeatedNames(text, depth)

/** How many names stand in a JSON text: the strings that a colon follows. */
function namesWritten(text: string): number {
  let count = 0
  for (let start = text.indexOf('"'); start !== -1; ) {
    let next = endOfString(text, start) + 1
    let code = text.charCodeAt(next)
    while (code === SPACE || code === LINE_FEED || code === RETURN || code === TAB) code = text.charCodeAt(++next)
    if (code === COLON) count += 1
    start = text.indexOf('"', next)
  }
  return count
}

/** How many names a value has; NaN, which equals no count, where it is deeper than an event may be. */
function namesKept(value: Json, depth: number): number {
  if (typeof value !== "object" || value === null) return 0
  if (depth > DEEPEST) return Number.NaN
  let count = 0
  if (isJsonObject(value)) {
    // `JSON.parse` makes plain objects, whose prototype has nothing to enumerate.
    for (const name in value) count += 1 + namesKept(value[name] ?? null, depth + 1)
  } else for (const item of value) count += namesKept(item, depth + 1)
  return count
}

/**
 * The repeated names of a JSON text that `JSON.parse` has taken: the first under each value that is `depth` steps from the
 * root, so that one event of a list cannot hide what is wrong with the next. Deeper than an event may be is not looked.
 */
export function repeatedNames(text: string, depth: number): readonly JsonPath[] {
  const levels: Level[] = []
  const found = new Map<string, JsonPath>()
  let level: Level | undefined
  let expectsName = false
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case QUOTE: {
        const end = endOfString(text, i)
        if (expectsName && level?.names != null) {
          const name = nameIn(text, i, end)
          level.at = name
          expectsName = false
          if (!level.names.has(name)) level.names.add(name)
          else if (levels.length <= DEEPEST) {
            const path = levels.map(({ at }) => at)
            const under = JSON.stringify(path.slice(0, depth))
            if (!found.has(under)) found.set(under, path)
          }
        }
        i = end
        break
      }
      case OPEN_OBJECT:
        level = { names: new Set(), at: "" }
        levels.push(level)
        expectsName = true
        break
      case OPEN_LIST:
        level = { names: null, at: 0 }
        levels.push(level)
        expectsName = false
        break
      case CLOSE_OBJECT:
      case CLOSE_LIST:
        levels.pop()
        level = levels.at(-1)
        expectsName = false
        break
      case COMMA:
        if (level === undefined) break
        expectsName = level.names !== null
        if (typeof level.at === "number") level.at += 1
    }
  }
  return [...found.values()]
}

/** The index of the quote that closes the string opened at `start`. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1)
  while (end !== -1 && isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end === -1 ? text.length : end
}

function isEscaped(text: string, at: number): boolean {
  let first = at
  while (text.charCodeAt(first - 1) === BACKSLASH) first -= 1
  return (at - first) % 2 === 1
}

/** A name as it reads, whatever its escapes: `"\u0061"` is `a`. */
function nameIn(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end)
  return raw.includes("\\") ? (JSON.parse(`"${raw}"`) as string) : raw // a string of a text that was parsed before
}
