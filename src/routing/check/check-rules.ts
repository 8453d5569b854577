/** What `hub rules check` says of two folders: whether they would load, and what in them is not what somebody meant. */

import { placeOfLogic } from "../conditions/lint-logic.ts"
import { loadRuleSet, type RuleFolders } from "../load.ts"
import { inOrder, type RuleError } from "../rule-error.ts"
import type { LoadedRule, RuleSet } from "../rule-set.ts"
import { checkNames } from "./check-names.ts"
import { checkWords, type LongestSms, placeOfRule } from "./check-words.ts"
import { readSamples } from "./samples.ts"
import { doubtsAbout } from "./truth.ts"
import type { Trials } from "./truth-table.ts"

export interface RulesCheck {
  /** With one of them nothing is loaded. */
  readonly errors: readonly RuleError[]
  /** It loads, and does not do what it seems to. */
  readonly warnings: readonly RuleError[]
  /** Something could go. */
  readonly notes: readonly RuleError[]
  /** What would run; null where there are errors. */
  readonly summary: {
    readonly revision: string
    readonly files: number
    readonly rules: number
    readonly templates: number
    readonly eventTypes: readonly string[]
    /** Messages that were written for samples: one for each template, channel, locale and sample that rules use. */
    readonly written: number
    /** The longest text message of each template. */
    readonly sms: readonly LongestSms[]
  } | null
}

/** Reads both folders and the samples beside the rules. `wallMillis`: now, in milliseconds since the Unix epoch. */
export async function checkRules(folders: RuleFolders, wallMillis: number): Promise<RulesCheck> {
  const loaded = await loadRuleSet(folders, wallMillis)
  if ("errors" in loaded) return { errors: loaded.errors, warnings: [], notes: [], summary: null }
  const ruleSet = loaded.ok
  const samples = await readSamples(folders.rulesDir, ruleSet.rules)
  const words = checkWords(ruleSet, samples)
  const names = checkNames(ruleSet)
  const found: Trials["found"] = new Map()
  const doubts = ruleSet.rules.flatMap((rule) => doubtful(rule, found))
  return {
    errors: [],
    warnings: inOrder([...doubts, ...names.warnings, ...words.warnings, ...samples.warnings]),
    notes: inOrder([...names.notes, ...samples.notes]),
    summary: { ...summaryOf(ruleSet), written: words.written, sms: words.sms },
  }
}

const summaryOf = ({ revision, files, rules, templates }: RuleSet) => ({
  revision,
  files: Object.keys(files).length,
  rules: rules.length,
  templates: templates.names.length,
  eventTypes: [...new Set(rules.flatMap((rule) => rule.eventTypes))].sort(),
})

/** What can be said against a rule's condition, at the clause that it is about. */
function doubtful(rule: LoadedRule, found: Trials["found"]): readonly RuleError[] {
  if (rule.condition === null) return []
  const at = placeOfRule(rule)
  return doubtsAbout(rule.condition, rule.eventTypes, found).map(({ clause, problem, expected, suggestion }) => ({
    ...at,
    ...(placeOfLogic(clause) ?? placeOfLogic(rule.condition)),
    problem,
    expected,
    suggestion,
  }))
}
