/**
 * The keys of rule files, each with what it means and what its value may be. The reader takes the names from here and
 * the JSON Schema everything else, so an editor cannot offer what the hub refuses. A new key is a line here and its
 * reading in the `read-…` file of its map. Long, because it is one table.
 */
import { PERSONAL_CHANNELS } from "../../domain/channel.ts"
import { SEVERITY_RANK } from "../../domain/event.ts"
import type { JsonObject } from "../../domain/json.ts"
import { OWN_MESSAGES } from "../../domain/stream.ts"
import type { Explanation, Keys } from "./yaml-file.ts"

export interface Word {
  readonly doc: string
  /** JSON Schema (2020-12) of the value. */
  readonly value: JsonObject
  readonly required?: true
}

/** One map of a file: its keys in the order in which they are usually written. */
export interface Vocabulary {
  /** How an error calls the map. */
  readonly of: string
  readonly doc: string
  readonly keys: Readonly<Record<string, Word>>
  readonly oldSpellings?: Readonly<Record<string, string>>
  /** JSON Schema of what must hold between keys, as far as it can be said there. */
  readonly together?: JsonObject
}

/** What `YamlFile.fields` is to look for. */
export const keysOf = (
  { of, keys, oldSpellings }: Vocabulary,
  explain?: (name: string) => Explanation | null,
): Keys => ({
  of,
  known: Object.keys(keys),
  required: Object.entries(keys).flatMap(([name, { required }]) => (required === true ? [name] : [])),
  ...(oldSpellings === undefined ? {} : { oldSpellings }),
  ...(explain === undefined ? {} : { explain }),
})

/** Items of one list of names: channels, roles, users, event types. */
export const MAX_NAMES = 100
export const MAX_RULES_PER_FILE = 2_000
export const MAX_ACTIONS = 20
export const MAX_DATA = 50
/** Parts of one key. */
export const MAX_KEYS = 10
export const MAX_STEPS = 20
export const MAX_TRIPLES = 50
/** Messages of one limit, events of one digest. */
export const MOST_TOLD = 1_000
export const DIGEST_MAX = 100
export const MAX_SOURCES_PER_FILE = 500

export const PRIORITIES = ["low", "normal", "high"] as const
export const MODES = ["live", "shadow"] as const
export const UNTIL = ["acknowledged", "read"] as const
export const ON_UNKNOWN = ["retry", "hold"] as const
export const TRIPLE_OPERATORS = [
  "eq",
  "ne",
  "gt",
  "gte",
  "lt",
  "lte",
  "in",
  "not_in",
  "contains",
  "exists",
  "matches",
] as const

export const ref = (name: string): JsonObject => ({ $ref: `#/$defs/${name}` })
export const text = (maxLength: number, ...examples: readonly string[]): JsonObject => ({
  type: "string",
  minLength: 1,
  maxLength,
  ...(examples.length === 0 ? {} : { examples }),
})
export const list = (items: JsonObject, maxItems: number): JsonObject => ({
  type: "array",
  items,
  minItems: 1,
  maxItems,
})
export const words = (all: readonly string[], fallback?: string): JsonObject => ({
  enum: all,
  ...(fallback === undefined ? {} : { default: fallback }),
})
export const flag: JsonObject = { type: "boolean", default: false }
export const whole = (minimum: number, maximum: number, fallback?: number): JsonObject => ({
  type: "integer",
  minimum,
  maximum,
  ...(fallback === undefined ? {} : { default: fallback }),
})

/** The types and patterns that `event_type` takes. */
const PART = "(?:\\*\\*?|[^\\s*.]+)"
const type: JsonObject = {
  ...text(200, "invoice.overdue", "invoice.*", "**"),
  pattern: `^${PART}(?:\\.${PART})*$`,
}
const types: JsonObject = { anyOf: [type, list(type, MAX_NAMES)] }

export const FILE: Vocabulary = {
  of: "a rule file",
  doc: "Rules, and which sources have promised to speak.",
  keys: {
    rules: { doc: "When, whom, how: each rule is decided for itself.", value: list(ref("rule"), MAX_RULES_PER_FILE) },
    sources: {
      doc: "How often a source speaks, and within which hours; its silence is an event, `source.silent`.",
      value: list(ref("source"), MAX_SOURCES_PER_FILE),
    },
  },
  oldSpellings: { rule: "rules", source: "sources" },
}

