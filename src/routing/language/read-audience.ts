/** Whom an action names. */
import { asListName } from "../../domain/ids.ts"
import type { Json } from "../../domain/json.ts"
import type { Audience } from "../../domain/rule.ts"
import { readLogic } from "../conditions/lint-logic.ts"
import { oneOf } from "../rule-error.ts"
import { AUDIENCE, keysOf, MAX_NAMES } from "./language.ts"
import { optional } from "./reading.ts"
import { describe, type Node, type YamlFile } from "./yaml-file.ts"

/** Of an action without `to`. */
export const DEFAULT_AUDIENCE: Audience = {
  roles: [],
  users: [{ var: "payload.user_id" }],
  lists: [],
  everyone: false,
}

export function readAudience(yaml: YamlFile, node: Node): Audience {
  const fields = yaml.fields(node, keysOf(AUDIENCE))
  const [roles, users, lists] = [fields?.get("roles"), fields?.get("users"), fields?.get("lists")]
  const everyone = optional(fields?.get("everyone"), (value) => yaml.flag(value)) ?? false
  if (fields !== null && roles === undefined && users === undefined && lists === undefined && !everyone) {
    yaml.refuse(node, '"to" that names nobody', oneOf(Object.keys(AUDIENCE.keys)))
  }
  return {
    roles: optional(roles, (value) => readRoles(yaml, value)) ?? [],
    users: optional(users, (value) => readUsers(yaml, value)) ?? [],
    lists: optional(lists, (value) => readLists(yaml, value)) ?? [],
    everyone,
  }
}

function readRoles(yaml: YamlFile, node: Node): readonly string[] {
  const items = yaml.items(node, "a list of roles", MAX_NAMES) ?? []
  return items.map((item) => yaml.text(item, "the name of a role", 100)).filter((role) => role !== null)
}

function readUsers(yaml: YamlFile, node: Node): readonly Json[] {
  const items = yaml.items(node, "a list of ids, or of { var: payload.… }", MAX_NAMES) ?? []
  return items.map((item) => readLogic(yaml, item)).filter((user) => user !== null)
}

function readLists(yaml: YamlFile, node: Node): readonly string[] {
  const items = yaml.items(node, "a list of names of lists", MAX_NAMES) ?? []
  return items.flatMap((item) => {
    const name = yaml.text(item, "the name of a list", 64)
    if (name === null) return []
    if (asListName(name) !== null) return [name]
    yaml.refuse(item, `the list ${describe(item)}`, "letters, digits, _ . -")
    return []
  })
}
