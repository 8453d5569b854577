/**
 * A backtest's report for a pull request, in GitHub's Markdown. What comes from rules and events stands in code alone, so
 * that nothing in it formats, links or calls anybody.
 */
import type { Example } from "../routing/backtest/backtest.ts"
import type { Report, RuleChange, ToldExample } from "../routing/backtest/backtest-report.ts"
import { escapeHtml, oneLine } from "../routing/escape.ts"
import {
  counted,
  fromTo,
  headline,
  listed,
  listedReasons,
  membership,
  number,
  remarks,
  shortRevision,
  shownRules,
  turned,
} from "./backtest-words.ts"

/** By it the comment is found again. */
export const MARKER = "<!-- hub rules backtest -->"

/** GitHub takes comments of 65,536 characters. */
const MAX_LENGTH = 60_000
const MAX_ROWS = 100

export function backtestMarkdown(report: Report): string {
  const rules = shownRules(report)
  const { base, head } = report
  const above = [
    MARKER,
    `### Rules: ${headline(report).replace(/^[A-Z]/, (letter) => letter.toLowerCase())}`,
    "",
    `${code(shortRevision(base.revision))} → ${code(shortRevision(head.revision))}`,
    ...(rules.length === 0 ? [] : ["", ...table(rules)]),
  ].join("\n")
  const below = remarks(report)
    .map((remark) => `- ${remark}`)
    .join("\n")
  const details: string[] = []
  let room = MAX_LENGTH - above.length - below.length
  let left = 0
  for (const rule of rules) {
    const shown = examplesOf(rule)
    if (shown === null) continue
    room -= shown.length
    if (room > 0) details.push(shown)
    else left += 1
  }
  if (left > 0) details.push(`The examples of ${counted(left, "more rule")} do not fit here.`)
  return [above, ...details, below].join("\n\n")
}

function table(rules: readonly RuleChange[]): readonly string[] {
  const rows = rules.slice(0, MAX_ROWS).map((rule) => {
    const { matched, added, removed, recipients, messages, withheld, failed } = rule
    const cells = [
      `${code(rule.rule)}${membership(rule)}`,
      `${fromTo(matched)}${turned(added, removed)}`,
      `${fromTo(recipients)}${turned(recipients.gained, recipients.lost)}`,
      listed(messages) || "none",
      [listedReasons(withheld), ...(failed.before + failed.after > 0 ? [`failed ${fromTo(failed)}`] : [])]
        .filter(Boolean)
        .join(", "),
    ]
    // A table splits at every bar that has no backslash, in code too.
    return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`
  })
  const more = rules.length > MAX_ROWS ? [`| and ${number(rules.length - MAX_ROWS)} more | | | | |`] : []
  return [
    "| rule | events matched | recipients | messages | not sent |",
    "| --- | --- | --- | --- | --- |",
    ...rows,
    ...more,
  ]
}

/** Folded; null: there are none. */
function examplesOf({ rule, added, removed, recipients, examples }: RuleChange): string | null {
  const parts = [
    ...events("match now and did not before", added, examples.added),
    ...events("matched before and do not now", removed, examples.removed),
    ...people("told now and not before", recipients.gained, examples.gained),
    ...people("told before and not now", recipients.lost, examples.lost),
  ]
  if (parts.length === 0) return null
  return [
    `<details><summary><code>${escapeHtml(oneLine(rule))}</code>: examples</summary>`,
    "",
    ...parts,
    "</details>",
  ].join("\n")
}

function events(what: string, count: number, examples: readonly Example[]): readonly string[] {
  if (examples.length === 0) return []
  return [
    `${counted(count, "event")} that ${what}${of(count, examples.length)}:`,
    "",
    ...examples.flatMap(({ event, type, before, after }) => [
      `- ${code(event)}, ${code(type)}`,
      `  - before: ${code(before)}`,
      `  - now: ${code(after)}`,
    ]),
    "",
  ]
}

function people(what: string, count: number, examples: readonly ToldExample[]): readonly string[] {
  if (examples.length === 0) return []
  return [
    `${counted(count, "recipient")} ${what}${of(count, examples.length)}:`,
    "",
    ...examples.map(({ recipient, event }) => `- ${code(recipient)}, first of ${code(event)}`),
    "",
  ]
}

const of = (all: number, shown: number): string => (shown < all ? `, ${number(shown)} of them` : "")

/** A span of code that nothing within can end: its fence is longer than any row of backticks in it. */
export function code(text: string): string {
  const line = oneLine(text)
  const longest = Math.max(0, ...[...line.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = "`".repeat(longest + 1)
  const space = line === "" || line.startsWith("`") || line.endsWith("`") ? " " : ""
  return `${fence}${space}${line}${space}${fence}`
}
