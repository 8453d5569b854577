/** Names that mislead: alike but for their case, used by nobody, or two rules that say the same to the same people. */
import { CHANNELS } from "../../domain/channel.ts"
import type { Audience } from "../../domain/rule.ts"
import { resolveInclude } from "../eta-engine.ts"
import type { RuleError } from "../rule-error.ts"
import type { LoadedNotify, LoadedRule, RuleSet } from "../rule-set.ts"
import { placeOfRule } from "./check-words.ts"

export interface NamesCheck {
  readonly warnings: readonly RuleError[]
  /** Nothing is wrong, and something could go. */
  readonly notes: readonly RuleError[]
}

export const checkNames = (ruleSet: RuleSet): NamesCheck => ({
  warnings: [...alike(ruleSet), ...toldTwice(ruleSet.rules)],
  notes: [...unusedTemplates(ruleSet), ...unusedPartials(ruleSet)],
})

const top = (file: string, problem: string, expected: string | null = null): RuleError => ({
  file,
  line: 1,
  column: 1,
  problem,
  expected,
  suggestion: null,
})

/** On some file systems they are one folder, and a reader takes them for one rule. */
function alike({ rules, templates }: RuleSet): readonly RuleError[] {
  const first = new Map<string, string>()
  const twin = (name: string): string | undefined => {
    const known = first.get(name.toLowerCase())
    if (known === undefined) first.set(name.toLowerCase(), name)
    return known
  }
  const folders = templates.names.flatMap((name) => {
    const other = twin(name)
    return other === undefined
      ? []
      : [top(`templates/${name}`, `a folder that differs from templates/${other} by its case alone`, "another name")]
  })
  first.clear()
  const named = rules.flatMap((rule) => {
    const other = twin(rule.name)
    const problem = `a rule whose name differs from "${other}" by its case alone`
    return other === undefined ? [] : [{ ...placeOfRule(rule), problem, expected: "another name", suggestion: null }]
  })
  return [...folders, ...named]
}

/** Same events, same condition, same people, one channel in common. A shadow is there to be compared, so it may. */
function toldTwice(rules: readonly LoadedRule[]): readonly RuleError[] {
  const asked = Map.groupBy(rules, ({ eventTypes, source, condition }) =>
    JSON.stringify([eventTypes.toSorted(), source, condition]),
  )
  return [...asked.values()].flatMap((same) =>
    same.flatMap((rule, i) => {
      const twin = same
        .slice(0, i)
        .find((other) => notifies(other).some((theirs) => notifies(rule).some((ours) => overlap(theirs, ours))))
      if (twin === undefined) return []
      const problem = `the same people are told of the same events on the same channel by the rule "${twin.name}" at ${twin.at}`
      return [{ ...placeOfRule(rule), problem, expected: "one of them", suggestion: null }]
    }),
  )
}

const notifies = ({ actions }: LoadedRule): readonly LoadedNotify[] =>
  actions.filter((action) => action.type === "notify").filter(({ mode }) => mode === "live")

const overlap = (a: LoadedNotify, b: LoadedNotify): boolean =>
  people(a.to) === people(b.to) && a.channels.some((channel) => b.channels.includes(channel))

const people = ({ roles, users, lists, everyone }: Audience): string =>
  JSON.stringify([roles.toSorted(), users.map((user) => JSON.stringify(user)).sort(), lists.toSorted(), everyone])

/** Folders that no rule names, and files in used ones that no reader on no channel of a rule could be given. */
function unusedTemplates({ rules, templates, files }: RuleSet): readonly RuleError[] {
  const actions = rules.flatMap((rule) => rule.actions).filter((action) => action.type === "notify")
  const reached = new Set<string>()
  for (const [name, users] of Map.groupBy(actions, ({ template }) => template)) {
    const channels = new Set(
      users.flatMap(({ channels, failover, escalate }) => [
        ...channels,
        ...failover,
        ...escalate.flatMap((step) => step.channels),
      ]),
    )
    for (const channel of CHANNELS.filter((one) => channels.has(one))) {
      for (const locale of [null, ...templates.variants(name, channel).map(({ use }) => use.locale)]) {
        reached.add(templates.find(name, channel, locale)?.file ?? "")
        // Where the channel's own has no title, the default's is taken.
        reached.add(templates.findDefault(name, locale)?.file ?? "")
      }
    }
  }
  const named = new Set(actions.map(({ template }) => template))
  const idle = templates.names.filter((name) => !named.has(name))
  const unread = Object.keys(files).filter((file) => {
    const folder = /^templates\/([^_/][^/]*)\//.exec(file)?.[1]
    return folder !== undefined && named.has(folder) && !reached.has(file)
  })
  return [
    ...idle.map((name) => top(`templates/${name}`, "a template that no rule uses")),
    ...unread.map((file) =>
      top(file, "words that nobody is ever given: no rule uses this channel, or others come before them"),
    ),
  ]
}

function unusedPartials({ files }: RuleSet): readonly RuleError[] {
  const included = new Set<string>()
  for (const [file, text] of Object.entries(files)) {
    if (!file.startsWith("templates/")) continue
    // What is included by a computed name may be any of them.
    if (/\b(?:include|layout)\(\s*[^"'`\s]|\b(?:include|layout)\(\s*`[^`]*\$\{/.test(text)) return []
    for (const [, , path = ""] of text.matchAll(/\b(?:include|layout)\(\s*(["'`])([^"'`]+)\1/g)) {
      included.add(`templates${resolveInclude(path, file.slice("templates".length))}`)
    }
  }
  const partials = Object.keys(files).filter((file) => file.startsWith("templates/_") && !included.has(file))
  return partials.map((file) => top(file, "a layout or partial that no template includes"))
}
