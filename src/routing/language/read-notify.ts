/** An action that tells people: whom, on which channels, in which words, and when. */
import type { NotifyAction } from "../../domain/rule.ts"
import type { LoadedNotify, Overrides } from "../rule-set.ts"
import { compileField, fieldReader } from "../template-file.ts"
import { MAX_DATA, ON_UNKNOWN, PRIORITIES, UNTIL } from "./language.ts"
import { DEFAULT_AUDIENCE, readAudience } from "./read-audience.ts"
import { readChannels, readFailover, readTemplateName } from "./read-channels.ts"
import { readDuration } from "./read-duration.ts"
import { readEscalation } from "./read-escalation.ts"
import { readKey } from "./read-key.ts"
import { readCooldown, readDigest, readThrottle } from "./read-limits.ts"
import { contradictions } from "./read-together.ts"
import { optional, type Reading, readWord } from "./reading.ts"
import { type Field, scalarOf, type YamlFile } from "./yaml-file.ts"

const OLD_PRIORITIES: Readonly<Record<string, string>> = { medium: "normal", urgent: "high", critical: "high" }
const OLD_UNTIL: Readonly<Record<string, string>> = { ack: "acknowledged", acked: "acknowledged", seen: "read" }

/** The action without what all kinds have; what is wrong with it is in `reading.errors`. */
export function readNotify(
  yaml: YamlFile,
  reading: Reading,
  fields: ReadonlyMap<string, Field>,
): Omit<LoadedNotify, "mode" | "inhibitedBy"> {
  const channels = readChannels(yaml, fields.get("channels"))
  const failover = readFailover(yaml, fields.get("failover"))
  const escalation = readEscalation(yaml, fields.get("escalate"))
  const needed = [...channels, ...failover, ...escalation.channels]
  const template = readTemplateName(yaml, reading.templates, fields.get("template"), needed)
  const action = {
    type: "notify" as const,
    to: optional(fields.get("to"), (value) => readAudience(yaml, value)) ?? DEFAULT_AUDIENCE,
    channels: channels.map(({ channel }) => channel),
    template,
    priority: word(yaml, fields.get("priority"), PRIORITIES, "priority", OLD_PRIORITIES) ?? "normal",
    bypassQuietHours: optional(fields.get("bypass_quiet_hours"), (value) => yaml.flag(value)) ?? false,
    category: optional(fields.get("category"), (value) => yaml.text(value, "the name of a category", 100)),
    commercial: optional(fields.get("commercial"), (value) => yaml.flag(value)) ?? false,
    ...readWhen(yaml, fields),
    escalate: escalation.steps,
    failover: failover.map(({ channel }) => channel),
    ...readWords(yaml, reading, fields),
  }
  contradictions(yaml, fields, action, failover)
  return action
}

type When = Pick<NotifyAction, "limits" | "delayMs" | "digest" | "until" | "expiresInMs" | "onUnknown" | "update">

function readWhen(yaml: YamlFile, fields: ReadonlyMap<string, Field>): When {
  const limits = [
    optional(fields.get("cooldown"), (value) => readCooldown(yaml, value)),
    optional(fields.get("throttle"), (value) => readThrottle(yaml, value)),
  ]
  return {
    limits: limits.filter((limit) => limit !== null),
    delayMs: optional(fields.get("delay"), (value) => readDuration(yaml, value))?.ms ?? null,
    digest: optional(fields.get("digest"), (value) => readDigest(yaml, value)),
    until: word(yaml, fields.get("until"), UNTIL, "reaction", OLD_UNTIL) ?? "acknowledged",
    expiresInMs: optional(fields.get("expires_in"), (value) => readDuration(yaml, value))?.ms ?? null,
    onUnknown: word(yaml, fields.get("on_unknown"), ON_UNKNOWN, "word for on_unknown") ?? "retry",
    update: optional(fields.get("update"), (value) => readKey(yaml, value)),
  }
}

const word = <W extends string>(
  yaml: YamlFile,
  field: Field | undefined,
  words: readonly W[],
  what: string,
  oldSpellings: Readonly<Record<string, string>> = {},
): W | null => optional(field, (value) => readWord(yaml, value, { words, what, oldSpellings }))

/** The rule's own link, label and data: as they are written, and compiled. */
function readWords(
  yaml: YamlFile,
  reading: Reading,
  fields: ReadonlyMap<string, Field>,
): Pick<LoadedNotify, "actionUrl" | "actionLabel" | "data" | "overrides"> {
  const reader = fieldReader(yaml, reading.errors)
  const compile = (field: Field | undefined, link: boolean) =>
    field === undefined ? null : compileField(yaml, field.value, link, reader)
  const data = fields.get("data")
  const entries = data === undefined ? [] : (yaml.entries(data.value, '"data"') ?? [])
  if (data !== undefined && entries.length > MAX_DATA) {
    yaml.refuse(data.value, "too much data", `at most ${MAX_DATA} keys`)
  }
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

function written(field: Field | undefined): string | null {
  const value = field === undefined ? null : scalarOf(field.value)
  return typeof value === "string" ? value : null
}
