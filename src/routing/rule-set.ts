/** The rules and templates that run together: loaded whole, swapped whole, never changed in place. */
import type { Channel } from "../domain/channel.ts"
import type { BroadcastAction, NotifyAction, Rule, WebhookAction } from "../domain/rule.ts"
import type { SourcePromise } from "../domain/source-promise.ts"
import type { TemplateFunction } from "./eta-engine.ts"
import { eventTypeFits, isWildcard } from "./event-pattern.ts"
import type { Templates } from "./templates.ts"

/** A rule's own words, compiled; null: the template's. */
export interface Overrides {
  readonly actionUrl: TemplateFunction | null
  readonly actionLabel: TemplateFunction | null
  readonly data: Readonly<Record<string, TemplateFunction>> | null
  /** They depend on who reads them. */
  readonly personal: boolean
}

export interface LoadedNotify extends NotifyAction {
  readonly overrides: Overrides
}

export interface LoadedBroadcast extends BroadcastAction {
  readonly topicWords: TemplateFunction
}

export type LoadedAction = LoadedNotify | WebhookAction | LoadedBroadcast

export interface LoadedRule extends Rule {
  readonly actions: readonly LoadedAction[]
  /** Place in the set: rules are decided in this order. */
  readonly order: number
}

export interface RuleSet {
  /** The git commit, with `+dirty` and the content's hash where the folders differ from it; outside git the hash. */
  readonly revision: string
  /** SHA-256 of the content, hexadecimal. */
  readonly hash: string
  readonly rules: readonly LoadedRule[]
  /** Which sources have promised to speak, and how often. */
  readonly sources: readonly SourcePromise[]
  readonly templates: Templates
  /** Every file that counts, by `rules/…` or `templates/…`, for `saveRuleSet`. */
  readonly files: Readonly<Record<string, string>>
  /** Milliseconds since the Unix epoch. */
  readonly loadedAt: number
  /** Rules with a pattern that fits the type, in order. */
  rulesFor(eventType: string): readonly LoadedRule[]
}

const MAX_REMEMBERED_TYPES = 10_000

/** Finds rules by type: exact names by a map, patterns one by one, and each type's answer is remembered. */
export function indexRules(rules: readonly LoadedRule[]): RuleSet["rulesFor"] {
  const exact = new Map<string, LoadedRule[]>()
  const wild: { readonly pattern: string; readonly rule: LoadedRule }[] = []
  for (const rule of rules) {
    for (const pattern of rule.eventTypes) {
      if (isWildcard(pattern)) wild.push({ pattern, rule })
      else exact.set(pattern, [...(exact.get(pattern) ?? []), rule])
    }
  }
  const remembered = new Map<string, readonly LoadedRule[]>()
  return (eventType) => {
    const known = remembered.get(eventType)
    if (known !== undefined) return known
    const fitting = wild.filter(({ pattern }) => eventTypeFits(pattern, eventType)).map(({ rule }) => rule)
    const all = [...new Set([...(exact.get(eventType) ?? []), ...fitting])].sort((a, b) => a.order - b.order)
    // Producers choose the types: a new one with every event must not fill the memory.
    if (remembered.size >= MAX_REMEMBERED_TYPES) remembered.clear()
    remembered.set(eventType, all)
    return all
  }
}

/** The channels that some live rule uses, sooner or later: production wants a credential for each. */
export const channelsOf = ({ rules }: RuleSet): ReadonlySet<Channel> => usedBy(liveIn(rules))

/** Some live rule solicits by e-mail. */
export const advertisesByMail = ({ rules }: RuleSet): boolean =>
  usedBy(liveIn(rules).filter(({ commercial }) => commercial)).has("email")

const liveIn = (rules: readonly LoadedRule[]): readonly LoadedNotify[] =>
  rules
    .flatMap(({ actions }) => actions.filter((action) => action.type === "notify"))
    .filter(({ mode }) => mode === "live")

const usedBy = (actions: readonly LoadedNotify[]): ReadonlySet<Channel> =>
  new Set(
    actions.flatMap(({ channels, failover, escalate }) => [
      ...channels,
      ...failover,
      ...escalate.flatMap((step) => step.channels),
    ]),
  )