export const RULE: Vocabulary = {
  of: "a rule",
  doc: "When an event fits, the actions follow.",
  keys: {
    name: {
      doc: "Unique in the folder. Stamped on everything that follows from the rule.",
      value: text(100, "invoice-overdue"),
      required: true,
    },
    event_type: {
      doc: "A type, a list of types, or a pattern: `invoice.*` is one part, `**` any number. Case counts.",
      value: types,
      required: true,
    },
    source: { doc: "Only events of this source.", value: text(200, "invoicing") },
    conditions: {
      doc: "JSONLogic over event.* and payload.*, or a list of { field, operator, value } that must all hold. Without it the rule always fits.",
      value: { anyOf: [ref("operation"), list(ref("triple"), MAX_TRIPLES)] },
    },
    actions: { doc: "What follows.", value: list(ref("action"), MAX_ACTIONS), required: true },
  },
  oldSpellings: {
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
  },
}

export const TRIPLE: Vocabulary = {
  of: "a condition",
  doc: "One comparison. A missing field fits nothing but `ne` and `not_in`.",
  keys: {
    field: {
      doc: "A path into the payload, or one of severity, source, type, business_id, location_id, occurred_at, or a path that begins with event. or payload.",
      value: text(200, "amount", "payload.customer.name", "severity"),
      required: true,
    },
    operator: {
      doc: `\`severity\` compares by rank: ${Object.keys(SEVERITY_RANK).join(", ")}.`,
      value: words(TRIPLE_OPERATORS),
      required: true,
    },
    value: {
      doc: "What the field is compared with: a list for `in` and `not_in`, true or false for `exists`.",
      value: {},
    },
  },
  together: {
    anyOf: [{ required: ["value"] }, { properties: { operator: { const: "exists" } } }],
  },
  oldSpellings: { op: "operator", path: "field", key: "field", values: "value" },
}

export const INHIBITION: Vocabulary = {
  of: '"inhibited_by"',
  doc: "A greater trouble silences this one: an earlier event of the same business.",
  keys: {
    event_type: { doc: "The greater trouble's type, types or pattern.", value: types, required: true },
    equal: {
      doc: "Fields that must have the same value in both events.",
      value: list(text(200, "payload.site", "location_id"), MAX_KEYS),
      required: true,
    },
    within: { doc: "How long before, at most.", value: ref("duration"), required: true },
  },
  oldSpellings: {
    type: "event_type",
    event: "event_type",
    event_types: "event_type",
    fields: "equal",
    key: "equal",
    window: "within",
  },
}

/** What every kind of action can say. */
const ANY_ACTION = {
  mode: { doc: "shadow: decided and recorded, never sent.", value: words(MODES, "live") },
  inhibited_by: { doc: INHIBITION.doc, value: ref("inhibition") },
} as const satisfies Vocabulary["keys"]

const typed = (type: string, doc: string): Word => ({ doc, value: { const: type }, required: true })

