/**
 * One rule file through the closed schema. What is not understood is refused: a rule that half works tells the wrong
 * people, or nobody, and says nothing.
 */
import { isMap, isSeq } from "yaml"
import type { RuleName } from "../domain/ids.ts"
import type { Json } from "../domain/json.ts"
import { patternProblem } from "./event-pattern.ts"
import { notYet } from "./later.ts"
import { readLogic } from "./lint-logic.ts"
import { ACTION_KEYS, ActionReader, belongsUnder, MAX_NAMES, optional, type Reading } from "./read-action.ts"
import { shown } from "./rule-error.ts"
import type { LoadedAction, LoadedRule } from "./rule-set.ts"
import { readTriples } from "./triples.ts"
import { describe, type Field, type Node, YamlFile } from "./yaml-file.ts"

const RULE_KEYS = ["name", "event_type", "source", "conditions", "actions"]

const OLD_RULE_KEYS: Readonly<Record<string, string>> = {
  id: "name",
  event: "event_type",
  events: "event_type",
  event_types: "event_type",
  event_type_pattern: "event_type",
  source_module: "source",
  producer: "source",
  when: "conditions",
  if: "conditions",
  condition: "conditions",
  action: "actions",
}
const MAX_RULES_PER_FILE = 2_000

/** The rules of a file, in order; those with errors are left out, and the errors are in `reading.errors`. */
export function readRuleFile(file: string, text: string, reading: Reading): readonly Omit<LoadedRule, "order">[] {
  const yaml = new YamlFile(file, text, reading.errors)
  if (yaml.root === null) return []
  const fields = yaml.fields(yaml.root, {
    of: "a rule file",
    known: ["rules"],
    required: ["rules"],
    explain: (name) => notYet("file", name),
    oldSpellings: { rule: "rules" },
  })
  const rules = fields?.get("rules")
  if (rules === undefined) return []
  const items = yaml.items(rules.value, "a list of rules", MAX_RULES_PER_FILE) ?? []
  return items.map((item) => new RuleReader(yaml, reading).rule(item)).filter((rule) => rule !== null)
}

class RuleReader {
  readonly #yaml: YamlFile
  readonly #reading: Reading

  constructor(yaml: YamlFile, reading: Reading) {
    this.#yaml = yaml
    this.#reading = reading
  }

  rule(node: Node): Omit<LoadedRule, "order"> | null {
    const before = this.#reading.errors.count
    const fields = this.#yaml.fields(node, {
      of: "a rule",
      known: RULE_KEYS,
      required: ["name", "event_type", "actions"],
      oldSpellings: OLD_RULE_KEYS,
      explain: (name) => belongsUnder("actions", name, ACTION_KEYS, "action"),
    })
    if (fields === null) return null
    const name = this.#name(fields.get("name"))
    const eventTypes = this.#eventTypes(fields.get("event_type"))
    const source = optional(fields.get("source"), (value) => this.#yaml.text(value, "the name of a source", 200))
    const condition = optional(fields.get("conditions"), (value) => this.#conditions(value))
    const actions = this.#actions(fields.get("actions"))
    if (name === null || this.#reading.errors.count > before) return null
    return { name, eventTypes, source, condition, actions, at: this.#yaml.at(node) }
  }

  #name(field: Field | undefined): RuleName | null {
    if (field === undefined) return null
    const name = this.#yaml.text(field.value, "a name", 100)
    if (name === null) return null
    const first = this.#reading.names.get(name)
    if (first !== undefined) {
      this.#yaml.refuse(field.value, `a second rule named ${shown(name)}`, `another name; the first is at ${first}`)
    } else if (/\p{Cc}/u.test(name)) {
      this.#yaml.refuse(field.value, "a name with control characters", "a name on one line")
    } else {
      this.#reading.names.set(name, this.#yaml.at(field.value))
    }
    return name as RuleName // checked above, and unique
  }

  #eventTypes(field: Field | undefined): readonly string[] {
    if (field === undefined) return []
    const expected = "an event type such as invoice.overdue, invoice.* or **"
    const nodes = isSeq(field.value) ? (this.#yaml.items(field.value, expected, MAX_NAMES) ?? []) : [field.value]
    return nodes.flatMap((node) => {
      const pattern = this.#yaml.text(node, expected, 200)
      if (pattern === null) return []
      const problem = patternProblem(pattern)
      if (problem !== null) this.#yaml.refuse(node, problem, expected)
      return [pattern]
    })
  }

  #conditions(node: Node): Json | null {
    if (isSeq(node)) return readTriples(this.#yaml, node)
    if (isMap(node)) return readLogic(this.#yaml, node)
    const expected = "JSONLogic (a map) or a list of { field, operator, value }; leave it out to match always"
    this.#yaml.refuse(node, describe(node), expected)
    return null
  }

  #actions(field: Field | undefined): readonly LoadedAction[] {
    if (field === undefined) return []
    const items = this.#yaml.items(field.value, "a list of actions", 20) ?? []
    return items
      .map((item) => new ActionReader(this.#yaml, this.#reading).action(item))
      .filter((action) => action !== null)
  }
}
