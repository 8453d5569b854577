/**
 * Makes a rule set from two folders: everything is read, checked and compiled before anybody sees it, and either all of
 * it is good or none of it runs.
 */

import { readRuleFile } from "./language/read-rules.ts"
import type { Reading } from "./language/reading.ts"
import { revisionOf } from "./revision.ts"
import { ErrorList, type RuleError } from "./rule-error.ts"
import { contentHash, isRuleFile, isTemplateFile, readFolder } from "./rule-files.ts"
import { indexRules, type LoadedRule, type RuleSet } from "./rule-set.ts"
import { readTemplates } from "./templates.ts"

export interface RuleFolders {
  readonly rulesDir: string
  readonly templatesDir: string
  /** Names of the secrets that webhooks can be signed with. Left out: it is not known here which there are. */
  readonly webhookSecrets?: readonly string[]
}

/** The folders of the settings. Development takes any secret's name: nothing that leaves it needs to be signed. */
export const foldersOf = ({
  rulesDir,
  templatesDir,
  production,
  webhookSecrets,
}: {
  readonly rulesDir: string
  readonly templatesDir: string
  readonly production: boolean
  readonly webhookSecrets: readonly { readonly name: string }[]
}): RuleFolders => ({
  rulesDir,
  templatesDir,
  ...(production ? { webhookSecrets: webhookSecrets.map(({ name }) => name) } : {}),
})

/** Narrow with `if ("errors" in loaded)`. Errors are all that there are, of all files, in order. */
export type LoadedRuleSet = { readonly ok: RuleSet } | { readonly errors: readonly RuleError[] }

/** `wallMillis` is when it is loaded, in milliseconds since the Unix epoch. */
export async function loadRuleSet(folders: RuleFolders, wallMillis: number): Promise<LoadedRuleSet> {
  const { rulesDir, templatesDir, webhookSecrets } = folders
  const errors = new ErrorList()
  const templateFiles = await readFolder(templatesDir, "templates", isTemplateFile, errors)
  const ruleFiles = await readFolder(rulesDir, "rules", isRuleFile, errors)
  const files = Object.fromEntries([
    ...[...ruleFiles].map(([path, text]) => [`rules/${path}`, text]),
    ...[...templateFiles].map(([path, text]) => [`templates/${path}`, text]),
  ])
  const compiled = compile(files, errors, webhookSecrets)
  if (compiled === null) return { errors: errors.sorted() }
  const hash = contentHash(files)
  return { ok: { ...compiled, hash, revision: await revisionOf(rulesDir, templatesDir, hash), loadedAt: wallMillis } }
}

/** A set from texts that were kept, by `rules/…` and `templates/…`: what a running timer was made under. */
export function ruleSetFrom(
  files: Readonly<Record<string, string>>,
  {
    revision,
    wallMillis,
    webhookSecrets,
  }: {
    readonly revision: string
    readonly wallMillis: number
    readonly webhookSecrets?: readonly string[] | undefined
  },
): LoadedRuleSet {
  const errors = new ErrorList()
  const compiled = compile(files, errors, webhookSecrets)
  if (compiled === null) return { errors: errors.sorted() }
  return { ok: { ...compiled, hash: contentHash(files), revision, loadedAt: wallMillis } }
}

/** Null where there are errors, of this or of reading the files. */
function compile(
  files: Readonly<Record<string, string>>,
  errors: ErrorList,
  webhookSecrets?: readonly string[],
): Omit<RuleSet, "hash" | "revision" | "loadedAt"> | null {
  const below = (folder: string): readonly (readonly [string, string])[] =>
    Object.entries(files).filter(([path]) => path.startsWith(folder))
  const templateFiles = below("templates/").map(([path, text]) => [path.slice("templates".length), text] as const)
  const templates = readTemplates(new Map(templateFiles), errors)
  const reading: Reading = {
    templates,
    errors,
    names: new Map(),
    promises: new Map(),
    ...(webhookSecrets === undefined ? {} : { webhookSecrets }),
  }
  const read = below("rules/").map(([path, text]) => readRuleFile(path, text, reading))
  const rules: readonly LoadedRule[] = read.flatMap((file) => file.rules).map((rule, order) => ({ ...rule, order }))
  const sources = read.flatMap((file) => file.sources)
  if (errors.count > 0) return null
  return { rules, sources, templates, files, rulesFor: indexRules(rules) }
}
