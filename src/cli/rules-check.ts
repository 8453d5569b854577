/** `hub rules check`: would these folders load, and do they say what was meant? Every mistake with its place. */
import { checkRules, type RulesCheck } from "../routing/check/check-rules.ts"
import { explainRuleError, type RuleError } from "../routing/rule-error.ts"
import { type Command, flags, type Invocation } from "./command.ts"
import { rulesFolders } from "./rules-folders.ts"

export const rulesCheck: Command = {
  name: "rules check",
  usage: "[--rules rules] [--templates templates] [--strict] [--verbose] [--json]",
  summary: "check rules and templates",
  async run(invocation) {
    const { values } = flags(
      invocation,
      {
        rules: { type: "string" },
        templates: { type: "string" },
        strict: { type: "boolean", default: false },
        verbose: { type: "boolean", default: false },
      },
      0,
    )
    const folders = await rulesFolders(invocation, values)
    const check = await checkRules(folders, Date.now())
    if (values.json) invocation.out(JSON.stringify(check))
    else print(invocation, check, values.verbose)
    return check.errors.length > 0 || (values.strict && check.warnings.length > 0) ? 1 : 0
  },
}

function print({ out, err }: Invocation, { errors, warnings, notes, summary }: RulesCheck, verbose: boolean): void {
  for (const error of errors) out(explainRuleError(error))
  for (const warning of warnings) out(marked("warning", warning))
  if (verbose) for (const note of notes) out(marked("note", note))
  if (summary === null) {
    err(`${counted(errors.length, "error")}. Nothing of this would be loaded.`)
    return
  }
  if (verbose) {
    for (const { file, segments, units, alphabet } of summary.sms) {
      out(`${file}: ${counted(segments, "segment")} at most (${units} units of ${alphabet})`)
    }
  }
  const { rules, templates, eventTypes, written, revision } = summary
  const sizes = [
    counted(rules, "rule"),
    counted(templates, "template"),
    counted(eventTypes.length, "event type"),
    `${counted(written, "message")} written`,
  ].join(", ")
  const found = [
    ...(warnings.length > 0 ? [counted(warnings.length, "warning")] : []),
    ...(notes.length > 0 ? [`${counted(notes.length, "note")}${verbose ? "" : " (--verbose shows them)"}`] : []),
  ].map((text) => `, ${text}`)
  out(`${sizes}${found.join("")}. Revision ${revision}.`)
}

const marked = (word: "warning" | "note", remark: RuleError): string =>
  explainRuleError({ ...remark, problem: `${word}: ${remark.problem}` })

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? "" : "s"}`
