/** Events to begin with: a recorded one as its producer would send it again, or an empty one of a rule's fields. */
import { type Fields, fields } from "../shared/fields.ts"
import type { Rule } from "./running.ts"

const SENT = ["type", "source", "severity", "business_id", "location_id", "occurred_at", "payload"] as const

/** What a producer says of an event; what the hub adds is left out. */
export function draftOf(recorded: Fields): Fields {
  return Object.fromEntries(
    SENT.flatMap((name) => {
      const value = recorded[name] ?? null
      return value === null ? [] : [[name, value]]
    }),
  )
}

/**
 * An event of a type that the rule listens to, with each payload field that it looks at: a value that its comparison
 * takes where that is plain to see, its own name in a link or a label, else null. One to go on from; it need not fit.
 */
export function sampleFor(rule: Rule, type?: string): Fields {
  const payload: Record<string, unknown> = {}
  const wanted = new Map<string, unknown>()
  collect(rule.condition, wanted)
  for (const [path, value] of wanted) {
    const within = /^payload\.(.+)$/.exec(path)?.[1]
    if (within !== undefined) put(payload, within.split("."), value)
  }
  const text = JSON.stringify([rule.condition, rule.actions])
  const named = /\b(it\.)?payload\.((?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*)/g
  for (const [, template, path = ""] of text.matchAll(named)) {
    const parts = path.split(".")
    // A text that stands in a link or a label is there at least.
    put(payload, parts, template === undefined ? null : (parts.at(-1) ?? null))
  }
  return {
    type: type ?? rule.eventTypes[0]?.replaceAll("**", "any").replaceAll("*", "any") ?? "",
    source: rule.source ?? "playground",
    severity: wanted.get("event.severity") ?? "info",
    payload,
  }
}

function put(into: Record<string, unknown>, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path
  if (name === undefined || name === "__proto__") return
  if (rest.length === 0) {
    into[name] ??= value
    return
  }
  const inner: Record<string, unknown> = { ...fields(into[name]) }
  into[name] = inner
  put(inner, rest, value)
}

/** What the comparisons of a condition take, by path. Behind a `!` nothing is plain to see. */
function collect(logic: unknown, into: Map<string, unknown>): void {
  const [operator, given] = Object.entries(fields(logic) ?? {})[0] ?? []
  if (operator === undefined || operator === "!") return
  const args: readonly unknown[] = Array.isArray(given) ? given : [given]
  if (operator === "and" || operator === "or") {
    for (const part of operator === "and" ? args : args.slice(0, 1)) collect(part, into)
    return
  }
  const [left, right] = args
  if (operator === "severity_at_least" && args.length === 1) into.set("event.severity", left)
  const path = fields(left)?.["var"]
  const value = typeof path === "string" ? takes(operator, right) : undefined
  if (typeof path === "string" && value !== undefined) into.set(path, value)
}

function takes(operator: string, right: unknown): unknown {
  switch (operator) {
    case "==":
    case "===":
      return typeof right === "object" ? undefined : right
    case ">=":
    case "<=":
      return typeof right === "number" ? right : undefined
    case ">":
      return typeof right === "number" ? right + 1 : undefined
    case "<":
      return typeof right === "number" ? right - 1 : undefined
    case "in":
      return Array.isArray(right) ? right[0] : undefined
    default:
      return undefined
  }
}
