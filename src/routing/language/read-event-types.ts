/** The types of events that something is about. */
import { isSeq } from "yaml"
import { patternProblem } from "../event-pattern.ts"
import { MAX_NAMES } from "./language.ts"
import type { Field, YamlFile } from "./yaml-file.ts"

const EXPECTED = "an event type such as invoice.overdue, invoice.* or **"

/** A type, a pattern, or a list of them; those that are none are refused. */
export function readEventTypes(yaml: YamlFile, field: Field | undefined): readonly string[] {
  if (field === undefined) return []
  const nodes = isSeq(field.value) ? (yaml.items(field.value, EXPECTED, MAX_NAMES) ?? []) : [field.value]
  return nodes.flatMap((node) => {
    const pattern = yaml.text(node, EXPECTED, 200)
    if (pattern === null) return []
    const problem = patternProblem(pattern)
    if (problem !== null) yaml.refuse(node, problem, EXPECTED)
    return [pattern]
  })
}