export const NOTIFY: Vocabulary = {
  of: "an action",
  doc: "Tells people.",
  keys: {
    type: typed("notify", "Tells people."),
    to: {
      doc: "Whom. Without it: the user of payload.user_id.",
      value: ref("audience"),
    },
    channels: { doc: "How. `inapp` is the inbox.", value: ref("channels"), required: true },
    template: {
      doc: "The folder under templates/ with the words.",
      value: text(200, "invoice.overdue"),
      required: true,
    },
    priority: { doc: "What is sent first when much is waiting.", value: words(PRIORITIES, "normal") },
    bypass_quiet_hours: { doc: "Sent at once, even while a person has quiet hours.", value: flag },
    category: { doc: "What a person can turn off by name.", value: text(100, "billing") },
    action_url: { doc: "Where the message leads. An Eta string.", value: text(2_000, "/orders/<%= it.payload.id %>") },
    action_label: { doc: "What is written on that link. An Eta string.", value: text(2_000, "Open the order") },
    data: {
      doc: "Goes with the inbox item, for the app that shows it. Eta strings.",
      value: { type: "object", additionalProperties: text(2_000), maxProperties: MAX_DATA },
    },
    cooldown: {
      doc: "A person is told at most once within this time, for each key. The rest is recorded with the reason `cooldown`.",
      value: { anyOf: [ref("duration"), ref("cooldown")] },
    },
    throttle: {
      doc: "A person is told at most so often within a time, for each key. The rest is recorded with the reason `throttled`.",
      value: ref("throttle"),
    },
    delay: { doc: "Told so long after the event was accepted.", value: ref("duration") },
    digest: { doc: "Many events in one message.", value: ref("digest") },
    escalate: {
      doc: "Told again, to others or elsewhere, until somebody reacts.",
      value: list(ref("escalation"), MAX_STEPS),
    },
    until: {
      doc: "What ends `escalate`: that somebody has acknowledged, or read.",
      value: words(UNTIL, "acknowledged"),
    },
    failover: {
      doc: "Channels to try one after the other; the next only where all before were definitely not sent.",
      value: { ...list(words(PERSONAL_CHANNELS), MAX_NAMES), uniqueItems: true },
    },
    expires_in: { doc: "Nothing is sent later than this after the event was accepted.", value: ref("duration") },
    on_unknown: {
      doc: "Where a provider may or may not have sent: try again, or hold for a person to decide. E-mail by Resend, push and webhooks are always tried again: a repetition is known there. By SMTP it is not.",
      value: words(ON_UNKNOWN, "retry"),
    },
    update: {
      doc: "Later news of the same key takes the earlier's place: in the inbox, on devices, and in Telegram and Slack, where the bot's earlier message is edited.",
      value: ref("key"),
    },
    commercial: {
      doc: "Solicits: quiet hours always hold, telephones are left alone from 21:00 to 08:00, and mail and SMS say how they are stopped.",
      value: flag,
    },
    ...ANY_ACTION,
  },
  oldSpellings: {
    channel: "channels",
    via: "channels",
    recipients: "to",
    recipient_roles: "to.roles",
    recipient_users: "to.users",
    url: "action_url",
    link: "action_url",
    label: "action_label",
    cooldown_minutes: "cooldown",
    max_per_hour: "throttle",
    rate_limit: "throttle",
    wait: "delay",
    after: "delay",
    batch: "digest",
    group: "digest",
    escalation: "escalate",
    fallback: "failover",
    ttl: "expires_in",
    expires: "expires_in",
    dry_run: "mode",
    shadow: "mode",
    inhibit: "inhibited_by",
  },
  together: {
    dependentRequired: { until: ["escalate"] },
    allOf: [
      { not: { required: ["delay", "digest"] } },
      {
        not: {
          required: ["commercial", "bypass_quiet_hours"],
          properties: { commercial: { const: true }, bypass_quiet_hours: { const: true } },
        },
      },
    ],
  },
}

export const WEBHOOK: Vocabulary = {
  of: "a webhook action",
  doc: "Posts the event to a system, signed as Standard Webhooks.",
  keys: {
    type: typed("webhook", "Posts the event to a system."),
    url: {
      doc: "Where to. https; http only to this machine.",
      value: {
        ...text(2_000, "https://erp.example.com/hooks/hub"),
        pattern: "^https://|^http://(?:localhost|127\\.0\\.0\\.1|\\[::1\\])(?:[:/]|$)",
      },
      required: true,
    },
    secret: {
      doc: "Signs it: the name of an entry of HUB_WEBHOOK_SECRETS, or whsec_… itself. Without it nothing is signed.",
      value: { ...text(100, "erp"), pattern: "^[A-Za-z0-9_.-]{1,64}$|^whsec_[A-Za-z0-9+/]+=*$" },
    },
    ...ANY_ACTION,
  },
  oldSpellings: { endpoint: "url", href: "url", key: "secret", signing_secret: "secret" },
}

export const BROADCAST: Vocabulary = {
  of: "a broadcast action",
  doc: "Tells the screens that are open. Kept for nobody.",
  keys: {
    type: typed("broadcast", "Tells the screens that are open."),
    topic: {
      doc: "A topic of the event's own business. An Eta string over it.event and it.payload.",
      value: { ...text(2_000, "resources:<%= it.event.business_id %>"), pattern: "^resources:" },
      required: true,
    },
    event: {
      doc: "The message's name on the socket.",
      value: { ...text(100, "kitchen_alarm"), pattern: "^(?!phx_)\\S+$", not: { enum: [...OWN_MESSAGES] } },
      required: true,
    },
    ...ANY_ACTION,
  },
  oldSpellings: { channel: "topic", room: "topic", name: "event" },
}

