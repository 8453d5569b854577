/** Which folders a command about rules is called for: its flags, else the settings. That they are not there is misuse. */
import { stat } from "node:fs/promises"
import { loadRulesFolders } from "../config.ts"
import type { RuleFolders } from "../routing/load.ts"
import { type Invocation, Misuse } from "./command.ts"

/** Throws Misuse, naming each folder that is none. */
export async function rulesFolders(
  { env }: Invocation,
  given: { readonly rules?: string | undefined; readonly templates?: string | undefined },
): Promise<RuleFolders> {
  const set = loadRulesFolders(env)
  const folders = { rulesDir: given.rules ?? set.rulesDir, templatesDir: given.templates ?? set.templatesDir }
  const named = [
    { flag: "--rules", setting: "HUB_RULES_DIR", dir: folders.rulesDir },
    { flag: "--templates", setting: "HUB_TEMPLATES_DIR", dir: folders.templatesDir },
  ]
  const missing: string[] = []
  for (const { flag, setting, dir } of named) {
    const found = await stat(dir).catch(() => null)
    if (found?.isDirectory() !== true) missing.push(`${dir} is no folder: give ${flag} or set ${setting}`)
  }
  if (missing.length > 0) throw new Misuse(missing.join("\n"))
  return folders
}
