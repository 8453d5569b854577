/** What the rules make of the event: those that match first, with whom they tell and in which words. */
import { el, icon, words } from "../shared/dom.ts"
import { moment } from "../shared/moment.ts"
import { reasonSaid } from "../shared/reasons.ts"
import { clauseView } from "./clause-view.ts"
import type { Explained, Explanation, Fate, Told } from "./explained.ts"
import { renderings } from "./renderings.ts"
import { said } from "./said.ts"

const VERDICTS: Readonly<Record<Explained["verdict"], readonly [drawing: string, word: string]>> = {
  matched: ["yes", "Matches"],
  not_matched: ["no", "Does not match"],
  failed: ["warning", "Fails"],
}

/** What somebody opened or folded stays so while the event is typed. */
const opened = new Map<string, boolean>()

/** More rules than people compare: the others are folded. */
const OPEN = 6

/** `asked`: the recipient in question, if there is one. */
export function outcomeView({ rules }: Explanation, asked: string): readonly HTMLElement[] {
  const rank = { matched: 0, failed: 1, not_matched: 2 } as const
  const sorted = rules.toSorted((a, b) => rank[a.verdict] - rank[b.verdict])
  return sorted.map((rule, place) => ruleView(rule, asked, rule.verdict !== "not_matched" || place < OPEN))
}

/** One sentence, which is read out when it changes. `only`: the one rule that was asked; "" is all. */
export function summaryOf({ type, rules }: Explanation, only: string): string {
  const events = type === "" ? "events of this type" : type
  if (rules.length === 0) return only === "" ? `No rule listens to ${events}.` : `No rule ${only} listens to ${events}.`
  const matched = rules.filter(({ verdict }) => verdict === "matched")
  const people = new Set(
    matched.flatMap(({ told }) => told.filter((one) => !heldBack(one)).map((one) => one.recipient)),
  )
  const more = matched.some(({ people: all, told }) => all > told.length) ? "more than " : ""
  const verb = matched.length === 1 ? "matches" : "match"
  const listening =
    only === ""
      ? `${rules.length} ${rules.length === 1 ? "rule listens" : "rules listen"} to it, ${matched.length || "none"} ${matched.length === 0 ? "matches" : verb}`
      : `${only} ${matched.length === 0 ? "does not match" : "matches"}`
  if (matched.length === 0) return `${listening}: nobody would be told.`
  const told = people.size === 0 ? "nobody" : `${more}${people.size} ${people.size === 1 ? "person" : "people"}`
  return `${listening}: ${told} would be told.`
}

function ruleView(rule: Explained, asked: string, open: boolean): HTMLElement {
  const [drawing, word] = VERDICTS[rule.verdict]
  const problems = new Set(rule.rendered.map(({ problem }) => problem))
  // What cannot be written stands where its words would.
  const unsaid = rule.failures.filter((why) => !problems.has(why))
  const title = `outcome-${encodeURIComponent(rule.rule)}`
  const head = el(
    "summary",
    {},
    el("span", { class: "sign" }, icon(drawing)),
    el("h3", { id: title, dir: "auto" }, rule.rule),
    el("span", { class: "verdict" }, word),
    el("code", { class: "at" }, rule.at),
  )
  const box = el(
    "details",
    { open: opened.get(rule.rule) ?? open },
    head,
    rule.clauses === null
      ? el("p", { class: "reason", dir: "auto" }, sentence(reasonOf(rule)))
      : clauseView(rule.clauses),
    ...rule.notes.map((note) => el("p", { class: "note", dir: "auto" }, sentence(note))),
    ...unsaid.map((why) => el("p", { class: "problem", dir: "auto" }, sentence(why))),
    rule.whyNot === null
      ? null
      : el("p", { class: "why-not" }, el("b", { dir: "auto" }, asked), " would not be told: ", words(rule.whyNot), "."),
    rule.verdict === "matched" && !isSilent(rule) ? whomView(rule, asked) : null,
    rule.rendered.length === 0 ? null : renderings(rule.rule, rule.rendered),
    el("p", { class: "foot" }, el("a", { href: `./rules#${encodeURIComponent(rule.rule)}` }, "The rule itself")),
  )
  head.addEventListener("click", () => opened.set(rule.rule, !box.open))
  return el(
    "article",
    { class: "result", "data-verdict": rule.verdict, "data-rule": rule.rule, "aria-labelledby": title },
    box,
  )
}

