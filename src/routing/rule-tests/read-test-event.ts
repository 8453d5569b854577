/** An event of a rule test: as producers write it, but that source and business may be left out. */
import { isSeverity, SEVERITY_RANK, type Severity } from "../../domain/event.ts"
import { asBusinessId, asLocationId, DEFAULT_BUSINESS } from "../../domain/ids.ts"
import { isJsonObject, type Json, type JsonObject } from "../../domain/json.ts"
import { parseTime } from "../../domain/rfc3339.ts"
import { keysOf } from "../language/language.ts"
import { readDuration } from "../language/read-duration.ts"
import { optional, readWord } from "../language/reading.ts"
import { describe, type Node, scalarOf, type YamlFile } from "../language/yaml-file.ts"
import type { TestEvent } from "./rule-test.ts"
import { TEST_EVENT } from "./rule-test-language.ts"

const SEVERITIES = Object.keys(SEVERITY_RANK).filter(isSeverity)
const ID_FORM = "1 to 64 characters of A-Z a-z 0-9 _ . -"

/** The event, or null where something in it was refused. */
export function readTestEvent(yaml: YamlFile, node: Node): TestEvent | null {
  const fields = yaml.fields(node, keysOf(TEST_EVENT))
  if (fields === null) return null
  const word = (name: string): string | null => optional(fields.get(name), (value) => yaml.text(value, "a text", 256))
  const moment = (name: string): number | null => optional(fields.get(name), (value) => readMoment(yaml, value))
  const at = moment("at")
  const after = fields.get("after")
  if (after !== undefined && fields.has("at")) yaml.refuse(after.key, '"after" beside "at"', "one of them")
  const type = word("type")
  if (type === null) return null
  const place = { file: yaml.file, ...yaml.position(node) }
  return {
    event: {
      type,
      source: word("source") ?? "test",
      severity: optional(fields.get("severity"), (value) => readSeverity(yaml, value)) ?? "info",
      business: optional(fields.get("business_id"), (value) => readId(yaml, value, asBusinessId)) ?? DEFAULT_BUSINESS,
      location: optional(fields.get("location_id"), (value) => readId(yaml, value, asLocationId)),
      occurredAt: moment("occurred_at"),
      idempotencyKey: word("idempotency_key"),
      correlationId: word("correlation_id"),
      payload: optional(fields.get("payload"), (value) => readPayload(yaml, value)) ?? {},
      extensions: {},
    },
    at: place,
    comes: at !== null ? { at } : { afterMs: optional(after, (value) => readDuration(yaml, value)?.ms ?? 0) ?? 0 },
  }
}

/** One of the words of severity; null where it is none. */
export const readSeverity = (yaml: YamlFile, node: Node): Severity | null =>
  readWord(yaml, node, { words: SEVERITIES, what: "severity" })

/** An id of a business or a location; null where it is none. */
export function readId<T>(yaml: YamlFile, node: Node, as: (value: unknown) => T | null): T | null {
  const id = as(scalarOf(node))
  if (id === null) yaml.refuse(node, describe(node), ID_FORM)
  return id
}

/** Milliseconds since the Unix epoch; null where it is no time. */
export function readMoment(yaml: YamlFile, node: Node): number | null {
  const value = scalarOf(node)
  const at = typeof value === "string" ? parseTime(value) : null
  if (at === null) yaml.refuse(node, describe(node), "a time such as 2026-01-05T09:00:00Z")
  return at
}

function readPayload(yaml: YamlFile, node: Node): JsonObject | null {
  const value: Json = "toJSON" in node ? node.toJSON() : null // YAML of the core schema is JSON
  if (isJsonObject(value)) return value
  yaml.refuse(node, describe(node), "a map")
  return null
}
