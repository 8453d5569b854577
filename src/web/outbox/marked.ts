/** Text with marks, as the chat programs have it: what both of their spellings are read into, and how it is drawn. */
import { el } from "../shared/dom.ts"

export type Tag = "b" | "i" | "u" | "s" | "code" | "pre" | "blockquote" | "spoiler" | "mention" | "a"

export interface Mark {
  readonly tag: Tag
  /** Of a link. */
  readonly href?: string
  readonly children: readonly Marked[]
}

export type Marked = string | Mark

/** The words alone. */
export const textOf = (marked: readonly Marked[]): string =>
  marked.map((one) => (typeof one === "string" ? one : textOf(one.children))).join("")

/** The elements for it; text stays text, so nothing in a message can become markup of the page. */
export function draw(marked: readonly Marked[]): (Node | string)[] {
  return marked.map((one) => (typeof one === "string" ? one : drawMark(one)))
}

function drawMark({ tag, href, children }: Mark): HTMLElement {
  const inner = draw(children).map((child) => (typeof child === "string" ? document.createTextNode(child) : child))
  switch (tag) {
    case "a":
      return outsideLink(href ?? "", ...inner)
    case "spoiler":
    case "mention":
      return el("span", { class: tag }, ...inner)
    case "pre":
    case "blockquote":
      return el(tag, { dir: "auto" }, ...inner)
    case "b":
    case "i":
    case "u":
    case "s":
    case "code":
      return el(tag, {}, ...inner)
  }
}

/** A link that opens elsewhere and tells nothing there; an address that is no web address is shown without one. */
export function outsideLink(href: string, ...children: (Node | string)[]): HTMLElement {
  const protocol = URL.parse(href)?.protocol ?? ""
  if (!["https:", "http:", "mailto:", "tel:", "tg:"].includes(protocol))
    return el("span", { class: "no-link", title: href }, ...children)
  return el("a", { href, target: "_blank", rel: "noopener noreferrer", title: href }, ...children)
}
