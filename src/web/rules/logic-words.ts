/** A rule's condition in words, for people who read the rule and not an event. */
import { fields } from "../shared/fields.ts"

/** `code`: one comparison; the others hold parts. */
export type Spoken =
  | { readonly kind: "code"; readonly code: string }
  | { readonly kind: "all" | "any" | "none"; readonly parts: readonly Spoken[] }

const BETWEEN: ReadonlyMap<string, string> = new Map([
  ["==", "=="],
  ["===", "=="],
  ["!=", "!="],
  ["!==", "!="],
  [">", ">"],
  [">=", ">="],
  ["<", "<"],
  ["<=", "<="],
  ["+", "+"],
  ["-", "-"],
  ["*", "*"],
  ["/", "/"],
  ["%", "%"],
  ["in", "in"],
  ["starts_with", "starts with"],
  ["ends_with", "ends with"],
  ["matches", "matches"],
])

/** The condition as a tree of comparisons. */
export function spoken(logic: unknown): Spoken {
  const { operator, args } = operation(logic)
  if (operator === "and" || operator === "or") {
    const kind = operator === "and" ? "all" : "any"
    const parts = withoutGuards(operator, args)
      .map(spoken)
      // A list of comparisons is compiled into one within another; they say the same.
      .flatMap((part) => (part.kind === kind ? part.parts : [part]))
    const [only, second] = parts
    return only !== undefined && second === undefined ? only : { kind, parts }
  }
  if (operator === "!") {
    const inner = spoken(args[0])
    if (inner.kind !== "code") return { kind: "none", parts: inner.kind === "any" ? inner.parts : [inner] }
    const { operator: negated, args: of } = operation(args[0])
    if (negated === "exists") return { kind: "code", code: `${phrase(of[0])} is missing` }
    if (negated === "severity_at_least") return { kind: "code", code: `${severityOf(of)} is below ${bare(of.at(-1))}` }
    return { kind: "code", code: `not (${inner.code})` }
  }
  return { kind: "code", code: phrase(logic) }
}

/** An expression on one line, fields by their paths. */
export function phrase(logic: unknown): string {
  if (Array.isArray(logic)) return `[${logic.map(phrase).join(", ")}]`
  const { operator, args } = operation(logic)
  if (operator === null) return JSON.stringify(logic) ?? "null"
  const [first, second, third] = args
  if (operator === "var") return typeof first === "string" && first !== "" ? first : "it"
  if (operator === "exists") return `${typeof first === "string" ? first : phrase(first)} is there`
  if (operator === "severity_at_least") return `${severityOf(args)} is at least ${bare(args.at(-1))}`
  if (operator === "event_matches") return `event.type fits ${bare(first)}`
  if (operator === "in" && Array.isArray(second)) return `${phrase(first)} is one of ${second.map(phrase).join(", ")}`
  if (operator === "in") return `${phrase(second)} contains ${phrase(first)}`
  if ((operator === "<" || operator === "<=") && args.length === 3)
    return `${phrase(first)} ${operator} ${phrase(second)} ${operator} ${phrase(third)}`
  const between = BETWEEN.get(operator)
  if (between !== undefined && args.length > 1) return args.map(inner).join(` ${between} `)
  if (operator === "and" || operator === "or") return args.map(inner).join(` ${operator} `)
  if (operator === "!") return `not ${inner(first)}`
  return `${operator}(${args.map(phrase).join(", ")})`
}

const inner = (logic: unknown): string => {
  const { operator } = operation(logic)
  const joined = operator !== null && (BETWEEN.has(operator) || operator === "and" || operator === "or")
  return joined ? `(${phrase(logic)})` : phrase(logic)
}

const bare = (value: unknown): string => (typeof value === "string" ? value : phrase(value))
const severityOf = (args: readonly unknown[]): string => (args.length > 1 ? phrase(args[0]) : "event.severity")

function operation(logic: unknown): { readonly operator: string | null; readonly args: readonly unknown[] } {
  const [entry] = Object.entries(fields(logic) ?? {})
  if (entry === undefined) return { operator: null, args: [] }
  const [operator, given] = entry
  return { operator, args: Array.isArray(given) ? given : [given] }
}

/** `x is there and x >= 7`: the comparison says it alone. */
function withoutGuards(operator: string, args: readonly unknown[]): readonly unknown[] {
  if (operator !== "and" || args.length < 2) return args
  const [guard, ...rest] = args
  const { operator: first, args: of } = operation(guard)
  if (first !== "exists" || typeof fields(of[0])?.["var"] !== "string") return args
  const guarded = JSON.stringify(of[0])
  return JSON.stringify(operation(rest[0]).args[0]) === guarded ? rest : args
}
