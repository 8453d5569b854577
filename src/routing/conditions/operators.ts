/**
 * The operators that rules have beyond JSONLogic's own. To add one, add an entry: its example is run by a test, its
 * `check` at load, and the loader, the explainer and the documentation take it from here.
 */
import { RE2JS } from "re2js"
import { isSeverity, SEVERITY_RANK } from "../../domain/event.ts"
import type { Json, JsonObject } from "../../domain/json.ts"
import { eventTypeFits, patternProblem } from "../event-pattern.ts"
import { shown } from "../rule-error.ts"

/** What an operator may look at besides its arguments. */
export interface OperatorContext {
  readonly event: JsonObject
  /** Milliseconds since the Unix epoch: when the event was accepted. The real clock is never asked. */
  readonly now: number
  /** Pays for work beyond the ordinary, in steps (see `logic.ts`). Throws LogicFailed where the event cannot afford it. */
  charge(steps: number): void
}

export interface Operator {
  readonly name: string
  readonly doc: string
  /** `gives` is what `logic` is for the example event of the operators' test. */
  readonly example: { readonly logic: Json; readonly gives: Json }
  /** Least and most arguments. */
  readonly arity: readonly [number, number]
  /** What is wrong with the arguments as they are written, or null. Only literals can be judged. */
  check?(args: readonly Json[]): OperatorProblem | null
  run(args: readonly unknown[], context: OperatorContext): Json
}

export interface OperatorProblem {
  readonly argument: number
  readonly problem: string
  readonly expected: string
  /** The words to look for the nearest one in. */
  readonly words?: readonly string[]
}

const DAY_MS = 86_400_000
const MAX_MATCHED = 10_000

const rank = (value: unknown): number => (isSeverity(value) ? SEVERITY_RANK[value] : Number.NaN)

/** Milliseconds since the Unix epoch; a date or a time without an offset is UTC; NaN where it is no time. */
function timeOf(value: unknown): number {
  if (typeof value === "number") return value
  if (typeof value !== "string" || !/^\d{4}-\d\d-\d\d/.test(value)) return Number.NaN
  const zoned = /(?:Z|[+-]\d\d:?\d\d)$/i.test(value) || value.length === 10
  return Date.parse(zoned ? value : `${value}Z`)
}

const text = (value: unknown): string | null => (typeof value === "string" ? value : null)

const patterns = new Map<string, RE2JS | null>()

/** Compiled once; null where it is no pattern. */
function compiled(pattern: string): RE2JS | null {
  let made = patterns.get(pattern)
  if (made === undefined) {
    try {
      made = RE2JS.compile(pattern)
    } catch {
      // The library has an error class for each way a pattern can be wrong; for a rule they are one.
      made = null
    }
    if (patterns.size >= 1_000) patterns.clear()
    patterns.set(pattern, made)
  }
  return made
}

const hours = new Map<string, Intl.DateTimeFormat | null>()

/** To make a formatter takes about so many steps; an event may name a zone for each item of a list. */
const STEPS_PER_ZONE = 500

/** Formats the hour of a zone; null where there is no such zone. */
function hourOf(zone: string, charge: OperatorContext["charge"] = () => undefined): Intl.DateTimeFormat | null {
  let format = hours.get(zone)
  if (format === undefined) {
    charge(STEPS_PER_ZONE)
    try {
      format = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", hourCycle: "h23" })
    } catch {
      format = null
    }
    if (hours.size >= 1_000) hours.clear()
    hours.set(zone, format)
  }
  return format
}

