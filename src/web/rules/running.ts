/** The running set, as the page reads `GET /v1/rules` and the rules' part of `GET /health/detailed`. */
import { each, type Fields, fields, text, textOrNull } from "../shared/fields.ts"

/** What a rule did lately, on the node that answered. */
export interface Lately {
  readonly matched: number
  readonly notified: number
  readonly suppressed: number
  readonly failed: number
  readonly lastMatchedAt: string | null
}

export interface Rule {
  readonly name: string
  readonly eventTypes: readonly string[]
  readonly source: string | null
  /** JSONLogic; null: whatever the event says. */
  readonly condition: unknown
  readonly actions: readonly Fields[]
  /** `rules/invoicing.yaml:12:5` */
  readonly at: string
  readonly lately: Lately | null
}

export interface Running {
  readonly revision: string
  readonly loadedAt: string
  readonly rules: readonly Rule[]
}

/** How the files stand to what runs. */
export interface RulesHealth {
  readonly revision: string
  /** Lines such as `rules/a.yaml:3:5 unknown key …`; empty: what the files say runs. */
  readonly refused: readonly string[]
  /** All of them: the lines may be the first few. */
  readonly errors: number
}

/** Null for what is no rule set. */
export function readRunning(body: unknown): Running | null {
  const of = fields(body)
  if (of === null || !Array.isArray(of["rules"])) return null
  return { revision: text(of["revision"]), loadedAt: text(of["loaded_at"]), rules: each(of["rules"], readRule) }
}

function readRule(value: unknown): Rule | null {
  const of = fields(value)
  if (of === null || textOrNull(of["name"]) === null) return null
  return {
    name: text(of["name"]),
    eventTypes: each(of["event_type"], textOrNull),
    source: textOrNull(of["source"]),
    condition: of["conditions"] ?? null,
    actions: each(of["actions"], fields),
    at: text(of["at"]),
    lately: readLately(of["lately"]),
  }
}

const count = (value: unknown): number => (typeof value === "number" ? value : 0)

function readLately(value: unknown): Lately | null {
  const of = fields(value)
  if (of === null) return null
  return {
    matched: count(of["matched"]),
    notified: count(of["notified"]),
    suppressed: count(of["suppressed"]),
    failed: count(of["failed"]),
    lastMatchedAt: textOrNull(of["last_matched_at"]),
  }
}

/** Null where the hub does not say. */
export function readRulesHealth(body: unknown): RulesHealth | null {
  const of = fields(fields(fields(body)?.["parts"])?.["rules"])
  if (of === null) return null
  const refused = each(of["refused"], textOrNull)
  return { revision: text(of["revision"]), refused, errors: Math.max(count(of["errors"]), refused.length) }
}

export const isShadow = (rule: Rule): boolean => rule.actions.some((action) => action["mode"] === "shadow")

/** Every channel that the rule may come to use, in the order of its file; `webhook` and `broadcast` for its systems. */
export function channelsOf(rule: Rule): readonly string[] {
  const all = rule.actions.flatMap((action) => {
    if (action["type"] !== "notify") return [text(action["type"])]
    const steps = each(action["escalate"], fields).flatMap((step) => each(step["channels"], textOrNull))
    return [...each(action["channels"], textOrNull), ...each(action["failover"], textOrNull), ...steps]
  })
  return [...new Set(all)]
}

export interface Wanted {
  /** Words, each of which stands somewhere in the rule. */
  readonly search: string
  /** An event type: rules that listen to it, by a pattern too. */
  readonly eventType: string
  readonly channel: string
  readonly shadowOnly: boolean
}

export function wantedRules(rules: readonly Rule[], wanted: Wanted): readonly Rule[] {
  const words = wanted.search
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== "")
  return rules.filter((rule) => {
    if (wanted.shadowOnly && !isShadow(rule)) return false
    if (wanted.channel !== "" && !channelsOf(rule).includes(wanted.channel)) return false
    if (wanted.eventType !== "" && !rule.eventTypes.some((pattern) => fits(pattern, wanted.eventType))) return false
    const hay = words.length === 0 ? "" : JSON.stringify(rule).toLowerCase()
    return words.every((word) => hay.includes(word))
  })
}

/** As rules name types: `*` is one part, `**` any number of them. */
export function fits(pattern: string, type: string): boolean {
  if (pattern === type) return true
  const match = (parts: readonly string[], rest: readonly string[]): boolean => {
    const [part, ...others] = parts
    if (part === undefined) return rest.length === 0
    if (part === "**") return rest.some((_, at) => match(others, rest.slice(at))) || match(others, [])
    return rest.length > 0 && (part === "*" || part === rest[0]) && match(others, rest.slice(1))
  }
  return match(pattern.split("."), type.split("."))
}
