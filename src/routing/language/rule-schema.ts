/**
 * The JSON Schema (2020-12) of rule files, for editors: what they complete and underline is what the hub takes. Made from
 * the tables that the readers use. What one value cannot show (names that are unique, templates that exist, paths that
 * lead somewhere) only the hub sees: `hub rules check`.
 */
import { CHANNELS } from "../../domain/channel.ts"
import type { Json, JsonObject } from "../../domain/json.ts"
import { OPERATORS } from "../conditions/operators.ts"
import { STANDARD } from "../conditions/standard-operators.ts"
import {
  AUDIENCE,
  BROADCAST,
  COOLDOWN,
  DIGEST,
  ESCALATION,
  EXPECTATION,
  FILE,
  INHIBITION,
  MAX_KEYS,
  NOTIFY,
  RULE,
  SOURCE,
  THROTTLE,
  TRIPLE,
  type Vocabulary,
  WEBHOOK,
} from "./language.ts"
import { DURATION_PATTERN } from "./read-duration.ts"

export const DIALECT = "https://json-schema.org/draft/2020-12/schema"

const ref = (name: string): JsonObject => ({ $ref: `#/$defs/${name}` })

/** A closed map. */
export function objectSchema({ doc, keys, together = {} }: Vocabulary): JsonObject {
  const entries = Object.entries(keys)
  const required = entries.filter(([, { required }]) => required === true).map(([name]) => name)
  return {
    type: "object",
    description: doc,
    properties: Object.fromEntries(entries.map(([name, word]) => [name, { description: word.doc, ...word.value }])),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
    ...together,
  }
}

const ruleFile = objectSchema(FILE)

/** Whichever type it says: its keys. */
const action: JsonObject = {
  type: "object",
  properties: {
    type: {
      description: "What is to be done.",
      oneOf: [NOTIFY, WEBHOOK, BROADCAST].map(({ doc, keys }) => ({ ...keys["type"]?.value, description: doc })),
    },
  },
  required: ["type"],
  allOf: ["notify", "webhook", "broadcast"].map((type) => ({
    if: { properties: { type: { const: type } }, required: ["type"] },
    // biome-ignore lint/suspicious/noThenProperty: a word of JSON Schema
    then: ref(type),
  })),
}

/** The arguments of an operator: a list of them, or the one itself. */
const argumentsOf = ([least, most]: readonly [number, number]): JsonObject => {
  const several: JsonObject = { type: "array", items: ref("logic"), minItems: least, maxItems: most }
  return least > 1 ? several : { anyOf: [several, { type: ["string", "number", "boolean", "null"] }, ref("operation")] }
}

const operators: JsonObject = Object.fromEntries([
  ...Object.entries(STANDARD).map(([name, { doc, arity }]): readonly [string, Json] => [
    name,
    { description: doc, ...argumentsOf(arity) },
  ]),
  ...OPERATORS.map(({ name, doc, arity, example }): readonly [string, Json] => [
    name,
    {
      description: `${doc}\n\nExample: \`${JSON.stringify(example.logic)}\``,
      ...argumentsOf(arity),
    },
  ]),
])

const channels: JsonObject = {
  type: "array",
  items: { enum: ["in_app", ...CHANNELS] },
  minItems: 1,
  uniqueItems: true,
}

export const DURATION: JsonObject = {
  type: "string",
  description: "One number and one unit: s, m, h, d or w.",
  pattern: DURATION_PATTERN,
  examples: ["90s", "15m", "6h", "2d"],
}

/** What several places share. */
const DEFINITIONS: JsonObject = {
  rule: objectSchema(RULE),
  source: objectSchema(SOURCE),
  expectation: objectSchema(EXPECTATION),
  action,
  notify: objectSchema(NOTIFY),
  webhook: objectSchema(WEBHOOK),
  broadcast: objectSchema(BROADCAST),
  audience: objectSchema(AUDIENCE),
  channels,
  cooldown: objectSchema(COOLDOWN),
  throttle: objectSchema(THROTTLE),
  digest: objectSchema(DIGEST),
  escalation: objectSchema(ESCALATION),
  inhibition: objectSchema(INHIBITION),
  duration: DURATION,
  key: {
    description: "A field, JSONLogic, or a list of both.",
    anyOf: [
      { type: "string", minLength: 1, maxLength: 200, examples: ["payload.sku", "location_id"] },
      ref("operation"),
      {
        type: "array",
        items: { anyOf: [{ type: "string", minLength: 1, maxLength: 200 }, ref("operation")] },
        minItems: 1,
        maxItems: MAX_KEYS,
      },
    ],
  },
  triple: objectSchema(TRIPLE),
  logic: {
    anyOf: [
      { type: ["string", "number", "boolean", "null"] },
      { type: "array", items: ref("logic") },
      ref("operation"),
    ],
  },
  operation: {
    type: "object",
    description: "JSONLogic: one operator and its arguments.",
    properties: operators,
    additionalProperties: false,
    minProperties: 1,
    maxProperties: 1,
  },
}

/** The schema of `rules/**.yaml`. */
export const RULE_SCHEMA: JsonObject = {
  $schema: DIALECT,
  title: "Rules of Hubbub",
  ...ruleFile,
  anyOf: [{ required: ["rules"] }, { required: ["sources"] }],
  $defs: DEFINITIONS,
}