export const OPERATORS: readonly Operator[] = [
  {
    name: "severity_at_least",
    doc: "True where the event's severity, or the first of two arguments, ranks as high as the level or higher.",
    example: { logic: { severity_at_least: ["high"] }, gives: true },
    arity: [1, 2],
    check(args) {
      const level = args.at(-1)
      if (typeof level !== "string" || isSeverity(level)) return null
      const words = Object.keys(SEVERITY_RANK)
      return { argument: args.length - 1, problem: shown(level), expected: `one of ${words.join(", ")}`, words }
    },
    run(args, context) {
      const severity = args.length === 1 ? context.event["severity"] : args[0]
      return rank(severity) >= rank(args.at(-1))
    },
  },
  {
    name: "event_matches",
    doc: "True where the event's type fits the pattern: `invoice.*` one part, `**` any number.",
    example: { logic: { event_matches: ["invoice.*"] }, gives: true },
    arity: [1, 1],
    check([pattern]) {
      if (typeof pattern !== "string") return { argument: 0, problem: "a pattern that is no text", expected: "a text" }
      const problem = patternProblem(pattern)
      return problem === null ? null : { argument: 0, problem, expected: "a pattern such as invoice.* or **" }
    },
    run([pattern], { event }) {
      const type = text(event["type"])
      return typeof pattern === "string" && type !== null && eventTypeFits(pattern, type)
    },
  },
  {
    name: "days_since",
    doc: "Whole days from a time until the event was accepted. No time there: every comparison with it is false.",
    example: { logic: { days_since: [{ var: "payload.due_date" }] }, gives: 9 },
    arity: [1, 1],
    run: ([time], { now }) => Math.floor((now - timeOf(time)) / DAY_MS),
  },
  {
    name: "days_until",
    doc: "Whole days from when the event was accepted until a time. No time there: every comparison with it is false.",
    example: { logic: { days_until: [{ var: "payload.expires_at" }] }, gives: 4 },
    arity: [1, 1],
    run: ([time], { now }) => Math.floor((timeOf(time) - now) / DAY_MS),
  },
  {
    name: "hour_in",
    doc: "The hour, 0 to 23, in a time zone: when the event was accepted, or at the time given as second argument.",
    example: { logic: { hour_in: ["Asia/Baghdad"] }, gives: 12 },
    arity: [1, 2],
    check([zone]) {
      if (typeof zone !== "string" || hourOf(zone) !== null) return null
      return { argument: 0, problem: `the time zone ${shown(zone)}`, expected: "an IANA name such as Asia/Baghdad" }
    },
    run(args, { now, charge }) {
      const format = hourOf(text(args[0]) ?? "", charge)
      const time = args.length === 1 ? now : timeOf(args[1])
      return format === null || !Number.isFinite(time) ? Number.NaN : Number(format.format(time))
    },
  },
  {
    name: "lower",
    doc: "A text in small letters; anything else as it is.",
    example: { logic: { lower: [{ var: "payload.reason" }] }, gives: "theft" },
    arity: [1, 1],
    run: ([value]) => (typeof value === "string" ? value.toLowerCase() : (value as Json)), // arguments come from JSON
  },
  {
    name: "starts_with",
    doc: "True where both are texts and the first begins with the second.",
    example: { logic: { starts_with: [{ var: "payload.reason" }, "The"] }, gives: true },
    arity: [2, 2],
    run: ([value, start]) => typeof value === "string" && typeof start === "string" && value.startsWith(start),
  },
  {
    name: "ends_with",
    doc: "True where both are texts and the first ends with the second.",
    example: { logic: { ends_with: [{ var: "payload.reason" }, "ft"] }, gives: true },
    arity: [2, 2],
    run: ([value, end]) => typeof value === "string" && typeof end === "string" && value.endsWith(end),
  },
  {
    name: "matches",
    doc: "True where a pattern is found in the text (RE2: linear time; use ^ and $ for the whole of it).",
    example: { logic: { matches: [{ var: "payload.reason" }, "^(?i)theft$"] }, gives: true },
    arity: [2, 2],
    check([, pattern]) {
      if (typeof pattern !== "string") return { argument: 1, problem: "a pattern that is no text", expected: "a text" }
      if (pattern.length <= 500 && compiled(pattern) !== null) return null
      return { argument: 1, problem: `the pattern ${shown(pattern)}`, expected: "a regular expression (RE2 syntax)" }
    },
    run([value, pattern], { charge }) {
      if (typeof value !== "string" || typeof pattern !== "string") return false
      const expression = compiled(pattern)
      if (expression === null) return false
      const within = value.slice(0, MAX_MATCHED)
      // At worst every character meets every part of the pattern, which takes a quarter of a step.
      charge((within.length * expression.programSize()) >> 2)
      return expression.matcher(within).find()
    },
  },
  {
    name: "exists",
    doc: "True where there is a value that is not null. Takes a path or a `var`.",
    example: { logic: { exists: "payload.reason" }, gives: true },
    arity: [1, 1],
    run: ([value]) => value !== null && value !== undefined,
  },
]
