/** How grave a thing is, by shape and word first and by colour last. */
import { el, icon } from "../shared/dom.ts"

type Rank = "info" | "warning" | "high" | "critical"

const RANKS: ReadonlyMap<string, Rank> = new Map([
  ["info", "info"],
  ["low", "info"],
  ["medium", "warning"],
  ["warning", "warning"],
  ["high", "high"],
  ["error", "high"],
  ["critical", "critical"],
])

const rankOf = (severity: string): Rank => RANKS.get(severity) ?? "info"

/** The drawing alone, for beside a title. */
export const severityMark = (severity: string): HTMLElement =>
  el("span", { class: `mark ${rankOf(severity)}` }, icon(rankOf(severity)))

/** The word, as it was sent. */
export const severityWord = (severity: string): HTMLElement =>
  el(
    "span",
    { class: `severity ${rankOf(severity)}` },
    el("span", { class: "visually-hidden" }, "Severity: "),
    severity.charAt(0).toUpperCase() + severity.slice(1),
  )
