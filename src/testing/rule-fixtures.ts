// Rules and templates for tests: written to a folder of their own, loaded as the hub loads them.
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import type { HubEvent } from "../domain/event.ts"
import { newEventId } from "../domain/ids.ts"
import { loadRuleSet, type RuleFolders } from "../routing/load.ts"
import { explainRuleError } from "../routing/rule-error.ts"
import type { RuleSet } from "../routing/rule-set.ts"
import { newEvent } from "./builders.ts"

/** Texts by path: `rules/a.yaml`, `templates/a/inapp.eta`. */
export type RuleFiles = Readonly<Record<string, string>>

export interface Folders extends RuleFolders {
  readonly root: string
  write(files: RuleFiles): Promise<void>
  remove(): Promise<void>
}

/** A template for every channel, for tests that are about something else. */
export const PLAIN_TEMPLATE = { "templates/plain/default.eta": "---\ntitle: News\n---\nSomething happened." }

/** Two folders under a fresh one. Call `remove` in the end. */
export async function ruleFolders(files: RuleFiles = {}): Promise<Folders> {
  const root = await mkdtemp(join(tmpdir(), "hub-rules-"))
  const folders = { rulesDir: join(root, "rules"), templatesDir: join(root, "templates") }
  await mkdir(folders.rulesDir)
  await mkdir(folders.templatesDir)
  const write = async (texts: RuleFiles): Promise<void> => {
    for (const [path, text] of Object.entries(texts)) {
      await mkdir(dirname(join(root, path)), { recursive: true })
      await writeFile(join(root, path), text)
    }
  }
  await write(files)
  return { ...folders, root, write, remove: () => rm(root, { recursive: true, force: true }) }
}

/** What the loader says about these files, one line per error; empty where they load. */
export async function refusals(files: RuleFiles): Promise<readonly string[]> {
  const folders = await ruleFolders(files)
  try {
    const loaded = await loadRuleSet(folders, 0)
    return "errors" in loaded ? loaded.errors.map(explainRuleError) : []
  } finally {
    await folders.remove()
  }
}

/** The rule set of these files; throws where they do not load. */
export async function ruleSetOf(files: RuleFiles): Promise<RuleSet> {
  const folders = await ruleFolders(files)
  try {
    const loaded = await loadRuleSet(folders, 0)
    if ("errors" in loaded) throw new Error(loaded.errors.map(explainRuleError).join("\n"))
    return loaded.ok
  } finally {
    await folders.remove()
  }
}

/** One rule in a file, with conditions and lines of its action as they are given, indented by nothing. */
export function oneRule(parts: { conditions?: string; action?: string; head?: string; type?: string } = {}): string {
  const indent = (text: string, by: number): string => text.replace(/^(?=.)/gm, " ".repeat(by))
  return [
    "rules:",
    "  - name: the-rule",
    `    event_type: ${parts.type ?? "test.happened"}`,
    ...(parts.head === undefined ? [] : [indent(parts.head, 4)]),
    ...(parts.conditions === undefined ? [] : ["    conditions:", indent(parts.conditions, 6)]),
    "    actions:",
    "      - type: notify",
    indent(parts.action ?? "to: { roles: [r] }\nchannels: [inapp]\ntemplate: plain", 8),
    "",
  ].join("\n")
}

/** A stored event, accepted on 2 March 2026 at 09:00 UTC unless asked otherwise. */
export const hubEvent = (changes: Partial<HubEvent> = {}): HubEvent => ({
  ...newEvent(),
  id: newEventId(Date.UTC(2026, 2, 2, 9)),
  acceptedAt: Date.UTC(2026, 2, 2, 9),
  ...changes,
})
