/** One action of a rule: whom it tells, on which channels, in which words. */
import { CHANNELS, type Channel, isChannel } from "../domain/channel.ts"
import type { Json } from "../domain/json.ts"
import type { Audience, Priority } from "../domain/rule.ts"
import { notYet } from "./later.ts"
import { readLogic } from "./lint-logic.ts"
import { type ErrorList, oneOf, rightWord, shown } from "./rule-error.ts"
import type { LoadedAction, Overrides } from "./rule-set.ts"
import { compileField, fieldReader } from "./template-file.ts"
import type { Templates } from "./templates.ts"
import { describe, type Explanation, type Field, type Node, scalarOf, type YamlFile } from "./yaml-file.ts"

export const ACTION_KEYS = [
  "type",
  "to",
  "channels",
  "template",
  "priority",
  "bypass_quiet_hours",
  "category",
  "action_url",
  "action_label",
  "data",
]
const AUDIENCE_KEYS = ["roles", "users", "everyone"]
const PRIORITIES = ["low", "normal", "high"] as const

const OLD_ACTION_KEYS: Readonly<Record<string, string>> = {
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
}
const OLD_CHANNELS: Readonly<Record<string, string>> = {
  "in-app": "inapp",
  inbox: "inapp",
  websocket: "inapp",
  mail: "email",
  text: "sms",
  phone: "voice",
  call: "voice",
  mobile: "push",
}
const OLD_PRIORITIES: Readonly<Record<string, string>> = { medium: "normal", urgent: "high", critical: "high" }

/** Items of one list of names: channels, roles, users, event types. */
export const MAX_NAMES = 100

/** What the rules of all files share while they are read. */
export interface Reading {
  readonly templates: Templates
  readonly errors: ErrorList
  /** Where each name was first used. */
  readonly names: Map<string, string>
}

export class ActionReader {
  readonly #yaml: YamlFile
  readonly #reading: Reading

  constructor(yaml: YamlFile, reading: Reading) {
    this.#yaml = yaml
    this.#reading = reading
  }

