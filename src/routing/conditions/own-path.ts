/**
 * Reading a value by its path, own properties only: an event may hold anything, and `constructor` must never lead from
 * its data to a function.
 */

/** Parts that no path may have, wherever they stand. */
const FORBIDDEN = ["__proto__", "constructor", "prototype"]
const MAX_PARTS = 16
const MAX_LENGTH = 200

/** What is wrong with a path, or null. */
export function pathProblem(path: string): string | null {
  if (path.length > MAX_LENGTH) return `a path of ${path.length} characters`
  const parts = path.split(".")
  if (parts.length > MAX_PARTS) return `a path of ${parts.length} parts`
  if (parts.includes("")) return "a path with an empty part"
  const forbidden = parts.find((part) => FORBIDDEN.includes(part))
  return forbidden === undefined ? null : `a path through "${forbidden}"`
}

/** Paths are few: they stand in rules. Bounded all the same, because rules are reloaded for months. */
const split = new Map<string, readonly string[]>()
const MAX_SPLIT = 10_000

function partsOf(path: string): readonly string[] {
  let parts = split.get(path)
  if (parts === undefined) {
    parts = path.split(".")
    if (split.size >= MAX_SPLIT) split.clear()
    split.set(path, parts)
  }
  return parts
}

/** The value at `a.b.0.c`, or undefined where there is none. An empty path is the data itself. */
export function ownValue(data: unknown, path: string): unknown {
  if (path === "") return data
  let value = data
  for (const part of partsOf(path)) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined
    value = (value as Readonly<Record<string, unknown>>)[part] // an own property was just seen
  }
  return value
}
