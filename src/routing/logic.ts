/**
 * Evaluation of JSONLogic with its dangers taken out. An event is a stranger's data: it reaches own properties only, is
 * never taken for logic, and cannot make a rule run for long. `lint-logic.ts` has judged the logic before.
 */
import { add_operation, apply, type RulesLogic, rm_operation, truthy } from "json-logic-js"
import type { Json, JsonObject } from "../domain/json.ts"
import { OPERATORS } from "./operators.ts"
import { ownValue } from "./own-path.ts"

/** What a rule sees. Made once per event; nothing in it is changed. */
export interface Facts {
  readonly event: JsonObject
  readonly payload: JsonObject
}

/** Nested iteration over an event's lists is the one way to make a rule slow: 2,000 × 2,000 takes a second. */
const MAX_STEPS = 50_000
const MAX_TEXT = 65_536

/** The logic is sound and this event makes it too costly, or has a value there that cannot be compared. */
export class LogicFailed extends Error {
  override readonly name = "LogicFailed"
}

interface Run {
  readonly facts: Facts
  readonly now: number
  steps: number
}

/** JSONLogic's functions take no context, and evaluation never waits: so the one that is running stands here. */
let running: Run | null = null

function step(count: number): void {
  if (running === null) return
  running.steps += count
  if (running.steps > MAX_STEPS) throw new LogicFailed("took too many steps for this event")
}

/** The value of the logic for these facts. `now`: when the event was accepted. Throws LogicFailed. */
export function evaluate(logic: Json, facts: Facts, now: number): unknown {
  const outer = running
  running = { facts, now, steps: 0 }
  try {
    return apply(logic as RulesLogic, facts) // the linter has seen that it is
  } catch (error) {
    if (error instanceof LogicFailed) throw error
    // What JavaScript cannot compare (`{toString: 1} > 2`) or hold (a text of 500 MB) is the event's fault.
    if (error instanceof TypeError || error instanceof RangeError)
      throw new LogicFailed("cannot be computed for this event")
    throw error
  } finally {
    running = outer
  }
}

/** JSONLogic's own notion of truth: an empty list is false. */
export const isTrue = (value: unknown): boolean => truthy(value)

function read(this: unknown, path: unknown, fallback: unknown): unknown {
  const isRoot = path === undefined || path === null || path === ""
  const value = isRoot ? this : ownValue(this, String(path))
  step(Array.isArray(value) ? value.length + 1 : 1)
  return value === undefined ? (fallback ?? null) : value
}

function missing(this: unknown, ...keys: readonly unknown[]): readonly unknown[] {
  const wanted = Array.isArray(keys[0]) ? keys[0] : keys
  return wanted.filter((key) => {
    const value = read.call(this, key, null)
    return value === null || value === ""
  })
}

function install(): void {
  rm_operation("log")
  rm_operation("method")
  add_operation("var", read)
  // The library's own evaluates its keys as logic, and a key may come from the event.
  add_operation("missing", missing)
  add_operation("missing_some", function (this: unknown, count: unknown, keys: unknown) {
    const wanted = Array.isArray(keys) ? keys : []
    const absent = missing.call(this, wanted)
    return wanted.length - absent.length >= Number(count) ? [] : absent
  })
  // The library's own calls `indexOf` of whatever the event holds there.
  add_operation("in", (needle: unknown, hay: unknown) =>
    typeof hay === "string"
      ? typeof needle !== "object" && hay.includes(String(needle))
      : Array.isArray(hay) && hay.includes(needle),
  )
  add_operation("cat", (...parts: readonly unknown[]) => {
    const text = parts.join("")
    if (text.length > MAX_TEXT) throw new LogicFailed("made a text that is too long")
    step(text.length >> 6)
    return text
  })
  add_operation("merge", (...lists: readonly unknown[]) => {
    const all = lists.flat()
    step(all.length)
    return all
  })
  for (const { name, run } of OPERATORS) {
    add_operation(name, (...args: readonly unknown[]) => {
      if (running === null) throw new Error(`operator ${name} outside of an evaluation`)
      return run(args, { event: running.facts.event, now: running.now })
    })
  }
}

install()