/** Nothing would follow, and a note says why. */
const isSilent = ({ people, systems, later, notes }: Explained): boolean =>
  people + systems.length + later.length === 0 && notes.length > 0

/** What follows from it is shown apart. */
const reasonOf = ({ reason, verdict }: Explained): string =>
  verdict === "matched" ? (reason.split("; ", 1)[0] ?? reason) : reason

const heldBack = ({ inbox, channels }: Told): boolean =>
  !inbox && channels.every(({ status }) => status === "suppressed" || status === "expired")

function whomView({ people, told, systems, later, failures }: Explained, asked: string): HTMLElement {
  const rows = told.map((one) =>
    el(
      "li",
      { class: one.recipient === asked ? "asked" : null },
      words(one.recipient, "recipient"),
      el("ul", { class: "ways list" }, ...waysOf(one)),
    ),
  )
  const more = people - told.length
  return el(
    "div",
    { class: "whom" },
    el("h4", {}, "Whom it would tell"),
    people === 0 && systems.length === 0
      ? el(
          "p",
          { class: "hint" },
          failures.length > 0
            ? "Nobody, as something cannot be carried out."
            : "Nobody: no person fits its audience at the event’s place.",
        )
      : null,
    rows.length === 0 ? null : el("ul", { class: "people list" }, ...rows),
    more > 0 ? el("p", { class: "hint" }, `and ${more.toLocaleString("en-US")} more people`) : null,
    systems.length === 0
      ? null
      : el("ul", { class: "ways list" }, ...systems.map((one) => el("li", {}, fateView(one)))),
    ...later.map(laterView),
  )
}

const LATER: ReadonlyMap<string, string> = new Map([
  ["delay", "It waits, and tells "],
  ["digest", "It gathers, and tells "],
  ["escalate", "It goes on "],
  ["failover", "If that cannot be sent, it tries "],
])

const laterView = ({ kind, dueAt, how, until }: Explained["later"][number]): HTMLElement =>
  el(
    "p",
    { class: "later" },
    icon("later"),
    el(
      "span",
      {},
      LATER.get(kind) ?? `${kind} `,
      ...(dueAt === null ? [] : [clockOf(dueAt), " "]),
      ...said(how),
      until === null ? "" : `, unless somebody has ${until} it`,
    ),
  )

function waysOf({ inbox, reason, channels }: Told): readonly HTMLElement[] {
  const inInbox = inbox ? "would be there" : `not there${reason === null ? "" : `: ${reasonSaid(reason)}`}`
  const shown = inbox || reason !== null || channels.length === 0
  return [
    ...(shown
      ? [el("li", { "data-status": inbox ? "queued" : "suppressed" }, el("b", {}, "inbox"), ` ${inInbox}`)]
      : []),
    ...channels.map((fate) => el("li", { "data-status": fate.status }, fateView(fate))),
  ]
}

function fateView({ channel, status, reason, until }: Fate): HTMLElement {
  const why = reason === null ? "" : reasonSaid(reason)
  const rest = {
    queued: "would be sent",
    scheduled: `would wait${why === "" ? "" : ` (${why})`}`,
    suppressed: `would not be sent: ${why}`,
    expired: "too late to be sent",
  }
  const words = Object.entries(rest).find(([name]) => name === status)?.[1] ?? status
  return el(
    "span",
    {},
    el("b", {}, channel),
    ` ${words}`,
    until === null ? null : " ",
    until === null ? null : clockOf(until),
  )
}

const AT = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" })

/** Of what is to come, by the clock: `at 14:05`, with the day if it is another. */
function clockOf(time: string): HTMLElement {
  const then = Date.parse(time)
  if (Number.isNaN(then)) return moment(time)
  const today = new Date(then).toDateString() === new Date().toDateString()
  const clock = new Date(then).toTimeString().slice(0, 5)
  return el("time", { datetime: time }, today ? `at ${clock}` : `on ${AT.format(then)}`)
}

/** With a full stop, and a capital unless it begins with a name such as `payload.amount`. */
function sentence(text: string): string {
  if (text === "") return ""
  const begun = /^[a-z]+[ ,]/.test(text) ? `${text.charAt(0).toUpperCase()}${text.slice(1)}` : text
  return /[.!?]$/.test(begun) ? begun : `${begun}.`
}
