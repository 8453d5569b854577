/**
 * Makes a rule set from two folders: everything is read, checked and compiled before anybody sees it, and either all of
 * it is good or none of it runs.
 */

import { readRuleFile } from "./read-rules.ts"
import { revisionOf } from "./revision.ts"
import { ErrorList, type RuleError } from "./rule-error.ts"
import { contentHash, isRuleFile, isTemplateFile, readFolder } from "./rule-files.ts"
import { indexRules, type LoadedRule, type RuleSet } from "./rule-set.ts"
import { readTemplates } from "./templates.ts"

export interface RuleFolders {
  readonly rulesDir: string
  readonly templatesDir: string
}

/** Narrow with `if ("errors" in loaded)`. Errors are all that there are, of all files, in order. */
export type LoadedRuleSet = { readonly ok: RuleSet } | { readonly errors: readonly RuleError[] }

/** `wallMillis` is when it is loaded, in milliseconds since the Unix epoch. */
export async function loadRuleSet({ rulesDir, templatesDir }: RuleFolders, wallMillis: number): Promise<LoadedRuleSet> {
  const errors = new ErrorList()
  const templateFiles = await readFolder(templatesDir, "templates", isTemplateFile, errors)
  const ruleFiles = await readFolder(rulesDir, "rules", isRuleFile, errors)
  const templates = readTemplates(new Map([...templateFiles].map(([path, text]) => [`/${path}`, text])), errors)
  const reading = { templates, errors, names: new Map<string, string>() }
  const rules: readonly LoadedRule[] = [...ruleFiles]
    .flatMap(([path, text]) => readRuleFile(`rules/${path}`, text, reading))
    .map((rule, order) => ({ ...rule, order }))
  if (errors.count > 0) return { errors: errors.sorted() }
  const files = Object.fromEntries([
    ...[...ruleFiles].map(([path, text]) => [`rules/${path}`, text]),
    ...[...templateFiles].map(([path, text]) => [`templates/${path}`, text]),
  ])
  const hash = contentHash(files)
  const revision = await revisionOf(rulesDir, templatesDir, hash)
  return { ok: { revision, hash, rules, templates, files, loadedAt: wallMillis, rulesFor: indexRules(rules) } }
}

export interface RulesCheck {
  readonly errors: readonly RuleError[]
  /** What would run; null where there are errors. */
  readonly summary: {
    readonly revision: string
    readonly files: number
    readonly rules: number
    readonly templates: number
    readonly eventTypes: readonly string[]
  } | null
}

/** What `hub rules check` prints. */
export async function checkRules(folders: RuleFolders, wallMillis: number): Promise<RulesCheck> {
  const loaded = await loadRuleSet(folders, wallMillis)
  if ("errors" in loaded) return { errors: loaded.errors, summary: null }
  const { revision, files, rules, templates } = loaded.ok
  return {
    errors: [],
    summary: {
      revision,
      files: Object.keys(files).length,
      rules: rules.length,
      templates: templates.names.length,
      eventTypes: [...new Set(rules.flatMap((rule) => rule.eventTypes))].sort(),
    },
  }
}
