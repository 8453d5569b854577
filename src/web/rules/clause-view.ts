/** A condition as it came out for one event: each part with its value, by sign and word before colour. */
import { el, icon } from "../shared/dom.ts"
import type { Clause, Value } from "./explained.ts"

const SIGNS: Readonly<Record<Value, readonly [drawing: string, word: string]>> = {
  true: ["yes", "True"],
  false: ["no", "False"],
  unknown: ["unknown", "Cannot be computed"],
}

/** The parts as a list within a list. What decided is marked; the rest is there to be compared with. */
export const clauseView = (clause: Clause): HTMLElement =>
  el("ul", { class: "clauses list" }, clauseItem(clause, false))

/** `marked`: what decided is to be told from what did not. */
function clauseItem(clause: Clause, marked: boolean): HTMLElement {
  const [drawing, word] = SIGNS[clause.value]
  const values = clause.operands.map(({ text, value }) =>
    el("span", { class: "operand" }, el("code", {}, text), " is ", el("code", { class: "value", dir: "auto" }, value)),
  )
  const one = clause.decides && clause.children.some(({ decides }) => !decides)
  return el(
    "li",
    { class: "clause", "data-value": clause.value, "data-decides": clause.decides ? "yes" : null },
    el(
      "p",
      {},
      el("span", { class: "sign" }, icon(drawing), el("span", { class: "visually-hidden" }, `${word}: `)),
      el(
        "span",
        { class: "says" },
        clause.children.length > 0
          ? el("span", { class: "head" }, clause.text)
          : el("code", { class: "what", dir: "auto" }, withoutValues(clause)),
        ...values,
        marked && clause.decides && clause.children.length === 0 ? el("span", { class: "decides" }, "decides") : null,
      ),
    ),
    clause.children.length > 0
      ? el("ul", { class: "list" }, ...clause.children.map((child) => clauseItem(child, one)))
      : null,
  )
}

/** `payload.x (9) >= 7` beside `payload.x is 9` would say it twice. */
function withoutValues({ text, operands }: Clause): string {
  return operands.reduce((left, { text: path, value }) => left.replace(`${path} (${value})`, path), text)
}
