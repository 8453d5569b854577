/** Paths to the fields of an event, and what a rule calls the same thing: its keys. */
import { isMap, isSeq } from "yaml"
import type { Json } from "../../domain/json.ts"
import type { KeyExpression } from "../../domain/rule.ts"
import { factProblem, readLogic } from "../conditions/lint-logic.ts"
import { MAX_KEYS } from "./language.ts"
import type { Node, YamlFile } from "./yaml-file.ts"

/** Fields of the event that need no `event.` before them. */
const EVENT_WORDS = ["severity", "source", "type", "business_id", "location_id", "occurred_at"]

/** The path of a field within the facts: `amount` is `payload.amount`, `severity` is `event.severity`; null: refused. */
export function readPath(yaml: YamlFile, node: Node): string | null {
  const written = yaml.text(node, "a field such as payload.amount or severity", 200)
  if (written === null) return null
  const path = EVENT_WORDS.includes(written)
    ? `event.${written}`
    : written.startsWith("event.") || written.startsWith("payload.")
      ? written
      : `payload.${written}`
  const wrong = factProblem(path)
  if (wrong === null) return path
  yaml.refuse(node, wrong.problem, wrong.expected, wrong.suggestion)
  return null
}

/** A field, JSONLogic, or a list of both, which is a tuple; as one expression. Null: refused. */
export function readKey(yaml: YamlFile, node: Node): KeyExpression | null {
  if (!isSeq(node)) return readPart(yaml, node)
  const items = yaml.items(node, "a list of fields", MAX_KEYS)
  if (items === null) return null
  const parts = items.map((item) => readPart(yaml, item))
  const sound = parts.filter((part) => part !== null)
  return sound.length === parts.length ? sound : null
}

function readPart(yaml: YamlFile, node: Node): Json | null {
  if (isMap(node)) return readLogic(yaml, node)
  const path = readPath(yaml, node)
  return path === null ? null : { var: path }
}
