/**
 * Evaluation of JSONLogic with its dangers taken out. An event is a stranger's data: it reaches own properties only, is
 * never taken for logic, and cannot make a rule run for long. `lint-logic.ts` has judged the logic before.
 */
import jsonLogic, { type RulesLogic } from "json-logic-js"
import type { Json, JsonObject } from "../../domain/json.ts"
import { OPERATORS } from "./operators.ts"
import { ownValue } from "./own-path.ts"

/** What a rule sees. Made once per event; nothing in it is changed. */
export interface Facts {
  readonly event: JsonObject
  readonly payload: JsonObject
}

/** A step is one part of the logic looked at, or as much work as one takes: some tens of nanoseconds. */
export const MAX_STEPS = 50_000
/** All rules of one event together: some ten milliseconds, so that one event cannot hold up the others. */
export const MAX_STEPS_PER_EVENT = 200_000
const MAX_TEXT = 65_536
/** Characters that are read in the time of a step; comparisons of characters that are. */
const CHARACTERS_SHIFT = 6
const COMPARISONS_SHIFT = 12

/**
 * The logic is sound and this event makes it too costly (`rule_budget`), or has a value there that cannot be compared
 * (`not_computable`).
 */
export class LogicFailed extends Error {
  override readonly name = "LogicFailed"
  readonly code: "rule_budget" | "not_computable"
  constructor(code: LogicFailed["code"], message: string) {
    super(code === "rule_budget" ? `${code}: ${message}` : message)
    this.code = code
  }
}

/** What several evaluations may take together, in steps. */
export class Budget {
  left: number
  constructor(steps: number) {
    this.left = steps
  }
}

interface Run {
  readonly facts: Facts
  readonly now: number
  left: number
}

/** JSONLogic's functions take no context, and evaluation never waits: so the one that is running stands here. */
let running: Run | null = null

function step(count: number): void {
  if (running === null) return
  running.left -= count
  if (running.left < 0) throw new LogicFailed("rule_budget", "more steps for this event than a rule may take")
}

/**
 * The value of the logic for these facts. `now`: when the event was accepted, in milliseconds since the Unix epoch.
 * `budget` is what this and other evaluations share; each has at most MAX_STEPS of it. Throws LogicFailed.
 */
export function evaluate(logic: Json, facts: Facts, now: number, budget?: Budget): unknown {
  const outer = running
  const most = budget === undefined ? MAX_STEPS : Math.min(MAX_STEPS, budget.left)
  const run: Run = { facts, now, left: most }
  running = run
  try {
    return jsonLogic.apply(logic as RulesLogic, facts) // the linter has seen that it is
  } catch (error) {
    if (error instanceof LogicFailed) throw error
    // What JavaScript cannot compare (`{toString: 1} > 2`) or hold (a text of 500 MB) is the event's fault.
    if (error instanceof TypeError || error instanceof RangeError)
      throw new LogicFailed("not_computable", "cannot be computed for this event")
    throw error
  } finally {
    running = outer
    if (budget !== undefined) budget.left -= Math.min(most, most - run.left)
  }
}

/** JSONLogic's own notion of truth: an empty list is false. */
export const isTrue = (value: unknown): boolean => jsonLogic.truthy(value)

/**
 * Whatever an operator does with a value takes time that grows with it (a list that is compared becomes a text), so it
 * is paid for where it is read. Objects are never looked into.
 */
function weigh(value: unknown): void {
  if (typeof value === "string") step(value.length >> CHARACTERS_SHIFT)
  if (!Array.isArray(value)) return
  step(value.length)
  for (const item of value) if (typeof item === "string" || Array.isArray(item)) weigh(item)
}

function read(this: unknown, path: unknown, fallback: unknown): unknown {
  const isRoot = path === undefined || path === null || path === ""
  const value = isRoot ? this : ownValue(this, String(path))
  weigh(value)
  return value === undefined ? (fallback ?? null) : value
}

function missing(this: unknown, ...keys: readonly unknown[]): readonly unknown[] {
  const wanted = Array.isArray(keys[0]) ? keys[0] : keys
  return wanted.filter((key) => {
    const value = read.call(this, key, null)
    return value === null || value === ""
  })
}

/** The library's own calls `indexOf` of whatever the event holds there. */
function contains(needle: unknown, hay: unknown): boolean {
  if (typeof hay !== "string") return Array.isArray(hay) && hay.includes(needle)
  if (typeof needle === "object" || hay === "") return false
  const text = String(needle)
  // A hostile pair of texts is compared at every place, to its end.
  step(Math.floor((text.length * hay.length) / 2 ** COMPARISONS_SHIFT))
  return hay.includes(text)
}

function cat(...parts: readonly unknown[]): string {
  const text = parts.join("")
  if (text.length > MAX_TEXT) throw new LogicFailed("rule_budget", "a text that is too long for this event")
  step(text.length >> CHARACTERS_SHIFT)
  return text
}

function merge(...lists: readonly unknown[]): readonly unknown[] {
  const all = lists.flat()
  step(all.length)
  return all
}

function install(): void {
  const { apply } = jsonLogic
  // The library calls itself by this name for every part of the logic: the one place where all of it passes.
  jsonLogic.apply = (logic, data) => {
    step(1)
    return apply(logic, data)
  }
  jsonLogic.rm_operation("log")
  jsonLogic.rm_operation("method")
  jsonLogic.add_operation("var", read)
  // The library's own evaluates its keys as logic, and a key may come from the event.
  jsonLogic.add_operation("missing", missing)
  jsonLogic.add_operation("missing_some", function (this: unknown, count: unknown, keys: unknown) {
    const wanted = Array.isArray(keys) ? keys : []
    const absent = missing.call(this, wanted)
    return wanted.length - absent.length >= Number(count) ? [] : absent
  })
  jsonLogic.add_operation("in", contains)
  jsonLogic.add_operation("cat", cat)
  jsonLogic.add_operation("merge", merge)
  for (const { name, run } of OPERATORS) {
    jsonLogic.add_operation(name, (...args: readonly unknown[]) => {
      if (running === null) throw new Error(`operator ${name} outside of an evaluation`)
      return run(args, { event: running.facts.event, now: running.now, charge: step })
    })
  }
}

install()
