/**
 * One rule file through the closed schema. What is not understood is refused: a rule that half works tells the wrong
 * people, or nobody, and says nothing.
 */
import { isMap, isSeq } from "yaml"
import type { RuleName } from "../../domain/ids.ts"
import type { Json } from "../../domain/json.ts"
import type { SourcePromise } from "../../domain/source-promise.ts"
import { readLogic } from "../conditions/lint-logic.ts"
import { shown } from "../rule-error.ts"
import type { LoadedAction, LoadedRule } from "../rule-set.ts"
import { FILE, keysOf, MAX_ACTIONS, MAX_RULES_PER_FILE, RULE } from "./language.ts"
import { ACTION_KEYS, readAction } from "./read-action.ts"
import { readEventTypes } from "./read-event-types.ts"
import { readSources } from "./read-sources.ts"
import { belongsUnder, optional, type Reading } from "./reading.ts"
import { readTriples } from "./triples.ts"
import { describe, type Field, type Node, YamlFile } from "./yaml-file.ts"

export interface RuleFile {
  readonly rules: readonly Omit<LoadedRule, "order">[]
  readonly sources: readonly SourcePromise[]
}

/** What a file says, in order; what has errors is left out, and the errors are in `reading.errors`. */
export function readRuleFile(file: string, text: string, reading: Reading): RuleFile {
  const yaml = new YamlFile(file, text, reading.errors)
  if (yaml.root === null) return { rules: [], sources: [] }
  const fields = yaml.fields(yaml.root, keysOf(FILE))
  const sources = fields?.get("sources")
  const rules = fields?.get("rules")
  if (fields !== null && rules === undefined && sources === undefined) {
    yaml.refuse(yaml.root, 'a rule file without "rules"', '"rules:"')
  }
  const items = rules === undefined ? [] : (yaml.items(rules.value, "a list of rules", MAX_RULES_PER_FILE) ?? [])
  return {
    rules: items.map((item) => new RuleReader(yaml, reading).rule(item)).filter((rule) => rule !== null),
    sources: readSources(yaml, reading, sources),
  }
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
    const fields = this.#yaml.fields(
      node,
      keysOf(RULE, (name) => belongsUnder("actions", name, ACTION_KEYS)),
    )
    if (fields === null) return null
    const name = this.#name(fields.get("name"))
    const eventTypes = readEventTypes(this.#yaml, fields.get("event_type"))
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

  #conditions(node: Node): Json | null {
    if (isSeq(node)) return readTriples(this.#yaml, node)
    if (isMap(node)) return readLogic(this.#yaml, node)
    const expected = "JSONLogic (a map) or a list of { field, operator, value }; leave it out to match always"
    this.#yaml.refuse(node, describe(node), expected)
    return null
  }

  #actions(field: Field | undefined): readonly LoadedAction[] {
    if (field === undefined) return []
    const items = this.#yaml.items(field.value, "a list of actions", MAX_ACTIONS) ?? []
    return items.map((item) => readAction(this.#yaml, this.#reading, item)).filter((action) => action !== null)
  }
}
