/** A backtest's report for the terminal. */
import type { Report, RuleChange } from "../routing/backtest/backtest-report.ts"
import {
  fromTo,
  headline,
  listed,
  listedReasons,
  membership,
  remarks,
  shortRevision,
  shownRules,
  turned,
} from "./backtest-words.ts"

/** Lines, each of which may hold texts from events: no control character gets through. */
export function backtestText(report: Report): string {
  const { base, head } = report
  return [
    `${headline(report)}.`,
    `${shortRevision(base.revision)} → ${shortRevision(head.revision)}`,
    ...shownRules(report).flatMap((rule) => ["", ...ruleLines(rule)]),
    "",
    ...remarks(report),
  ]
    .map((line) => line.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " "))
    .join("\n")
}

function ruleLines(rule: RuleChange): readonly string[] {
  const { matched, added, removed, recipients, messages, withheld, failed, examples } = rule
  return [
    `${rule.rule}${membership(rule)}  ${rule.at}`,
    `  events matched  ${fromTo(matched)}${turned(added, removed)}`,
    `  recipients      ${fromTo(recipients)}${turned(recipients.gained, recipients.lost)}`,
    `  messages        ${listed(messages) || "none"}`,
    ...(Object.keys(withheld).length > 0 ? [`  not sent        ${listedReasons(withheld)}`] : []),
    ...(failed.before + failed.after > 0 ? [`  failed          ${fromTo(failed)}`] : []),
    ...(["added", "removed"] as const).flatMap((way) =>
      examples[way].flatMap(({ event, type, before, after }) => [
        `  ${way === "added" ? "+" : "-"} ${event} (${type})`,
        `      before: ${before}`,
        `      now:    ${after}`,
      ]),
    ),
    ...(["gained", "lost"] as const).flatMap((way) =>
      examples[way].map(
        ({ recipient, event }) => `  ${way === "gained" ? "+" : "-"} ${recipient}, first told of ${event}`,
      ),
    ),
  ]
}