export const AUDIENCE: Vocabulary = {
  of: '"to"',
  doc: "All who are named in any way; each once. Only people of the event's business.",
  keys: {
    roles: {
      doc: "Who has one of these roles, in the event's location where it has one.",
      value: list(text(100, "accountant"), MAX_NAMES),
    },
    users: {
      doc: "Recipient ids, or expressions that give one or a list of them.",
      value: list(ref("logic"), MAX_NAMES),
    },
    lists: {
      doc: "The members of these lists (PUT /v1/lists/{list}/members/{recipient}).",
      value: list({ ...text(64, "vip"), pattern: "^[A-Za-z0-9_.-]+$" }, MAX_NAMES),
    },
    everyone: { doc: "All of the business, in the event's location where it has one.", value: flag },
  },
  oldSpellings: {
    role: "roles",
    recipient_roles: "roles",
    user: "users",
    recipients: "users",
    all: "everyone",
    list: "lists",
  },
  together: {
    anyOf: [
      { required: ["roles"] },
      { required: ["users"] },
      { required: ["lists"] },
      { required: ["everyone"], properties: { everyone: { const: true } } },
    ],
  },
}

const key: Word = {
  doc: "What makes two events the same thing. Each value counts for itself; so does a missing one.",
  value: ref("key"),
}

export const COOLDOWN: Vocabulary = {
  of: '"cooldown"',
  doc: "At most once within a time, for each person and key.",
  keys: { key, window: { doc: "The time.", value: ref("duration"), required: true } },
  oldSpellings: { per: "window", within: "window", for: "window", by: "key" },
}

export const THROTTLE: Vocabulary = {
  of: '"throttle"',
  doc: "At most so often within a time, for each person and key.",
  keys: {
    key,
    limit: { doc: "How often.", value: whole(1, MOST_TOLD), required: true },
    window: { doc: "Within which time, counted back from each message.", value: ref("duration"), required: true },
  },
  oldSpellings: { per: "window", within: "window", by: "key", max: "limit", count: "limit" },
}

export const DIGEST: Vocabulary = {
  of: '"digest"',
  doc: "Events of one key are gathered and told in one message: `it.events`, oldest first.",
  keys: {
    key,
    window: { doc: "How long after its first event a digest is told.", value: ref("duration"), required: true },
    max: { doc: "Told at once when it has so many events.", value: whole(1, MOST_TOLD, DIGEST_MAX) },
  },
  oldSpellings: { per: "window", within: "window", every: "window", by: "key", group_by: "key", limit: "max" },
}

export const ESCALATION: Vocabulary = {
  of: "a step of escalate",
  doc: "Told where nobody has reacted.",
  keys: {
    after: { doc: "How long after the first telling.", value: ref("duration"), required: true },
    channels: { doc: "How.", value: ref("channels"), required: true },
    to: { doc: "Whom. Without it: whom the action names.", value: ref("audience") },
  },
  oldSpellings: { delay: "after", in: "after", wait: "after", channel: "channels", via: "channels" },
}

export const SOURCE: Vocabulary = {
  of: "a source",
  doc: "A source that has promised to speak.",
  keys: {
    source: { doc: "The event's `source`.", value: text(200, "zoho"), required: true },
    business_id: {
      doc: "Leave it out for each business that the source speaks for.",
      value: { type: ["string", "integer"], examples: ["b1"] },
    },
    expect: { doc: "How much is to be heard.", value: ref("expectation"), required: true },
  },
  oldSpellings: { name: "source", business: "business_id", expects: "expect" },
}

export const EXPECTATION: Vocabulary = {
  of: '"expect"',
  doc: "So many events per such a time, which passes only within the hours.",
  keys: {
    at_least: { doc: "How many events.", value: whole(1, MOST_TOLD, 1) },
    per: { doc: "In which time: a minute to 31 days.", value: ref("duration"), required: true },
    between: {
      doc: "Hours in which time passes.",
      value: { type: "string", pattern: "^\\s*\\d\\d:\\d\\d\\s*-\\s*\\d\\d:\\d\\d\\s*$", examples: ["08:00-20:00"] },
    },
    timezone: { doc: "Of these hours. Default UTC.", value: text(60, "Asia/Baghdad") },
  },
  oldSpellings: {
    min: "at_least",
    count: "at_least",
    every: "per",
    within: "per",
    window: "per",
    hours: "between",
    tz: "timezone",
    time_zone: "timezone",
  },
}
