/**
 * Events to try templates with: `samples/<event.type>.json` beside the rules, and the events of `*.test.yaml` files. Read
 * for `hub rules check` alone; the hub never looks at them.
 */
import { isMap, isScalar, isSeq } from "yaml"
import { isJsonObject, type Json, type JsonObject } from "../../domain/json.ts"
import { evaluate, type Facts, isTrue, LogicFailed } from "../conditions/logic.ts"
import { eventTypeFits } from "../event-pattern.ts"
import { type Node, YamlFile } from "../language/yaml-file.ts"
import { ErrorList, type RuleError, rightWord, shown } from "../rule-error.ts"
import { type Counts, readFolder } from "../rule-files.ts"
import type { LoadedRule } from "../rule-set.ts"

export interface Sample {
  readonly facts: Facts
  /** Where it is written: `samples/invoice.overdue.json`, `rules/invoicing.test.yaml:7`; null: made up. */
  readonly from: string | null
}

export interface Samples {
  /** Those on which the rule acts, at most five. */
  of(rule: LoadedRule): readonly Sample[]
  readonly warnings: readonly RuleError[]
  /** Files of samples whose type no rule takes. */
  readonly notes: readonly RuleError[]
}

const SAMPLE_FILE = /(?:^|\/)samples\/([^/]+)\.json$/
const isSampleFile: Counts = (path) => SAMPLE_FILE.test(path) || path.endsWith(".test.yaml")
const MAX_PER_RULE = 5
const TOP = { line: 1, column: 1, expected: null, suggestion: null }

/** All samples below the rules' folder; what cannot be read of them is a warning. */
export async function readSamples(rulesDir: string, rules: readonly LoadedRule[]): Promise<Samples> {
  const errors = new ErrorList()
  const names = rules.map(({ name }) => name as string) // compared with words of a file
  const samples: Sample[] = []
  const files = await readFolder(rulesDir, "rules", isSampleFile, errors)
  const paths = [...files.keys()]
  for (const [path, text] of files) {
    const type = SAMPLE_FILE.exec(path)?.[1]
    samples.push(
      ...(type === undefined
        ? ofTests(`rules/${path}`, text, names, errors)
        : ofFile(`rules/${path}`, type, text, errors)),
    )
  }
  const byType = Map.groupBy(samples, ({ facts }) => String(facts.event["type"]))
  const taken = (type: string): boolean =>
    rules.some((rule) => rule.eventTypes.some((pattern) => eventTypeFits(pattern, type)))
  const idle = paths.filter((path) => !taken(SAMPLE_FILE.exec(path)?.[1] ?? "") && SAMPLE_FILE.test(path))
  return {
    warnings: errors.sorted(),
    notes: idle.map((path) => ({ ...TOP, file: `rules/${path}`, problem: "a sample of a type that no rule takes" })),
    of(rule) {
      const found: Sample[] = []
      for (const [type, own] of byType) {
        if (!rule.eventTypes.some((pattern) => eventTypeFits(pattern, type))) continue
        found.push(...own.filter(({ facts }) => concerns(rule, facts)).slice(0, MAX_PER_RULE - found.length))
      }
      return found
    },
  }
}

function concerns({ source, condition }: LoadedRule, facts: Facts): boolean {
  if (source !== null && facts.event["source"] !== source && facts.event["source"] !== ANY_SOURCE) return false
  try {
    return condition === null || isTrue(evaluate(condition, facts, Date.parse(String(facts.event["accepted_at"]))))
  } catch (error) {
    if (error instanceof LogicFailed) return false
    throw error
  }
}

const ANY_SOURCE = "sample"

/** The event's own fields, those that are given over ones that any event could have. */
export const sampleFacts = (type: string, given: JsonObject, payload: JsonObject): Facts => ({
  event: {
    id: "evt_sample",
    type,
    source: ANY_SOURCE,
    severity: "info",
    business_id: "b1",
    location_id: null,
    occurred_at: "2026-01-05T09:00:00.000Z",
    accepted_at: "2026-01-05T09:00:00.000Z",
    correlation_id: null,
    idempotency_key: null,
    ...Object.fromEntries(EVENT_KEYS.flatMap((key) => (given[key] === undefined ? [] : [[key, given[key]]]))),
  },
  payload,
})

const EVENT_KEYS = ["id", "source", "severity", "business_id", "location_id", "occurred_at", "correlation_id"]

/** A payload, an event with a `payload`, or a list of them. */
function ofFile(file: string, type: string, text: string, errors: ErrorList): readonly Sample[] {
  const refuse = (problem: string): readonly Sample[] => {
    errors.add({
      file,
      line: 1,
      column: 1,
      problem,
      expected: "a payload, an event with one, or a list of them",
      suggestion: null,
    })
    return []
  }
  let read: Json
  try {
    read = JSON.parse(text)
  } catch {
    return refuse("no valid JSON")
  }
  const items: readonly Json[] = Array.isArray(read) ? read : [read]
  return items.flatMap((item) => {
    if (!isJsonObject(item)) return refuse(`the sample ${shown(item)}`)
    const payload = item["payload"]
    return [
      { facts: isJsonObject(payload) ? sampleFacts(type, item, payload) : sampleFacts(type, {}, item), from: file },
    ]
  })
}

/** The events of a test file wherever they stand in it. That it is a good test file is for `hub rules test` to say. */
function ofTests(file: string, text: string, names: readonly string[], errors: ErrorList): readonly Sample[] {
  const yaml = new YamlFile(file, text, new ErrorList())
  const samples: Sample[] = []
  const walk = (node: unknown): void => {
    if (isSeq(node)) for (const item of node.items) walk(item)
    if (!isMap(node)) return
    const rule = node.get("rule", true)
    if (isScalar(rule) && typeof rule.value === "string" && !names.includes(rule.value)) {
      const problem = `a test of the rule ${shown(rule.value)}, which is not there`
      const expected = "the name of a rule"
      errors.add({ file, ...yaml.position(rule as Node), problem, expected, suggestion: rightWord(rule.value, names) }) // a scalar is a node
    }
    const type = node.get("type")
    const payload: unknown = node.has("payload") ? node.toJSON()["payload"] : null
    if (typeof type === "string" && isJsonObject(payload)) {
      const from = `${file}:${yaml.position(node).line}`
      samples.push({ facts: sampleFacts(type, node.toJSON() as JsonObject, payload), from }) // YAML of the core schema is JSON
    }
    for (const { value } of node.items) walk(value)
  }
  walk(yaml.root)
  return samples
}
