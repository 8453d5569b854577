/** A message in the list: to whom, about what, and a word where it is not simply captured. */
import { el, icon, words } from "../shared/dom.ts"
import { moment } from "../shared/moment.ts"
import { addressee, type Captured, gist } from "./captured.ts"
import { moodOf } from "./detail.ts"

export function entryOf(item: Captured, current: boolean): HTMLElement {
  const node = el(
    "button",
    { type: "button", class: "entry", "data-id": item.id, "aria-current": current ? "true" : null },
    el(
      "span",
      { class: `channel ${item.channel}` },
      icon(item.channel),
      el("span", { class: "visually-hidden" }, item.channel),
    ),
    el("span", { class: "entry-to", title: addressee(item) }, el("bdi", {}, addressee(item))),
    moment(item.createdAt),
    words(gist(item), "entry-gist"),
    words(item.rule, "entry-rule"),
    badge(item),
  )
  return el("li", {}, node)
}

function badge({ status, receipt }: Captured): HTMLElement | null {
  const said = status === "captured" ? receipt : status
  return said === null ? null : el("span", { class: "entry-state", "data-mood": moodOf(said) }, said)
}
