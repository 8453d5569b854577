/** `hub rules check`: would these folders load? Every mistake with its place, before anybody merges it. */
import { checkRules } from "../routing/load.ts"
import { explainRuleError } from "../routing/rule-error.ts"
import { type Command, flags, settings } from "./command.ts"

export const rulesCheck: Command = {
  name: "rules check",
  usage: "[--rules rules] [--templates templates] [--json]",
  summary: "check rules and templates",
  async run(invocation) {
    const { values } = flags(invocation, { rules: { type: "string" }, templates: { type: "string" } }, 0)
    const config = settings(invocation)
    const folders = { rulesDir: values.rules ?? config.rulesDir, templatesDir: values.templates ?? config.templatesDir }
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
