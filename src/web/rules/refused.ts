/** What is wrong with the rules' files, on top of whatever else the page shows. */
import { el, part } from "../shared/dom.ts"
import type { RulesHealth } from "./running.ts"

let shown = ""

export function showRefused({ refused, errors }: RulesHealth): void {
  const place = part("refused", HTMLElement)
  const text = refused.join("\n")
  if (text === shown) return
  const mended = shown !== "" && text === ""
  shown = text
  place.hidden = refused.length === 0
  const more = errors - refused.length
  part("refused-lines", HTMLOListElement).replaceChildren(
    ...refused.map(line),
    ...(more > 0 ? [el("li", { class: "hint" }, `and ${more} more: hub rules check shows all of them`)] : []),
  )
  part("news", HTMLParagraphElement).textContent = mended
    ? "The rules load again."
    : refused.length > 0
      ? `A change of the rules was refused: ${refused[0] ?? ""}`
      : ""
}

/** `rules/a.yaml:3:5 unknown key …` */
function line(text: string): HTMLElement {
  const [, place = "", problem = ""] = /^(\S+:\d+:\d+) ([\s\S]*)$/.exec(text) ?? []
  return place === ""
    ? el("li", { dir: "auto" }, text)
    : el("li", {}, el("code", { class: "at" }, place), " ", el("span", { dir: "auto" }, problem))
}