  /** Null where it is no action; what is wrong with one is in `reading.errors`. */
  action(node: Node): LoadedAction | null {
    const fields = this.#yaml.fields(node, {
      of: "an action",
      known: ACTION_KEYS,
      required: ["type", "channels", "template"],
      oldSpellings: OLD_ACTION_KEYS,
      explain: (name) => notYet("action", name) ?? belongsUnder("to", name, AUDIENCE_KEYS, "audience"),
    })
    if (fields === null) return null
    const type = fields.get("type")
    if (type !== undefined) this.#word(type.value, ["notify"], "action type", {}, (word) => notYet("actionType", word))
    const channels = this.#channels(fields.get("channels"))
    const template = this.#template(fields.get("template"), channels)
    return {
      type: "notify",
      to: this.#audience(fields.get("to")),
      channels: channels.map(({ channel }) => channel),
      template,
      priority: this.#priority(fields.get("priority")),
      bypassQuietHours: optional(fields.get("bypass_quiet_hours"), (value) => this.#yaml.flag(value)) ?? false,
      category: optional(fields.get("category"), (value) => this.#yaml.text(value, "the name of a category", 100)),
      ...this.#words(fields),
    }
  }

  /** One of a few words, else an error; null then. */
  #word<W extends string>(
    node: Node,
    words: readonly W[],
    what: string,
    oldSpellings: Readonly<Record<string, string>>,
    explain: (word: string) => Explanation | null = () => null,
  ): W | null {
    const value = scalarOf(node)
    const known = words.find((word) => word === value)
    if (known !== undefined) return known
    const text = typeof value === "string" ? value : ""
    const better = explain(text) ?? {
      problem: `unknown ${what} ${describe(node)}`,
      expected: oneOf(words),
      suggestion: rightWord(text, words, oldSpellings),
    }
    this.#yaml.refuse(node, better.problem, better.expected, better.suggestion)
    return null
  }

  #priority(field: Field | undefined): Priority {
    return optional(field, (value) => this.#word(value, PRIORITIES, "priority", OLD_PRIORITIES)) ?? "normal"
  }

  #channels(field: Field | undefined): readonly { readonly channel: Channel; readonly node: Node }[] {
    if (field === undefined) return []
    const seen = new Set<Channel>()
    return (this.#yaml.items(field.value, "a list of channels", MAX_NAMES) ?? []).flatMap((node) => {
      const channel = this.#channel(node)
      if (channel === null) return []
      if (seen.has(channel)) this.#yaml.refuse(node, `the channel ${shown(channel)} twice`, "each channel once")
      seen.add(channel)
      return [{ channel, node }]
    })
  }

  #channel(node: Node): Channel | null {
    const value = scalarOf(node)
    if (value === "in_app") return "inapp"
    const later = typeof value === "string" ? notYet("channel", value) : null
    if (later === null && isChannel(value)) return value
    return this.#word(
      node,
      CHANNELS.filter((name) => notYet("channel", name) === null),
      "channel",
      OLD_CHANNELS,
      () => later,
    )
  }

  #template(field: Field | undefined, channels: readonly { readonly channel: Channel; readonly node: Node }[]): string {
    if (field === undefined) return ""
    const name = this.#yaml.text(field.value, "the name of a folder under templates/", 200)
    if (name === null) return ""
    const { templates } = this.#reading
    if (templates.refused.has(name)) return name
    if (!templates.names.includes(name)) {
      const near = rightWord(name, templates.names)
      this.#yaml.refuse(field.value, `unknown template ${shown(name)}`, "the name of a folder under templates/", near)
      return name
    }
    for (const { channel, node } of channels) {
      const missing = wordsMissing(templates, name, channel)
      if (missing !== null) this.#yaml.refuse(node, `the template ${shown(name)} has no words for ${channel}`, missing)
    }
    return name
  }

  #audience(field: Field | undefined): Audience {
    if (field === undefined) return { roles: [], users: [{ var: "payload.user_id" }], everyone: false }
    const fields = this.#yaml.fields(field.value, {
      of: '"to"',
      known: AUDIENCE_KEYS,
      explain: (name) => notYet("audience", name),
      oldSpellings: {
        role: "roles",
        recipient_roles: "roles",
        user: "users",
        recipients: "users",
        all: "everyone",
        list: "lists",
      },
    })
    const roles = fields?.get("roles")
    const users = fields?.get("users")
    const everyone = optional(fields?.get("everyone"), (value) => this.#yaml.flag(value)) ?? false
    if (fields !== null && roles === undefined && users === undefined && !everyone) {
      this.#yaml.refuse(field.value, '"to" that names nobody', oneOf(AUDIENCE_KEYS))
    }
    return {
      roles: optional(roles, (value) => this.#roles(value)) ?? [],
      users: optional(users, (value) => this.#users(value)) ?? [],
      everyone,
    }
  }

  #roles(node: Node): readonly string[] {
    const items = this.#yaml.items(node, "a list of roles", MAX_NAMES) ?? []
    return items.map((item) => this.#yaml.text(item, "the name of a role", 100)).filter((role) => role !== null)
  }

  #users(node: Node): readonly Json[] {
    const items = this.#yaml.items(node, "a list of ids, or of { var: payload.… }", MAX_NAMES) ?? []
    return items.map((item) => readLogic(this.#yaml, item)).filter((user) => user !== null)
  }

  /** The rule's own link, label and data: as they are written, and compiled. */
  #words(fields: ReadonlyMap<string, Field>): Pick<LoadedAction, "actionUrl" | "actionLabel" | "data" | "overrides"> {
    const reader = fieldReader(this.#yaml, this.#reading.errors)
    const compile = (field: Field | undefined, link: boolean) =>
      field === undefined ? null : compileField(this.#yaml, field.value, link, reader)
    const data = fields.get("data")
    const entries = data === undefined ? [] : (this.#yaml.entries(data.value, '"data"') ?? [])
    if (data !== undefined && entries.length > 50) this.#yaml.refuse(data.value, "too much data", "at most 50 keys")
    const compiled = entries.flatMap((entry) => {
      const made = compile(entry, false)
      return made === null ? [] : [[entry.name, made] as const]
    })
    const overrides: Overrides = {
      actionUrl: compile(fields.get("action_url"), true),
      actionLabel: compile(fields.get("action_label"), false),
      data: data === undefined ? null : Object.fromEntries(compiled),
      personal: reader.personal,
    }
    return {
      actionUrl: written(fields.get("action_url")),
      actionLabel: written(fields.get("action_label")),
      data: data === undefined ? null : Object.fromEntries(entries.map((entry) => [entry.name, written(entry) ?? ""])),
      overrides,
    }
  }
}

/** What a template lacks for a channel, or null: a file, or the short text without which the channel has no message. */
function wordsMissing(templates: Templates, name: string, channel: Channel): string | null {
  const files = `${name}/${channel}.eta or ${name}/default.eta`
  if (templates.find(name, channel, null) === null) return files
  const keys = needs(channel)
  const variants = templates.variants(name, channel)
  const there = keys.length === 0 || keys.some((key) => variants.some(({ front }) => front[key] !== undefined))
  return there ? null : `"${keys[0]}:" in the front matter of ${files}`
}

/** Front matter of which a channel needs one. */
const needs = (channel: Channel): readonly ("title" | "subject")[] =>
  channel === "email" ? ["subject", "title"] : channel === "inapp" || channel === "push" ? ["title"] : []

/** What a field says, where there is one. */
export const optional = <T>(field: Field | undefined, read: (value: Node) => T): T | null =>
  field === undefined ? null : read(field.value)

function written(field: Field | undefined): string | null {
  const value = field === undefined ? null : scalarOf(field.value)
  return typeof value === "string" ? value : null
}

/** A right word in the wrong place. */
export function belongsUnder(
  parent: string,
  name: string,
  keys: readonly string[],
  later: "action" | "audience",
): Explanation | null {
  const known = keys.includes(name) || notYet(later, name) !== null
  if (!known) return null
  return { problem: `${shown(name)} in the wrong place`, expected: `it under "${parent}:"`, suggestion: null }
}
