/** How often and together with what an action tells: `cooldown`, `throttle`, `digest`, and when not: `inhibited_by`. */
import { isMap } from "yaml"
import type { Digest, Inhibition, Limit } from "../../domain/rule.ts"
import { COOLDOWN, DIGEST, DIGEST_MAX, INHIBITION, keysOf, MAX_KEYS, MOST_TOLD, THROTTLE } from "./language.ts"
import { readDuration } from "./read-duration.ts"
import { readEventTypes } from "./read-event-types.ts"
import { readKey, readPath } from "./read-key.ts"
import { optional, readWhole } from "./reading.ts"
import type { Node, YamlFile } from "./yaml-file.ts"

/** `30m`, or a map of key and window. */
export function readCooldown(yaml: YamlFile, node: Node): Limit | null {
  if (!isMap(node)) {
    const duration = readDuration(yaml, node)
    return duration === null ? null : { word: "cooldown", key: null, limit: 1, windowMs: duration.ms }
  }
  const fields = yaml.fields(node, keysOf(COOLDOWN))
  const key = optional(fields?.get("key"), (value) => readKey(yaml, value))
  const window = optional(fields?.get("window"), (value) => readDuration(yaml, value))
  return window === null ? null : { word: "cooldown", key, limit: 1, windowMs: window.ms }
}

export function readThrottle(yaml: YamlFile, node: Node): Limit | null {
  const fields = yaml.fields(node, keysOf(THROTTLE))
  const key = optional(fields?.get("key"), (value) => readKey(yaml, value))
  const limit = optional(fields?.get("limit"), (value) => readWhole(yaml, value, 1, MOST_TOLD))
  const window = optional(fields?.get("window"), (value) => readDuration(yaml, value))
  return limit === null || window === null ? null : { word: "throttle", key, limit, windowMs: window.ms }
}

export function readDigest(yaml: YamlFile, node: Node): Digest | null {
  const fields = yaml.fields(node, keysOf(DIGEST))
  const key = optional(fields?.get("key"), (value) => readKey(yaml, value))
  const window = optional(fields?.get("window"), (value) => readDuration(yaml, value))
  const max = optional(fields?.get("max"), (value) => readWhole(yaml, value, 1, MOST_TOLD)) ?? DIGEST_MAX
  return window === null ? null : { key, windowMs: window.ms, max }
}

export function readInhibition(yaml: YamlFile, node: Node): Inhibition | null {
  const fields = yaml.fields(node, keysOf(INHIBITION))
  const eventTypes = readEventTypes(yaml, fields?.get("event_type"))
  const equal = optional(fields?.get("equal"), (value) => yaml.items(value, "a list of fields", MAX_KEYS)) ?? []
  const paths = equal.map((item) => readPath(yaml, item)).filter((path) => path !== null)
  const within = optional(fields?.get("within"), (value) => readDuration(yaml, value))
  return within === null ? null : { eventTypes, equal: paths, withinMs: within.ms }
}
