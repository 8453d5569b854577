/** One rule of the list: when, if, whom; what it does over time; what it did lately. */
import { el } from "../shared/dom.ts"
import type { Fields } from "../shared/fields.ts"
import { moment } from "../shared/moment.ts"
import { actionWords } from "./action-words.ts"
import { type Spoken, spoken } from "./logic-words.ts"
import { isShadow, type Lately, type Rule } from "./running.ts"
import { said } from "./said.ts"

/** `id` is the element's, so that an address can name the rule. */
export function ruleCard(rule: Rule, id: string): HTMLLIElement {
  const { name, eventTypes, source, condition, actions, at, lately } = rule
  const types = eventTypes.flatMap((type, place) => [place === 0 ? "" : " or ", el("code", {}, type)])
  const shown = condition === null ? null : spoken(condition)
  return el(
    "li",
    { class: "card", id, tabindex: "-1" },
    el(
      "header",
      {},
      el("h3", {}, el("a", { href: `./rules#${encodeURIComponent(name)}`, dir: "auto" }, name)),
      isShadow(rule) ? el("span", { class: "badge shadow" }, "shadow") : null,
      el("code", { class: "at", title: "Where it is written" }, at),
      el("a", { class: "try-it", href: tryAddress(name) }, "Try", el("span", { class: "visually-hidden" }, ` ${name}`)),
    ),
    el(
      "dl",
      {},
      el("dt", {}, "When"),
      el("dd", {}, ...types, ...(source === null ? [] : [" from ", el("code", {}, source)])),
      ...(shown === null ? [] : [el("dt", {}, "If"), el("dd", {}, conditionView(shown))]),
      ...actions.flatMap(actionView),
    ),
    lately === null ? null : latelyView(lately),
  )
}

const tryAddress = (rule: string): string => `./rules?view=try&rule=${encodeURIComponent(rule)}`

/** The words before the parts of a condition. */
const HEADS = { all: "all of", any: "any of", none: "none of" } as const

function conditionView(part: Spoken): HTMLElement {
  if (part.kind === "code") return el("code", { dir: "auto" }, part.code)
  return el(
    "div",
    { class: "parts" },
    el("span", { class: "head" }, HEADS[part.kind]),
    el("ul", {}, ...part.parts.map((one) => el("li", {}, conditionView(one)))),
  )
}

function actionView(action: Fields): readonly HTMLElement[] {
  const { whom, where, notes } = actionWords(action)
  return [
    el("dt", {}, "Tell"),
    el("dd", {}, ...said(whom), ", ", ...said(where)),
    ...(notes.length === 0
      ? []
      : [
          el("dt", { class: "visually-hidden" }, "And"),
          el("dd", {}, el("ul", { class: "notes" }, ...notes.map((note) => el("li", {}, ...said(note))))),
        ]),
  ]
}

/** Counters stand in the same places, so that a column of cards can be read downwards. */
export function latelyView({ matched, notified, suppressed, failed, lastMatchedAt }: Lately): HTMLElement {
  if (matched + failed === 0) return el("p", { class: "lately" }, "Nothing matched since the hub started")
  const figure = (value: number, word: string, tone: string | null = null): HTMLElement =>
    el(
      "span",
      { class: "figure", "data-tone": value === 0 ? "none" : tone },
      el("b", {}, value.toLocaleString("en-US")),
      ` ${word}`,
    )
  return el(
    "p",
    { class: "lately", title: "On the node that answers, since it started" },
    figure(matched, "matched"),
    figure(notified, "told"),
    figure(suppressed, "held back"),
    figure(failed, "failed", "bad"),
    lastMatchedAt === null ? null : el("span", { class: "last" }, "last match ", moment(lastMatchedAt)),
  )
}
