/**
 * An event for a rule that has no sample: it has whatever the rule's condition and templates mention, in values that
 * their names and uses suggest. What it cannot tell is whether producers really send them.
 */
import { isJsonObject, type Json, type JsonObject } from "../../domain/json.ts"

type Kind = "list" | "texts" | "number" | "text"

const LIST_USES = [
  "map",
  "forEach",
  "filter",
  "slice",
  "some",
  "every",
  "reduce",
  "find",
  "flatMap",
  "at",
  "entries",
  "toSorted",
]
const NUMBER_USES = ["toFixed", "toLocaleString", "toPrecision"]

/** What is known of the payload: paths as they are mentioned, and what they have to be. */
export interface Mentions {
  readonly paths: ReadonlySet<string>
  readonly kinds: ReadonlyMap<string, Kind>
}

/** The payload's fields in a template's text, with what their use says of them. */
export function mentionsIn(text: string): Mentions {
  const paths = new Set<string>()
  const kinds = new Map<string, Kind>()
  for (const found of text.matchAll(/(\bof\s+)?\bit\s*\??\.\s*payload((?:\s*\??\.\s*[\w$]+)+)\s*(\()?/g)) {
    const parts = (found[2] ?? "").split(/\s*\??\.\s*/).filter((part) => part !== "")
    const use = found[3] === undefined ? (parts.at(-1) === "length" ? parts.pop() : undefined) : parts.pop()
    if (parts.length === 0) continue
    const path = parts.join(".")
    paths.add(path)
    if (found[1] !== undefined || LIST_USES.includes(use ?? "")) kinds.set(path, "list")
    else if (use === "join") kinds.set(path, "texts")
    else if (NUMBER_USES.includes(use ?? "")) kinds.set(path, "number")
    else if (use !== undefined && use !== "length" && !kinds.has(path)) kinds.set(path, "text")
  }
  return { paths, kinds }
}

/** A payload with all that is mentioned, such that the condition's comparisons hold where one value can do that. */
export function madeUpPayload(mentions: Mentions, condition: Json | null): JsonObject {
  const wanted = new Map<string, Json>()
  if (condition !== null) wishes(condition, wanted)
  const root: Record<string, unknown> = {}
  for (const path of [...mentions.paths, ...wanted.keys()].sort()) {
    const parts = path.split(".")
    const name = parts.pop() ?? ""
    let at = root
    for (const part of parts) {
      const below = at[part]
      const next: Record<string, unknown> = isJsonObject(below) ? below : {}
      at[part] = next
      at = next
    }
    at[name] ??= wanted.get(path) ?? valueFor(name, mentions.kinds.get(path))
  }
  return generous(root) as JsonObject // it answers like one
}

/** Gives a value for every name that is asked for: templates reach fields in ways that no pattern finds. */
function generous(target: Record<string, unknown>): object {
  for (const [name, value] of Object.entries(target)) if (isJsonObject(value)) target[name] = generous(value)
  return new Proxy(target, {
    get: (own, key) =>
      typeof key !== "string" || Object.hasOwn(own, key) || key === "toJSON" || key in Object.prototype
        ? Reflect.get(own, key)
        : valueFor(key),
  })
}

function valueFor(name: string, kind?: Kind): unknown {
  if (kind === "list" || (kind === undefined && /(?:items|lines|rows|list|entries|products|changes)$/i.test(name)))
    return [generous({}), generous({})]
  if (kind === "texts") return ["one", "two"]
  if (kind === "number") return 1_250
  if (
    kind === undefined &&
    /(?:^|[_a-z])(?:date|at|time|deadline|since|until)$/i.test(name) &&
    !/^(?:format|great|late|rate)$/i.test(name)
  )
    return "2026-01-05T09:00:00Z"
  if (kind === undefined && NUMERIC.test(name) && !/(?:_id|Id|_number|Number|_name|_code|_type|_unit)$/.test(name))
    return 1_250
  if (/currency$/i.test(name)) return "IQD"
  if (/email$/i.test(name)) return "sample@example.com"
  if (/phone$/i.test(name)) return "+9647700000000"
  if (/(?:url|link)$/i.test(name)) return "https://example.com/sample"
  if (/(?:number|id|code|ref|sku)$/i.test(name)) return "A-1024"
  return `some ${name.replaceAll("_", " ")}`
}

const NUMERIC =
  /amount|total|price|balance|quantity|qty|count|days|hours|minutes|percent|rate|size|limit|level|stock|equity|shortfall|notional|value|cost|score|threshold|difference|due$|hand$|left$|people|guests|requirement|margin|points/i

const ABOVE = [">", ">="]
const BELOW = ["<", "<="]

/** A value for each field that a comparison names, such that it holds. */
function wishes(logic: Json, wanted: Map<string, Json>): void {
  if (Array.isArray(logic)) for (const item of logic) wishes(item, wanted)
  const [entry] = isJsonObject(logic) ? Object.entries(logic) : []
  if (entry === undefined) return
  const [operator, given] = entry
  const args: readonly Json[] = Array.isArray(given) ? given : [given]
  const [left = null, right = null] = args
  const path = payloadPath(left) ?? payloadPath(right)
  const literal = payloadPath(left) === null ? left : right
  const turned = payloadPath(left) === null
  if (operator === "!") return
  if (path !== null && !wanted.has(path)) {
    const value = fitting(operator, literal, turned)
    if (value !== null) wanted.set(path, value)
  }
  for (const arg of args) wishes(arg, wanted)
}

function fitting(operator: string, literal: Json, turned: boolean): Json | null {
  if (operator === "in") return turned ? literal : Array.isArray(literal) ? (literal[0] ?? null) : null
  if (typeof literal === "object") return null
  if (operator === "==" || operator === "===" || operator === "starts_with" || operator === "ends_with") return literal
  if (typeof literal !== "number") return null
  const up = turned ? BELOW : ABOVE
  const down = turned ? ABOVE : BELOW
  return up.includes(operator) ? literal + 1 : down.includes(operator) ? literal - 1 : null
}

/** `x` of `{ var: payload.x }`; of `{ lower: … }` too. */
function payloadPath(logic: Json): string | null {
  if (!isJsonObject(logic)) return null
  const [name, given] = Object.entries(logic)[0] ?? []
  const first = Array.isArray(given) ? given[0] : given
  if (name === "lower") return payloadPath(first ?? null)
  return name === "var" && typeof first === "string" && first.startsWith("payload.")
    ? first.slice("payload.".length)
    : null
}
