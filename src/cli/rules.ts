/** `hub rules check`: would these folders load? Every mistake with its place, before anybody merges it. */
import { loadRulesFolders } from "../config.ts"
import { checkRules } from "../routing/load.ts"
import { explainRuleError } from "../routing/rule-error.ts"
import { type Command, flags } from "./command.ts"

export const rulesCheck: Command = {
  name: "rules check",
  usage: "[--rules rules] [--templates templates] [--json]",
  summary: "check rules and templates",
  async run(invocation) {
    const { values } = flags(invocation, { rules: { type: "string" }, templates: { type: "string" } }, 0)
    const set = loadRulesFolders(invocation.env)
    const folders = { rulesDir: values.rules ?? set.rulesDir, templatesDir: values.templates ?? set.templatesDir }
    const { errors, summary } = await checkRules(folders, Date.now())
    if (values.json) invocation.out(JSON.stringify({ errors, summary }))
    else if (summary === null) {
      for (const error of errors) invocation.out(explainRuleError(error))
      invocation.err(`${errors.length} ${errors.length === 1 ? "error" : "errors"}. Nothing of this would be loaded.`)
    } else {
      const { rules, templates, eventTypes, revision } = summary
      invocation.out(`${rules} rules, ${templates} templates, ${eventTypes.length} event types. Revision ${revision}.`)
    }
    return errors.length === 0 ? 0 : 1
  },
}
