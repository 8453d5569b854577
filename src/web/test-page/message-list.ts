/** The messages of one topic: newest first, each a line that opens to what it carried. */
import { el } from "../shared/dom.ts"
import { fields, placeOf } from "../shared/fields.ts"
import type { Arrived } from "./subscription.ts"
import { gist } from "./words.ts"

/** Older ones leave: a page that stays open for a week must not grow. */
const MOST_SHOWN = 200

export interface MessageList {
  readonly node: HTMLElement
  add(message: Arrived): void
}

export function messageList(topic: string): MessageList {
  let total = 0
  const count = el("span", { class: "count" })
  const empty = el("p", { class: "empty" }, "Nothing yet.")
  const list = el("ol", { class: "messages list", "aria-label": `Messages of ${topic}`, hidden: true })
  const clear = el("button", { type: "button", class: "link", "aria-label": `Clear the messages of ${topic}` }, "Clear")
  const show = (): void => {
    count.textContent = total === 0 ? "" : String(total)
    empty.hidden = list.childElementCount > 0
    list.hidden = !empty.hidden
    clear.hidden = list.hidden
  }
  clear.addEventListener("click", () => {
    total = 0
    list.replaceChildren()
    show()
  })
  show()
  return {
    node: el("section", { class: "heard" }, el("h4", {}, "Messages", count, clear), empty, list),
    add(message) {
      total += 1
      list.prepend(line(message))
      while (list.childElementCount > MOST_SHOWN) list.lastElementChild?.remove()
      show()
    },
  }
}

function line({ event, payload, offset, recovered }: Arrived): HTMLLIElement {
  const now = new Date()
  const about = gist(event, payload)
  const details = el(
    "details",
    {},
    el(
      "summary",
      {},
      el("span", { class: "offset" }, offset === null ? "–" : `#${offset}`),
      about === null
        ? el("span", { class: "what raw" }, JSON.stringify(payload) ?? "")
        : el("span", { class: "what", dir: "auto" }, about),
      el("time", { datetime: now.toISOString() }, timeOf(now)),
      el(
        "span",
        { class: "origin" },
        recovered ? el("span", { class: "recovered" }, "recovered") : null,
        el("span", {}, event),
        place(payload),
      ),
    ),
  )
  openTo(details, () => pretty(payload))
  return el("li", { class: recovered ? "missed" : null }, details)
}

function place(payload: unknown): HTMLElement | null {
  const of = fields(payload)
  if (of === null) return null
  const said = placeOf({
    business_id: of["businessId"] ?? of["business_id"],
    location_id: of["locationId"] ?? of["location_id"],
  })
  return said === "" ? null : el("span", {}, said)
}

/** What is inside is written only when somebody looks: most is never opened. */
export function openTo(details: HTMLDetailsElement, content: () => Node): void {
  details.addEventListener(
    "toggle",
    () => {
      details.append(content())
    },
    { once: true },
  )
}

export const pretty = (value: unknown): HTMLElement =>
  el("pre", { tabindex: "0", class: "json" }, JSON.stringify(value, null, 2))

const CLOCK = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" })

/** `14:03:09` */
export const timeOf = (at: Date): string => CLOCK.format(at)
