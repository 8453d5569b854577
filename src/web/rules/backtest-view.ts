/** A backtest as a page: the verdict, what changes over all, then each rule that would act differently. */
import { el, words } from "../shared/dom.ts"
import type { BeforeAfter, Changes, Report, RuleChange, TurnedEvent, TurnedPerson } from "./backtest-report.ts"

const number = (value: number): string => value.toLocaleString("en-US")
const counted = (value: number, what: string): string => `${number(value)} ${what}${value === 1 ? "" : "s"}`

export function reportView(report: Report): readonly HTMLElement[] {
  const shown = report.rules.filter((rule) => rule.different || rule.in !== "both")
  const differing = report.rules.filter((rule) => rule.different).length
  return [
    el(
      "p",
      { class: "verdict-line" },
      differing === 0
        ? "Nothing would be different."
        : `${differing} of ${counted(report.rules.length, "rule")} would act differently.`,
    ),
    el(
      "dl",
      { class: "over-all" },
      fact("From", el("code", { title: report.base }, short(report.base))),
      fact("To", el("code", { title: report.head }, short(report.head))),
      fact("Replayed", `${counted(report.replayed, "event")}${report.limited ? ", and there are more" : ""}`),
      fact("Messages", shift(total(report.messages))),
      ...report.messages.map(([channel, change]) => fact(channel, shift(change))),
    ),
    el("p", { class: "hint" }, ...remarks(report)),
    ...(shown.length === 0 ? [] : [table(shown)]),
    ...shown.flatMap(examples),
  ]
}

const fact = (name: string, value: Node | string): HTMLElement => el("div", {}, el("dt", {}, name), el("dd", {}, value))

const short = (revision: string): string => revision.replace(/^([0-9a-f]{12})[0-9a-f]{28,}/, "$1")

const total = (changes: Changes): BeforeAfter => ({
  before: changes.reduce((sum, [, { before }]) => sum + before, 0),
  after: changes.reduce((sum, [, { after }]) => sum + after, 0),
})

/** `40 → 55`, or `40` where nothing changed. */
function shift({ before, after }: BeforeAfter): HTMLElement {
  if (before === after) return el("span", { class: "same" }, number(after))
  return el(
    "span",
    { class: "shift", "data-way": after > before ? "up" : "down" },
    el("span", { class: "visually-hidden" }, "from "),
    number(before),
    el("span", { "aria-hidden": "true" }, " → "),
    el("span", { class: "visually-hidden" }, " to "),
    el("b", {}, number(after)),
  )
}

function remarks({ recipients, unreadable, outOfOrder, undecided, from, to }: Report): readonly Node[] {
  const minute = (time: string): string => time.slice(0, 16).replace("T", " ")
  const span = from === null ? "" : `Accepted from ${minute(from)} to ${minute(to ?? "")} UTC. `
  const sentences = [
    `${span}With ${counted(recipients, "recipient")} as they were when it was run. Nothing was sent.`,
    ...(unreadable > 0
      ? [`Not replayable: ${counted(unreadable, "event")} whose payload is gone or cannot be read.`]
      : []),
    ...(outOfOrder > 0
      ? [`Not replayable: ${counted(outOfOrder, "event")} out of order, by a clock that was wrong.`]
      : []),
    ...(undecided.before + undecided.after > 0
      ? [`Events that could not be decided: ${number(undecided.before)} before, ${number(undecided.after)} now.`]
      : []),
  ]
  return [document.createTextNode(sentences.join(" "))]
}

const MEMBERSHIP = { both: null, head: "new", base: "removed" } as const

function table(rules: readonly RuleChange[]): HTMLElement {
  const head = ["Rule", "Events matched", "Recipients", "Messages", "Held back"].map((name) =>
    el("th", { scope: "col" }, name),
  )
  const rows = rules.map((rule) => {
    const badge = MEMBERSHIP[rule.in]
    const failed = rule.failed.before + rule.failed.after === 0 ? [] : ([["failed", rule.failed]] as const)
    return el(
      "tr",
      {},
      el(
        "th",
        { scope: "row" },
        words(rule.rule),
        badge === null ? null : el("span", { class: "badge" }, badge),
        el("code", { class: "at" }, rule.at),
      ),
      el("td", { "data-name": "Events matched" }, shift(rule.matched), turned(rule.added, rule.removed)),
      el(
        "td",
        { "data-name": "Recipients" },
        shift(rule.recipients),
        turned(rule.recipients.gained, rule.recipients.lost),
      ),
      el("td", { "data-name": "Messages" }, listed(rule.messages)),
      el("td", { "data-name": "Held back" }, listed([...rule.withheld, ...failed])),
    )
  })
  return el(
    "div",
    { class: "table-frame", role: "region", "aria-label": "Rules that would act differently", tabindex: "0" },
    el("table", {}, el("thead", {}, el("tr", {}, ...head)), el("tbody", {}, ...rows)),
  )
}

function turned(more: number, less: number): HTMLElement | null {
  const parts = [...(more > 0 ? [`+${number(more)}`] : []), ...(less > 0 ? [`−${number(less)}`] : [])]
  return parts.length === 0 ? null : el("span", { class: "turned" }, parts.join(", "))
}

function listed(changes: Changes): HTMLElement {
  if (changes.length === 0) return el("span", { class: "same" }, "none")
  return el(
    "ul",
    { class: "list" },
    ...changes.map(([name, change]) => el("li", {}, name.replaceAll("_", " "), " ", shift(change))),
  )
}

function examples(rule: RuleChange): readonly HTMLElement[] {
  const { added, removed, gained, lost } = rule.examples
  const parts = [
    ...events(`${counted(rule.added, "event")} that match now and did not before`, added),
    ...events(`${counted(rule.removed, "event")} that matched before and do not now`, removed),
    ...people(`${counted(rule.recipients.gained, "recipient")} told now and not before`, gained),
    ...people(`${counted(rule.recipients.lost, "recipient")} told before and not now`, lost),
  ]
  if (parts.length === 0) return []
  return [
    el(
      "details",
      { class: "examples" },
      el("summary", {}, el("b", { dir: "auto" }, rule.rule), ": examples"),
      ...parts,
    ),
  ]
}

const tryIt = (event: string): HTMLElement =>
  el("a", { href: `./rules?event=${encodeURIComponent(event)}` }, el("code", {}, event))

function events(title: string, given: readonly TurnedEvent[]): readonly HTMLElement[] {
  if (given.length === 0) return []
  const items = given.map(({ event, type, before, after }) =>
    el(
      "li",
      {},
      el("p", {}, tryIt(event), " ", words(type)),
      el(
        "dl",
        { class: "turn" },
        el("dt", {}, "before"),
        el("dd", { dir: "auto" }, before),
        el("dt", {}, "now"),
        el("dd", { dir: "auto" }, after),
      ),
    ),
  )
  return [el("h3", {}, title), el("ul", { class: "list" }, ...items)]
}

function people(title: string, given: readonly TurnedPerson[]): readonly HTMLElement[] {
  if (given.length === 0) return []
  const items = given.map(({ recipient, event }) =>
    el("li", {}, words(recipient, "recipient"), ", first of ", tryIt(event)),
  )
  return [el("h3", {}, title), el("ul", { class: "list" }, ...items)]
}
